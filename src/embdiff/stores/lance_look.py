"""A table in LanceDB, ours or of others, to be looked at; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import lancedb
import numpy as np
import pyarrow as pa

from embdiff.records import BoolArray, FloatArray, IntArray
from embdiff.stores.looking import FieldKind, Indexed, Look, Rows, stacked

_METRICS = {"dot": "ip"}
_ROWS_PER_CALL = 10_000
STAMP_KEY = "embdiff"  # metadata of the field "row" with the stamp: LanceDB changes metadata of fields only, atomically


class Tables(Protocol):
    """What is asked of a store: as `embdiff.stores.lancedb.LanceStore` has it."""

    def table(self, name: str, what: str) -> AbstractContextManager[Any]:
        """Yield a table, to do with it what is said."""


class LanceLook(Look):
    """See `Look`; the key of a row is its place in the table.

    Parameters
    ----------
    store : Tables
    name : str
    """

    key = None
    dynamic = nulls_are_zeros = False

    def __init__(self, store: Tables, name: str) -> None:
        self._store, self.name = store, name
        with store.table(name, "describe") as table:
            schema = table.schema
        self.kinds = {field.name: _kind(field.type) for field in schema}
        self.stamp_text = stamp_on(schema)
        self.versions = f"LanceDB {lancedb.__version__}"

    def index(self, vector: str) -> Indexed | None:
        """See `Look.index`."""
        with self._store.table(self.name, "describe the indexes of") as table:
            for each in table.list_indices():
                if list(each.columns) == [vector]:
                    stats = table.index_stats(each.name)
                    metric = str(getattr(stats, "distance_type", None) or "").lower()
                    pending = int(getattr(stats, "num_unindexed_rows", 0) or 0)
                    return Indexed(_snake(str(each.index_type)), _METRICS.get(metric, metric), pending)
        return None

    def count(self) -> int:
        """See `Look.count`."""
        with self._store.table(self.name, "count the rows of") as table:
            return int(table.count_rows())

    def keys(self) -> list[Any]:
        """See `Look.keys`."""
        return list(range(self.count()))

    def read(self, keys: Sequence[Any], fields: Sequence[str], vector: str | None) -> Rows:
        """See `Look.read`."""
        wanted, places = list(dict.fromkeys(filter(None, (*fields, vector)))), sorted(keys)
        parts = []
        with self._store.table(self.name, "read") as table:
            for start in range(0, len(places), _ROWS_PER_CALL):
                part = table.take_offsets(places[start : start + _ROWS_PER_CALL])
                parts.append(part.select(wanted).to_arrow() if wanted else part.to_arrow())
        found = pa.concat_tables(parts).combine_chunks()
        null = np.ones(len(places), dtype=np.bool_)
        table_of = _vectors(found[vector]) if vector else (np.empty((len(places), 0), np.float32), null, 0 * null)
        return Rows(tuple(places), {field: tuple(found[field].to_pylist()) for field in fields}, *table_of)


def stamp_on(schema: Any) -> bytes | None:
    """Return what stands on a table where embdiff writes its stamp; None for nothing."""
    metadata = schema.field("row").metadata if "row" in schema.names else None
    return (metadata or {}).get(STAMP_KEY.encode())


def _kind(kind: Any) -> FieldKind:
    types = pa.types
    if types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind):
        return "vector" if types.is_floating(kind.value_type) else "other"
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    return "whole number" if types.is_integer(kind) else "other"


def _vectors(column: Any) -> tuple[FloatArray, BoolArray, IntArray]:
    """Return vectors, which are null, and their lengths, as `stacked` does."""
    kind, count = column.type, len(column)
    if pa.types.is_fixed_size_list(kind) and not column.null_count:
        numbers = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        return numbers.reshape(count, kind.list_size), np.zeros(count, np.bool_), np.full(count, kind.list_size)
    lists = column.to_pylist()
    return stacked([None if each is None else [np.nan if x is None else x for x in each] for each in lists])


def _snake(name: str) -> str:
    """Return ``IvfFlat`` as ``ivf_flat``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
