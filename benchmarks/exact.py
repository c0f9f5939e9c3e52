"""Exact search against the bare matrix product, its peers, and itself on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.growth import run_aside
from benchmarks.report import Figure, in_turn, shown
from embdiff import exact
from embdiff._progress import silent
from embdiff.records import FloatArray, Neighbors

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # Milvus Lite's pings are noise beside the figures

COUNT, DIM, QUERIES, K = 100_000, 384, 1_024, 10
ON_DISK, ON_DISK_QUERIES, MEMORY = 1_000_000, 1_000, "512MiB"
LISTS = 4  # of the peer's index; all of them are searched
NEAR = 1e-6  # relative difference of float64 scores below which two neighbours may change places

ROWS = {
    "exact_vs_gemm": f"{COUNT:,} x {DIM}, top {K}, {QUERIES:,} queries: exact search over the bare float32 product",
    "exact_vs_sklearn": "the same: scikit-learn's brute-force cosine over exact search",
    "exact_vs_milvus_lite": "the same: Milvus Lite, IVF_FLAT nlist = nprobe = 4, one batch, over exact search",
    "selfknn_vs_faiss": f"all pairs of {COUNT:,} x {DIM}, top {K}: exact search over faiss.knn",
    "stream_rss": f"compare {ON_DISK:,} x {DIM} from disk, {ON_DISK_QUERIES:,} queries, --memory {MEMORY}: peak RSS, "
    "the highest of the runs",
    "stream_time": "the same search from disk over in memory, time per row",
}


def unit_rows(count: int, dim: int, seed: int) -> FloatArray:
    """Return normalised random vectors: the hard case, as no row is much nearer than the others."""
    vectors = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def timed(ways: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Run the ways in turn, as often as `repeats_for` says of each, after one run that is not counted."""
    for way in ways.values():
        way()
    return {name: [seconds for seconds, _ in runs] for name, runs in in_turn(ways).items()}


def product(queries: FloatArray, vectors: FloatArray) -> None:
    """Multiply every query with every row, in tiles that stay in the cache, and keep nothing."""
    tile = np.empty((512, 4_096), dtype=np.float32)
    for i in range(0, len(queries), 512):
        for j in range(0, len(vectors), 4_096):
            block = vectors[j : j + 4_096]
            rows = queries[i : i + 512]
            np.matmul(rows, block.T, out=tile[: len(rows), : len(block)])


