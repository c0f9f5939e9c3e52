"""Retrieval through evaluate and the command line: rules, notes, the baseline, files written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import embdiff
from embdiff import _optional
from embdiff.corpus.trec import read_qrels, read_run
from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.lexical import Bm25
from embdiff.measures import ranking
from embdiff.measures.places import ties_by_id
from embdiff.search import nearest_rows
from trec_runs import grade_run

MEASURES = ["ndcg@10", "map", "mrr@10", "rr", "recall@100", "precision@10", "hit@10"]


def test_every_number_has_n_interval_and_chance(beir):
    result = embdiff.evaluate(beir, ["toy:64", "toy:16"])
    assert result.task == "retrieval"
    assert [score.measure for score in result.scores[::3]] == MEASURES
    assert {score.models[0] for score in result.scores} == {"bm25", "toy:64", "toy:16"}
    for score in result.scores:
        assert score.n == 2
        assert score.low <= score.value <= score.high
        assert 0 < score.chance <= 1
        assert len(score.per_query) == 2
    # q9 is judged and has no text: nobody asked it. Half of what q2 wants is not in the collection.
    assert result.outcome.units == ("q1", "q2")
    assert result.score("hit@10", "toy:64").per_query == (1.0, 1.0)
    assert result.score("recall@100", "toy:64").per_query == (1.0, 0.5)
    notes = " ".join(result.outcome.notes)
    assert "1 documents are empty; they stay in the collection ('d6')" in notes
    assert "1 of 5 judgements name documents that are not in the collection: not found ('q2/d99')" in notes
    assert "1 judged queries are not among the queries: left out ('q9')" in notes
    assert "1 queries have no judgement: they are left out ('q3')" in notes


def test_written_runs_give_the_same_numbers(beir, tmp_path):
    result = embdiff.evaluate(beir, ["toy:64"], out=tmp_path / "out")
    written = read_qrels(tmp_path / "out" / "qrels.txt").judgements
    assert written == result.outcome.qrels.judgements
    judgements = {query: written[query] for query in result.outcome.units}
    files = sorted((tmp_path / "out" / "runs").iterdir())
    assert [path.name for path in files] == ["01-bm25.run", "02-toy_64.run"]
    for path, model in zip(files, ("bm25", "toy:64"), strict=True):
        _, graded = grade_run(read_run(path), judgements)
        assert ranking.ndcg(graded, 10).tolist() == pytest.approx(result.score("ndcg@10", model).per_query)
    with (tmp_path / "out" / "values.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 2 * 7 * 2
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["scores"] == result.to_dict()["scores"]
    again = embdiff.evaluate(beir, [], runs=files, baseline=False)
    assert again.score("map", "run:02-toy_64.run").value == pytest.approx(result.score("map", "toy:64").value)
    assert embdiff.evaluate(beir, ["toy:64"], out=tmp_path / "out").to_dict()["scores"] == result.to_dict()["scores"]
    with pytest.raises(ParameterError, match=r"must be new, empty, or an earlier one"):
        embdiff.evaluate(beir, ["toy:64"], out=beir)


def test_ids_with_blanks_have_no_trec_file_and_that_is_told(beir, tmp_path):
    text = (beir / "corpus.jsonl").read_text().replace('"d5"', '"d 5"')
    (beir / "corpus.jsonl").write_text(text)
    embdiff.evaluate(beir, ["toy:64"], out=tmp_path / "out")
    notes = json.loads((tmp_path / "out" / "evaluation.json").read_text())["notes"]
    assert "The TREC files were not written: An id in a TREC file must be without white space" in notes[-1]


def test_models_are_compared_in_pairs(beir):
    result = embdiff.evaluate(beir, ["toy:64", "toy:16"])
    first = result.to_dict()["differences"][0]
    assert first["measure"] == "ndcg@10"
    assert [test["models"] for test in first["tests"]] == [["bm25", "toy:64"], ["bm25", "toy:16"], ["toy:64", "toy:16"]]
    assert first["ties"]
    assert set(first["letters"]) == {"bm25", "toy:64", "toy:16"}
    for test in first["tests"]:
        difference = result.score("ndcg@10", test["models"][0]).value - result.score("ndcg@10", test["models"][1]).value
        assert test["difference"] == pytest.approx(difference)


def test_without_bm25s_the_output_says_so(beir, monkeypatch, command):
    monkeypatch.setattr(_optional, "is_installed", lambda module: module != "bm25s")
    code, out, _ = command("evaluate", str(beir), "-m", "toy:16", "--json")
    payload = json.loads(out)
    assert code == 0
    assert {score["models"][0] for score in payload["scores"]} == {"toy:16"}
    assert any(
        "The baseline bm25 is left out" in note and "pip install 'embdiff[bm25]'" in note for note in payload["notes"]
    )


def test_bm25_by_hand():
    index = Bm25(["apple pear", "apple", "plum", ""])
    found = index.rank(["apple", "kiwi", "a", "plum apple"], 3)
    rows, scores = found.rows, found.similarity
    assert rows.tolist() == [[1, 0, -1], [-1, -1, -1], [-1, -1, -1], [2, 1, 0]]
    # Lucene's BM25: idf = ln(1 + (4 - 2 + .5) / (2 + .5)), length 1 of 1 on average.
    assert scores[0, 0] == pytest.approx(np.log(1 + 2.5 / 2.5) * 1 / (1 + 1.5))
    assert np.isnan(scores[0, 2])
    tied = Bm25(["same words", "same words", "same words"]).rank(["same"], 2)
    assert ties_by_id(tied, np.array([1, 2, 0])).rows.tolist() == [[1, 0]]
    assert Bm25(["", "a"]).rank(["a", "b"], 5).rows.tolist() == [[-1, -1], [-1, -1]]


def test_zero_vectors_find_nothing_and_are_never_found():
    vectors = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32)
    found = nearest_rows(vectors[[0, 1]], vectors, 10, "cosine")
    assert found.rows.tolist() == [[-1, -1, -1], [1, 2, -1]]
    assert np.isnan(found.similarity[0]).all()
    assert nearest_rows(vectors[:1], vectors, 1, "l2").rows.tolist() == [[0]]
    # Ties keep their rows where zero vectors are left out.
    tied = nearest_rows(vectors[[1]], np.array([[0, 0], [0, 1], [1, 1], [2, 2]], np.float32), 1, "cosine")
    assert (tied.rows.tolist(), tied.ties.row.tolist()) == ([[2]], [3])


def test_zero_vectors_are_told(beir):
    class Blind:
        def encode(self, items, *, role="document"):
            return np.array(
                [[0.0, 0.0] if "cat" in item or not item else [1.0, len(item)] for item in items], dtype=np.float32
            )

    result = embdiff.evaluate(beir, [Blind()])
    note = next(note for note in result.outcome.notes if note.startswith("object:Blind"))
    assert "3 documents and 1 queries have a zero vector" in note
    assert result.score("ndcg@10", "object:Blind").per_query[0] == 0.0


def test_adi_by_the_command_line(shared_data: Path, command):
    """WordLlama publishes nothing for this set: our own measurement, kept so that a change is seen."""
    pytest.importorskip("wordllama", reason="the model is an optional package")
    code, out, err = command("evaluate", str(shared_data / "adi"), "-m", "wordllama:256", "--json")
    assert code == 0, err
    payload = json.loads(out)
    assert payload["task"] == "retrieval"
    values = {(score["measure"], score["models"][0]): score["value"] for score in payload["scores"]}
    assert values["ndcg@10", "wordllama:256"] == pytest.approx(0.4446, abs=0.002)
    assert values["ndcg@10", "bm25"] == pytest.approx(0.4105, abs=0.01)
    chance = next(score["chance"] for score in payload["scores"] if score["measure"] == "precision@10")
    assert chance == pytest.approx(170 / 35 / 82, abs=1e-9)


def test_tables_for_people(beir, command):
    code, out, _ = command("evaluate", str(beir), "-m", "toy:64", "-m", "toy:16", "--all")
    assert code == 0
    assert "Task retrieval (the folder holds corpus and queries): 2 of 3 judged" in out
    for words in ("ndcg@10", "value [95 %]", "chance", "same", "detectable", "p (Holm)", "trec_eval", "bm25s"):
        assert words in out
    assert "better" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert "ndcg@10" in repr(embdiff.evaluate(beir, ["toy:64"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("-m", "toy:64", "--task", "retrival"),
            "task must be one of retrieval, pairs, classes, bitext, scope. Got 'retrival'",
        ),
        ((), "An evaluation needs at least one model. Got none."),
        (("-m", "toy:64", "-m", "toy:64"), "Every model must be named once. Got toy:64 more than once"),
        (("-m", "toy:64", "-k", "0"), "k must be an integer from 1 to 1,000,000,000. Got 0"),
        (("-m", "toy:64", "--metric", "dotty"), "dotty"),
        (("-m", "toy:64", "--qrels", "dev"), "Judgements must be in"),
        (("-m", "toy:64", "--task", "classes"), "must have one train file"),
        (("-m", "nothing:1"), "nothing"),
    ],
)
def test_refusals_end_with_two(beir, command, arguments, words):
    code, out, err = command("evaluate", "--all", str(beir), *arguments)
    assert code == 2
    assert out == ""
    assert words in err
    assert "Traceback" not in err


def test_refused_data(beir, tmp_path, command):
    code, _, err = command("evaluate", "--all", "sett", "-m", "toy:64")
    assert (code, "Did you mean 'set'?" in err) == (2, True)
    (tmp_path / "other").mkdir()
    assert "A folder must hold corpus.jsonl" in command("evaluate", "--all", "other", "-m", "toy:64")[2]
    with pytest.raises(DataError, match=r"must be a path. Got list"):
        embdiff.evaluate([["a"]], ["toy:64"])
    with pytest.raises(ParameterError, match=r"must be a list. Got the text 'toy:64'"):
        embdiff.evaluate(beir, "toy:64")
    with pytest.raises(UnknownNameError, match=r"must be of a measure and a model of this evaluation"):
        embdiff.evaluate(beir, ["toy:64"]).score("ndcg@5", "toy:64")


def test_refused_runs(beir, tmp_path):
    (tmp_path / "x.run").write_text("q1 Q0 elsewhere 1 2.0 t\n")
    with pytest.raises(DataError, match=r"Every document of a run must be in the collection. Got 'elsewhere'"):
        embdiff.evaluate(beir, [], runs=["x.run"])
    (tmp_path / "x.run").write_text("q7 Q0 d1 1 2.0 t\n")
    with pytest.raises(DataError, match=r"A run must answer judged queries. Got 'q7'"):
        embdiff.evaluate(beir, [], runs=["x.run"])
    (tmp_path / "p.csv").write_text("a cat,the cat,1\na dog,the cat,0\n")
    with pytest.raises(ParameterError, match=r"Runs can be scored for the task retrieval only. Got pairs"):
        embdiff.evaluate("p.csv", ["toy:8"], runs=["x.run"])
