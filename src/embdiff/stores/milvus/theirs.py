"""Collections in Milvus that embdiff did not make: looked at, read and searched, never written to.

Nothing here creates, changes, releases or drops anything; a collection that is not loaded is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from embdiff._progress import progress
from embdiff._registry import nearest
from embdiff.errors import DataError, ParameterError, StoreError, UnknownNameError
from embdiff.records import FloatArray, IntArray, Metric, Neighbors
from embdiff.specs import IndexSpec, check_metric
from embdiff.stores.collection import Batch, CollectionSpec
from embdiff.stores.milvus.asking import WORD
from embdiff.stores.milvus.store import STRONGLY, MilvusStore
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
        Of the collection.
    fields : mapping of str to str
        Names of the fields ``vector``, ``id``, ``text`` and ``group``, as far as they are given.

    Attributes
    ----------
    where : str
        Text form of store and collection, without secrets.
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
        self._store, self._name, self.where = store, name, f"{store.uri}#{name}"
        there = store.names()
        if name not in there:
            raise StoreError(
                f"A collection to read must be in {store.uri}. Got {name!r}, which is not; there are: "
                f"{', '.join(there) or 'none'}. Name one of these."
            )
        described = store.described(name)["fields"]
        self._key = next(field["name"] for field in described if field.get("is_primary"))
        kinds = {field["name"]: getattr(field["type"], "name", str(field["type"])) for field in described}
        self._fields = self._resolved(fields, kinds)
        self.metric, self.index = self._index()
        self._keys: list[Any] = []
        self._row_of: dict[Any, int] = {}

    def read(self) -> Batch:
        """Load the collection, and return all its rows, in the order of its primary key.

        Texts and groups are empty tuples where no field is named.

        Raises
        ------
        DataError
            When it is empty, or a key or an id occurs twice.
        """
        self._store.open(self._name)
        count = self._store.count(self._name)
        found = self._store.ask(f"read {self._name}", lambda client: self._scan(client, count))
        if not found:
            raise DataError(f"A collection to read must hold rows. Got none in {self.where}. Name another.")
        self._keys = [record[self._key] for record in found]
        ids, texts, groups = (
            tuple("" if record[field] is None else str(record[field]) for record in found) if field else ()
            for field in (self._fields["id"], self._fields["text"], self._fields["group"])
        )
        self._refuse_repeated(ids, count)
        vectors = np.array([record[self._fields["vector"]] for record in found], dtype=np.float32)
        return Batch(np.arange(len(found)), ids, texts, groups, vectors)

    def join(self, order: IntArray) -> None:
        """Say which of the rows read is each row of the corpus, (n,); needed before `search`."""
        self._row_of = {self._keys[place]: row for row, place in enumerate(order.tolist())}

    def search(self, spec: CollectionSpec, vectors: FloatArray, k: int) -> Neighbors:
        """Return the k nearest rows of queries float32 (q, d), found by the collection's own index; ties by row."""
        return self._store.searched(spec, self._fields["vector"], vectors, k, self._rows_of)

    def _resolved(self, fields: Mapping[str, str], kinds: Mapping[str, str]) -> dict[str, str]:
        """Return the name of every field, "" for none: those given, and those that the schema tells."""
        vectors = [name for name, kind in kinds.items() if kind == "FLOAT_VECTOR"]
        vector = vectors[0] if len(vectors) == 1 else ""
        found = {"vector": vector, "id": self._key, "text": "", "group": "", **fields}
        for option, name in found.items():
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

        def described(client: Any) -> list[Any]:
            names = client.list_indexes(self._name, timeout=WORD)
            return [client.describe_index(self._name, name, timeout=WORD) for name in names]

        for index in self._store.ask(f"describe {self._name}", described):
            if index.get("field_name") == self._fields["vector"]:
                given = {**index, **(index.get("params") or {})}
                params = {key: int(given[key]) for key in ("nlist", "M", "efConstruction") if key in given}
                return check_metric(str(index["metric_type"])), IndexSpec(str(index["index_type"]).lower(), params)
        raise StoreError(
            f"A collection to read must have an index on its vectors, which says the metric. Got none on "
            f"{self._fields['vector']} of {self.where}. Build one there, or copy the vectors."
        )

    def _scan(self, client: Any, count: int) -> list[dict[str, Any]]:
        wanted = list(dict.fromkeys(filter(None, (self._key, *self._fields.values()))))
        found: list[dict[str, Any]] = []
        pages = client.query_iterator(self._name, batch_size=_ROWS_PER_PAGE, output_fields=wanted, **STRONGLY)
        with closing(pages), progress(f"read {self._name}", count, "rows") as advance:
            while page := pages.next():
                found += page
                advance(len(page))
        return found

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