def few_queries(rows: int = COUNT) -> list[Figure]:
    """Measure 1,024 queries: against the product, scikit-learn and Milvus Lite."""
    from sklearn.neighbors import NearestNeighbors

    vectors, queries = unit_rows(rows, DIM, 0), unit_rows(QUERIES, DIM, 1)
    prepared = exact.Index(vectors, "cosine")
    brute = NearestNeighbors(n_neighbors=K, algorithm="brute", metric="cosine").fit(vectors)
    found: dict[str, Any] = {}

    def ours() -> None:
        exact.search(queries, vectors, K, "cosine")

    bare = timed(
        {
            "exact": ours,
            "exact, prepared": lambda: prepared.search(queries, K),
            "product": lambda: product(queries, vectors),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        client = _milvus(Path(folder) / "bench.db", vectors)

        def peer() -> None:
            found["Milvus Lite"] = client.search(
                "bench", list(queries), limit=K, anns_field="vector",
                search_params={"metric_type": "COSINE", "params": {"nprobe": LISTS}},
            )  # fmt: skip

        peers = timed({"scikit-learn": lambda: brute.kneighbors(queries), "Milvus Lite": peer, "exact": ours})
        client.close()
    rows_found = np.array([[hit["key"] for hit in hits] for hits in found["Milvus Lite"]])
    same = neighbours_agree("Milvus Lite", rows_found, prepared.search(queries, K), queries, vectors)
    pick = {name: {name: peers[name], "exact": peers["exact"]} for name in ("scikit-learn", "Milvus Lite")}
    ratio = median(bare["exact"]) / median(bare["product"])
    return [
        Figure("exact_vs_gemm", ratio, 1.15, "times the product", bare, at_most=True),
        _faster("exact_vs_sklearn", 3.0, pick["scikit-learn"]),
        _faster("exact_vs_milvus_lite", 1.8, pick["Milvus Lite"], why=same),
    ]


def _faster(name: str, bound: float, spent: dict[str, list[float]], why: str = "") -> Figure:
    slow, fast = (median(values) for values in spent.values())
    return Figure(name, slow / fast, bound, "times faster", spent, why=why)


def _milvus(path: Path, vectors: FloatArray) -> Any:
    from pymilvus import DataType, MilvusClient

    client = MilvusClient(str(path))
    schema = client.create_schema(auto_id=False)
    schema.add_field("key", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=vectors.shape[1])
    client.create_collection("bench", schema=schema)
    for start in range(0, len(vectors), 5_000):
        rows = vectors[start : start + 5_000]
        client.insert("bench", [{"key": start + at, "vector": row} for at, row in enumerate(rows)])
    index = client.prepare_index_params()
    # Lite reads what is under "params" only, and pymilvus flattens that away unless it is given twice. With 128 lists,
    # its default, 4 of them would be a small part of the work.
    lists = {"nlist": LISTS, "params": {"nlist": LISTS}}
    index.add_index("vector", index_type="IVF_FLAT", metric_type="COSINE", params=lists)
    client.flush("bench")
    client.create_index("bench", index)
    client.load_collection("bench")
    return client


def all_pairs(rows: int = COUNT) -> list[Figure]:
    """Measure every row with every row, and check the neighbours of both ways."""
    import faiss

    vectors, own = unit_rows(rows, DIM, 2), np.arange(rows)
    ways: dict[str, Callable[[], Any]] = {
        "exact": lambda: exact.search(vectors, vectors, K, "cosine", leave_out=own),
        "faiss": lambda: faiss.knn(vectors, vectors, K + 1, faiss.METRIC_INNER_PRODUCT)[1],
    }
    measured = in_turn(ways)
    spent = {name: [seconds for seconds, _ in runs] for name, runs in measured.items()}
    found = {name: runs[-1][1] for name, runs in measured.items()}
    same = neighbours_agree("faiss", _own_left_out(found["faiss"]), found["exact"], vectors, vectors)
    ratio = median(spent["exact"]) / median(spent["faiss"])
    return [Figure("selfknn_vs_faiss", ratio, 0.70, "times faiss.knn", spent, at_most=True, why=same)]


def _own_left_out(rows: Any) -> Any:
    order = np.argsort(rows == np.arange(len(rows))[:, None], axis=1, kind="stable")[:, :K]
    return np.take_along_axis(rows, order, axis=1)


def neighbours_agree(name: str, peer: Any, ours: Neighbors, queries: FloatArray, vectors: FloatArray) -> str:
    """Say how many neighbours the peer shares with exact search.

    Raises
    ------
    AssertionError
        When some differ by more than rounding: then the peer did other work, and its time compares with nothing.
    """
    wrong, near = differing(ours, peer, queries, vectors)
    words = (
        f"recall@{K} of {name} {1 - wrong / ours.rows.size:.6g} up to ties: of {ours.rows.size:,} neighbours {wrong:,} "
        f"differ by more than {NEAR:g}, {near:,} may change places"
    )
    print(words, flush=True)
    if wrong:
        raise AssertionError(f"{name} must return the exact neighbours but for rounding. Got {words}.")
    return words


def differing(ours: Neighbors, peer: Any, queries: FloatArray, vectors: FloatArray) -> tuple[int, int]:
    """Return how many of our neighbours the peer lacks though their scores differ, and how many only by rounding."""
    missing = ~(ours.rows[:, :, None] == peer[:, None, :]).any(axis=2)
    query, place = np.nonzero(missing)
    if not len(query):
        return 0, 0
    asked = queries[query].astype(np.float64)
    mine = np.einsum("nd,nd->n", asked, vectors[ours.rows[query, place]].astype(np.float64))
    last = np.stack([np.einsum("nd,nd->n", asked, vectors[peer[query, at]].astype(np.float64)) for at in range(K)])
    apart = np.abs(mine - last.min(axis=0)) > NEAR * np.abs(mine)
    return int(apart.sum()), int((~apart).sum())


def from_disk(rows: int = ON_DISK) -> list[Figure]:
    """Measure time and memory of vectors that stay in their file."""
    with tempfile.TemporaryDirectory() as folder:
        path, texts = Path(folder) / "vectors.npy", Path(folder) / "rows.txt"
        _write(path, rows)
        texts.write_text("".join(f"row {row}\n" for row in range(rows)), encoding="utf-8")
        whole = [gave for _, gave in in_turn({"compare": lambda: _compare_aside(texts, path)})["compare"]]
        peaks = [peak for _, peak in whole]
        vectors, queries = np.load(path), unit_rows(ON_DISK_QUERIES, DIM, 5)
        stored = exact.FileVectors(path, 2**28)  # what compare gives the blocks of one model, of 512 MiB
        spent = timed(
            {
                "disk": lambda: exact.search(queries, stored, K, "cosine"),
                "memory": lambda: exact.search(queries, vectors, K, "cosine"),
            }
        )
    took = f"the whole compare takes {shown([seconds for seconds, _ in whole])} s"
    ratio = median(spent["disk"]) / median(spent["memory"])
    return [
        Figure("stream_rss", max(peaks), 1.0, "GiB", {"peak": peaks}, at_most=True, why=took, measured_in="GiB"),
        Figure("stream_time", ratio, 1.3, "times memory", spent, at_most=True),
    ]


def _write(path: Path, rows: int, dim: int = DIM) -> None:
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, dim))
    for start in range(0, rows, 50_000):
        out[start : start + 50_000] = unit_rows(min(50_000, rows - start), dim, start + 3)
    out.flush()


def _compare_aside(texts: Path, vectors: Path) -> tuple[float, float]:
    """Compare in a process of its own; return its seconds, and the most memory it held at once in GiB."""
    options = ["-m", f"vectors:{vectors}", "--store", "memory:", "--memory", MEMORY, "--sample", str(ON_DISK_QUERIES)]
    return run_aside(["compare", str(texts), *options, "--out", str(vectors.with_name("run"))])


def main() -> list[Figure]:
    """Measure everything and print every ratio."""
    figures = []
    for part in (few_queries, all_pairs, from_disk):
        with silent():
            measured = part()
        for figure in measured:
            print(figure.line(), flush=True)
        figures += measured
    return figures


if __name__ == "__main__":
    main()
