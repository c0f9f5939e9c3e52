"""How a row becomes a document: title and text by default, a column alone where it is named, or a template."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embdiff.corpus import read_corpus, read_queries
from embdiff.corpus.beir import read_beir
from embdiff.corpus.columns import Columns
from embdiff.corpus.pieces import open_pieces
from embdiff.errors import DataError, ParameterError

ROWS = [
    {"_id": "a", "title": "Harbours", "text": "Boats wait.", "year": "1950", "url": "x"},
    {"_id": "b", "title": "", "text": " Rain falls. ", "year": "1951", "url": "y"},
    {"_id": "c", "title": "Roofs", "text": "", "year": "1952", "url": "z"},
]
DOCUMENTS = ("Harbours Boats wait.", " Rain falls. ", "Roofs")


@pytest.fixture(params=["csv", "tsv", "jsonl", "jsonl.gz", "parquet", "frame", "dicts"])
def rows(request, tmp_path):
    """The same rows, in every form that has columns."""
    frame, path = pd.DataFrame(ROWS), tmp_path / f"corpus.{request.param}"
    if request.param in ("csv", "tsv"):
        frame.to_csv(path, sep="," if request.param == "csv" else "\t", index=False)
    elif request.param.startswith("jsonl"):
        frame.to_json(path, orient="records", lines=True)
    elif request.param == "parquet":
        frame.to_parquet(path)
    return {"frame": frame, "dicts": ROWS}.get(request.param, path)


def test_title_and_text_make_the_document_in_every_form(rows):
    corpus = read_corpus(rows)
    assert (corpus.ids, corpus.items) == (("a", "b", "c"), DOCUMENTS)
    (note,) = corpus.notes
    assert "text = title + \" \" + text, id = _id; others: 'year', 'url'." in note


def test_a_column_that_is_named_is_that_column_alone(rows):
    for column, found in (("text", tuple(row["text"] for row in ROWS)), ("title", ("Harbours", "", "Roofs"))):
        corpus = read_corpus(rows, text_column=column, empty="keep")
        assert corpus.items == found
        assert f"text = {column}, " in corpus.notes[0]
    assert read_corpus(rows, text_column=3).items == ("1950", "1951", "1952")


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{title} {text}", DOCUMENTS),
        ("{1} {2}", DOCUMENTS),
        ("{TITLE} {Text}", DOCUMENTS),
        ("{text} {title}", ("Boats wait. Harbours", " Rain falls. ", "Roofs")),
        ("{title}: {text} ({year})", ("Harbours: Boats wait. (1950)", ":  Rain falls.  (1951)", "Roofs:  (1952)")),
        ("{{{year}}}", ("{1950}", "{1951}", "{1952}")),
    ],
)
def test_a_template_is_filled(rows, template, found):
    assert read_corpus(rows, text_column=template).items == found


@pytest.mark.parametrize("template", ["{}", "{title!r}", "{title:>9}", "{title", "title}{", "{{title}}"])
def test_a_template_that_is_none(rows, template):
    with pytest.raises(ParameterError, match=r"names of columns in braces, such as '\{title\} \{text\}'. Got"):
        read_corpus(rows, text_column=template)


def test_a_template_with_a_column_that_is_not_there(rows):
    with pytest.raises(DataError, match=r"Got 'titel', which is none of its 5.*Did you mean 'title'"):
        read_corpus(rows, text_column="{titel} {text}")


def test_a_row_whose_cells_are_all_blank_is_empty_whatever_stands_around_them(write):
    path = write("a.jsonl", '{"title": "T", "text": "a"}\n{"title": null, "text": " "}\n')
    for column in (None, "{title} {text}", "Title: {title}. Text: {text}"):
        with pytest.raises(DataError, match=r"Got 1 empty of 2.*line 2 \(row 1\)"):
            read_corpus(path, text_column=column)
        assert read_corpus(path, text_column=column, empty="drop").dropped == ("1",)


def test_numbers_and_dates_fill_a_template_but_make_no_document(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "n": [1, 2], "title": [[1], [2]]}), path)
    assert read_corpus(path, text_column="{text} {n}").items == ("a 1", "b 2")
    with pytest.raises(DataError, match=r"must be text, in the column 'title'. Got list \[1\] at row 0"):
        read_corpus(path)
    assert read_corpus(path, text_column="text").items == ("a", "b")


def test_a_title_that_is_the_id_or_the_group_is_no_part_of_the_text(write):
    path = write("a.csv", "title,text\nT,a\nU,b\n")
    assert read_corpus(path, id_column="title").items == ("a", "b")
    assert read_corpus(path, group_column="title").items == ("a", "b")
    assert read_corpus(path).items == ("T a", "U b")


def test_a_query_is_its_text_alone_and_the_line_says_so(write):
    corpus = read_corpus(["x", "y"])
    queries, _ = read_queries(write("q.csv", "id,title,text\nq,T,a\n"), corpus)
    assert queries.items == ("a",)
    assert "others: 'title'" in queries.notes[0]


def test_pieces_are_the_same_documents(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame(ROWS).to_parquet(path)
    for text, found in ((None, DOCUMENTS), ("{year} {title}", ("1950 Harbours", "1951", "1952 Roofs"))):
        pieces = list(open_pieces(path, Columns(text), "keep").read(2))
        assert tuple(item for piece in pieces for item in piece.items) == found
    digests = {open_pieces(path, Columns(text), "keep").digest() for text in (None, "text", "{title}")}
    assert len(digests) == 3


@pytest.mark.parametrize("form", ["jsonl", "csv", "jsonl.gz", "parquet"])
def test_a_collection_has_the_documents_of_read_corpus(tmp_path, form):
    frame = pd.DataFrame(ROWS)
    queries = pd.DataFrame([{"_id": "q", "text": "boats", "title": "not asked"}])
    for name, table in (("corpus", frame), ("queries", queries)):
        path = tmp_path / f"{name}.{form}"
        if form == "csv":
            table.to_csv(path, index=False)
        elif form == "parquet":
            table.to_parquet(path)
        else:
            table.to_json(path, orient="records", lines=True)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    for text in (None, "text", "{text} {title}"):
        found = read_beir(tmp_path, columns=Columns(text))
        wanted = read_corpus(tmp_path / f"corpus.{form}", text_column=text, empty="keep")
        assert (found.corpus.ids, found.corpus.items) == (wanted.ids, wanted.items)
        assert found.queries.items == ("boats",)
    (tmp_path / "corpus.txt").write_text("a\n")
    if form != "jsonl":
        with pytest.raises(DataError, match=r"must have one file corpus\.\*. Got"):
            read_beir(tmp_path)
