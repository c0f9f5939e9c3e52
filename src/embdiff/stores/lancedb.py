"""LanceDB: tables in a folder, exact unless an index is asked for, open to many processes at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import HnswFlat, IvfFlat, IvfSq

from embdiff._progress import progress, silent
from embdiff.errors import ParameterError, StoreError
from embdiff.exact import norms
from embdiff.records import FloatArray, IntArray, Metric, Neighbors
from embdiff.stores._lists import Lists, lengthened, settled
from embdiff.stores.collection import Batch, CollectionSpec, check_vectors

_KEY = "embdiff"  # metadata of the field "row" with the stamp: LanceDB changes metadata of fields only, atomically
_INDEXES = ("flat", "ivf_flat", "ivf_sq8", "hnsw")
_DISTANCES = {"cosine": "cosine", "ip": "dot", "l2": "l2"}
_QUERIES_PER_CALL = 1_000
_LENGTH = 60  # of queries for inner products, as a power of two: see _lengthening
_FAILURES = (RuntimeError, ValueError, OSError)  # LanceDB has no exceptions of its own


class LanceStore:
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

    def __init__(self, uri: str) -> None:
        folder = uri.partition(":")[2]
        if not folder or "://" in folder:
            raise ParameterError(f"A LanceDB store must name a local folder. Got {uri!r}. Write lancedb:vectors.")
        self.uri = uri
        self._db: Any = None
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            # Zero: what another process wrote is seen at once.
            self._db = lancedb.connect(folder, read_consistency_interval=timedelta(0))
        except _FAILURES as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise StoreError(
                f"A LanceDB store must be a folder that can be read and written. Got {folder}: {reason}. "
                "Name a path in a folder of yours."
            ) from None

    def names(self) -> list[str]:
        """Return the names of all tables in the folder."""
        with self._asking("list the collections") as db:
            names: list[str] = []
            page = db.list_tables()
            names += page.tables
            while page.page_token:
                page = db.list_tables(page_token=page.page_token)
                names += page.tables
        return sorted(names)

    def stamp(self, name: str) -> dict[str, Any] | None:
        """Return the stamp on a collection; None when it carries none."""
        with self._asking(f"describe {name}") as db:
            schema = db.open_table(name).schema
        if "row" not in schema.names:
            return None
        try:
            stamp = json.loads((schema.field("row").metadata or {}).get(_KEY.encode(), b"null"))
        except ValueError:
            return None
        return stamp if isinstance(stamp, dict) else None

    def count(self, name: str) -> int:
        """Return the number of rows in a collection, exactly."""
        with self._asking(f"count the rows of {name}") as db:
            return int(db.open_table(name).count_rows())

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there, by row number."""
        with self._asking(f"read {name}") as db:
            wanted = db.open_table(name).search().where(f"row >= {start} AND row < {stop}")
            found = wanted.select(["row", "id", "text", "group", "vector"]).limit(max(stop - start, 1)).to_arrow()
        found = found.sort_by("row").combine_chunks()
        vectors = found["vector"].combine_chunks()
        dim = vectors.type.list_size
        return Batch(
            found["row"].to_numpy().astype(np.int64),
            tuple(found["id"].to_pylist()),
            tuple(found["text"].to_pylist()),
            tuple(found["group"].to_pylist()),
            vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, dim),
        )

    def rows_there(self, name: str) -> int | None:
        """Return m when exactly the rows 0..m-1 are there: by every key."""
        with self._asking(f"read the keys of {name}") as db:
            table = db.open_table(name)
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

    def add(
        self,
        name: str,
        rows: IntArray,
        ids: Sequence[str],
        texts: Sequence[str],
        groups: Sequence[str],
        vectors: FloatArray,
    ) -> None:
        """Insert m rows, all of them or, when the process dies, none; see `Store.add`."""
        with self._asking(f"insert into {name}") as db:
            table = db.open_table(name)
            flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
            columns = [
                pa.array(rows),
                *(pa.array(list(values), pa.string()) for values in (ids, texts, groups)),
                pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
            ]
            table.add(pa.Table.from_arrays(columns, schema=table.schema))

    def build(self, spec: CollectionSpec) -> None:
        """Join the small pieces that were written, build the index, and stamp the collection as complete."""
        with self._asking(f"build the index of {spec.name}") as db:
            table = db.open_table(spec.name)
            table.optimize()
            if spec.index.name != "flat":
                table.create_index("vector", config=_index(spec), wait_timeout=timedelta(hours=1))
            stamp = json.dumps(spec.full_stamp(complete=True))
            table.update_field_metadata({"path": "row", "metadata": {_KEY: stamp}})

    def load(self, spec: CollectionSpec) -> None:
        """Do nothing but check that the collection is there."""
        self.count(spec.name)

    def search(self, spec: CollectionSpec, vectors: FloatArray, k: int) -> Neighbors:
        """Return the k nearest rows of queries float32 (q, d), ties by row; see `Store.search`.

        Raises
        ------
        ShapeError, ParameterError
            When the vectors do not fit the collection, or k is below 1.
        """
        check_vectors(vectors, spec)
        if k < 1:
            raise ParameterError(f"k must be between 1 and the number of rows. Got {k}. Raise k.")
        wanted = min(k, spec.rows)
        spec.index.check_rows(spec.rows, wanted)
        most = min(spec.rows, spec.index.params.get("ef", spec.rows))
        rows, similarity = settled(lambda queries, width: self._ask(spec, queries, width), vectors, wanted, most)
        return lengthened(rows, similarity, k, spec.metric, str(spec.index), f"{spec.name} in {self.uri}")

    def drop(self, name: str) -> None:
        """Remove a table, if it is there."""
        with self._asking(f"drop {name}") as db:
            db.drop_table(name, ignore_missing=True)

    def close(self) -> None:
        """Let go of the folder."""
        self._db = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, spec: CollectionSpec, queries: FloatArray, width: int) -> Lists:
        """Search in calls of some size; lists of the given width, padded."""
        lists = [_nothing(0, width)]
        quietly = silent() if len(queries) <= _QUERIES_PER_CALL else nullcontext()
        with (
            quietly,
            progress(f"search {spec.name}", len(queries), "queries") as advance,
            self._asking(f"search {spec.name}") as db,
        ):
            table = db.open_table(spec.name)
            for start in range(0, len(queries), _QUERIES_PER_CALL):
                part = queries[start : start + _QUERIES_PER_CALL]
                lists.append(_found(table, spec, part, width))
                advance(len(part))
        rows, similarity = zip(*lists, strict=True)
        return np.concatenate(rows), np.concatenate(similarity)

    @contextmanager
    def _asking(self, what: str) -> Iterator[Any]:
        """Yield the database; turn what LanceDB raises into a StoreError of one line."""
        if self._db is None:
            raise StoreError(f"A store must be open to {what}. Got {self.uri}, which was closed. Open it again.")
        try:
            yield self._db
        except _FAILURES as error:
            reason = " ".join(str(error).split()).split(", /")[0].rstrip(".")
            raise StoreError(
                f"LanceDB must be able to {what}. Got from {self.uri}: {reason}. "
                "Check the store, or use another with --store."
            ) from None


