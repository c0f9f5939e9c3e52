"""Rows and questions that hypothesis makes for stores, and what an exact answer to them is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from store_worlds import METRICS, by_hand

from embdiff.records import FloatArray, Metric, Neighbors

DIM = 6  # no multiple of what a processor adds at once
LONGEST_ID = 65_535  # bytes, in Milvus
_SCRIPTS = (
    "汉字",
    "ü",
    "u\u0308",
    "مفتاح",
    "שלום",
    "\u202ertl",
    "👩\u200d🎤",
    "🏳\ufe0f\u200d🌈",
    "' OR 1=1 --",
    "a'\"\\\n",
)
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@dataclass(frozen=True, eq=False)
class Case:
    """Rows under ids, queries, and how many neighbours are asked for; ``built``: whether the rows are indexed."""

    metric: Metric
    vectors: FloatArray
    ids: tuple[str, ...]
    queries: FloatArray
    k: int
    built: bool

    def asking(self, k: int) -> Case:
        """Return the same, asking for k."""
        return replace(self, k=k)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Lengths from 1e-16 to 1e13 side by side, most of them up to 10,000, rows that are there twice, ids of all scripts and lengths."""
    metric = draw(st.sampled_from(METRICS))
    distinct = draw(vectors_of(metric, 1, 24))
    again = draw(st.lists(st.integers(0, len(distinct) - 1), max_size=12))
    vectors = np.concatenate([distinct, distinct[again]])
    queries = np.concatenate([draw(vectors_of(metric, 1, 4)), vectors[: draw(st.integers(0, 2))]])
    k, built = draw(st.integers(1, len(vectors) + 3)), draw(st.sampled_from([False] * 7 + [True]))
    return Case(metric, vectors, draw(ids_of(len(vectors))), queries, k, built)


@st.composite
def vectors_of(draw: st.DrawFn, metric: Metric, least: int, most: int) -> FloatArray:
    """Vectors, float32 of shape (m, DIM): small integers, for ties, or any floats; then each of some length."""
    number = draw(st.sampled_from([st.integers(-2, 2), st.floats(-1, 1, width=32)]))
    direction = st.lists(number, min_size=DIM, max_size=DIM)
    exponent = st.integers(-12, 4) | st.sampled_from([-16, 13])  # those next to what is refused
    rows = draw(st.lists(st.tuples(direction, exponent), min_size=least, max_size=most))
    vectors = np.array([direction for direction, _ in rows], dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    short = lengths[:, 0] < 1e-30
    vectors[short], lengths[short] = (1.0, np.sqrt(DIM)) if metric == "cosine" else (0.0, 1.0)
    return (vectors / lengths * [[10.0**exponent] for _, exponent in rows]).astype(np.float32)


@st.composite
def ids_of(draw: st.DrawFn, count: int) -> tuple[str, ...]:
    """As many different ids; among them at times one as long as a store takes."""
    text = st.sampled_from(_SCRIPTS) | st.text(_CHARACTERS, max_size=6)
    ids = draw(st.lists(text, min_size=count, max_size=count))
    named = [f"{name}-{row}" for row, name in enumerate(ids)]  # nothing after the last hyphen occurs twice
    character = draw(st.none() | st.sampled_from(["x", "ß", "汉", "👩"]))
    if character is not None:
        named[draw(st.integers(0, count - 1))] = character * (LONGEST_ID // len(character.encode()))
    return tuple(named)


def check_exact(found: Neighbors, case: Case) -> None:
    """Assert that these are the nearest, in order; rows may change places only where float32 cannot tell them apart.

    What is computed in float32 lies within `rounding` of the truth. So the i-th highest of what was computed lies
    between the i-th highest of all lower bounds and of all upper bounds, and only rows that can have it may stand there:
    one row, unless others are as near within rounding.
    """
    assert found.rows.shape == found.similarity.shape == (len(case.queries), case.k)
    there = min(case.k, len(case.vectors))
    rows, similarity = found.rows[:, :there], found.similarity[:, :there]
    assert np.all(found.rows[:, there:] == -1)
    assert np.all(np.isnan(found.similarity[:, there:]))
    assert all(len(set(row)) == there and row.min() >= 0 for row in rows)
    truth, off = by_hand(case.queries, case.vectors, case.metric), rounding(case)
    lower, upper = (-np.sort(-bound, axis=1)[:, :there] for bound in (truth - off, truth + off))
    true, slack = np.take_along_axis(truth, rows, 1), np.take_along_axis(off, rows, 1)
    assert np.all(true + slack >= lower)
    assert np.all(true - slack <= upper)
    assert np.all(np.abs(similarity - true) <= slack)
    _check_order_of_equals(rows, case.vectors)


def rounding(case: Case) -> np.ndarray:
    """Return how far a similarity in float32 may be off, shape (q, n)."""
    left, right = (np.linalg.norm(x.astype(np.float64), axis=1) for x in (case.queries, case.vectors))
    if case.metric == "cosine":
        return np.full((len(left), len(right)), 1e-6)
    size = np.outer(left, right) if case.metric == "ip" else np.add.outer(left, right) ** 2
    return 1e-6 * size + 1e-37


def _check_order_of_equals(rows: np.ndarray, vectors: FloatArray) -> None:
    """Assert that of rows with equal vectors the first stand, in order."""
    _, group = np.unique(vectors + np.float32(0), axis=0, return_inverse=True)  # 0 makes one of 0 and -0
    for line in rows:
        for each in np.unique(group):
            members = np.flatnonzero(group == each)
            seen = line[np.isin(line, members)]
            np.testing.assert_array_equal(seen, members[: len(seen)])
