"""TREC's files and BEIR folders: read, written, and refused with the line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from embdiff.corpus import read_expected
from embdiff.corpus.beir import read_beir
from embdiff.corpus.trec import read_qrels, read_run, write_qrels, write_run
from embdiff.errors import DataError
from embdiff.measures import ranking
from embdiff.measures.judged import Judged, grade
from embdiff.records import Corpus, Qrels

QRELS = "query-id\tcorpus-id\tscore\nq1\ta\t2\nq1\tgone\t1\nq2\tb\t1\nq3\ta\t1\n"
CORPUS = [
    {"_id": "a", "title": "Cats", "text": "sleep."},
    {"_id": "b", "title": "", "text": "Dogs run."},
    {"_id": "c", "text": ""},
]
QUERIES = [{"_id": "q1", "text": "cats"}, {"_id": "q2", "text": "dogs"}, {"_id": "q4", "text": "birds"}]


def folder(where: Path, corpus=CORPUS, queries=QUERIES, qrels=QRELS) -> Path:
    (where / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (where / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (where / "qrels" / "test.tsv").write_text(qrels, encoding="utf-8")
    return where


def refused(call, *arguments) -> str:
    with pytest.raises(DataError) as caught:
        call(*arguments)
    return str(caught.value)


def test_runs_and_qrels_come_back_the_same(tmp_path):
    qrels = Qrels({"q1": {"a": 2, "b": 0}, "q2": {"c": -1}})
    write_qrels(qrels, tmp_path / "qrels.txt")
    assert read_qrels(tmp_path / "qrels.txt").judgements == qrels.judgements
    run = {"q1": {"a": 1 / 3, "b": 2.0, "c": 2.0}, "q2": {"a": -1e-30}}
    write_run(run, tmp_path / "it.run", tag="my model")
    assert read_run(tmp_path / "it.run") == run
    lines = (tmp_path / "it.run").read_text().splitlines()
    assert [line.split()[2:4] for line in lines[:3]] == [["c", "1"], ["b", "2"], ["a", "3"]]
    assert lines[0].split()[5] == "my_model"


def test_white_space_in_ids_is_refused(tmp_path):
    message = refused(write_qrels, Qrels({"a query": {"d": 1}}), tmp_path / "x")
    assert message.startswith("An id in a TREC file must be without white space")
    assert "Got 'a query'" in message
    with pytest.raises(DataError, match=r"Got ''"):
        write_run({"": {"d": 1.0}}, tmp_path / "x", tag="t")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("q1 0 a\n", "must have 4 fields.*Got 3 on line 1"),
        ("q1 0 a 1\nq1 0 b x\n", "A grade must be a number.*Got 'x' at line 2"),
        ("q1 0 a 1\nq1 0 a 2\n", "must have one grade.*Got 1 and 2 for 'q1' and 'a', the second at line 2"),
        ("# nothing\n", "at least one judgement.*Got none"),
    ],
)
def test_malformed_qrels(tmp_path, text, words):
    (tmp_path / "qrels.txt").write_text(text)
    with pytest.raises(DataError, match=words):
        read_qrels(tmp_path / "qrels.txt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("q1 Q0 a 1 0.5\n", "must have 6 fields.*Got 5 on line 1"),
        ("q1 Q0 a 1 high t\n", "must be a finite number.*Got 'high' at line 1"),
        ("q1 Q0 a 1 nan t\n", "must be a finite number.*Got 'nan'"),
        (
            "q1 Q0 a 1 2 t\nq1 Q0 a 2 1 t\n",
            "once in the list of a query.*Got 'a' twice for 'q1', the second time at line 2",
        ),
        ("", "at least one result.*Got none"),
    ],
)
def test_malformed_runs(tmp_path, text, words):
    (tmp_path / "x.run").write_text(text)
    with pytest.raises(DataError, match=words):
        read_run(tmp_path / "x.run")
    assert "Is a directory" in refused(read_run, tmp_path)
    assert "must exist" in refused(read_run, tmp_path / "none.run")


def test_documents_queries_and_what_is_missing(tmp_path):
    found = read_beir(folder(tmp_path / "set"))
    assert found.corpus.items == ("Cats sleep.", "Dogs run.", "")
    assert found.corpus.ids == ("a", "b", "c")
    assert found.empty_documents == ("c",)
    assert found.dangling == (("q1", "gone"),)
    assert found.without_text == ("q3",)
    assert found.unjudged == ("q4",)
    assert found.qrels.judgements == {"q1": {"a": 2, "gone": 1}, "q2": {"b": 1}, "q3": {"a": 1}}


def test_judgements_by_name_or_by_file(tmp_path):
    where = folder(tmp_path / "set")
    (where / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tb\t1\n")
    (tmp_path / "mine.qrels").write_text("q2 0 b 1\n")
    assert read_beir(where, "dev").qrels.judgements == {"q1": {"b": 1}}
    assert read_beir(where, str(tmp_path / "mine.qrels")).qrels.judgements == {"q2": {"b": 1}}
    message = refused(read_beir, where, "tset")
    assert "Did you mean 'test'?" in message
    assert "There are: 'dev', 'test'" in message


def test_third_column_must_be_score(tmp_path):
    message = refused(read_beir, folder(tmp_path / "set", qrels="query-id\tcorpus-id\tcode\nq1\ta\t1\n"))
    assert message.startswith("The header of judgements must be query-id, corpus-id, score, tab-separated.")
    assert "Got 'query-id', 'corpus-id', 'code'" in message
    assert "may count in another direction" in message
    # Without a header, the first judgement would be taken for one.
    assert "Got none: line 1" in refused(read_beir, folder(tmp_path / "bare", qrels="q1\ta\t1\nq2\tb\t1\n"))


@pytest.mark.parametrize(
    ("qrels", "words"),
    [
        ("query-id\tcorpus-id\tscore\nq1\ta\thigh\n", r"must be a number.*Got 'high' at line 2 \(row 0\)"),
        ("query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\ta\t2\n", r"must have one score.*the second at line 3 \(row 1\)"),
        ("query-id\tcorpus-id\tscore\nq1\t\t1\n", "Every judgement must have a corpus-id.*line 2"),
        ("query-id\tcorpus-id\tscore\nq9\ta\t1\n", "At least one judged query must be in.*Got judgements of 'q9'"),
    ],
)
def test_malformed_judgements(tmp_path, qrels, words):
    with pytest.raises(DataError, match=words):
        read_beir(folder(tmp_path / "set", qrels=qrels))


def test_malformed_documents_and_queries(tmp_path):
    assert "must have _id and text. Got 'name', 'text'" in refused(
        read_beir, folder(tmp_path / "1", corpus=[{"name": 1, "text": "x"}])
    )
    numbers = folder(tmp_path / "2", corpus=[{"_id": "a", "text": 5}])
    assert "Every item must be text. Got number '5' at line 1 (row 0), id 'a', of" in refused(read_beir, numbers)
    titled = folder(
        tmp_path / "3", corpus=[{"_id": "a", "title": None, "text": "x"}, {"_id": "b", "title": ["y"], "text": "x"}]
    )
    assert "must be text, in the column 'title'. Got list ['y'] at line 2 (row 1), id 'b'" in refused(read_beir, titled)
    nameless = folder(tmp_path / "4", corpus=[{"_id": "a", "text": "x"}, {"text": "y"}])
    assert "must have an id: text or a number in the column '_id'. Got an empty cell at line 2 (row 1)" in refused(
        read_beir, nameless
    )
    silent = folder(tmp_path / "5", queries=[*QUERIES, {"_id": "q5", "text": " "}])
    assert "Every row must hold text. Got 1 empty of 4" in refused(read_beir, silent)
    assert "queries.jsonl: line 4 (row 3)" in refused(read_beir, silent)
    (tmp_path / "empty").mkdir()
    assert "must be a folder with corpus.jsonl and queries.jsonl" in refused(read_beir, tmp_path / "empty")
    (tmp_path / "5" / "corpus.jsonl").rename(tmp_path / "5" / "corpus.json")
    assert "which lacks corpus.jsonl (it has 'corpus.json')" in refused(read_beir, tmp_path / "5")


@pytest.mark.parametrize("name", ["corpus", "queries"])
def test_ids_that_occur_twice_are_to_be_made_unique(tmp_path, name):
    """Without ids there is nothing to judge: to number the rows is no way out."""
    twice = [{"_id": "a", "text": "x"}, {"_id": "b", "text": "y"}, {"_id": "a", "text": "z"}]
    message = refused(read_beir, folder(tmp_path / "set", **{name: twice}))
    assert "Got 'a' at line 1 (row 0) and at line 3 (row 2)" in message
    assert message.endswith("Make the ids unique.")
    missing = [{"_id": "a", "text": "x"}, {"_id": None, "text": "y"}]
    assert refused(read_beir, folder(tmp_path / "none", **{name: missing})).endswith("Fill it in.")


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet", "tsv.gz", "csv.zst"])
def test_judgements_in_any_table(tmp_path, extension):
    judged = pd.DataFrame({"query-id": ["q1", "q2"], "corpus-id": ["a", "b"], "score": [2, 1]})
    path, where = tmp_path / f"mine.{extension}", folder(tmp_path / "set")
    if extension == "jsonl":
        judged.to_json(path, orient="records", lines=True)
    elif extension == "parquet":
        judged.to_parquet(path)
    else:
        text = judged.to_csv(index=False, sep="\t" if "tsv" in extension else ",").encode()
        packed = {"gz": gzip.compress, "zst": lambda raw: pa.compress(raw, codec="zstd", asbytes=True)}
        path.write_bytes(packed.get(extension[-3:].strip("."), bytes)(text))
    assert read_beir(where, str(path)).qrels.judgements == {"q1": {"a": 2}, "q2": {"b": 1}}


@pytest.mark.parametrize("column", ["query-id", "corpus-id", "score"])
def test_a_null_in_judgements_is_no_value(tmp_path, column):
    judged = pd.DataFrame({"query-id": ["q1", "q2"], "corpus-id": ["a", "b"], "score": ["2", "1"]})
    judged.loc[1, column] = None
    judged.to_parquet(tmp_path / "mine.parquet")
    message = refused(read_beir, folder(tmp_path / "set"), str(tmp_path / "mine.parquet"))
    assert "row 1 of" in message
    assert "None" in message or "an empty cell" in message


def test_fractions_are_grades_and_are_noted(tmp_path):
    (tmp_path / "half.qrels").write_text("q1 0 a 0.5\nq1 0 b 2\nq1 0 c 0\nq2 0 a -0.5\n")
    (tmp_path / "half.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t.5\nq1\tb\t2.0\nq1\tc\t0\nq2\ta\t-0.5\n")
    wanted = {"q1": {"a": 0.5, "b": 2, "c": 0}, "q2": {"a": -0.5}}
    corpus = Corpus(("one", "two", "three"), ("a", "b", "c"))
    for name in ("half.qrels", "half.tsv"):
        found = read_expected(tmp_path / name, Corpus(("x", "y"), ("q1", "q2")), corpus)
        assert found.judgements == wanted
        assert f"2 of 4 grades of {tmp_path / name} are fractions" in found.notes[-1]
    judged = Judged.from_qrels(wanted, ["q1", "q2"], {"a": 0, "b": 1, "c": 2})
    graded = grade(np.array([[0, 2, 1], [0, 1, 2]]), judged)
    gain, best = 0.5 + 2 / np.log2(4), 2 + 0.5 / np.log2(3)
    assert ranking.ndcg(graded, 3).tolist() == pytest.approx([gain / best, 0.0])
    assert ranking.recall(graded, 1).tolist() == [0.5, 0.0]
    assert ranking.average_precision(graded).tolist() == pytest.approx([(1 + 2 / 3) / 2, 0.0])
