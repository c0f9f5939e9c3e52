"""Folders of Parquet files, as data sets are downloaded: one table; and collections of such folders."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff.corpus import read_corpus
from embdiff.corpus.beir import read_beir
from embdiff.errors import DataError


def shards(folder: Path, name: str, rows: list[dict], parts: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        table = pa.Table.from_pylist(rows[part::parts])
        pq.write_table(table, folder / f"{name}-{part:05d}-of-{parts:05d}.parquet")


ROWS = [{"text": f"text {at}", "label": at % 2} for at in range(6)]


@pytest.fixture
def hub(tmp_path):
    shards(tmp_path / "set" / "data", "train", ROWS)
    (tmp_path / "set" / "README.md").write_text("---\nconfigs: []\n---\n# A data set\n")
    (tmp_path / "set" / "dataset_infos.json").write_text("{}")
    (tmp_path / "set" / ".cache").mkdir()
    shards(tmp_path / "set" / ".cache", "other", [{"x": 1}], 1)
    return tmp_path / "set"


def test_a_downloaded_data_set_is_one_table_in_the_order_of_its_files(hub):
    corpus = read_corpus(hub)
    assert corpus.items == tuple(f"text {at}" for at in (0, 2, 4, 1, 3, 5))
    assert corpus.groups == ("0", "0", "0", "1", "1", "1")
    assert corpus.source == str(hub)
    assert read_corpus(hub / "data").items == corpus.items
    assert "Columns of" in corpus.notes[0]


def test_several_tables_are_named(hub):
    shards(hub / "data", "test", ROWS, 1)
    with pytest.raises(DataError, match=r"must be one table\. Got 'data/test', 'data/train' in"):
        read_corpus(hub)
    assert len(read_corpus(hub / "data" / "test-00000-of-00001.parquet")) == 6


def test_files_with_other_columns_are_refused(hub):
    pq.write_table(pa.table({"words": ["x"]}), hub / "data" / "train-00001-of-00002.parquet")
    with pytest.raises(DataError, match=r"must have the same columns\. Got 'text', 'label' in train-00000.*'words' in"):
        read_corpus(hub)


def test_what_save_to_disk_wrote_is_told_apart(tmp_path):
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / "data-00000-of-00001.arrow").write_bytes(b"")
    with pytest.raises(DataError, match=r"must be Parquet files.*save_to_disk.*to_parquet"):
        read_corpus(tmp_path)


@pytest.fixture
def mteb(tmp_path):
    """Laid out as MTEB's retrieval data sets are downloaded."""
    documents = [{"_id": f"d{at}", "title": "", "text": f"the number {at}"} for at in range(8)]
    queries = [{"_id": f"q{at}", "text": f"number {at}?"} for at in range(3)]
    judged = [{"query-id": f"q{at}", "corpus-id": f"d{at}", "score": 1} for at in range(3)]
    shards(tmp_path / "corpus", "corpus", documents)
    shards(tmp_path / "queries", "test", queries, 1)
    shards(tmp_path / "queries", "dev", [{"_id": "z", "text": "zzz"}], 1)
    shards(tmp_path / "data", "test", judged)
    (tmp_path / "README.md").write_text("# A task")
    return tmp_path


def test_a_collection_of_folders_is_that_of_the_files(mteb, tmp_path_factory):
    found = read_beir(mteb)
    assert len(found.corpus) == 8
    assert found.queries.ids == ("q0", "q1", "q2")
    assert found.qrels.judgements == {f"q{at}": {f"d{at}": 1} for at in range(3)}
    plain = tmp_path_factory.mktemp("plain")
    (plain / "qrels").mkdir()
    rows = zip(found.corpus.ids, found.corpus.items, strict=True)
    (plain / "corpus.jsonl").write_text("".join(json.dumps({"_id": a, "text": b}) + "\n" for a, b in rows))
    rows = zip(found.queries.ids, found.queries.items, strict=True)
    (plain / "queries.jsonl").write_text("".join(json.dumps({"_id": a, "text": b}) + "\n" for a, b in rows))
    lines = "".join(f"q{at}\td{at}\t1\n" for at in range(3))
    (plain / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    one, other = (ed.evaluate(folder, ["toy:16"], baseline=False).scores for folder in (mteb, plain))
    assert {score.measure: score.value for score in one} == pytest.approx(
        {score.measure: score.value for score in other}, abs=1e-12
    )


def test_judgements_that_are_not_there_are_named(mteb):
    with pytest.raises(DataError, match="Judgements must be in"):
        read_beir(mteb, "dev")
