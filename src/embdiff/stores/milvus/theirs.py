"""Collections in Milvus that embdiff did not make: looked at, read and searched, never written to.

Nothing here creates, changes, releases or drops anything; a collection that is not loaded is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from embdiff._registry import nearest
from embdiff.errors import DataError, ParameterError, StoreError, UnknownNameError
from embdiff.indexes import IndexSpec, check_metric
from embdiff.records import FloatArray, IntArray, Metric, Neighbors
from embdiff.stores.collection import Batch, CollectionSpec, Vectors
from embdiff.stores.milvus.store import MilvusStore
from embdiff.stores.store import Searched

_ROWS_PER_PAGE = 1_000
_KEYS = ("VARCHAR", "INT64", "INT32", "INT16", "INT8")
_TYPES = {"id": _KEYS, "text": ("VARCHAR",), "group": _KEYS}  # of fields, by option


class TheirCollection(Searched):
    """One collection, read-only.

    Parameters
    ----------
    store : MilvusStore
    name : str
        Of the collection, or an alias of it.
    fields : mapping of str to str
        Names of the fields ``vector``, ``id``, ``text`` and ``group``, as far as they are given; but for the vector
        they may be dynamic ones, which no schema knows.

    Attributes
    ----------
    name : str
        Of the collection itself.
    where : str
        Text form of store and collection, without secrets.
    strings : tuple of str
        Names of the fields of text.
    metric : {"cosine", "ip", "l2"}
    index : IndexSpec

    Raises
    ------
    StoreError
        When there is no such collection, or it has no index (and so no metric).
    UnknownNameError
        When a field is not there.
    ParameterError
        When a field is of a type that does not fit, or must be named because there are several.
    """

    def __init__(self, store: MilvusStore, name: str, fields: Mapping[str, str]) -> None:
        found = store.real_name(name)
        if found is None:
            raise StoreError(
                f"A collection to read must be in {store.uri}. Got {name!r}, which is not; there are: "
                f"{', '.join(store.names()) or 'none'}. Name one of these, or an alias."
            )
        self._store, self.name, self.where = store, found, f"{store.uri}#{found}"
        schema = store.described(found)
        described, self._dynamic = schema["fields"], bool(schema.get("enable_dynamic_field"))
        self._nullable = {field["name"] for field in described if field.get("nullable")}
        self._key = next(field["name"] for field in described if field.get("is_primary"))
        kinds = {field["name"]: getattr(field["type"], "name", str(field["type"])) for field in described}
        self._fields = self._resolved(fields, kinds)
        self.strings = tuple(name for name, kind in kinds.items() if kind == "VARCHAR" and name != self._key)
        self.metric, self.index = self._index()
        self._keys: list[Any] = []
        self._row_of: dict[Any, int] = {}

    def read(self, text: str | None = None) -> Batch:
        """Load the collection, and return all its rows, in the order of its primary key.

        Texts and groups are empty tuples where no field is named.

        Parameters
        ----------
        text : str, optional
            The field of texts, where the user named none.

        Raises
        ------
        DataError
            When it is empty, a key or an id occurs twice, or a row has no vector, no id, or a text that is none.
        UnknownNameError
            When no row has a dynamic field that was named.
        """
        self._fields["text"] = self._fields["text"] or text or ""
        self._store.open(self.name)
        count = self._store.count(self.name)
        wanted = list(dict.fromkeys(filter(None, (self._key, *self._fields.values()))))
        found = self._store.scan(self.name, wanted, count, _ROWS_PER_PAGE)
        if not found:
            raise DataError(f"A collection to read must hold rows. Got none in {self.where}. Name another.")
        self._keys = [record[self._key] for record in found]
        ids, texts, groups = (self._values(found, option) for option in ("id", "text", "group"))
        self._refuse_repeated(ids, count)
        return Batch(np.arange(len(found)), ids, texts, groups, self._vectors(found))

    def _values(self, found: Sequence[Mapping[str, Any]], option: str) -> tuple[str, ...]:
        """Return a field of all rows as text, nothing where none is named; a text that is null is empty."""
        field = self._fields[option]
        if not field:
            return ()
        values = [record.get(field) for record in found]
        if all(value is None for value in values):
            known = sorted({key for record in found[:_ROWS_PER_PAGE] for key in record})
            raise UnknownNameError(
                f"The field {option}= must be in {self.where}. Got {field!r}, which no row has. {nearest(field, known)}"
            )
        kinds = (str,) if option == "text" else (str, int)
        for key, value in zip(self._keys, values, strict=True):
            if (value is None and option != "text") or not (value is None or type(value) in kinds):
                raise DataError(
                    f"The field {option}= must hold text{' or an integer' if int in kinds else ''} in every row. Got "
                    f"{'null' if value is None else type(value).__name__} in {field!r} of the row with the key "
                    f"{key!r} of {self.where}. Fill it in, or name another field."
                )
        return tuple("" if value is None else str(value) for value in values)

    def _vectors(self, found: Sequence[Mapping[str, Any]]) -> FloatArray:
        """Return the vectors, float32 (n, d); a null is refused, and what may be one."""
        field = self._fields["vector"]
        vectors = [record.get(field) for record in found]
        missing = [at for at, vector in enumerate(vectors) if vector is None]
        what = "null"
        if not missing:
            table = np.array(vectors, dtype=np.float32)
            if field not in self._nullable or not self._store.nulls_are_zeros:
                return table
            missing = np.flatnonzero(~table.any(axis=1)).tolist()
            what = "zeros, as which Milvus Lite gives a null"
        if not missing:
            return table
        raise DataError(
            f"Every row of a collection must have a vector. Got {what} in {field!r} of the row with the key "
            f"{self._keys[missing[0]]!r}, {len(missing):,} in all, of {self.where}. Fill them in or delete these rows."
        )

    def join(self, order: IntArray) -> None:
        """Say which of the rows read is each row of the corpus, (n,); needed before `search`."""
        self._row_of = {self._keys[place]: row for row, place in enumerate(order.tolist())}

    def search(self, spec: CollectionSpec, vectors: Vectors, k: int) -> Neighbors:
        """Return the k nearest rows of queries float32 (q, d), found by the collection's own index; ties by row."""
        return self._store.searched(spec, self._fields["vector"], vectors, k, self._rows_of)

    def _resolved(self, fields: Mapping[str, str], kinds: Mapping[str, str]) -> dict[str, str]:
        """Return the name of every field, "" for none: those given, and those that the schema tells."""
        vectors = [name for name, kind in kinds.items() if kind == "FLOAT_VECTOR"]
        vector = vectors[0] if len(vectors) == 1 else ""
        found = {"vector": vector, "id": self._key, "text": "", "group": "", **fields}
        for option, name in found.items():
            if name and name not in kinds and option != "vector" and self._dynamic:
                continue  # whether rows have it, they tell when they are read
            if name and name not in kinds:
                raise UnknownNameError(
                    f"The field {option}= must be in {self.where}. Got {name!r}. {nearest(name, kinds)}"
                )
            if option == "vector" and name not in vectors:
                raise ParameterError(
                    f"A field of float vectors must be named with vector=. Got {name!r} for {self.where}, which has: "
                    f"{', '.join(vectors) or 'none'}. Write ?vector=FIELD."
                )
            if option in _TYPES and name and kinds[name] not in _TYPES[option]:
                raise ParameterError(
                    f"The field {option}= must be of type {' or '.join(_TYPES[option])}. Got {name!r} of type "
                    f"{kinds[name]} in {self.where}. Name another field."
                )
        return found

    def _index(self) -> tuple[Metric, IndexSpec]:
        """Return the metric and the index of the vectors, as the database tells them."""
        index = self._store.index_of(self.name, self._fields["vector"])
        if index is not None:
            given = {**index, **(index.get("params") or {})}
            params = {key: int(given[key]) for key in ("nlist", "M", "efConstruction") if key in given}
            return check_metric(str(index["metric_type"])), IndexSpec(str(index["index_type"]).lower(), params)
        raise StoreError(
            f"A collection to read must have an index on its vectors, which says the metric. Got none on "
            f"{self._fields['vector']} of {self.where}. Build one there, or copy the vectors."
        )

    def _refuse_repeated(self, ids: Sequence[str], count: int) -> None:
        for what, values in (("primary key", self._keys), ("id", ids)):
            if len(set(values)) < len(values):
                twice = Counter(values).most_common(1)[0][0]
                raise DataError(
                    f"Every {what} must occur once to be joined with a corpus. Got {twice!r} more than once in "
                    f"{self.where}. Name another field with id=, or mend the collection."
                )
        if count != len(ids):
            raise DataError(
                f"Every primary key must occur once. Got {count:,} rows but {len(ids):,} keys in {self.where}. "
                "Mend the collection."
            )

    def _rows_of(self, keys: Sequence[Any]) -> list[int]:
        """Turn primary keys into rows of the corpus."""
        try:
            return [self._row_of[key] for key in keys]
        except KeyError as error:
            raise StoreError(
                f"A collection must not change while it is compared. Got the new key {error.args[0]!r} in "
                f"{self.where}. Run again."
            ) from None
