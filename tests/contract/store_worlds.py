"""Vectors, collections and answers by hand that the contract tests of stores share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embdiff.indexes import IndexSpec
from embdiff.records import Corpus, FloatArray, IntArray, Metric
from embdiff.stores import get_store
from embdiff.stores.collection import Batch, CollectionSpec
from embdiff.stores.store import Store
from milvus_server import TOKEN

METRICS: tuple[Metric, ...] = ("cosine", "ip", "l2")
random = np.random.default_rng(7)
POINTS = random.standard_normal((60, 8)).astype(np.float32)
POINTS[30:40] = POINTS[3]
QUERIES = np.concatenate([POINTS, random.standard_normal((20, 8)).astype(np.float32)])


def opened(kind: str, request: pytest.FixtureRequest, folder: Path) -> Store:
    if kind == "memory":
        return get_store("memory:")
    if kind == "lancedb":
        pytest.importorskip("lancedb")
        return get_store(f"lancedb:{folder / 'vectors'}")
    if kind == "lite":
        return get_store(f"milvus:{folder / 'vectors.db'}")
    return get_store(f"{request.getfixturevalue('milvus_server')}?token={TOKEN}")


def corpus_of(count: int, **columns: Any) -> Corpus:
    texts = columns.pop("items", tuple(f"text {row}" for row in range(count)))
    return Corpus(texts, columns.pop("ids", tuple(map(str, range(count)))), **columns)


def rows_of(corpus: Corpus, rows: IntArray, vectors: FloatArray) -> Batch:
    """Some rows of a corpus as a store takes them, with the vectors of all."""
    ids, texts = (tuple(column[row] for row in rows) for column in (corpus.ids, corpus.items))
    return Batch(rows, ids, texts, ("",) * len(rows), vectors[rows])


def spec_of(
    name: str, vectors: FloatArray, metric: Metric = "cosine", index: str = "flat", **stamp: Any
) -> CollectionSpec:
    rows, dim = vectors.shape
    return CollectionSpec(name, dim, metric, IndexSpec.parse(index), rows, stamp)


def by_hand(queries: FloatArray, vectors: FloatArray, metric: Metric) -> np.ndarray:
    """Similarities in float64, shape (q, n)."""
    left, right = queries.astype(np.float64), vectors.astype(np.float64)
    if metric == "cosine":
        left, right = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (left, right))
    if metric == "l2":
        return -((left[:, None] - right[None]) ** 2).sum(axis=2)
    return left @ right.T


def nearest_by_hand(similarity: np.ndarray, k: int) -> np.ndarray:
    """Rows of the k highest; what differs by rounding only counts as equal and stands by row."""
    return np.argsort(-similarity.round(9), axis=1, kind="stable")[:, :k]
