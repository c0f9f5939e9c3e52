"""LanceDB: tables in a folder, exact unless an index is asked for, open to many processes at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("LANCEDB_LOG", "error")  # read once, when it is imported: its warnings go to the terminal

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import HnswFlat, IvfFlat, IvfSq

from embdiff import _files
from embdiff.errors import ParameterError, StoreError
from embdiff.exact import norms
from embdiff.records import FloatArray, Neighbors, Ragged, Shape
from embdiff.specs import without_secrets
from embdiff.stores._lists import Lists, nearest, nothing
from embdiff.stores.collection import FIELDS, Batch, CollectionSpec, Vectors, read_stamp
from embdiff.stores.lance_look import STAMP_KEY, LanceLook, stamp_on
from embdiff.stores.looking import Look
from embdiff.stores.store import Store

_INDEXES = ("flat", "ivf_flat", "ivf_sq8", "hnsw")
_DISTANCES = {"cosine": "cosine", "ip": "dot", "l2": "l2"}
_QUERIES_PER_CALL = 1_000
_LENGTH = 60  # of queries for inner products, as a power of two: see _lengthening
_FAILURES = (RuntimeError, ValueError, OSError)  # LanceDB has no exceptions of its own


class LanceStore(Store):
    """Collections as LanceDB tables in a folder (``lancedb:DIR``).

    Parameters
    ----------
    uri : str
        ``lancedb:DIR``; the folder and its parents are made.

    Raises
    ------
    ParameterError
        When DIR is missing or no local folder.
    StoreError
        When the folder cannot be used.
    """

    field_bytes: int | None = (1 << 31) - 1  # offsets of Arrow strings are 32 bits wide
    shapes: frozenset[Shape] = frozenset({"dense", "tokens"})

    def __init__(self, uri: str) -> None:
        folder = uri.partition(":")[2]
        if not folder or "://" in folder:
            raise ParameterError(
                f"A LanceDB store must name a local folder. Got {without_secrets(uri)!r}. Write lancedb:vectors."
            )
        self.uri, self._folder = uri, Path(folder)
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            # Zero: what another process wrote is seen at once.
            self._db: Any = lancedb.connect(folder, read_consistency_interval=timedelta(0))
        except _FAILURES as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise StoreError(
                f"A LanceDB store must be a folder that can be read and written. Got {folder}: {reason}. "
                "Name a path in a folder of yours."
            ) from None

    @contextmanager
    def filling(self, name: str) -> Iterator[None]:
        """See `Store.filling`: many processes may have the folder open, and one at a time fills a table."""
        with ExitStack() as stack:
            with suppress(OSError):  # a folder that can only be read: nobody fills anything there
                stack.enter_context(_files.alone(self._folder / f".{name}", wait=True))
            yield

    def names(self) -> list[str]:
        """Return the names of all tables in the folder."""
        with self._asking("list the collections") as db:
            page = db.list_tables()
            names = list(page.tables)
            while page.page_token:
                page = db.list_tables(page_token=page.page_token)
                names += page.tables
        return sorted(names)

    def look(self, name: str) -> Look:
        """See `Store.look`."""
        return LanceLook(self, name)

    def stamp(self, name: str) -> dict[str, Any] | None:
        """Return the stamp on a collection; None when it carries none."""
        with self.table(name, "describe") as table:
            return read_stamp(stamp_on(table.schema))

    def count(self, name: str) -> int:
        """Return the number of rows in a collection, exactly."""
        with self.table(name, "count the rows of") as table:
            return int(table.count_rows())

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there, by row number."""
        with self.table(name, "read") as table:
            wanted = table.search().where(f"row >= {start} AND row < {stop}").select(list(FIELDS))
            found = wanted.limit(max(stop - start, 1)).to_arrow().sort_by("row").combine_chunks()
        ids, texts, groups = (tuple(found[name].to_pylist()) for name in FIELDS[1:4])
        rows = found["row"].to_numpy().astype(np.int64)
        return Batch(rows, ids, texts, groups, _to_vectors(found["vector"].combine_chunks()))

    def rows_there(self, name: str) -> int | None:
        """Return m when exactly the rows 0..m-1 are there: by every key."""
        with self.table(name, "read the keys of") as table:
            found = table.search().select(["row"]).limit(max(table.count_rows(), 1)).to_arrow()
        rows = np.sort(found["row"].to_numpy())
        return len(rows) if np.array_equal(rows, np.arange(len(rows))) else None

    def create(self, spec: CollectionSpec) -> None:
        """Make an empty table, stamped as incomplete.

        Raises
        ------
        ParameterError
            For an index that LanceDB does not have.
        """
        if spec.index.name not in _INDEXES:
            raise ParameterError(
                f"The index of a LanceDB store must be one of {', '.join(_INDEXES)}. Got {spec.index}. Use --index "
                "flat, which is exact, or another store."
            )
        with self._asking(f"create {spec.name}") as db:
            db.create_table(spec.name, schema=_schema(spec))

    def add(self, name: str, rows: Batch) -> None:
        """Insert rows, all of them or, when the process dies, none; see `Store.add`."""
        vectors = _to_arrow(rows.vectors)
        texts = (pa.array(values, pa.string()) for values in (rows.ids, rows.texts, rows.groups))
        with self.table(name, "insert into") as table:
            table.add(pa.Table.from_arrays([pa.array(rows.rows), *texts, vectors], schema=table.schema))

    def build(self, spec: CollectionSpec) -> None:
        """Join the small pieces that were written, and build the index."""
        with self.table(spec.name, "build the index of") as table:
            table.optimize()
            if spec.index.name != "flat":
                table.create_index("vector", config=_index(spec), wait_timeout=timedelta(hours=1))

    def seal(self, spec: CollectionSpec) -> None:
        """Stamp the collection as complete: one atomic version of the table."""
        stamp = json.dumps(spec.full_stamp(complete=True))
        with self.table(spec.name, "stamp") as table:
            table.update_field_metadata({"path": "row", "metadata": {STAMP_KEY: stamp}})

    def search(self, spec: CollectionSpec, vectors: Vectors, k: int) -> Neighbors:
        """Return the k nearest rows of queries, ties by row; see `Store.search`.

        Raises
        ------
        ShapeError, ParameterError
            When the vectors do not fit the collection, or k is below 1.
        """
        if k < 1:
            raise ParameterError(f"k must be between 1 and the number of rows. Got {k}. Raise k.")
        spec.index.check_rows(spec.rows, min(k, spec.rows))
        # Queries with a vector for each token are asked one by one: progress is to be seen.
        find, step = (self._by_tokens, 10) if spec.shape == "tokens" else (self._found, _QUERIES_PER_CALL)
        return nearest(partial(find, spec), spec, vectors, k, spec.rows, step, self.uri)

    def drop(self, name: str) -> None:
        """Remove a table, if it is there."""
        with self._asking(f"drop {name}") as db:
            db.drop_table(name, ignore_missing=True)

    def close(self) -> None:
        """Let go of the folder."""
        self._db = None

    def _found(self, spec: CollectionSpec, queries: FloatArray, width: int) -> Lists:
        """Search once; rows (q, width) and similarities, padded."""
        times = _lengthening(queries, spec)
        params = spec.index.search_params
        with self.table(spec.name, "search") as table:
            search = table.search(queries * times[:, None], vector_column_name="vector").limit(width)
            search = search.distance_type(_DISTANCES[spec.metric]).select(["row", "_distance"])
            if spec.index.name == "flat":
                search = search.bypass_vector_index()
            if "nprobe" in params:
                search = search.nprobes(params["nprobe"])
            if "ef" in params:
                search = search.ef(params["ef"])
            found = search.to_arrow()
        of = found["query_index"].to_numpy() if "query_index" in found.column_names else np.zeros(len(found), np.int64)
        order = np.argsort(of, kind="stable")
        of = of[order]
        rank = np.arange(len(of)) - np.searchsorted(of, of)
        rows, similarity = nothing(len(queries), width)
        rows[of, rank] = found["row"].to_numpy()[order]
        distance = found["_distance"].to_numpy()[order]  # squared for l2, else one minus the cosine or inner product
        similarity[of, rank] = (-distance if spec.metric == "l2" else 1 - distance) / times[of]
        return rows, similarity

    def _by_tokens(self, spec: CollectionSpec, queries: Ragged, width: int) -> Lists:
        """Search for the vectors of all tokens of one query after the other; rows and the sum of their best cosines."""
        rows, similarity = nothing(len(queries), width)
        with self.table(spec.name, "search") as table:
            for number, query in enumerate(queries):
                search = table.search(query.values, vector_column_name="vector").distance_type("cosine")
                found = search.select(["row", "_distance"]).limit(width).to_arrow()
                rows[number, : len(found)] = found["row"].to_numpy()
                similarity[number, : len(found)] = len(query.values) - found["_distance"].to_numpy()
        return rows, similarity

    @contextmanager
    def _asking(self, what: str) -> Iterator[Any]:
        """Yield the database; turn what LanceDB raises into a StoreError of one line."""
        if self._db is None:
            raise StoreError(f"A store must be open to {what}. Got {self.uri}, which was closed. Open it again.")
        try:
            yield self._db
        except _FAILURES as error:
            reason = " ".join(str(error).split()).split(", /")[0].rstrip(".")
            remedy = "Check the store, or use another with --store."
            if "No space left" in reason:
                remedy = "Make room and run the same command again: it goes on where it stopped."
            raise StoreError(f"LanceDB must be able to {what}. Got from {self.uri}: {reason}. {remedy}") from None

    @contextmanager
    def table(self, name: str, what: str) -> Iterator[Any]:
        """Yield a table, to do with it what is said; what LanceDB raises becomes a StoreError of one line."""
        with self._asking(f"{what} {name}") as db:
            yield db.open_table(name)


