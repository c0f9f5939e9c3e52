"""At which place a row stands in a query's full order, without sorting it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embdiff._progress import progress
from embdiff.exact._knn import Task
from embdiff.exact._rows import Doubles, pair_similarity
from embdiff.records import IntArray

_NUMBERS = 2**24  # products held at a time: 64 MiB
_LARGEST_BLOCK = 1_024


def count_before(task: Task, rows: IntArray, wanted: Doubles) -> IntArray:
    """Return how many of the rows here come before given ones in each query's order.

    Parameters
    ----------
    task : Task
        Of q queries; its distinct vectors stand for n rows.
    rows : ndarray of int64, shape (q, m)
        Numbers as those of the rows here; below 0 or from n on for rows that lie elsewhere, before or after these.
    wanted : ndarray of float64, shape (q, m)
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
            block = _Block(task, start, rows[part], wanted[part])
            out[part] = block.before()
            advance(len(block.rows))
    return out


def precedes(score: Doubles, row: IntArray, wanted: Doubles, rows: IntArray) -> npt.NDArray[np.bool_]:
    """Return where ``row`` (q, 1), of similarity ``score``, comes before ``rows`` (q, m), of similarity ``wanted``."""
    return np.asarray((row >= 0) & ((score > wanted) | ((score == wanted) & (row < rows))))


class _Block:
    """The float32 products of some queries with every distinct vector, and what decides where they cannot."""

    def __init__(self, task: Task, start: int, rows: IntArray, wanted: Doubles) -> None:
        self._task, self._start, self._groups = task, start, task.groups
        self.rows, self._wanted = rows, wanted
        part = slice(start, start + len(rows))
        self._low, self._high = task.stand_in.band(part, wanted)
        self._products = task.stand_in.left[part] @ task.stand_in.right.T

    def before(self) -> IntArray:
        """Count what precedes each row, (b, m)."""
        above, in_band = self._by_products()
        # A row that is here and has no twin lies within its own band alone, and does not precede itself.
        inside = (self.rows >= 0) & (self.rows < len(self._groups.inverse))
        own = self._groups.inverse[np.where(inside, self.rows, 0)]
        undecided = (in_band > (inside & (self._groups.counts[own] == 1))) & ~np.isnan(self._wanted)
        self._decide(undecided, above)
        return above

    def _by_products(self) -> tuple[IntArray, IntArray]:
        """Return how many rows lie surely above each, and how many distinct vectors within its band, both (b, m)."""
        above, in_band = np.empty(self.rows.shape, dtype=np.int64), np.empty(self.rows.shape, dtype=np.int64)
        counts = self._groups.counts if self._groups.repeated else None
        # What lies below all bands is neither counted nor sorted; a number too low for float32 leaves some more in.
        reached = np.nextafter(np.fmin.reduce(self._low, axis=1).astype(np.float32), np.float32(-np.inf))
        for at, (line, least) in enumerate(zip(self._products, reached, strict=True)):
            near = np.flatnonzero(line >= least)  # places, which are read faster than a mask
            ordered = line[near]
            if counts is None:
                ordered.sort()
            else:
                order = np.argsort(ordered)
                ordered, standing = ordered[order], np.concatenate([[0], np.cumsum(counts[near][order])])
            top = np.searchsorted(ordered, self._high[at], side="right")
            in_band[at] = top - np.searchsorted(ordered, self._low[at], side="left")
            above[at] = len(ordered) - top if counts is None else standing[-1] - standing[top]
        return above, in_band

    def _decide(self, undecided: npt.NDArray[np.bool_], above: IntArray) -> None:
        """Add, for each row that products leave open, those within its band that precede it in float64."""
        lines = np.flatnonzero(undecided.any(axis=1)).tolist()
        bands = [self._band(line, np.flatnonzero(undecided[line])) for line in lines]
        if not bands:
            return
        asking = self._task.queries[self._start + np.repeat(lines, [len(band) for band in bands])]
        exact = pair_similarity(asking, self._task.vectors, np.concatenate(bands)[:, None], self._task.metric)[:, 0]
        ends = np.cumsum([len(band) for band in bands])
        for line, band, end in zip(lines, bands, ends, strict=True):
            for target in np.flatnonzero(undecided[line]).tolist():
                above[line, target] += self._preceding(line, target, band, exact[end - len(band) : end])

    def _band(self, line: int, targets: IntArray) -> IntArray:
        """Return the distinct vectors within the band of any of these rows of a query."""
        products = self._products[line]
        near: npt.NDArray[np.bool_] = np.zeros(len(products), dtype=np.bool_)
        for target in targets:
            near |= (products >= self._low[line, target]) & (products <= self._high[line, target])
        return np.flatnonzero(near)

    def _preceding(self, line: int, target: int, band: IntArray, exact: Doubles) -> int:
        """Count the rows of a band that precede one row; of equal ones those with a lower number."""
        products, groups = self._products[line, band], self._groups
        row, score = self.rows[line, target], self._wanted[line, target]
        inside = (products >= self._low[line, target]) & (products <= self._high[line, target])
        ties = band[inside & (exact == score)]
        lower = sum(int(np.searchsorted(groups.order[groups.start[t] : groups.start[t + 1]], row)) for t in ties)
        return int(groups.counts[band][inside & (exact > score)].sum()) + lower
