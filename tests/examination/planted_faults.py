"""Three databases in which faults are planted by their own clients, as others would leave them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from embdiff.indexes import IndexSpec
from embdiff.records import Corpus
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import place
from milvus_server import TOKEN

ROWS = 60
WORDS = ("harbour", "lantern", "cup", "orchard", "violin", "gravel")
TEXTS = tuple(f"{WORDS[row % 6]} and {WORDS[row // 6 % 6]} of day {row}" for row in range(ROWS))
CORPUS = Corpus(TEXTS, tuple(f"doc-{row:02}" for row in range(ROWS)), ids_given=True)
VECTORS = np.random.default_rng(3).standard_normal((ROWS, 32)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
STAMP = {"model": "any:model", "revision": "1", "dim": 32, "corpus": CORPUS.digest(), "normalized": True}


class World:
    """A database; ``kind`` is lite, lancedb or server."""

    def __init__(self, kind: str, folder: Path, url: str) -> None:
        self.kind, self.folder = kind, folder
        self.path = folder / "vectors.db"
        self.uri = {"lite": f"milvus:{self.path}", "lancedb": f"lancedb:{self.path}", "server": url}[kind]
        self.made: list[str] = []

    def placed(self, name: str = "ours", vectors: Any = VECTORS, metric: Any = "cosine", **stamp: Any) -> str:
        """Make a collection of ours."""
        spec = CollectionSpec(name, vectors.shape[1], metric, IndexSpec.parse("flat"), ROWS, {**STAMP, **stamp})
        with get_store(self._open_uri) as store:
            store.drop(name)
            place(store, spec, CORPUS, np.ascontiguousarray(vectors, dtype=np.float32))
        self.made.append(name)
        return name

    @property
    def _open_uri(self) -> str:
        return f"{self.uri}?token={TOKEN}" if self.kind == "server" else self.uri

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Give a client of the user's own; the folder is let go afterwards, as when a process ends."""
        from milvus_lite.server_manager import server_manager_instance
        from pymilvus import MilvusClient

        client = MilvusClient(self.uri, token=TOKEN) if self.kind == "server" else MilvusClient(str(self.path))
        try:
            yield client
        finally:
            client.close()
            if self.kind == "lite":
                server_manager_instance.release_server(str(self.path))

    def put(self, name: str, records: Sequence[dict[str, Any]], key: str = "row") -> None:
        """Write rows over those of the same key, or beside them."""
        if self.kind == "lancedb":
            import lancedb

            table = lancedb.connect(str(self.path)).open_table(name)
            table.delete(f"{key} IN ({', '.join(str(record[key]) for record in records)})")
            table.add(list(records))
            return
        with self.client() as client:
            client.upsert(name, list(records))
            client.flush(name)

    def delete(self, name: str, where: str) -> None:
        if self.kind == "lancedb":
            import lancedb

            lancedb.connect(str(self.path)).open_table(name).delete(where)
            return
        with self.client() as client:
            client.load_collection(name)
            client.delete(name, filter=where)
            client.flush(name)

    def twice(self, name: str, record: dict[str, Any]) -> None:
        """Insert a row of a key that is there."""
        if self.kind == "lancedb":
            import lancedb

            lancedb.connect(str(self.path)).open_table(name).add([record])
            return
        with self.client() as client:
            client.insert(name, [record])
            client.flush(name)

    def theirs(self, vectors: Sequence[Any], metric: str = "COSINE", texts: Any = TEXTS, name: str = "theirs") -> str:
        """Make a collection as users do, without a stamp: ``code``, ``body``, ``emb``."""
        records = [
            {"code": f"k{row:02}", "body": texts[row], "emb": None if each is None else [float(x) for x in each]}
            for row, each in enumerate(vectors)
        ]
        self.made.append(name)
        if self.kind == "lancedb":
            import lancedb
            import pyarrow as pa

            dims = {len(each["emb"]) for each in records if each["emb"] is not None}
            kind = pa.list_(pa.float32(), *(dims if len(dims) == 1 else ()))
            schema = pa.schema({"code": pa.string(), "body": pa.string(), "emb": kind})
            lancedb.connect(str(self.path)).create_table(
                name, pa.Table.from_pylist(records, schema=schema), mode="overwrite", on_bad_vectors="null"
            )
            return name
        from pymilvus import DataType, MilvusClient

        nullable = any(each is None for each in vectors)
        schema = MilvusClient.create_schema(auto_id=False)
        schema.add_field("code", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("body", DataType.VARCHAR, max_length=500)
        schema.add_field("emb", DataType.FLOAT_VECTOR, dim=32, **({"nullable": True} if nullable else {}))
        with self.client() as client:
            client.drop_collection(name)
            client.create_collection(name, schema=schema, consistency_level="Strong")
            client.insert(name, records)
            client.flush(name)
            if metric:
                index = MilvusClient.prepare_index_params()
                index.add_index("emb", index_type="FLAT", metric_type=metric)
                client.create_index(name, index)
                client.load_collection(name)
        return name

    def record(self, row: int, **changed: Any) -> dict[str, Any]:
        own = {"row": row, "id": CORPUS.ids[row], "text": TEXTS[row], "group": "", "vector": VECTORS[row].tolist()}
        return {**own, **changed}

    def files(self) -> dict[str, str]:
        """Return what is on the disk, to see that nothing is changed."""
        if self.kind == "server":
            return {}
        found = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
