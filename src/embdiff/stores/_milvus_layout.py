"""How a collection of ours lies in Milvus: its fields, its index, its properties, and its rows as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient

from embdiff.records import FloatArray, IntArray
from embdiff.stores.collection import Batch, CollectionSpec

PROPERTY = "embdiff"  # the collection property with the stamp; Lite forgets descriptions, both keep properties
IDENTITY = "embdiff.identity"
FIELD_BYTES = 65_535  # the longest VARCHAR of Milvus
VECTOR = "vector"  # the field, and its index
FIELDS = ("row", "id", "text", "group", VECTOR)


def schema(dim: int) -> Any:
    """Return the fields of a collection of vectors with ``dim`` numbers, keyed by row number."""
    made = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    made.add_field("row", DataType.INT64, is_primary=True)
    for text in ("id", "text", "group"):
        made.add_field(text, DataType.VARCHAR, max_length=FIELD_BYTES)
    made.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dim)
    return made


def index(spec: CollectionSpec, *, lite: bool) -> Any:
    """Return the index asked for, as pymilvus takes it; ``lite``: for Milvus Lite."""
    name, params = spec.index.name.upper(), spec.index.build_params
    if lite and name == "FLAT":
        # Lite searches FLAT by numpy: for L2 through a cube of queries x rows x dim floats (20,000 x 384, 200
        # queries in calls of 8: 7.9 s and 527 MB, against 0.8 s and 21 MB so), for the others through a matrix
        # product that gives equal vectors unequal similarities. One list, always probed, is the same exhaustive
        # scan, by faiss.
        name, params = "IVF_FLAT", {"nlist": 1}
    made = MilvusClient.prepare_index_params()
    # Lite reads the parameters under "params" only, and pymilvus flattens that away unless it is given twice.
    twice = {**params, "params": params} if params else {}
    made.add_index(VECTOR, index_type=name, metric_type=spec.metric.upper(), index_name=VECTOR, params=twice)
    return made


def to_records(
    rows: IntArray, ids: Sequence[str], texts: Sequence[str], groups: Sequence[str], vectors: FloatArray
) -> list[dict[str, Any]]:
    """Return m rows as Milvus takes them; see `Store.add`."""
    return [
        {"row": int(row), "id": name, "text": text, "group": group, VECTOR: vector}
        for row, name, text, group, vector in zip(rows, ids, texts, groups, vectors, strict=True)
    ]


def to_batch(records: Sequence[dict[str, Any]]) -> Batch:
    """Return records as Milvus gave them, in any order, as rows in order; of none the dimension is 0."""
    found = sorted(records, key=lambda record: record["row"])
    dim = len(found[0][VECTOR]) if found else 0
    return Batch(
        np.array([record["row"] for record in found], dtype=np.int64),
        tuple(record["id"] for record in found),
        tuple(record["text"] for record in found),
        tuple(record["group"] for record in found),
        np.array([record[VECTOR] for record in found], dtype=np.float32).reshape(len(found), dim),
    )
