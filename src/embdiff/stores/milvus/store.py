"""Milvus Lite and Milvus servers behind one adapter; only `asking`, `layout` and `lite` name pymilvus.

What the two do differently is levelled here: Strong consistency always, row numbers as keys, lengths in bytes (see
`embdiff.stores.placing.place`), index names and parameters checked before (see `embdiff.indexes.INDEXES`).
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any

from embdiff._progress import progress
from embdiff._secrets import TOKEN_VARIABLE, secret
from embdiff.errors import ParameterError, StoreError
from embdiff.records import Neighbors, Ragged, Shape
from embdiff.stores._lists import Lists, nearest
from embdiff.stores.collection import FIELDS, Batch, CollectionSpec, Vectors, read_stamp
from embdiff.stores.looking import Look
from embdiff.stores.milvus import layout
from embdiff.stores.milvus.address import Address
from embdiff.stores.milvus.asking import PATIENCE, SEARCH, STRONGLY, WHOLE, WORD, Asking, Once, connect, too_large
from embdiff.stores.milvus.lite import close_lite, open_lite, path_of, without_clustering_warning
from embdiff.stores.milvus.looked import MilvusLook
from embdiff.stores.store import Store

_BYTES_PER_CALL = 8 << 20  # of an insert or a search; gRPC servers refuse 64 MiB and more
_MOST = 16_384  # a server returns no longer lists, of rows or of hits
_KEYS_PER_CALL, _QUERIES_PER_CALL, _HITS_PER_CALL = 10_000, 1_000, 100_000
_DROP = 10.0  # seconds; after Ctrl-C, too: nobody waits a minute then, and what is left is stamped as incomplete


class MilvusStore(Store):
    """Collections in Milvus Lite (``milvus:FILE``) or on a Milvus server (``http(s)://HOST:PORT``).

    Parameters
    ----------
    uri : str
        ``milvus:FILE`` or ``http(s)://HOST:PORT[?token=...&db=...&patience=SECONDS]``. A token that is not in it is
        taken from the environment variable EMBDIFF_STORE_TOKEN. A server that is down is waited for, by default 60
        seconds at the start and 150 later.

    Raises
    ------
    ParameterError
        When the text is malformed.
    StoreError
        When another process holds the file, the path cannot be used, the server is down for longer than the patience
        or is no Milvus server, or it refuses the token.
    """

    field_bytes: int | None = layout.FIELD_BYTES

    def __init__(self, uri: str) -> None:
        self._in_process = uri.startswith("milvus:")
        with ExitStack() as opened:  # what fails here lets go of the file
            if self._in_process:
                path, patience = path_of(uri), 0.0
                self.uri, address = uri, Address(*open_lite(path))
                opened.callback(close_lite, path)
            else:
                address = Address.parse(uri, secret(TOKEN_VARIABLE))
                self.uri, patience = address.public, PATIENCE if address.patience is None else address.patience
            self.ask = Asking(connect(address, self.uri), self.uri, patience)
            opened.callback(self.ask.close)
            # A server may be Lite too, as 'milvus-lite server'; it says so itself.
            version = self.ask("tell its version", lambda client: client.get_server_version(timeout=WORD))
            self._is_lite = str(version).startswith("milvus_lite")
            self.versions = (
                str(version).replace("milvus_lite-", "Milvus Lite ") if self._is_lite else f"Milvus {version}"
            )
            self.shapes = shapes_of(self.versions, lite=self._is_lite)
            if address.db:  # a server notices a database that does not exist only when it is used
                self.names()
            self._opened = opened.pop_all()

    def names(self) -> list[str]:
        """Return the names of all collections in the database."""
        return sorted(self.ask("list the collections", lambda client: client.list_collections(timeout=WORD)))

    def real_name(self, name: str) -> str | None:
        """Return the name of the collection that a name or an alias stands for; None when there is none."""
        if name in self.names():
            return name
        try:
            what = f"tell what {name} stands for"
            told = self.ask(what, lambda client: client.describe_alias(name, timeout=WORD), patience=0.0)
        except StoreError:  # no alias either, as every version says in words of its own
            return None
        return str(told.get("collection_name") or "") or None

    @property
    def nulls_are_zeros(self) -> bool:
        """Whether vectors that are null come back as zeros, as they do from Milvus Lite."""
        return self._is_lite

    def described(self, name: str) -> Any:
        """Return what the database says of a collection: its ``fields`` and ``properties``."""
        return self.ask(f"describe {name}", lambda client: client.describe_collection(name, timeout=WORD))

    def look(self, name: str) -> Look:
        """See `Store.look`."""
        return MilvusLook(self, name)

    def index_of(self, name: str, field: str) -> Mapping[str, Any] | None:
        """Return what the database says of the index on a field; None where there is none."""

        def described(client: Any) -> list[Any]:
            return [client.describe_index(name, each, timeout=WORD) for each in client.list_indexes(name, timeout=WORD)]

        found = self.ask(f"describe {name}", described)
        return next((index for index in found if index.get("field_name") == field), None)

    def scan(self, name: str, fields: list[str], count: int, page: int) -> list[dict[str, Any]]:
        """Return these fields of all rows of a collection that is loaded, by primary key, read page by page."""

        def pages_of(client: Any) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            pages = client.query_iterator(name, batch_size=page, output_fields=fields, **STRONGLY)
            with closing(pages), progress(f"read {name}", count, "rows") as advance:
                while part := pages.next():
                    found += part
                    advance(len(part))
            return found

        return self.ask(f"read {name}", pages_of)

    def stamp(self, name: str) -> dict[str, Any] | None:
        """Return the stamp on a collection; None when it carries none."""
        return read_stamp(self._properties(name).get(layout.PROPERTY))

    def identity(self, name: str) -> str | None:
        """Return the random name that a collection got when it was created; None for those of others."""
        return self._properties(name).get(layout.IDENTITY)

    def _properties(self, name: str) -> dict[str, str]:
        return dict(self.described(name).get("properties", {}))

    def count(self, name: str) -> int:
        """Return the number of rows in a collection, exactly; on a server this loads it."""
        what = f"count the rows of {name}"
        if self._is_lite:  # exact there, at any time
            return int(self.ask(what, lambda client: client.get_collection_stats(name, timeout=WORD))["row_count"])
        return int(self._query(name, what, ["count(*)"])[0]["count(*)"])

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there; on a server this loads the collection."""
        try:
            found = self._query(name, f"read {name}", list(FIELDS), _between(start, stop))
        except StoreError as error:
            if stop - start == 1 or not too_large(error):
                raise
            middle = (start + stop) // 2
            return self.read(name, start, middle).followed_by(self.read(name, middle, stop))
        return layout.to_batch(found)

    def rows_there(self, name: str) -> int | None:
        """Return m when exactly the rows 0..m-1 are there: by their count, and by every key."""
        count, what = self.count(name), f"read the keys of {name}"
        for start in range(0, count, _KEYS_PER_CALL):
            stop = min(start + _KEYS_PER_CALL, count)
            found = self._query(name, what, ["row"], _between(start, stop))
            if sorted(record["row"] for record in found) != list(range(start, stop)):
                return None
        self.ask(what, lambda client: client.release_collection(name, timeout=WORD))  # see create
        return count

    def create(self, spec: CollectionSpec) -> None:
        """Make an empty collection with its index declared, stamped as incomplete."""
        what, index = f"create {spec.name}", layout.index(spec, lite=self._is_lite)
        stamp = json.dumps(spec.full_stamp(complete=False))
        properties = {layout.PROPERTY: stamp, layout.IDENTITY: secrets.token_hex(16)}
        made = {"schema": layout.schema(spec), "properties": properties, "consistency_level": "Strong"}
        # A collection that is there with the same schema is no error.
        self.ask(what, lambda client: client.create_collection(spec.name, timeout=WORD, **made))
        # sync=False: pymilvus would sleep half a second to see an index of nothing finished.
        self.ask(what, lambda client: client.create_index(spec.name, index, timeout=WORD, sync=False))
        # Lite builds the indexes of a *loaded* collection in the background and cannot tell when they are done:
        # until then it searches by brute force. Released, it builds them in load_collection.
        self.ask(what, lambda client: client.release_collection(spec.name, timeout=WORD))

    def add(self, name: str, rows: Batch) -> None:
        """Insert rows, in as many calls as their bytes need; see `Store.add`."""
        for part in layout.parts(layout.to_records(rows), _BYTES_PER_CALL):
            self._insert(name, part)

    def _insert(self, name: str, part: list[dict[str, Any]]) -> None:
        """Insert what one call takes. An answer that was lost may mean that the rows are there: look before again."""
        sent = False

        def send(client: Any) -> None:
            nonlocal sent
            # In Lite a key that is there is written over, not kept twice.
            missing = _missing(client, name, part) if sent and not self._is_lite else part
            sent = True
            if missing:
                client.insert(name, missing, timeout=Once(SEARCH))

        self.ask(f"insert into {name}", send)

    def build(self, spec: CollectionSpec) -> None:
        """Flush, and wait until every row is indexed."""
        what = f"build the index of {spec.name}"
        if self._is_lite:  # what was read in between is loaded: see create
            self.ask(what, lambda client: client.release_collection(spec.name, timeout=WORD))
        # What is not flushed is always searched by brute force, whatever the index.
        self.ask(what, lambda client: client.flush(spec.name, timeout=WHOLE))
        end = time.monotonic() + WHOLE

        def pending(client: Any) -> Any:
            return client.describe_index(spec.name, layout.VECTOR, timeout=WORD).get("pending_index_rows", 0)

        while self.ask(what, pending):
            if time.monotonic() > end:
                raise StoreError(f"The index of {spec.name} in {self.uri} must be built within an hour. It is not.")
            time.sleep(0.1)

    def seal(self, spec: CollectionSpec) -> None:
        """Stamp the collection as complete."""
        what, stamp = f"stamp {spec.name}", {layout.PROPERTY: json.dumps(spec.full_stamp(complete=True))}
        self.ask(what, lambda client: client.alter_collection_properties(spec.name, stamp, timeout=WORD))

    def load(self, spec: CollectionSpec) -> None:
        """Load the collection; Lite builds its indexes here."""
        nlist = spec.index.params.get("nlist", 1) if self._in_process else 0
        with without_clustering_warning(spec.rows, nlist):
            self.open(spec.name)

    def search(self, spec: CollectionSpec, vectors: Vectors, k: int) -> Neighbors:
        """Return the k nearest rows of queries, ties by row; see `Store.search`."""
        return self.searched(spec, layout.VECTOR, vectors, k)

    def searched(
        self, spec: CollectionSpec, field: str, vectors: Vectors, k: int, rows_of: layout.RowsOf | None = None
    ) -> Neighbors:
        """Return the k nearest rows of queries in a collection that is loaded, also in one that others made.

        Parameters
        ----------
        spec : CollectionSpec
        field : str
            Of the vectors.
        vectors : ndarray of float32, shape (q, d), or Ragged of q rows
        k : int
        rows_of : callable, optional
            Returns the row numbers that primary keys of others stand for; those of ours are these.

        Raises
        ------
        ShapeError, ParameterError
            When the vectors do not fit the collection, or k is not between 1 and 16,384.
        """
        if not 1 <= k <= _MOST:
            raise ParameterError(f"k must be between 1 and {_MOST:,} in Milvus. Got {k}. Lower k.")
        if rows_of is None:  # what others built is searched as it is
            spec.index.check_rows(spec.rows, min(k, spec.rows))
        how = {"metric_type": spec.metric.upper(), "params": spec.index.search_params}
        options = {"anns_field": field, "search_params": how, "output_fields": [], **STRONGLY}
        what = f"search {spec.name}"

        def ask(queries: Vectors, width: int) -> Lists:
            data = layout.written(queries)
            found = self.ask(what, lambda client: client.search(spec.name, data=data, limit=width, **options))
            return layout.to_arrays(found, width, spec.metric, rows_of or list)

        longest = 2 * int(vectors.counts.max(initial=1)) if isinstance(vectors, Ragged) else spec.dim
        step = max(1, min(_QUERIES_PER_CALL, _HITS_PER_CALL // k, _BYTES_PER_CALL // (4 * longest)))
        return nearest(ask, spec, vectors, k, _MOST, step, self.uri)

    def drop(self, name: str) -> None:
        """Remove a collection, if it is there."""
        self.ask(f"drop {name}", lambda client: client.drop_collection(name, timeout=_DROP), patience=_DROP)

    def close(self) -> None:
        """Close the connection; the last one on a Lite file lets its lock go."""
        self._opened.close()

    def open(self, name: str) -> None:
        """Load a collection; no error when it is loaded."""
        self.ask(f"load {name}", lambda client: client.load_collection(name, timeout=WHOLE))

    def _query(self, name: str, what: str, fields: list[str], where: str = "") -> Any:
        """Ask for rows by a filter; the collection is loaded first."""
        self.open(name)
        return self.ask(what, lambda client: _rows(client, name, fields, where))


def shapes_of(version: str, *, lite: bool) -> frozenset[Shape]:
    """Return what collections can hold: sparse vectors in Lite, and on servers from 2.4 on."""
    told = re.search(r"(\d+)\.(\d+)", version)
    sparse = lite or (told is not None and (int(told[1]), int(told[2])) >= (2, 4))
    return frozenset({"dense", "sparse"} if sparse else {"dense"})


def _rows(client: Any, name: str, fields: list[str], where: str) -> Any:
    return client.query(name, filter=where, output_fields=fields, **STRONGLY)


def _missing(client: Any, name: str, part: list[dict[str, Any]]) -> list[dict[str, Any]]:
    client.load_collection(name, timeout=WHOLE)
    found = _rows(client, name, ["row"], _between(part[0]["row"], part[-1]["row"] + 1))
    there = {record["row"] for record in found}
    return [record for record in part if record["row"] not in there]


def _between(start: int, stop: int) -> str:
    return f"row >= {start} && row < {stop}"
