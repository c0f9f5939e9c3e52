"""How a collection of ours lies in Milvus: its fields, index and properties; rows as records, hits as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient

from embdiff.records import Metric, Ragged
from embdiff.stores._lists import Lists, nothing
from embdiff.stores.collection import FIELDS, Batch, CollectionSpec, Vectors

PROPERTY = "embdiff"  # the collection property with the stamp; Lite forgets descriptions, both keep properties
IDENTITY = "embdiff.identity"
FIELD_BYTES = 65_535  # the longest VARCHAR of Milvus
VECTOR = "vector"  # the field, and its index
RowsOf = Callable[[Sequence[Any]], list[int]]


def schema(spec: CollectionSpec) -> Any:
    """Return the fields of a collection, keyed by row number."""
    made = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    made.add_field("row", DataType.INT64, is_primary=True)
    for text in ("id", "text", "group"):
        made.add_field(text, DataType.VARCHAR, max_length=FIELD_BYTES)
    if spec.shape == "sparse":
        made.add_field(VECTOR, DataType.SPARSE_FLOAT_VECTOR)
    else:
        made.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=spec.dim)
    return made


def index(spec: CollectionSpec, *, lite: bool) -> Any:
    """Return the index asked for, as pymilvus takes it; ``lite``: for Milvus Lite."""
    name, params = spec.index.name.upper(), spec.index.build_params
    if spec.shape == "sparse":  # exact, as long as no search asks it to drop weights
        name = "SPARSE_INVERTED_INDEX"
    elif lite and name == "FLAT":
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


def to_records(rows: Batch) -> list[dict[str, Any]]:
    """Return rows as Milvus takes them."""
    columns = zip(rows.rows.tolist(), rows.ids, rows.texts, rows.groups, written(rows.vectors), strict=True)
    return [dict(zip(FIELDS, record, strict=True)) for record in columns]


def written(vectors: Vectors) -> list[Any]:
    """Return vectors as pymilvus takes them: arrays, or of sparse ones the weight at each place."""
    if isinstance(vectors, Ragged):
        assert vectors.columns is not None
        return [dict(zip(row.columns.tolist(), row.values.tolist(), strict=True)) for row in vectors]  # type: ignore[union-attr]
    return list(vectors)


def _bytes(vector: Any) -> int:
    return 8 * len(vector) if isinstance(vector, dict) else int(vector.nbytes)


def parts(records: Sequence[dict[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    """Split records into parts of at most ``most`` bytes each; a larger record goes alone.

    Parameters
    ----------
    records : sequence of dict
        With a ``vector`` and the strings ``id``, ``text``, ``group``.
    most : int
    """
    part: list[dict[str, Any]] = []
    size = 0
    for record in records:
        # 4 bytes a character is the most UTF-8 needs; exact lengths would cost more than they save.
        bytes_ = _bytes(record["vector"]) + 4 * sum(len(record[text]) for text in ("id", "text", "group")) + 32
        if part and size + bytes_ > most:
            yield part
            part, size = [], 0
        part.append(record)
        size += bytes_
    if part:
        yield part


def to_batch(records: Sequence[dict[str, Any]]) -> Batch:
    """Return records as Milvus gave them, in any order, as rows in order; of none the dimension is 0."""
    found = sorted(records, key=lambda record: record["row"])
    rows, ids, texts, groups, vectors = ([record[name] for record in found] for name in FIELDS)
    if found and isinstance(vectors[0], dict):
        table: Vectors = _weights(vectors)
    else:
        table = np.array(vectors, dtype=np.float32).reshape(len(found), len(vectors[0]) if found else 0)
    return Batch(np.array(rows, dtype=np.int64), tuple(ids), tuple(texts), tuple(groups), table)


def _weights(vectors: Sequence[dict[int, float]]) -> Ragged:
    """Return sparse vectors as Milvus gave them, each by the place of its weights."""
    ordered = [sorted(each.items()) for each in vectors]
    columns, values = zip(*(pair for each in ordered for pair in each), strict=True)
    counts = [len(each) for each in ordered]
    return Ragged.of(counts, np.array(values, dtype=np.float32), np.array(columns, dtype=np.int32))


def to_arrays(hits: Sequence[Any], width: int, metric: Metric, rows_of: RowsOf = list) -> Lists:
    """Return rows int64 (q, width) and similarities float32 (q, width) of q lists, padded with -1 and NaN.

    Parameters
    ----------
    hits : sequence of length q
        Each with ``ids`` and ``distances``, best first, at most ``width`` long.
    width : int
    metric : Metric
        For l2 the distance is the squared Euclidean one and is negated.
    rows_of : callable
        Returns the row numbers that primary keys stand for; those of ours are these.
    """
    rows, similarity = nothing(len(hits), width)
    for query, found in enumerate(hits):
        rows[query, : len(found.ids)] = rows_of(found.ids)
        similarity[query, : len(found.ids)] = found.distances
    return rows, -similarity if metric == "l2" else similarity
