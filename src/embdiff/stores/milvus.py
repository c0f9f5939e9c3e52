"""Milvus Lite and Milvus servers behind one adapter; the only file that names pymilvus.

What the two do differently is levelled here: Strong consistency always, row numbers as keys, lengths in bytes (see
`embdiff.stores.base.place`), index names and parameters checked before (see `embdiff.config.INDEXES`).
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self

import numpy as np

# gRPC prints about every lost connection on its own; what matters comes back as an error.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc  # type: ignore[import-untyped]
from pymilvus import DataType, MilvusClient, MilvusException

from embdiff._progress import progress, silent
from embdiff.errors import ParameterError, StoreError
from embdiff.records import FloatArray, IntArray, Neighbors
from embdiff.stores._address import Address
from embdiff.stores._fields import in_calls
from embdiff.stores._lists import Lists, settled, to_arrays
from embdiff.stores._lite import close_lite, file_of, open_lite, without_clustering_warning
from embdiff.stores._reasons import grpc_code, reason
from embdiff.stores.base import CollectionSpec, check_vectors

# pymilvus prints a traceback of every error that it also raises.
logging.getLogger("pymilvus.decorators").setLevel(logging.CRITICAL)

_PROPERTY = "embdiff"  # the collection property with the stamp; Lite forgets descriptions, both keep properties
_FIELD_BYTES = 65_535  # the longest VARCHAR of Milvus
_MOST = 16_384  # Milvus returns no longer lists
_BYTES_PER_CALL = 8 << 20  # of an insert or a search; gRPC servers refuse 64 MiB and more
_QUERIES_PER_CALL, _HITS_PER_CALL = 1_000, 100_000
_CONNECT, _CALL, _WORK = 5.0, 60.0, 3_600.0  # seconds
_DROP = 10.0  # after Ctrl-C, too: nobody waits a minute then, and what is left is stamped as incomplete
_INDEX = "vector"


class MilvusStore:
    """Collections in Milvus Lite (``milvus:FILE``) or on a Milvus server (``http(s)://HOST:PORT``).

    Parameters
    ----------
    uri : str
        ``milvus:FILE`` or ``http(s)://HOST:PORT[?token=...&db=...]``. A token that is not in it is taken from the
        environment variable EMBDIFF_STORE_TOKEN.

    Raises
    ------
    ParameterError
        When the text is malformed.
    StoreError
        When another process holds the file, the path cannot be used, the server does not answer within a few
        seconds, or it refuses the token.
    """

    field_bytes: int | None = _FIELD_BYTES

    def __init__(self, uri: str) -> None:
        self._file = None
        if uri.startswith("milvus:"):
            self._file = file_of(uri)
            self.uri = uri
            address = Address(open_lite(self._file))
        else:
            address = Address.parse(uri, os.environ.get("EMBDIFF_STORE_TOKEN", ""))
            self.uri = address.public
        self._client: Any = None
        try:
            self._client = _connect(address, self.uri)
            # A server may be Lite too, as 'milvus-lite server'; it says so itself.
            self._is_lite = str(self._client.get_server_version(timeout=_CALL)).startswith("milvus_lite")
            if address.db:  # a server notices a database that does not exist only when it is used
                self.names()
        except BaseException:
            self.close()
            raise

    def names(self) -> list[str]:
        """Return the names of all collections in the database."""
        with self._asking("list the collections"):
            return sorted(self._client.list_collections(timeout=_CALL))

    def stamp(self, name: str) -> dict[str, Any] | None:
        """Return the stamp on a collection; None when it carries none."""
        with self._asking(f"describe {name}"):
            described = self._client.describe_collection(name, timeout=_CALL)
        try:
            stamp = json.loads(described.get("properties", {}).get(_PROPERTY, "null"))
        except ValueError:
            return None
        return stamp if isinstance(stamp, dict) else None

    def count(self, name: str) -> int:
        """Return the number of rows in a collection, exactly; on a server this loads it."""
        with self._asking(f"count the rows of {name}"):
            if self._is_lite:  # exact there, at any time
                return int(self._client.get_collection_stats(name, timeout=_CALL)["row_count"])
            self._client.load_collection(name, timeout=_WORK)
            answer = self._client.query(
                name, filter="", output_fields=["count(*)"], consistency_level="Strong", timeout=_CALL
            )
            return int(answer[0]["count(*)"])

    def create(self, spec: CollectionSpec) -> None:
        """Make an empty collection with its index declared, stamped as incomplete."""
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("row", DataType.INT64, is_primary=True)
        for text in ("id", "text", "group"):
            schema.add_field(text, DataType.VARCHAR, max_length=_FIELD_BYTES)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=spec.dim)
        with self._asking(f"create {spec.name}"):
            self._client.create_collection(
                spec.name,
                schema=schema,
                properties={_PROPERTY: json.dumps(spec.full_stamp(complete=False))},
                consistency_level="Strong",
                timeout=_CALL,
            )
            # sync=False: pymilvus would sleep half a second to see an index of nothing finished.
            self._client.create_index(spec.name, self._index(spec), timeout=_CALL, sync=False)
            # Lite builds the indexes of a *loaded* collection in the background and cannot tell when they are done:
            # until then it searches by brute force. Released, it builds them in load_collection.
            self._client.release_collection(spec.name, timeout=_CALL)

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
        records = [
            {"row": int(row), "id": name_, "text": text, "group": group, "vector": vector}
            for row, name_, text, group, vector in zip(rows, ids, texts, groups, vectors, strict=True)
        ]
        with self._asking(f"insert into {name}"):
            for part in in_calls(records, _BYTES_PER_CALL):
                self._client.insert(name, part, timeout=_WORK)

    def build(self, spec: CollectionSpec) -> None:
        """Flush, wait until every row is indexed, and stamp the collection as complete."""
        with self._asking(f"build the index of {spec.name}"):
            # What is not flushed is always searched by brute force, whatever the index.
            self._client.flush(spec.name, timeout=_WORK)
            end = time.monotonic() + _WORK
            while self._client.describe_index(spec.name, _INDEX, timeout=_CALL).get("pending_index_rows", 0):
                if time.monotonic() > end:
                    raise StoreError(f"The index of {spec.name} in {self.uri} must be built within an hour. It is not.")
                time.sleep(0.1)
            stamp = json.dumps(spec.full_stamp(complete=True))
            self._client.alter_collection_properties(spec.name, {_PROPERTY: stamp}, timeout=_CALL)

    def load(self, spec: CollectionSpec) -> None:
        """Load the collection; Lite builds its indexes here."""
        nlist = spec.index.params.get("nlist", 1) if self._file is not None else 0
        with self._asking(f"load {spec.name}"), without_clustering_warning(spec.rows, nlist):
            self._client.load_collection(spec.name, timeout=_WORK)

    def search(self, spec: CollectionSpec, vectors: FloatArray, k: int) -> Neighbors:
        """Return the k nearest rows of queries float32 (q, d), ties by row; see `Store.search`.

        Raises
        ------
        ShapeError, ParameterError
            When the vectors do not fit the collection, or k is not between 1 and 16,384.
        """
        check_vectors(vectors, spec)
        if not 1 <= k <= _MOST:
            raise ParameterError(f"k must be between 1 and {_MOST:,} in Milvus. Got {k}. Lower k.")
        wanted = min(k, spec.rows)
        spec.index.check_rows(spec.rows, wanted)
        most = min(spec.rows, _MOST, spec.index.params.get("ef", _MOST))
        rows, similarity = settled(lambda queries, width: self._ask(spec, queries, width), vectors, wanted, most)
        short = ((0, 0), (0, k - wanted))
        return Neighbors(
            np.pad(rows, short, constant_values=-1),
            np.pad(similarity, short, constant_values=np.nan),
            spec.metric,
            str(spec.index),
        )

    def drop(self, name: str) -> None:
        """Remove a collection, if it is there."""
        with self._asking(f"drop {name}"):
            self._client.drop_collection(name, timeout=_DROP)

    def close(self) -> None:
        """Close the connection; the last one on a Lite file lets its lock go."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._file is not None:
            close_lite(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _index(self, spec: CollectionSpec) -> Any:
        name, params = spec.index.name.upper(), spec.index.build_params
        if self._is_lite and name == "FLAT":
            # Lite searches FLAT by numpy: for L2 through a cube of queries x rows x dim floats (20,000 x 384, 200
            # queries in calls of 8: 7.9 s and 527 MB, against 0.8 s and 21 MB so), for the others through a matrix
            # product that gives equal vectors unequal similarities. One list, always probed, is the same exhaustive
            # scan, by faiss.
            name, params = "IVF_FLAT", {"nlist": 1}
        index = MilvusClient.prepare_index_params()
        # Lite reads the parameters under "params" only, and pymilvus flattens that away unless it is given twice.
        twice = {**params, "params": params} if params else {}
        index.add_index("vector", index_type=name, metric_type=spec.metric.upper(), index_name=_INDEX, params=twice)
        return index

    def _ask(self, spec: CollectionSpec, queries: FloatArray, width: int) -> Lists:
        """Search in calls small enough for every limit; lists of the given width, padded."""
        step = max(1, min(_QUERIES_PER_CALL, _HITS_PER_CALL // width, _BYTES_PER_CALL // (4 * spec.dim)))
        lists: list[Lists] = []
        quietly = silent() if len(queries) <= step else nullcontext()
        with quietly, progress(f"search {spec.name}", len(queries), "queries") as advance:
            for start in range(0, max(len(queries), 1), step):
                part = queries[start : start + step]
                lists.append(to_arrays(self._hits(spec, part, width) if len(part) else [], width, spec.metric))
                advance(len(part))
        rows, similarity = zip(*lists, strict=True)
        return np.concatenate(rows), np.concatenate(similarity)

    def _hits(self, spec: CollectionSpec, queries: FloatArray, width: int) -> Any:
        """Search once."""
        with self._asking(f"search {spec.name}"):
            return self._client.search(
                spec.name,
                data=list(queries),
                anns_field="vector",
                limit=width,
                output_fields=[],
                search_params={"metric_type": spec.metric.upper(), "params": spec.index.search_params},
                consistency_level="Strong",
                timeout=_WORK,
            )

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Turn what pymilvus raises into a StoreError of one line."""
        if self._client is None:
            raise StoreError(f"A store must be open to {what}. Got {self.uri}, which was closed. Open it again.")
        try:
            yield
        except (MilvusException, grpc.RpcError) as error:
            raise StoreError(
                f"Milvus must be able to {what}. Got from {self.uri}: {reason(error)}. "
                "Check the store, or use another with --store."
            ) from None


def _connect(address: Address, public: str) -> Any:
    try:
        # dedicated: pymilvus keeps shared connections after close, also to a Lite server that is gone by then.
        return MilvusClient(address.url, token=address.token, db_name=address.db, timeout=_CONNECT, dedicated=True)
    except (MilvusException, grpc.RpcError, ConnectionError) as error:
        code = grpc_code(error)
        if code == grpc.StatusCode.UNAUTHENTICATED:
            given = "Got one that it refuses." if address.token else "Got none."
            raise StoreError(
                f"The Milvus server at {public} wants a token. {given} Set EMBDIFF_STORE_TOKEN, or write "
                "?token=USER:PASSWORD behind the address."
            ) from None
        if code is not None:
            raise StoreError(
                f"A Milvus server must answer at {public} within {_CONNECT:.0f} seconds. Got: {reason(error)}. "
                "Check the address, and that the server runs."
            ) from None
        raise StoreError(
            f"The Milvus server at {public} must accept the connection. Got: {reason(error)}. "
            "Check the address and the name of the database."
        ) from None
