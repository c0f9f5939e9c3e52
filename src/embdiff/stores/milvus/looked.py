"""A collection in Milvus, ours or of others, to be looked at; one that is not loaded is loaded, nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from embdiff._progress import progress
from embdiff.errors import StoreError
from embdiff.stores.looking import FieldKind, Indexed, Look, Rows, stacked
from embdiff.stores.milvus import layout
from embdiff.stores.milvus.asking import STRONGLY, too_large
from embdiff.stores.milvus.lite import without_clustering_warning

_KEYS_PER_PAGE, _ROWS_PER_CALL = 10_000, 1_000
_KINDS: Mapping[str, FieldKind] = {
    "FLOAT_VECTOR": "vector", "VARCHAR": "text",
    "INT64": "whole number", "INT32": "whole number", "INT16": "whole number", "INT8": "whole number",
}  # fmt: skip


class MilvusLook(Look):
    """See `Look`.

    Parameters
    ----------
    store : MilvusStore
    name : str
    """

    key: str

    def __init__(self, store: Any, name: str) -> None:
        schema = store.described(name)
        types = {field["name"]: getattr(field["type"], "name", str(field["type"])) for field in schema["fields"]}
        self._store, self.name = store, name
        self.kinds = {field: _KINDS.get(kind, "other") for field, kind in types.items()}
        self.dynamic = bool(schema.get("enable_dynamic_field"))
        self.key = next(field["name"] for field in schema["fields"] if field.get("is_primary"))
        self.stamp_text = dict(schema.get("properties", {})).get(layout.PROPERTY)
        nullable = any(field.get("nullable") and self.kinds[field["name"]] == "vector" for field in schema["fields"])
        self.nulls_are_zeros = nullable and store.nulls_are_zeros
        self.versions = store.versions

    def index(self, vector: str) -> Indexed | None:
        """See `Look.index`."""
        found = self._store.index_of(self.name, vector)
        if found is None:
            return None
        pending = int(found.get("pending_index_rows") or 0)
        return Indexed(str(found["index_type"]).lower(), str(found["metric_type"]).lower(), pending)

    def count(self) -> int:
        """See `Look.count`."""
        return int(self._store.count(self.name))

    def keys(self) -> list[Any]:
        """See `Look.keys`."""
        lite = self._store.nulls_are_zeros
        with without_clustering_warning(0, 1 if lite else 0):
            self._store.open(self.name)
        if lite:  # which looks at all rows for each page that it is asked for
            what = f"read the keys of {self.name}"
            found = self._store.ask(what, lambda client: client.query(self.name, output_fields=[self.key], **STRONGLY))
        else:
            found = self._store.scan(self.name, [self.key], self._store.count(self.name), _KEYS_PER_PAGE)
        return sorted(record[self.key] for record in found)

    def read(self, keys: Sequence[Any], fields: Sequence[str], vector: str | None) -> Rows:
        """See `Look.read`."""
        wanted = list(dict.fromkeys(filter(None, (self.key, *fields, vector))))
        found: list[Mapping[str, Any]] = []
        with progress(f"read {self.name}", len(keys), "rows") as advance:
            for start in range(0, len(keys), _ROWS_PER_CALL):
                part = list(keys[start : start + _ROWS_PER_CALL])
                found += self._some(part, wanted)
                advance(len(part))
        table = stacked([record.get(vector) for record in found] if vector else [None] * len(found))
        values = {field: tuple(record.get(field) for record in found) for field in fields}
        return Rows(tuple(record[self.key] for record in found), values, *table)

    def _some(self, keys: list[Any], fields: list[str]) -> list[Mapping[str, Any]]:
        """Return the rows of so many keys as one call can take."""

        def asked(client: Any) -> Any:
            return client.get(self.name, ids=keys, output_fields=fields, **STRONGLY)

        try:
            return list(self._store.ask(f"read {self.name}", asked))
        except StoreError as error:
            if len(keys) == 1 or not too_large(error):
                raise
            middle = len(keys) // 2
            return self._some(keys[:middle], fields) + self._some(keys[middle:], fields)
