"""What counts in retrieval: queries that nobody asked, queries that are documents, lists shorter than a measure, ties."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import embdiff
from embdiff.corpus import self_rows
from embdiff.corpus.beir import read_beir
from embdiff.errors import DataError, ParameterError
from embdiff.measures.places import name_ranks, ties_by_id, trec_order
from embdiff.records import Corpus, Neighbors
from embdiff.search import nearest_rows

WORDS = ["river", "lamp", "roof", "cup", "door", "train", "bell", "tower", "fence", "bread", "apple", "stone"]


def folder(where: Path, documents: dict[str, str], queries: dict[str, str], judged: list[tuple[str, str, int]]) -> Path:
    (where / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", documents), ("queries", queries)):
        lines = (json.dumps({"_id": key, "text": text}) + "\n" for key, text in rows.items())
        (where / f"{name}.jsonl").write_text("".join(lines))
    lines = (f"{query}\t{document}\t{grade}\n" for query, document, grade in judged)
    (where / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    return where


def plain(where: Path, judged: int = 4) -> Path:
    """Twelve documents, three queries; of so many judged queries the first three are asked."""
    documents = {f"d{at}": f"old {word} near the {word}" for at, word in enumerate(WORDS)}
    queries = {f"q{at}": f"{WORDS[at]} near" for at in range(3)}
    return folder(where, documents, queries, [(f"q{at}", f"d{at % 12}", 1) for at in range(judged)])


def test_judged_queries_that_nobody_asked_are_left_out_and_told(tmp_path, command):
    where = plain(tmp_path / "set")
    result = embdiff.evaluate(where, ["toy:64"])
    score = result.score("hit@10", "toy:64")
    assert (score.n, result.outcome.units) == (3, ("q0", "q1", "q2"))
    assert result.outcome.about.startswith(
        "3 of 4 judged queries (1 are not among the queries and are left out), 12 documents"
    )
    zero = embdiff.evaluate(where, ["toy:64"], missing="zero")
    counted = zero.score("hit@10", "toy:64")
    assert (counted.n, counted.per_query) == (4, (*score.per_query, 0.0))
    assert counted.value == pytest.approx(score.value * 3 / 4)
    # By chance, too, a query that is not asked finds nothing.
    for measure in ("hit@10", "ndcg@10", "map", "recall@100"):
        assert zero.score(measure, "toy:64").chance == pytest.approx(result.score(measure, "toy:64").chance * 3 / 4)
    assert "4 judged queries (1 of them are not among the queries and count as 0)" in zero.outcome.about
    assert command("evaluate", str(where), "-m", "toy:8", "--missing", "zero")[0] == 0


def test_where_most_judged_queries_are_missing_it_is_refused(tmp_path, command):
    where = plain(tmp_path / "set", 9)
    code, out, err = command("evaluate", str(where), "-m", "toy:8")
    assert (code, out) == (2, "")
    assert "Most judged queries must be among the queries. Got 6 of 9 that are not" in err
    assert "--missing zero" in err
    assert embdiff.evaluate(where, ["toy:8"], missing="drop").score("map", "toy:8").n == 3
    assert embdiff.evaluate(where, ["toy:8"], missing="zero").score("map", "toy:8").n == 9
    assert embdiff.evaluate(plain(tmp_path / "half", 6), ["toy:8"]).score("map", "toy:8").n == 3


def test_a_collection_without_any_judged_document_is_refused(tmp_path):
    where = plain(tmp_path / "set")
    text = (where / "corpus.jsonl").read_text().replace('"d', '"D0')
    (where / "corpus.jsonl").write_text(text)
    with pytest.raises(
        DataError, match=r"one judged document must be in .*corpus.jsonl. Got judgements of 'd0'.*'D00'"
    ):
        read_beir(where)


def themselves(where: Path, ids: str = "q", title: str = "") -> Path:
    """As `plain`, its queries among the documents."""
    documents = {f"d{at}": f"old {word} near the {word}" for at, word in enumerate(WORDS)}
    queries = {f"q{at}": f"{WORDS[at]} near" for at in range(3)}
    documents |= {f"{ids}{at}": title + f"{WORDS[at]} near" for at in range(3)}
    return folder(where, documents, queries, [(f"q{at}", f"d{at}", 1) for at in range(3)])


@pytest.mark.parametrize(("ids", "title"), [("q", ""), ("x", ""), ("q", "On stones ")])
def test_queries_that_are_documents_are_counted_and_can_be_left_out(tmp_path, ids, title):
    """By text, under whatever id; or by id where the text has a title before it."""
    where = themselves(tmp_path / "set", ids, title)
    kept = embdiff.evaluate(where, ["toy:64"], baseline=False)
    dropped = embdiff.evaluate(where, ["toy:64"], baseline=False, self_matches="drop")
    without = embdiff.evaluate(plain(tmp_path / "plain", 3), ["toy:64"], baseline=False)
    assert any(
        "3 of 3 queries are themselves documents, by text: they find themselves" in n for n in kept.outcome.notes
    )
    assert any("left out of their lists (--self drop)" in note for note in dropped.outcome.notes)
    for name in ("q0", "q1", "q2"):
        assert f"{ids}{name[1:]}" in kept.outcome.runs["toy:64"][name]
        assert f"{ids}{name[1:]}" not in dropped.outcome.runs["toy:64"][name]
    assert dropped.score("mrr@10", "toy:64").value >= kept.score("mrr@10", "toy:64").value + 0.2 * (not title)
    assert dropped.score("rr", "toy:64").chance < without.score("rr", "toy:64").chance  # 14 documents against 12


@pytest.mark.parametrize("k", [3, 1_000])
def test_a_query_that_is_a_document_is_left_out_where_that_is_cut_into_chunks(tmp_path, k):
    """As in ArguAna, where the queries are whole documents: none of its chunks has the text of the query."""
    documents = {
        f"d{at}": " ".join(WORDS[at:] + WORDS[:at] + [f"more {word}" for word in WORDS[at:]]) for at in range(9)
    }
    queries = {f"q{at}": documents[f"d{at}"] for at in range(3)} | {"q3": "bread and apple"}
    where = folder(tmp_path / "set", documents, queries, [(f"q{at}", f"d{at + 1}", 1) for at in range(4)])
    measures = ["hit@1", "ndcg@3"]
    given = {"chunk": 10, "k": k, "baseline": False, "measures": measures}
    kept = embdiff.evaluate(where, ["toy:64"], **given)
    dropped = embdiff.evaluate(where, ["toy:64"], **given, self_matches="drop")
    assert any("3 of 4 queries are themselves documents, by text: left out" in note for note in dropped.outcome.notes)
    corpus, encoder = embdiff.read_corpus(where / "corpus.jsonl", chunk=10), embdiff.get_encoder("toy:64")
    assert len(corpus) > 2 * len(documents)
    asking, there = (encoder.encode(list(texts)) for texts in (queries.values(), corpus.items))
    asking, there = (table / np.linalg.norm(table, axis=1, keepdims=True) for table in (asking, there))
    similar = asking @ there.T
    for name, line in zip(queries, similar, strict=True):
        best = {
            page: max(float(line[row]) for row in range(len(line)) if corpus.parents[row] == page) for page in documents
        }
        order = sorted(best, key=lambda page: -best[page])
        assert list(kept.outcome.runs["toy:64"][name]) == order[:k]
        own = f"d{name[1]}" if name != "q3" else ""
        assert list(dropped.outcome.runs["toy:64"][name]) == [page for page in order if page != own][:k]
    assert dropped.score("hit@1", "toy:64").chance == pytest.approx((3 / 8 + 1 / 9) / 4)
    words = embdiff.evaluate(where, ["bm25"], **given | {"baseline": True}, self_matches="drop")
    assert all(f"d{at}" not in words.outcome.runs["bm25"][f"q{at}"] for at in range(3))


def test_an_id_alone_is_not_the_query_itself(tmp_path):
    documents = {str(at): f"old {word} near the {word}" for at, word in enumerate(WORDS)}
    queries = {str(at): f"{WORDS[at + 1]} near" for at in range(3)}
    where = folder(tmp_path / "set", documents, queries, [(str(at), str(at + 1), 1) for at in range(3)])
    dropped = embdiff.evaluate(where, ["toy:64"], self_matches="drop")
    kept = embdiff.evaluate(where, ["toy:64"])
    assert dropped.to_dict()["scores"] == kept.to_dict()["scores"]
    assert any("3 of 3 queries have the id of a document with another text" in note for note in kept.outcome.notes)


def test_in_a_comparison_an_id_alone_is_not_the_query_itself():
    corpus = Corpus(("a b", "c d", "Title e f", "a b"), ("0", "1", "2", "3"), ids_given=True)
    queries = Corpus(("x y", "c d", "e f", "a b"), ("0", "1", "2", "9"), ids_given=True)
    assert [rows.tolist() for rows in self_rows(queries, None, corpus)] == [[], [1], [2], [0, 3]]


@pytest.mark.parametrize("given", [{"k": 5}, {"k": 50}, {"k": 20, "measures": ["hit@1", "recall@30"]}])
def test_a_measure_deeper_than_the_lists_is_refused(tmp_path, given):
    with pytest.raises(ParameterError, match=r"at most the depth of the lists, \d+ \(-k\). Got .*recall@"):
        embdiff.evaluate(plain(tmp_path / "set"), ["toy:8"], **given)


def test_chosen_measures_of_short_lists(tmp_path, command):
    where = plain(tmp_path / "set")
    result = embdiff.evaluate(where, ["toy:64", "toy:8"], k=5, measures=["hit@1", "ndcg@5"])
    assert [score.measure for score in result.scores[::3]] == ["hit@1", "ndcg@5"]
    # What two models reach together is said of a hundred documents: here all twelve.
    assert {gain.models for gain in result.outcome.together} == set()
    assert any("cut at fewer than 12 documents" in note for note in result.outcome.notes)
    code, out, _ = command("evaluate", str(where), "-m", "toy:8", "--measure", "hit@1", "--json")
    assert code == 0
    assert {score["measure"] for score in json.loads(out)["scores"]} == {"hit@1"}
    for wrong, words in (
        (["auc"], "must be of neighbors"),
        (["hit@1", "hit@1"], "named once"),
        (["nothing"], "nothing"),
    ):
        with pytest.raises(embdiff.errors.EmbdiffError, match=words):
            embdiff.evaluate(where, ["toy:8"], measures=wrong)


def test_short_runs_are_noted(tmp_path):
    where = plain(tmp_path / "set")
    lines = [f"q{query} Q0 d{at} {at + 1} {9 - at} t\n" for query in range(2) for at in range(3)]
    (tmp_path / "three.run").write_text("".join(lines))
    notes = embdiff.evaluate(where, ["toy:8"], runs=[tmp_path / "three.run"]).outcome.notes
    assert any(note == "run:three.run: 1 of 3 queries have no list: they count as 0 ('q2')." for note in notes)
    short = next(note for note in notes if "lists have fewer than 12 documents (the longest has 3)" in note)
    assert "counts as not found in ndcg@10, map, mrr@10, rr, recall@100" in short
    assert any("lists of run:three.run are cut at fewer than 12 documents" in note for note in notes)


def test_of_a_tie_across_the_last_place_the_highest_ids_are_listed(tmp_path):
    """As trec_eval orders the whole list: row numbers decide nothing, and the count is told."""
    same, other = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    vectors = np.stack([same, same, other, same, same])
    names = name_ranks(("c", "e", "z", "a", "d"))
    found = nearest_rows(same[None], vectors, 2, "cosine")
    settled = ties_by_id(found, names)
    assert trec_order(settled.rows, settled.similarity, names).tolist() == [[1, 4]]
    noisy = Neighbors(found.rows, found.similarity - np.array([[0, 6e-8]], np.float32), "cosine", ties=found.ties)
    assert ties_by_id(noisy, names).similarity.tolist() == [[1.0, 1.0]]

    class Flat:
        def encode(self, items, *, role="document"):
            return np.tile(same, (len(items), 1))

    result = embdiff.evaluate(plain(tmp_path / "set"), [Flat()], k=2, measures=["hit@2"], baseline=False)
    score = result.scores[0]
    assert score.reason == (
        "3 of 3 queries have a tie across place 2: those with the highest ids are listed, as trec_eval orders them"
    )
    assert set(result.outcome.runs["object:Flat"]["q0"]) == {"d9", "d8"}


def test_how_intervals_were_made_is_what_was_done(tmp_path):
    few = embdiff.evaluate(plain(tmp_path / "set"), ["toy:8"], baseline=False)
    assert {score.interval for score in few.scores} == {"wilson"}
    assert few.outcome.protocol["intervals"] == "95 %, of other queries, documents held fixed: Wilson's"
    documents = {f"d{at}": f"{WORDS[at % 12]} {WORDS[at // 12]} {at}" for at in range(60)}
    queries = {f"q{at}": f"{WORDS[at % 12]} {WORDS[(at + 1) % 12]}" for at in range(60)}
    where = folder(tmp_path / "more", documents, queries, [(f"q{at}", f"d{at}", 1) for at in range(60)])
    many = embdiff.evaluate(where, ["toy:8"], baseline=False)
    ways = {score.interval for score in many.scores}
    assert len(ways) > 1
    for score in many.scores:
        assert score.measure in many.outcome.protocol["intervals"]