def _schema(spec: CollectionSpec) -> Any:
    stamp = {STAMP_KEY: json.dumps(spec.full_stamp(complete=False))}
    vector = pa.list_(pa.float32(), spec.dim)
    types = (pa.int64(), pa.string(), pa.string(), pa.string(), pa.list_(vector) if spec.shape == "tokens" else vector)
    row, *others = map(pa.field, FIELDS, types)
    return pa.schema([row.with_metadata(stamp), *others])


def _to_arrow(vectors: Vectors) -> Any:
    """Return vectors as a column of lists of one length, those of tokens as lists of such lists."""
    values = vectors.values if isinstance(vectors, Ragged) else vectors
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
    lists = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    if not isinstance(vectors, Ragged):
        return lists
    return pa.ListArray.from_arrays(pa.array(vectors.offsets.astype(np.int32)), lists)


def _to_vectors(column: Any) -> Vectors:
    """Return what `_to_arrow` was given."""
    tokens = pa.types.is_list(column.type)
    lists = column.flatten() if tokens else column
    flat = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    numbers: FloatArray = flat.reshape(-1, lists.type.list_size)
    if not tokens:
        return numbers
    return Ragged.of(column.value_lengths().to_numpy(), numbers)


def _index(spec: CollectionSpec) -> Any:
    params, distance = spec.index.build_params, _DISTANCES[spec.metric]
    if spec.index.name == "hnsw":  # one graph over all rows, as elsewhere, not one for each of many partitions
        graph = {"m": params["M"], "ef_construction": params["efConstruction"]}
        return HnswFlat(distance_type=distance, num_partitions=1, **graph)
    kind = IvfFlat if spec.index.name == "ivf_flat" else IvfSq
    return kind(distance_type=distance, num_partitions=params["nlist"])


def _lengthening(queries: FloatArray, spec: CollectionSpec) -> FloatArray:
    """Return powers of two (q,) that make queries so long that inner products are not lost beside one.

    LanceDB gives one minus the inner product in float32: products below 6e-8 are all the same then. A query has the
    same neighbours at any length. Quantised codes are compared with it as it is; a graph is built from the rows alone.
    """
    exponents = np.full(len(queries), _LENGTH)
    if spec.metric == "ip" and spec.index.name != "ivf_sq8":
        exponents = np.frexp(norms(queries))[1]
    times: FloatArray = np.ldexp(np.float32(1), np.clip(_LENGTH - exponents, 0, 126))
    return times
