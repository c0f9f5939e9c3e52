"""The best rows of a few queries: there faiss takes up to twelve times as long as the products do."""

from __future__ import annotations

import numpy as np

from embdiff.exact._largest import Largest, above, rounded_down
from embdiff.exact._surrogate import Surrogate
from embdiff.records import FloatArray, IntArray

_FEWEST, _MOST = 20, 1_024  # queries; faiss multiplies fewer than 20 in a way of its own
_SMALL = 120_000  # numbers in all queries: from about here on faiss is as fast
_LEAST_ROWS = 10_000
_NUMBERS = 2**20  # products of a tile: 4 MiB stay in the cache while they are looked through
_SHARE = 50  # of all rows, the sample that the first thresholds come from


def pays(queries: int, dim: int, rows: int) -> bool:
    """Return whether looking through the products here is faster than faiss; measured, see docs/exact.md."""
    return _FEWEST <= queries <= _MOST and queries * dim < _SMALL and _LEAST_ROWS <= rows < 2**31


def best_rows(task: Surrogate, wanted: int) -> tuple[FloatArray, IntArray]:
    """Return, for each query, the ``wanted`` rows with the largest products.

    Parameters
    ----------
    task : Surrogate
        Of q queries and n rows.
    wanted : int
        1..n.

    Returns
    -------
    worst : ndarray of float32, shape (q,)
        No row that is missing has a product above it.
    rows : ndarray of int64, shape (q, wanted)
        In no particular order.
    """
    left, right = task.left, task.right
    best = Largest(_first_thresholds(task, wanted), wanted)
    width = max(1, _NUMBERS // len(left) // 8 * 8)
    buffer = np.empty((len(left), width), dtype=np.float32)
    for start in range(0, len(right), width):
        rows = right[start : start + width]
        block = np.matmul(left, rows.T, out=buffer) if len(rows) == width else left @ rows.T
        queries, across, products = above(block, best.threshold[:, None])
        best.offer(queries, across + start, products)
    return best.threshold, best.finished()[1]


def _first_thresholds(task: Surrogate, wanted: int) -> FloatArray:
    """Return, for each query, what at least ``wanted`` of its products surely exceed."""
    count = len(task.right)
    drawn = np.sort(np.random.default_rng(0).choice(count, min(count, max(count // _SHARE, wanted)), replace=False))
    products = task.left @ task.right[drawn].T
    lowest = np.partition(products, products.shape[1] - wanted, axis=1)[:, -wanted]
    # The same products in another order of summation: off by twice the slack at most.
    return rounded_down(lowest - 2.0 * task.slack)
