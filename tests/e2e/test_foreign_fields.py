"""What collections of others may hold: nulls, dynamic fields, aliases, keys that are mere numbers of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient

import embdiff as ed
from embdiff.errors import DataError, EmbdiffError, StoreError, UnknownNameError
from embdiff.stores.milvus.store import MilvusStore

ROWS = 12
VECTORS = np.random.default_rng(3).standard_normal((ROWS, 6)).astype(np.float32)
TEXTS = [f"a boat of {row} planks" for row in range(ROWS)]


@pytest.fixture
def client() -> Iterator[Any]:
    made = MilvusClient("their.db")
    yield made
    made.close()


def make(
    client: Any, name: str, records: Sequence[Mapping[str, Any]], *, metric: str = "L2", null: bool = True
) -> None:
    schema = MilvusClient.create_schema(enable_dynamic_field=True)
    schema.add_field("pk", DataType.INT64, is_primary=True)
    schema.add_field("code", DataType.VARCHAR, max_length=20, nullable=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=6, nullable=null)
    index = MilvusClient.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type=metric)
    client.create_collection(name, schema=schema, index_params=index)
    client.insert(name, list(records))
    client.flush(name)


def record(row: int, **other: Any) -> dict[str, Any]:
    return {"pk": row, "code": f"c{row}", "vector": VECTORS[row].tolist(), **other}


def compared(reference: str, corpus: Any = None, **given: Any) -> ed.Comparison:
    rows = [{"id": str(row), "text": text} for row, text in enumerate(TEXTS)] if corpus is None else corpus
    settings = {
        "metric": "l2",
        "k": 3,
        "store": "memory:",
        "layout": "none",
        "baseline": False,
        "cache": "off",
        **given,
    }
    return ed.compare(rows, models=[f"milvus:their.db#{reference}"], **settings)


@pytest.mark.parametrize("metric", ["L2", "IP", "COSINE"])
@pytest.mark.parametrize("rows", [[0], [3, 7], [11]])
def test_a_null_vector_is_no_vector(client: Any, metric: str, rows: Sequence[int]) -> None:
    make(client, "a", [record(row, **({"vector": None} if row in rows else {})) for row in range(ROWS)], metric=metric)
    with pytest.raises(
        DataError, match=rf"must have a vector\. Got zeros, as which .* with the key {rows[0]}, {len(rows)} in all"
    ):
        compared("a", metric=metric.lower())


def test_a_vector_of_zeros_that_cannot_be_null_is_a_vector(client: Any) -> None:
    make(client, "a", [record(row, **({"vector": [0.0] * 6} if row == 4 else {})) for row in range(ROWS)], null=False)
    assert len(compared("a").run.corpus) == ROWS


def test_a_null_id_is_no_id(client: Any) -> None:
    make(client, "a", [record(row, **({"code": None} if row == 5 else {})) for row in range(ROWS)])
    rows = [{"id": "None" if row == 5 else f"c{row}", "text": text} for row, text in enumerate(TEXTS)]
    with pytest.raises(DataError, match=r"must hold text or an integer in every row\. Got null in 'code' of .* key 5"):
        compared("a?id=code", rows)


def test_a_server_gives_null_for_a_null(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make(client, "a", [record(row) for row in range(ROWS)])
    found = [{**record(row), "vector": None if row == 6 else VECTORS[row]} for row in range(ROWS)]
    monkeypatch.setattr(MilvusStore, "scan", lambda *_asked: found)
    with pytest.raises(
        DataError, match=r"must have a vector\. Got null in 'vector' of the row with the key 6, 1 in all"
    ):
        compared("a")


def test_dynamic_fields_are_read_by_name(client: Any) -> None:
    make(client, "a", [record(row, body=TEXTS[row], name=f"n{row}", kind=row % 2) for row in range(ROWS)])
    taken = compared("a?text=body&id=name&group=kind", "milvus:their.db#a?text=body&id=name&group=kind").run.corpus
    assert (taken.items, taken.ids[3], taken.groups[3]) == (tuple(TEXTS), "n3", "1")
    with pytest.raises(UnknownNameError, match=r"The field id= must be in .*#a\. Got 'nam', which no row has\. "):
        compared("a?id=nam")


@pytest.mark.parametrize(
    ("other", "reference", "message"),
    [
        ({}, "a?id=name", r"Got null in 'name' of the row with the key 4"),
        ({"name": 1.5}, "a?id=name", r"Got float in 'name' of the row with the key 4"),
        (
            {"name": "x", "body": ["b"]},
            "a?text=body",
            r"text= must hold text in every row\. Got list in 'body' of .* 4",
        ),
        (
            {"body": "b", "name": "x"},
            "a?text=body&group=kind",
            r"field group= must be in .* Got 'kind', which no row has",
        ),
        ({"body": "b"}, "a?text=body&group=name", r"group= must hold text or an integer .* Got null in 'name' of .* 4"),
        ({"body": None}, "a?text=body", r"Rows of a collection must have texts\. Got 1 without, for example '4'"),
    ],
)
def test_a_dynamic_field_may_lack_in_a_row(client: Any, other: dict[str, Any], reference: str, message: str) -> None:
    whole = {"name": "n", "body": "b"}
    make(client, "a", [record(row, **(other if row == 4 else {**whole, "name": f"n{row}"})) for row in range(ROWS)])
    with pytest.raises(EmbdiffError, match=message):
        compared(reference, f"milvus:their.db#{reference}" if "text=" in reference else None)


def test_an_alias_is_the_collection(client: Any) -> None:
    make(client, "a", [record(row) for row in range(ROWS)])
    client.create_alias("a", "live")
    one, other = compared("a"), compared("live")
    np.testing.assert_array_equal(one.run.answers[0].returned.rows, other.run.answers[0].returned.rows)
    stamps = [each.run.manifest["models"][0]["stamp"] for each in (one, other)]
    assert stamps[0] == stamps[1]
    with pytest.raises(StoreError, match=r"Got 'lively', which is not; there are: a\. Name one of these, or an alias"):
        compared("lively")


def test_numbers_of_rows_are_no_ids_of_other_texts(client: Any, tmp_path: Path) -> None:
    order = np.random.default_rng(4).permutation(ROWS)
    make(client, "a", [record(row, vector=VECTORS[at].tolist()) for row, at in enumerate(order)])
    assert compared("a", TEXTS).run.manifest["models"][0]["encoding"]["joined"] == "number"
    client.drop_collection("a")
    schema = MilvusClient.create_schema()
    schema.add_field("pk", DataType.INT64, is_primary=True)
    schema.add_field("Body", DataType.VARCHAR, max_length=100)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=6)
    index = MilvusClient.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_collection("b", schema=schema, index_params=index)
    client.insert("b", [{"pk": row, "Body": TEXTS[at], "vector": VECTORS[at]} for row, at in enumerate(order)])
    client.flush("b")
    with pytest.raises(
        DataError, match=r"by their numbers, so both must hold the same texts\. Got \d+ that differ, for"
    ):
        compared("b", TEXTS)
    assert compared("b", [TEXTS[at] for at in order]).run.manifest["models"][0]["encoding"]["joined"] == "id"
