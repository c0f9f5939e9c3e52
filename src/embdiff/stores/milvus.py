"""Milvus Lite and Milvus servers behind one adapter; only `_connect` and `_milvus_layout` name pymilvus.

What the two do differently is levelled here: Strong consistency always, row numbers as keys, lengths in bytes (see
`embdiff.stores.placing.place`), index names and parameters checked before (see `embdiff.specs.INDEXES`).
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Self

from embdiff._progress import silent
from embdiff.errors import StoreError
from embdiff.records import FloatArray, IntArray, Neighbors
from embdiff.stores import _milvus_layout as layout
from embdiff.stores._address import Address
from embdiff.stores._asking import CALL, MOST, SEARCH, WORK, Search, check_k, strongly
from embdiff.stores._calls import PATIENCE, Calls, Once
from embdiff.stores._connect import FAILURES, connect
from embdiff.stores._fields import in_calls
from embdiff.stores._lists import Lists, lengthened, settled
from embdiff.stores._lite import close_lite, file_of, open_lite, without_clustering_warning
from embdiff.stores._reasons import too_large
from embdiff.stores.collection import Batch, CollectionSpec, check_vectors
from embdiff.stores.theirs import Fields, TheirCollection

_BYTES_PER_CALL = 8 << 20  # of an insert or a search; gRPC servers refuse 64 MiB and more
_KEYS_PER_CALL = 10_000  # a server returns 16,384 records at most
_QUERIES_PER_CALL, _HITS_PER_CALL = 1_000, 100_000
_DROP = 10.0  # seconds; after Ctrl-C, too: nobody waits a minute then, and what is left is stamped as incomplete


class MilvusStore:
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
        self._file = None
        if uri.startswith("milvus:"):
            self._file = file_of(uri)
            self.uri = uri
            address = Address(open_lite(self._file))
        else:
            address = Address.parse(uri, os.environ.get("EMBDIFF_STORE_TOKEN", ""))
            self.uri = address.public
        self._sent_again: set[str] = set()
        try:
            client = connect(address, self.uri)
        except BaseException:
            if self._file is not None:
                close_lite(self._file)
            raise
        patience = PATIENCE if address.patience is None else address.patience
        self._call = Calls(client, self.uri, FAILURES, 0.0 if self._file is not None else patience)
        try:
            # A server may be Lite too, as 'milvus-lite server'; it says so itself.
            version = self._call("tell its version", lambda client: client.get_server_version(timeout=CALL))
            self._is_lite = str(version).startswith("milvus_lite")
            if address.db:  # a server notices a database that does not exist only when it is used
                self.names()
        except BaseException:
            self.close()
            raise

    def names(self) -> list[str]:
        """Return the names of all collections in the database."""
        return sorted(self._call("list the collections", lambda client: client.list_collections(timeout=CALL)))

    def stamp(self, name: str) -> dict[str, Any] | None:
        """Return the stamp on a collection; None when it carries none."""
        try:
            stamp = json.loads(self._properties(name).get(layout.PROPERTY, "null"))
        except ValueError:
            return None
        return stamp if isinstance(stamp, dict) else None

    def identity(self, name: str) -> str | None:
        """Return the random name that a collection got when it was created; None for those of older versions."""
        return self._properties(name).get(layout.IDENTITY)

    def _properties(self, name: str) -> dict[str, str]:
        described = self._call(f"describe {name}", lambda client: client.describe_collection(name, timeout=CALL))
        return dict(described.get("properties", {}))

    def count(self, name: str) -> int:
        """Return the number of rows in a collection, exactly; on a server this loads it."""
        if self._is_lite:  # exact there, at any time
            stats = self._call(
                f"count the rows of {name}", lambda client: client.get_collection_stats(name, timeout=CALL)
            )
            return int(stats["row_count"])
        answer = self._query(name, f"count the rows of {name}", filter="", output_fields=["count(*)"])
        return int(answer[0]["count(*)"])

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there; on a server this loads the collection."""
        where, fields = f"row >= {start} && row < {stop}", list(layout.FIELDS)
        try:
            found = self._query(name, f"read {name}", filter=where, output_fields=fields)
        except StoreError as error:
            if stop - start == 1 or not too_large(error.__cause__):
                raise
            middle = (start + stop) // 2
            return self.read(name, start, middle).followed_by(self.read(name, middle, stop))
        return layout.to_batch(found)

    def theirs(self, name: str, fields: Fields) -> TheirCollection:
        """Return a collection that embdiff need not have made, to be read and searched as it is."""
        return TheirCollection(self._call, self.uri, name, fields)

    def rows_there(self, name: str) -> int | None:
        """Return m when exactly the rows 0..m-1 are there: by their count, and by every key."""
        count, what = self.count(name), f"read the keys of {name}"
        for start in range(0, count, _KEYS_PER_CALL):
            stop = min(start + _KEYS_PER_CALL, count)
            found = self._query(name, what, filter=f"row >= {start} && row < {stop}", output_fields=["row"])
            if sorted(record["row"] for record in found) != list(range(start, stop)):
                return None
        self._call(what, lambda client: client.release_collection(name, timeout=CALL))  # see create
        return count

    def create(self, spec: CollectionSpec) -> None:
        """Make an empty collection with its index declared, stamped as incomplete."""
        schema, stamp = layout.schema(spec.dim), json.dumps(spec.full_stamp(complete=False))
        properties = {layout.PROPERTY: stamp, layout.IDENTITY: secrets.token_hex(16)}
        what = f"create {spec.name}"

        def make(client: Any) -> None:  # a collection that is there with the same schema is no error
            client.create_collection(
                spec.name, schema=schema, properties=properties, consistency_level="Strong", timeout=CALL
            )

        def declare(client: Any) -> None:
            # sync=False: pymilvus would sleep half a second to see an index of nothing finished.
            client.create_index(spec.name, layout.index(spec, lite=self._is_lite), timeout=CALL, sync=False)

        self._call(what, make)
        self._call(what, declare)
        # Lite builds the indexes of a *loaded* collection in the background and cannot tell when they are done:
        # until then it searches by brute force. Released, it builds them in load_collection.
        self._call(what, lambda client: client.release_collection(spec.name, timeout=CALL))

    def add(
        self,
        name: str,
        rows: IntArray,
        ids: Sequence[str],
        texts: Sequence[str],
        groups: Sequence[str],
        vectors: FloatArray,
    ) -> None:
        """Insert m rows, in as many calls as their bytes need; see `Store.add`."""
        records = layout.to_records(rows, ids, texts, groups, vectors)
        for part in in_calls(records, _BYTES_PER_CALL):
            self._insert(name, part)

    def _insert(self, name: str, part: list[dict[str, Any]]) -> None:
        """Insert what one call takes. An answer that was lost may mean that the rows are there: look before again."""
        missing = part

        def look(client: Any) -> None:
            nonlocal missing
            self._sent_again.add(name)
            if self._is_lite:  # a key that is there is written over, not kept twice
                return
            client.load_collection(name, timeout=WORK)
            first, last = part[0]["row"], part[-1]["row"]
            found = client.query(
                name, filter=f"row >= {first} && row <= {last}", output_fields=["row"], **strongly(CALL)
            )
            there = {record["row"] for record in found}
            missing = [record for record in part if record["row"] not in there]

        def send(client: Any) -> None:
            if missing:
                client.insert(name, missing, timeout=Once(SEARCH))

        self._call(f"insert into {name}", send, mend=look)

    def build(self, spec: CollectionSpec) -> None:
        """Flush, wait until every row is indexed, and stamp the collection as complete."""
        what = f"build the index of {spec.name}"
        if self._is_lite:  # what was read in between is loaded: see create
            self._call(what, lambda client: client.release_collection(spec.name, timeout=CALL))
        # What is not flushed is always searched by brute force, whatever the index.
        self._call(what, lambda client: client.flush(spec.name, timeout=WORK))
        end = time.monotonic() + WORK
        while self._call(what, lambda client: client.describe_index(spec.name, layout.VECTOR, timeout=CALL)).get(
            "pending_index_rows", 0
        ):
            if time.monotonic() > end:
                raise StoreError(f"The index of {spec.name} in {self.uri} must be built within an hour. It is not.")
            time.sleep(0.1)
        if spec.name in self._sent_again:
            self._check_count(spec)
        stamp = json.dumps(spec.full_stamp(complete=True))
        self._call(
            what, lambda client: client.alter_collection_properties(spec.name, {layout.PROPERTY: stamp}, timeout=CALL)
        )

    def _check_count(self, spec: CollectionSpec) -> None:
        """Refuse a collection in which rows that were sent again are twice."""
        there = self.count(spec.name)
        if there != spec.rows:
            raise StoreError(
                f"{spec.name} in {self.uri} must hold {spec.rows:,} rows after the server was lost in between. Got "
                f"{there:,}. Run again: the collection is made anew."
            )

    def load(self, spec: CollectionSpec) -> None:
        """Load the collection; Lite builds its indexes here."""
        nlist = spec.index.params.get("nlist", 1) if self._file is not None else 0
        with without_clustering_warning(spec.rows, nlist):
            self._load(spec.name)

    def search(self, spec: CollectionSpec, vectors: FloatArray, k: int) -> Neighbors:
        """Return the k nearest rows of queries float32 (q, d), ties by row; see `Store.search`.

        Raises
        ------
        ShapeError, ParameterError
            When the vectors do not fit the collection, or k is not between 1 and 16,384.
        """
        check_vectors(vectors, spec)
        check_k(k)
        wanted = min(k, spec.rows)
        spec.index.check_rows(spec.rows, wanted)
        most = min(spec.rows, MOST, spec.index.params.get("ef", MOST))
        rows, similarity = settled(lambda queries, width: self._ask(spec, queries, width), vectors, wanted, most)
        return lengthened(rows, similarity, k, spec.metric, str(spec.index), f"{spec.name} in {self.uri}")

    def drop(self, name: str) -> None:
        """Remove a collection, if it is there."""
        self._call(f"drop {name}", lambda client: client.drop_collection(name, timeout=_DROP), patience=_DROP)

    def close(self) -> None:
        """Close the connection; the last one on a Lite file lets its lock go."""
        self._call.close()
        if self._file is not None:
            close_lite(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, spec: CollectionSpec, queries: FloatArray, width: int) -> Lists:
        """Search in calls small enough for every limit; lists of the given width, padded."""
        step = max(1, min(_QUERIES_PER_CALL, _HITS_PER_CALL // width, _BYTES_PER_CALL // (4 * spec.dim)))
        search = Search(self._call, spec.name, layout.VECTOR, spec.metric, spec.index.search_params)
        with silent() if len(queries) <= step else nullcontext():
            return search.lists(queries, width, step)

    def _load(self, name: str) -> None:
        self._call(f"load {name}", lambda client: client.load_collection(name, timeout=WORK))

    def _query(self, name: str, what: str, **arguments: Any) -> Any:
        """Ask for rows by a filter; the collection is loaded first."""
        self._load(name)
        return self._call(what, lambda client: client.query(name, **arguments, **strongly(SEARCH)))
