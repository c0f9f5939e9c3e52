"""Collections in Milvus that embdiff did not make: looked at, read and searched, never written to.

Nothing here creates, changes, releases or drops anything; a collection that is not loaded is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff._progress import progress
from embdiff._registry import nearest
from embdiff.errors import DataError, ParameterError, StoreError, UnknownNameError
from embdiff.records import FloatArray, Metric, Neighbors
from embdiff.specs import IndexSpec, check_metric
from embdiff.stores._asking import CALL, MOST, SEARCH, WORK, Search, check_k, strongly
from embdiff.stores._calls import Calls
from embdiff.stores._lists import Lists, lengthened, settled
from embdiff.stores.collection import CollectionSpec, check_vectors

_ROWS_PER_PAGE, _QUERIES_PER_CALL = 1_000, 256
_TEXT_TYPES, _KEY_TYPES = ("VARCHAR",), ("VARCHAR", "INT64", "INT32", "INT16", "INT8")


@dataclass(frozen=True)
class Fields:
    """Names of fields; "" for what the collection's schema tells, or for none.

    Parameters
    ----------
    vector, id, text, group : str
    """

    vector: str = ""
    id: str = ""
    text: str = ""
    group: str = ""


@dataclass(frozen=True, eq=False)
class TheirRows:
    """All rows of a collection, in the order of its primary key.

    Parameters
    ----------
    keys : tuple of int or str, length n
        Primary keys.
    ids, texts, groups : tuple of str, length n
        Texts and groups are empty tuples when no field was named.
    vectors : ndarray of float32, shape (n, d)
    """

    keys: tuple[Any, ...]
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    groups: tuple[str, ...]
    vectors: FloatArray


class TheirCollection:
    """One collection, read-only.

    Parameters
    ----------
    call : Calls
        The connection.
    uri : str
        Of the store, without secrets.
    name : str
        Of the collection.
    fields : Fields

    Raises
    ------
    StoreError
        When there is no such collection, or it has no index (and so no metric).
    UnknownNameError
        When a field is not there.
    ParameterError
        When a field is of a type that does not fit, or must be named because there are several.
    """

    def __init__(self, call: Calls, uri: str, name: str, fields: Fields) -> None:
        self._call, self.uri, self.name = call, uri, name
        there = call("list the collections", lambda client: client.list_collections(timeout=CALL))
        if name not in there:
            raise StoreError(
                f"A collection to read must be in {uri}. Got {name!r}, which is not; there are: "
                f"{', '.join(sorted(there)) or 'none'}. Name one of these."
            )
        described = call(f"describe {name}", lambda client: client.describe_collection(name, timeout=CALL))
        self._schema = {field["name"]: field for field in described["fields"]}
        self._key = next(name for name, field in self._schema.items() if field.get("is_primary"))
        self.fields = self._resolved(fields)
        self.dim = int(self._schema[self.fields.vector]["params"]["dim"])
        self.metric, self.index = self._index()
        self._row_of: dict[Any, int] = {}
        self._rows = 0

    def read(self) -> TheirRows:
        """Load the collection, and return all its rows.

        Raises
        ------
        DataError
            When it is empty, or a key or an id occurs twice.
        """
        wanted = list(dict.fromkeys(filter(None, (self._key, self.fields.id, self.fields.text, self.fields.group))))
        self._call(f"load {self.name}", lambda client: client.load_collection(self.name, timeout=WORK))
        count = self._count()
        found = self._call(f"read {self.name}", lambda client: self._scan(client, [*wanted, self.fields.vector], count))
        if not found:
            raise DataError(f"A collection to read must hold rows. Got none in {self._where}. Name another.")
        keys = tuple(record[self._key] for record in found)
        ids = tuple(str(record[self.fields.id]) for record in found)
        self._refuse_repeated(keys, ids, count)
        return TheirRows(
            keys,
            ids,
            self._texts(found, self.fields.text),
            self._texts(found, self.fields.group),
            np.array([record[self.fields.vector] for record in found], dtype=np.float32),
        )

    def join(self, rows: dict[Any, int]) -> None:
        """Say which row of the corpus each primary key is; needed before `search`."""
        self._row_of, self._rows = dict(rows), len(rows)

    def search(self, spec: CollectionSpec, vectors: FloatArray, k: int) -> Neighbors:
        """Return the k nearest rows of queries float32 (q, d), found by the collection's own index; ties by row."""
        check_vectors(vectors, spec)
        check_k(k)
        wanted = min(k, self._rows)
        most = min(self._rows, MOST)
        rows, similarity = settled(self._ask, vectors, wanted, most)
        return lengthened(rows, similarity, k, self.metric, str(self.index), self._where)

    @property
    def _where(self) -> str:
        return f"{self.uri}#{self.name}"

    @staticmethod
    def _texts(found: Sequence[dict[str, Any]], field: str) -> tuple[str, ...]:
        return tuple("" if record[field] is None else str(record[field]) for record in found) if field else ()

    def _resolved(self, fields: Fields) -> Fields:
        kinds = {name: getattr(field["type"], "name", str(field["type"])) for name, field in self._schema.items()}
        for option in ("vector", "id", "text", "group"):
            name = getattr(fields, option)
            if name and name not in kinds:
                raise UnknownNameError(
                    f"The field {option}= must be in {self._where}. Got {name!r}. {nearest(name, kinds)}"
                )
        vectors = [name for name, kind in kinds.items() if kind == "FLOAT_VECTOR"]
        vector = fields.vector or (vectors[0] if len(vectors) == 1 else "")
        if vector not in vectors:
            raise ParameterError(
                f"A field of float vectors must be named with vector=. Got {vector!r} for {self._where}, which has: "
                f"{', '.join(vectors) or 'none'}. Write ?vector=FIELD."
            )
        found = Fields(vector, fields.id or self._key, fields.text, fields.group)
        for option, allowed in (("id", _KEY_TYPES), ("text", _TEXT_TYPES), ("group", _KEY_TYPES)):
            name = getattr(found, option)
            if name and kinds[name] not in allowed:
                raise ParameterError(
                    f"The field {option}= must be of type {' or '.join(allowed)}. Got {name!r} of type {kinds[name]} "
                    f"in {self._where}. Name another field."
                )
        return found

    def _index(self) -> tuple[Metric, IndexSpec]:
        """Return the metric and the index of the vectors, as the database tells them."""

        def described(client: Any) -> list[Any]:
            names = client.list_indexes(self.name, timeout=CALL)
            return [client.describe_index(self.name, name, timeout=CALL) for name in names]

        for index in self._call(f"describe {self.name}", described):
            if index.get("field_name") == self.fields.vector:
                given = {**index, **(index.get("params") or {})}
                params = {key: int(given[key]) for key in ("nlist", "M", "efConstruction") if key in given}
                return check_metric(str(index["metric_type"])), IndexSpec(str(index["index_type"]).lower(), params)
        raise StoreError(
            f"A collection to read must have an index on its vectors, which says the metric. Got none on "
            f"{self.fields.vector} of {self._where}. Build one there, or copy the vectors."
        )

    def _count(self) -> int:
        answer = self._call(
            f"count the rows of {self.name}",
            lambda client: client.query(self.name, filter="", output_fields=["count(*)"], **strongly(SEARCH)),
        )
        return int(answer[0]["count(*)"])

    def _scan(self, client: Any, fields: Sequence[str], count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        pages = client.query_iterator(
            self.name,
            batch_size=_ROWS_PER_PAGE,
            output_fields=list(fields),
            **strongly(SEARCH),
        )
        try:
            with progress(f"read {self.name}", count, "rows") as advance:
                while page := pages.next():
                    found += page
                    advance(len(page))
        finally:
            pages.close()
        return found

    def _refuse_repeated(self, keys: Sequence[Any], ids: Sequence[str], count: int) -> None:
        for what, values in (("primary key", keys), ("id", ids)):
            if len(set(values)) < len(values):
                twice = Counter(values).most_common(1)[0][0]
                raise DataError(
                    f"Every {what} must occur once to be joined with a corpus. Got {twice!r} more than once in "
                    f"{self._where}. Name another field with id=, or mend the collection."
                )
        if count != len(keys):
            raise DataError(
                f"Every primary key must occur once. Got {count:,} rows but {len(keys):,} keys in {self._where}. "
                "Mend the collection."
            )

    def _ask(self, queries: FloatArray, width: int) -> Lists:
        search = Search(self._call, self.name, self.fields.vector, self.metric, {})
        return search.lists(queries, width, _QUERIES_PER_CALL, self._rows_of)

    def _rows_of(self, hits: Any) -> Any:
        """Turn primary keys into rows of the corpus."""
        try:
            return _Hits([self._row_of[key] for key in hits.ids], list(hits.distances))
        except KeyError as error:
            raise StoreError(
                f"A collection must not change while it is compared. Got the new key {error.args[0]!r} in "
                f"{self._where}. Run again."
            ) from None


@dataclass(frozen=True)
class _Hits:
    ids: list[int]
    distances: list[float]
