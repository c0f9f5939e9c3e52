"""At which place a row stands in a query's full order, without sorting it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embdiff._progress import progress
from embdiff.exact._knn import Task
from embdiff.exact._rows import pair_similarity
from embdiff.records import FloatArray, IntArray

_NUMBERS = 2**24  # products held at a time: 64 MiB
_LARGEST_BLOCK = 1_024


def count_before(task: Task, rows: IntArray, wanted: FloatArray) -> IntArray:
    """Return how many of the rows here come before given ones in each query's order.

    Parameters
    ----------
    task : Task
        Of q queries; its distinct vectors stand for n rows.
    rows : ndarray of int64, shape (q, m)
        Numbers as those of the rows here; below 0 or from n on for rows that lie elsewhere, before or after these.
    wanted : ndarray of float32, shape (q, m)
        Similarity of ``rows``.

    Returns
    -------
    ndarray of int64, shape (q, m)
    """
    out = np.empty(rows.shape, dtype=np.int64)
    step = min(_LARGEST_BLOCK, max(1, _NUMBERS // len(task.vectors)))
    with progress("exact ranks", len(rows), "queries") as advance:
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            low, high = task.stand_in.band(part, wanted[part])
            for at, products in enumerate(task.stand_in.left[part] @ task.stand_in.right.T):
                line = _Line(task, start + at, products)
                out[start + at] = line.before(rows[start + at], wanted[start + at], low[at], high[at])
            advance(len(low))
    return out


def precedes(score: FloatArray, row: IntArray, wanted: FloatArray, rows: IntArray) -> npt.NDArray[np.bool_]:
    """Return where ``row`` (q, 1), of similarity ``score``, comes before ``rows`` (q, m), of similarity ``wanted``."""
    return np.asarray((row >= 0) & ((score > wanted) | ((score == wanted) & (row < rows))))


class _Line:
    """The float32 products of one query with every distinct vector, and what decides where they cannot."""

    def __init__(self, task: Task, query: int, products: FloatArray) -> None:
        self._task, self._query, self._groups = task, query, task.groups
        self._products = products

    def before(self, rows: IntArray, wanted: FloatArray, low: FloatArray, high: FloatArray) -> IntArray:
        """Count what precedes ``rows`` (m,), whose similarities are ``wanted`` and lie between ``low`` and ``high``."""
        kinds = np.array([np.count_nonzero(self._products > bound) for bound in high], dtype=np.int64)
        reach = np.array([np.count_nonzero(self._products >= bound) for bound in low], dtype=np.int64)
        above = kinds if not self._groups.repeated else self._weighed(high)
        # A row that is here and has no twin lies within its own band alone, and does not precede itself.
        inside = (rows >= 0) & (rows < len(self._groups.inverse))
        own = self._groups.inverse[np.where(inside, rows, 0)]
        lone = (inside & (self._groups.counts[own] == 1)).astype(np.int64)
        open_ = np.flatnonzero((reach - kinds > lone) & ~np.isnan(wanted))
        if open_.size:
            above[open_] += self._decided(rows[open_], wanted[open_], low[open_], high[open_])
        return above

    def _weighed(self, bounds: FloatArray) -> IntArray:
        counts = self._groups.counts
        return np.array([counts[self._products > bound].sum() for bound in bounds], dtype=np.int64)

    def _decided(self, rows: IntArray, wanted: FloatArray, low: FloatArray, high: FloatArray) -> IntArray:
        """Count, for each target, the rows within its band that precede it."""
        near: npt.NDArray[np.bool_] = np.zeros(len(self._products), dtype=np.bool_)
        for bottom, top in zip(low, high, strict=True):
            near |= (self._products >= bottom) & (self._products <= top)
        band = np.flatnonzero(near)
        task, query = self._task, slice(self._query, self._query + 1)
        exact = pair_similarity(task.queries[query], task.vectors, band[None], task.metric)[0]
        groups, sizes = self._groups, self._groups.counts[band]
        counts = np.empty(len(rows), dtype=np.int64)
        for at, (row, score, bottom, top) in enumerate(zip(rows, wanted, low, high, strict=True)):
            inside = (self._products[band] >= bottom) & (self._products[band] <= top)
            ties = band[inside & (exact == score)]
            lower = sum(int(np.searchsorted(groups.order[groups.start[t] : groups.start[t + 1]], row)) for t in ties)
            counts[at] = sizes[inside & (exact > score)].sum() + lower
        return counts
