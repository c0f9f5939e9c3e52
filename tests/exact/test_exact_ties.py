"""Rows that are equally near: found whole, for every metric, wherever the rows are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from embdiff import exact
from embdiff.records import Neighbors


def coarse(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return vectors of few values, none of length 0, scaled so that rounding blurs what is equal."""
    values = rng.integers(-1, 2, shape).astype(np.float32)
    values[~values.any(axis=1), 0] = 1
    return values * np.float32(0.1)


def true_order(query: np.ndarray, rows: np.ndarray, metric: str) -> list[tuple[int, Fraction]]:
    """Return what orders the rows, exactly: for cosine its square with the sign of the product."""
    found = []
    for row in rows:
        q, v = ([Fraction(round(float(x) * 10)) for x in each] for each in (query, row))
        dot, square = sum(a * b for a, b in zip(q, v, strict=True)), sum(b * b for b in v)
        if metric == "l2":
            found.append(-sum((a - b) ** 2 for a, b in zip(q, v, strict=True)))
        else:
            found.append(dot if metric == "ip" else (1 if dot > 0 else -1) * dot * dot / square)
    return found


def check(found: Neighbors, orders: list[list[Fraction]], k: int, left_out: int | None = None) -> int:
    """Compare with the exact order and return how many lists have a tie that reaches over their end."""
    over = 0
    for query, order in enumerate(orders):
        rows = [row for row in range(len(order)) if row != (query if left_out is not None else None)]
        before = {row: sum(order[other] > order[row] for other in rows) for row in rows}
        size = {row: sum(order[other] == order[row] for other in rows) for row in rows}
        listed = found.rows[query].tolist()
        last = order[listed[-1]]
        beyond = {row for row in rows if order[row] == last} - set(listed)
        over += bool(beyond)
        if found.ties is None:
            assert not beyond
            assert [before[row] for row in listed] == list(range(k))
            continue
        assert found.ties.before[query].tolist() == [before[row] for row in listed]
        assert found.ties.size[query].tolist() == [size[row] for row in listed]
        assert set(found.ties.row[found.ties.query == query].tolist()) == beyond
    return over


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("k", [1, 4, 29])
def test_ties_are_those_of_exact_arithmetic(metric: str, k: int):
    vectors = coarse(np.random.default_rng(k), (30, 5))
    orders = [true_order(vector, vectors, metric) for vector in vectors]
    assert check(exact.search(vectors, vectors, k, metric), orders, k) > (0 if k < 29 else -1)
    own = np.arange(30)
    check(exact.search(vectors, vectors, k, metric, leave_out=own), orders, k, left_out=0)


def test_a_space_of_one_point_ties_all_its_rows():
    vectors = np.ones((50, 3), dtype=np.float32)
    found = exact.search(vectors, vectors, 4, "cosine", leave_out=np.arange(50))
    assert (found.ties.size == 49).all()
    assert (found.ties.before == 0).all()
    assert np.array_equal(found.ties.query, np.repeat(np.arange(50), 45))


def test_a_narrow_cone_is_decided_in_float64():
    """Cosines that differ by less than float32 can tell are no ties, and stand in their true order."""
    angles = np.arange(40) * 1e-5
    vectors = np.stack([np.ones(40), angles], axis=1).astype(np.float32)
    found = exact.search(vectors[:1], vectors, 10, "cosine")
    assert len(set(found.similarity[0].tolist())) < 10
    assert found.ties is None
    assert found.rows[0].tolist() == list(range(10))
