"""Chunks: where texts are cut, what a token is, and what each chunk keeps of its document."""

from __future__ import annotations

import itertools
import json
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embdiff.chunking import LONGEST_RUN, Chunking, tokens
from embdiff.corpus import read_corpus, read_expected, read_queries
from embdiff.corpus.columns import Columns
from embdiff.corpus.pieces import open_pieces
from embdiff.errors import DataError, ParameterError
from embdiff.records import Qrels


@pytest.mark.parametrize("text", ["200", "heading:200", "200?overlap=40", "heading:10?overlap=5"])
def test_text_forms_round_trip(text):
    assert str(Chunking.parse(text)) == text


def test_no_overlap_is_the_default():
    assert str(Chunking.parse(" 200?overlap=0")) == "200"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9",
        "100001",
        "heading",
        "heading:",
        "headings:200",
        "200 tokens",
        "-200",
        "2e2",
        "page:200",
        "heading:200:20",
    ],
)
def test_other_forms_are_refused(text):
    with pytest.raises(ParameterError, match="--chunk must be a size in tokens, 10 to 100,000, or heading:SIZE"):
        Chunking.parse(text)


@pytest.mark.parametrize("text", ["200?overlap=101", "200?overlap=-1", "200?overlap=x", "200?over=3", "200?overlap="])
def test_other_options_are_refused(text):
    with pytest.raises(ParameterError, match=r"option of --chunk|overlap of --chunk"):
        Chunking.parse(text)


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in tokens(text)]


def test_what_a_token_is():
    assert words("It isn't 3.5 km.") == ["It", "isn", "'", "t", "3", ".", "5", "km", "."]
    assert words("snake_case naïve nai\u0308ve हिन्दी") == ["snake_case", "naïve", "nai\u0308ve", "हिन्दी"]
    assert words("我在这里。ここ สวัสดี") == [*"我在这里。ここ", *"สวัสดี"]
    assert words("한국어 문장 👍🏽") == ["한국어", "문장", "👍", "🏽"]
    assert list(map(len, words("x" * 100))) == [LONGEST_RUN, LONGEST_RUN, 20]


def plain_tokens(text: str) -> list[tuple[int, int]]:
    """The rule of the documentation, letter by letter; of marks beside undivided scripts nothing is asked here."""
    found: list[tuple[int, int]] = []
    run = 0
    for at, letter in enumerate(text):
        of_word = letter == "_" or unicodedata.category(letter)[0] in "LNM"
        if letter.isspace():
            run = 0
        elif "\u4e00" <= letter <= "\u9fff" or not of_word:
            found.append((at, at + 1))
            run = 0
        elif 0 < run < LONGEST_RUN:
            found[-1] = (found[-1][0], at + 1)
            run += 1
        else:
            found.append((at, at + 1))
            run = 1
    return found


LETTERS = st.text(st.sampled_from(list("abcé_12 .,!?\n\t中文e\u0301'\"-")), max_size=400)


@given(LETTERS)
def test_tokens_are_those_of_the_rule(text):
    assert list(tokens(text)) == plain_tokens(text)


