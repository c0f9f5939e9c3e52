"""Columns that nobody asked for: kept where their values come again, left out, never refused, where they do not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff.corpus.read import read_corpus, rows_of
from embdiff.errors import DataError
from embdiff.records import Corpus
from embdiff.runs import Run

ROWS = 20


def frame() -> pd.DataFrame:
    at = np.arange(ROWS)
    return pd.DataFrame(
        {
            "id": [f"r{row}" for row in at],
            "text": [f"text number {row}" for row in at],
            "topic": [f"t{row % 3}" for row in at],
            "year": 2000 + at % 4,
            "good": at % 2 == 0,
            "price": at * 1.5,  # another value in every row
            "country": "de",  # one value for all
            "story": [f"{'long ' * 30}{row % 2}" for row in at],
            "sometimes": ["x" if row % 2 else None for row in at],
        }
    )


WANTED = {"year": ("2000", "2001", "2002", "2003"), "good": ("true", "false"), "sometimes": ("", "x")}


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl", "frame"])
def test_columns_whose_values_come_again_are_kept(tmp_path, kind):
    data = frame()
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        data.assign(good=data.good.map({True: "true", False: "false"})).to_csv(path, index=False)
    elif kind == "parquet":
        data.to_parquet(path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in json.loads(data.to_json(orient="records"))))
    corpus = read_corpus(data if kind == "frame" else path)
    assert corpus.groups is not None
    assert set(corpus.columns) == set(WANTED)
    for name, values in WANTED.items():
        assert corpus.columns[name] == tuple(values[row % len(values)] for row in range(ROWS))


def test_they_go_with_their_rows_and_are_no_part_of_what_a_corpus_is():
    corpus = read_corpus(frame())
    assert rows_of(corpus, [3, 1]).columns["year"] == ("2003", "2001")
    assert corpus.digest() == Corpus(corpus.items, corpus.ids, corpus.groups).digest()
    dropped = read_corpus(frame().assign(text=["", *frame().text[1:]]), empty="drop")
    assert dropped.columns["year"][0] == "2001"
    with pytest.raises(DataError, match="year must have one entry for each of the 2 items"):
        Corpus(("a", "b"), ("0", "1"), columns={"year": ("1",)})


def test_cells_that_are_no_plain_text_leave_their_column_out_and_nothing_is_refused():
    data = [
        {"text": f"t{row}", "a": [1, 2], "b": "x\0y", "c": "x\ud800", "d": {"k": 1}, "e": "fine"[: row % 2 + 1]}
        for row in range(8)
    ]
    assert set(read_corpus(data).columns) == {"e"}
    assert read_corpus([f"t{row}" for row in range(8)]).columns == {}


def test_a_wide_column_of_a_parquet_file_is_not_read(tmp_path, monkeypatch):
    from embdiff.corpus import parquet

    table = pa.table(
        {
            "text": [f"t{row}" for row in range(200)],
            "kind": ["a", "b"] * 100,
            "body": [f"{row} " * 200 for row in range(200)],
            "vector": [[float(row)] * 4 for row in range(200)],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    read, column = [], parquet._column
    monkeypatch.setattr(parquet, "_column", lambda path, names, at: read.append(names[at]) or column(path, names, at))
    assert set(read_corpus(tmp_path / "a.parquet", group_column="none").columns) == {"kind"}
    assert set(read) == {"text", "kind"}


def test_a_run_keeps_them(tmp_path):
    result = ed.compare(frame(), ["toy:8", "toy:16"], k=3, store="memory:", baseline=False, out=tmp_path / "run")
    again = Run.read(tmp_path / "run")
    assert dict(again.corpus.columns) == dict(result.run.corpus.columns)
    assert set(again.corpus.columns) == set(WANTED)
    assert again.same_as(result.run)
