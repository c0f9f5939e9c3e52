"""Encoding with one model after the other, and ranking by its vectors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from embdiff import exact
from embdiff.encoders import Encoder, load_named
from embdiff.evaluation.outcome import ModelFacts
from embdiff.records import Corpus, FloatArray, IntArray, Metric


def load(name: str, objects: Mapping[str, Any], corpus: Corpus) -> tuple[Encoder, float]:
    """Load a model, let it learn from the corpus where it does so, and return the seconds it took."""
    start = time.perf_counter()
    encoder = load_named(name, objects)
    encoder.fit(corpus.items, corpus.digest())
    return encoder, time.perf_counter() - start


def encode_one(name: str, objects: Mapping[str, Any], corpus: Corpus) -> tuple[FloatArray, ModelFacts]:
    """Return the vectors of a corpus, and the facts of the model."""
    encoder, loaded = load(name, objects, corpus)
    start = time.perf_counter()
    vectors = encoder.encode(corpus.items)
    seconds = {"load_model": loaded, "encode": time.perf_counter() - start}
    return vectors, ModelFacts(name, encoder.stamp, seconds)


def encode_two(
    name: str, objects: Mapping[str, Any], corpus: Corpus, others: Sequence[str], *, queries: bool
) -> tuple[FloatArray, FloatArray, ModelFacts]:
    """Return the vectors of a corpus and of other texts, and the facts of the model.

    Parameters
    ----------
    name : str
    objects : mapping of str to object
        Models that came as objects.
    corpus : Corpus
        What a model that learns from its corpus learns from.
    others : sequence of str
        At least one.
    queries : bool
        Whether the others are queries to the model, or documents as well.
    """
    encoder, loaded = load(name, objects, corpus)
    start = time.perf_counter()
    documents = encoder.encode(corpus.items)
    asked = encoder.encode(others, role="query" if queries else "document")
    seconds = {"load_model": loaded, "encode": time.perf_counter() - start}
    return documents, asked, ModelFacts(name, encoder.stamp, seconds)


def rank(queries: FloatArray, vectors: FloatArray, depth: int, metric: Metric) -> tuple[IntArray, FloatArray]:
    """Return the nearest rows of each query, exactly, and their similarity; (q, min(depth, n)).

    A zero vector has no direction: with cosine such a row is never returned and such a query returns nothing; the
    lists are padded with -1 and NaN.
    """
    depth = min(depth, len(vectors))
    rows = np.full((len(queries), depth), -1, dtype=np.int64)
    similarity = np.full((len(queries), depth), np.nan, dtype=np.float32)
    asking, there = (_usable(table, metric) for table in (queries, vectors))
    if asking.size and there.size:
        found = exact.search(queries[asking], vectors[there], min(depth, len(there)), metric)
        rows[asking, : found.k] = np.where(found.rows >= 0, there[found.rows], -1)
        similarity[asking, : found.k] = found.similarity
    return rows, similarity


def _usable(vectors: FloatArray, metric: Metric) -> IntArray:
    if metric != "cosine":
        return np.arange(len(vectors), dtype=np.int64)
    return np.flatnonzero(np.any(vectors != 0.0, axis=1)).astype(np.int64)


def without_direction(vectors: FloatArray, metric: Metric) -> int:
    """Return how many vectors are zero, where that means that they have no similarity."""
    return len(vectors) - len(_usable(vectors, metric))