@given(LETTERS, st.integers(10, 40), st.data())
def test_chunks_hold_every_token_once_or_overlap_as_asked(text, size, data):
    overlap = data.draw(st.integers(0, size // 2))
    every, spans = plain_tokens(text), Chunking(size, overlap=overlap).spans(text)
    inside = [[at for at, (start, end) in enumerate(every) if low <= start and end <= high] for low, high in spans]
    assert all(len(each) <= size for each in inside)
    assert sorted({at for each in inside for at in each}) == list(range(len(every)))
    for before, after in itertools.pairwise(inside):
        assert after[0] == before[-1] + 1 - overlap
        assert len(before) > size // 2
    for (low, high), each in zip(spans, inside, strict=True):
        assert not each or (low, high) == (every[each[0]][0], every[each[-1]][1])


def test_a_chunk_ends_with_a_paragraph_else_a_sentence():
    text = "One two three four. Five six seven.\n\nEight nine. Ten eleven twelve thirteen"
    cut = Chunking(12).spans(text)
    assert [text[start:end] for start, end in cut] == [
        "One two three four. Five six seven.",
        "Eight nine. Ten eleven twelve thirteen",
    ]
    said = 'He said "go away now." Then he left us all alone there'
    assert next(said[a:b] for a, b in Chunking(12).spans(said)) == 'He said "go away now."'


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    many = " ".join(f"word{at}" for at in range(25))
    (folder / "a.md").write_text(f"# Title\n\nBefore.\n\n## One\n\n### Inner\n\nText.\n\n## Two\n\n{many}\n\n## Last\n")
    (folder / "sub" / "b.txt").write_text("No headings here.")
    return folder


def test_chunks_begin_at_headings_and_keep_their_document(docs):
    corpus = read_corpus(docs, chunk="heading:10", group_empty="top")
    assert corpus.ids == ("a.md#1", "a.md#2", "a.md#3", "a.md#4", "a.md#5", "a.md#6", "sub/b.txt#1")
    assert corpus.parents == ("a.md",) * 6 + ("sub/b.txt",)
    assert corpus.groups == ("top",) * 6 + ("sub",)
    assert corpus.items[:3] == (
        "Title Before.",
        "Title One\n\n### Inner\n\nText.".replace("### ", ""),
        "Title Two\n\n" + " ".join(f"word{at}" for at in range(9)),
    )
    assert corpus.items[5] == "Title Last"
    assert "7 chunks of at most 10 tokens were cut from 2 documents" in corpus.notes[-1]
    assert "(1 without headings below the title)" in corpus.notes[-1]
    assert read_corpus(docs, chunk="heading:10", group_column="none") == read_corpus(
        docs, chunk="heading:10", group_column="none"
    )


def test_size_alone_cuts_through_headings(docs):
    corpus = read_corpus(docs, chunk=100, group_column="none")
    assert corpus.ids == ("a.md#1", "sub/b.txt#1")


def test_templates_stand_before_every_chunk(docs):
    corpus = read_corpus(docs, chunk="heading:20", text_column="<{title}> {text}!", group_column="none")
    assert all(item.startswith("<Title> ") and item.endswith("!") for item in corpus.items[:-1])
    assert read_corpus(docs, chunk=10, text_column="text", group_column="none").items[0].startswith("Before.")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.jsonl"
    rows = [{"id": f"d{row}", "title": f"T{row}", "text": " ".join(["w"] * 15), "group": "g"} for row in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_of_tables_are_cut_too(table):
    corpus = read_corpus(table, chunk=10)
    assert corpus.ids == ("d0#1", "d0#2", "d1#1", "d1#2", "d2#1", "d2#2")
    assert corpus.items[0] == "T0 " + " ".join(["w"] * 10)
    assert corpus.items[1] == "T0 " + " ".join(["w"] * 5)
    assert corpus.groups == ("g",) * 6
    assert read_corpus(["a b c"] * 2, chunk=10).ids == ("0#1", "1#1")


def test_headings_need_files(table):
    with pytest.raises(ParameterError, match=r"heading: needs documents that are files.*Write --chunk 10\."):
        read_corpus(table, chunk="heading:10")


def test_a_corpus_that_is_read_is_not_cut(table):
    with pytest.raises(ParameterError, match="A Corpus is read already"):
        read_corpus(read_corpus(table), chunk=10)


def test_pieces_of_parquet_are_cut_as_the_whole_is(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": ["a", "b", "c"], "text": ["w " * 25, "", "w " * 5]}), path)
    whole = read_corpus(path, chunk=10, empty="drop")
    pieces = list(open_pieces(path, Columns(chunk=Chunking(10)), "drop").read(2))
    assert [name for piece in pieces for name in piece.ids] == list(whole.ids)
    assert all(len(piece) <= 2 for piece in pieces)
    assert [name for piece in pieces for name in piece.dropped] == ["b"]
    pq.write_table(pa.table({"id": ["a", "b", "a"], "text": ["w " * 25] * 3}), path)
    with pytest.raises(DataError, match=r"Every id must occur once. Got 'a' at row 0 and at row 2"):
        list(open_pieces(path, Columns(chunk=Chunking(10)), "drop").read(1))


class TestExpected:
    """Expected results may be of documents or of chunks."""

    @pytest.fixture
    def asked(self, docs):
        corpus = read_corpus(docs, chunk="heading:10", group_column="none")
        queries, _ = read_queries(["where?", "what?"], corpus)
        return queries, corpus

    def test_of_documents(self, asked):
        found = read_expected({"0": ["a.md"], "1": {"sub/b.txt": 2}}, *asked)
        assert found.by_page
        assert found.judgements == {"0": {"a.md": 1}, "1": {"sub/b.txt": 2}}
        assert found.relevant_rows(asked[0].ids, asked[1]) == [[0, 1, 2, 3, 4, 5], [6]]
        assert "expects documents, not chunks" in found.notes[-1]

    def test_of_chunks(self, asked):
        found = read_expected({"0": ["a.md#2"]}, *asked)
        assert not found.by_page
        assert found.relevant_rows(asked[0].ids, asked[1]) == [[1], []]

    def test_of_both_is_refused(self, asked):
        with pytest.raises(DataError, match=r"all of documents, or all of chunks\. Got 'a.md', a document, beside"):
            read_expected([("0", "a.md"), ("1", "sub/b.txt#1")], *asked)

    def test_of_neither_is_refused_with_what_there_is(self, asked):
        with pytest.raises(DataError, match=r"Got 'a.mdx' at row 0.*Did you mean 'a.md'"):
            read_expected([("0", "a.mdx")], *asked)

    def test_qrels_may_name_documents_that_are_not_there(self, asked):
        found = read_expected(Qrels({"0": {"a.md": 1, "gone.md": 1}}), *asked)
        assert found.by_page
        assert found.relevant_rows(("0",), asked[1]) == [[0, 1, 2, 3, 4, 5]]