def _schema(spec: CollectionSpec) -> Any:
    stamp = {_KEY: json.dumps(spec.full_stamp(complete=False))}
    return pa.schema(
        [
            pa.field("row", pa.int64(), metadata=stamp),
            *(pa.field(text, pa.string()) for text in ("id", "text", "group")),
            pa.field("vector", pa.list_(pa.float32(), spec.dim)),
        ]
    )


def _index(spec: CollectionSpec) -> Any:
    params, distance = spec.index.build_params, _DISTANCES[spec.metric]
    if spec.index.name == "hnsw":  # one graph over all rows, as elsewhere, not one for each of many partitions
        return HnswFlat(
            distance_type=distance, num_partitions=1, m=params["M"], ef_construction=params["efConstruction"]
        )
    kind = IvfFlat if spec.index.name == "ivf_flat" else IvfSq
    return kind(distance_type=distance, num_partitions=params["nlist"])


def _found(table: Any, spec: CollectionSpec, queries: FloatArray, width: int) -> Lists:
    """Search once; rows (q, width) and similarities, padded."""
    times = _lengthening(queries, spec)
    search = table.search(queries * times[:, None], vector_column_name="vector")
    search = search.distance_type(_DISTANCES[spec.metric])
    search = search.limit(width).select(["row", "_distance"])
    params = spec.index.search_params
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
    rows, similarity = _nothing(len(queries), width)
    rows[of, rank] = found["row"].to_numpy()[order]
    similarity[of, rank] = _similarity(found["_distance"].to_numpy()[order], spec.metric) / times[of]
    return rows, similarity


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


def _similarity(distance: Any, metric: Metric) -> Any:
    """Return what is higher for closer: LanceDB gives squared l2, and one minus the cosine or inner product."""
    return -distance if metric == "l2" else 1 - distance


def _nothing(queries: int, width: int) -> Lists:
    return np.full((queries, width), -1, dtype=np.int64), np.full((queries, width), np.nan, dtype=np.float32)
