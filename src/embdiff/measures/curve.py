"""Similarities of one model as a curve: which share of pairs lies above a cut-off, and where two curves cross."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.measures.similarities import BINS_PER_UNIT, Similarities
from embdiff.measures.statistics.quantiles import Doubles, ratio

_KNOTS = 512  # highest values that resampling sees one by one; below, ranks grow by 1/2 %
_GROWTH = 1.005


class Curve:
    """How many pairs reach a value, over all values: exact at its knots, a straight line between them.

    Knots are the single values down to where bins begin, and the edges of the bins from there on, descending.
    """

    def __init__(self, found: Similarities) -> None:
        self.queries, self._found = len(found.queries), found
        values = found.similarity.astype(np.float64)
        floor = float(values[found.binned].max()) + 1 / BINS_PER_UNIT if found.binned.any() else -math.inf
        knots = values[~found.binned & (values >= floor)]
        if math.isfinite(floor):
            lowest = math.floor((float(values.min()) + 1) * BINS_PER_UNIT)
            edges = np.arange(lowest, round((floor + 1) * BINS_PER_UNIT) + 1) / BINS_PER_UNIT - 1
            knots = np.concatenate([knots, edges])
        self.floor, self.knots = floor, np.unique(knots)[::-1]
        self.reach = self.reached(self.knots)
        self.pairs = int(found.count.sum())

    def reached(self, knots: Doubles) -> Doubles:
        """Return how many pairs reach each of some values, (g,)."""
        order = np.argsort(-self._found.similarity)  # of equal ones any: sums are taken behind all of them
        total = np.concatenate([[0], np.cumsum(self._found.count[order])])
        lined = -self._found.similarity[order].astype(np.float64)
        return total[np.searchsorted(lined, -knots, side="right")].astype(np.float64)

    def place(self, at: float) -> tuple[int, float]:
        """Return the last knot that is at least ``at``, and how far ``at`` lies from it to the next; (-1, 0): none."""
        knot = int(np.searchsorted(-self.knots, -at, side="right")) - 1
        if knot < 0 or knot == len(self.knots) - 1 or self.knots[knot] == at:
            return knot, 0.0
        return knot, float((self.knots[knot] - at) / (self.knots[knot] - self.knots[knot + 1]))

    def rank(self, at: float) -> float:
        """Return how many pairs reach ``at``, along the line."""
        return float(np.interp(-at, -self.knots, self.reach, left=0.0))

    def passing(self, at: float) -> float:
        """Return how many pairs reach ``at``: the very number where values are single, along the line in bins."""
        knot, _ = self.place(at)
        return float(self.reach[knot]) if knot >= 0 and self.knots[knot] > self.floor else self.rank(at)

    def value(self, rank: float) -> float:
        """Return where ``rank`` pairs are reached; the highest value for a rank that ties leave out above it."""
        return float(np.interp(rank, self.reach, self.knots))

    def thinned(self) -> npt.NDArray[np.int64]:
        """Return so few knots that all resamples can see them: the highest, then at ranks that grow by 1/2 %."""
        count = len(self.knots)
        ranks = np.concatenate([np.arange(1, _KNOTS + 1), _KNOTS * _GROWTH ** np.arange(1, 4_000)])
        at = np.searchsorted(self.reach, ranks[ranks < self.reach[-1]])
        return np.unique(np.concatenate([at, [0, count - 1]])).astype(np.int64)

    def by_query(self, knots: Doubles) -> Doubles:
        """Return how many pairs of each query reach each of some descending knots, (s, g)."""
        values, place = self._found.similarity.astype(np.float64), self._found.place
        first = np.searchsorted(-knots, -values, side="left")  # the first knot that the value reaches
        size = len(knots) + 1
        counts = np.bincount(place * size + first, weights=self._found.count, minlength=self.queries * size)
        return np.cumsum(counts.reshape(self.queries, size)[:, :-1], axis=1)

    def reached_by(self, at: float) -> Doubles:
        """Return how many pairs of each query reach ``at``, (s,); of pairs in bins, those of whole bins."""
        knot, _ = self.place(at)
        return self.by_query(self.knots[knot : knot + 1])[:, 0]

    def by_query_at(self, at: float) -> Doubles:
        """Return how many pairs of each query reach ``at``, along the line between its knots, (s,)."""
        knot, share = self.place(at)
        ends = self.by_query(self.knots[knot : knot + 2])
        return np.asarray(ends[:, 0] + (share * (ends[:, 1] - ends[:, 0]) if share else 0.0), dtype=np.float64)


def inverted(table: Doubles, ranks: Doubles, knots: Doubles) -> Doubles:
    """Return where each line of ``table`` (r, g), numbers that reach the knots, reaches ``ranks`` (r,)."""
    out = np.array([np.interp(rank, line, knots) for rank, line in zip(ranks, table, strict=True)])
    out[ranks <= 0] = math.inf
    out[table[:, -1] <= ranks] = -math.inf
    return out


def nearest_crossing(excess: Doubles, reach: Doubles, passed: Doubles) -> npt.NDArray[np.int64]:
    """Return the knot (r,) where ``excess`` (r, g) is 0 or has just changed sign, by rank nearest to ``passed``; -1."""
    crossing = excess == 0
    crossing[:, :-1] |= (excess[:, :-1] > 0) & (excess[:, 1:] < 0)
    crossing[:, 1:] |= (excess[:, :-1] < 0) & (excess[:, 1:] > 0)
    away = np.where(crossing, np.abs(reach - passed[:, None]), math.inf)
    return np.where(crossing.any(axis=1), away.argmin(axis=1), -1).astype(np.int64)


def crossings(gap: Doubles, table: Doubles, passing: Doubles, good: Doubles, knots: Doubles) -> Doubles:
    """Return where ``gap`` (r, g) crosses 0, on a straight line between knots, nearest to ``passing`` pairs (r,)."""
    knot = nearest_crossing(gap, table, passing)
    line = np.arange(len(gap))
    here = np.maximum(knot, 0)
    value = gap[line, here]
    # The other end of the segment with the change of sign; the same knot where the gap is 0 there.
    before, after = np.maximum(here - 1, 0), np.minimum(here + 1, len(knots) - 1)
    other = np.where(value > 0, np.where(gap[line, after] < 0, after, before), here)
    change = value - gap[line, other]
    share = ratio(value, change, 0.0)
    out: Doubles = knots[here] + np.clip(share, 0.0, 1.0) * (knots[other] - knots[here])
    out[knot < 0] = np.where((gap[knot < 0] > 0).all(axis=1), -math.inf, math.inf)
    out[good <= 0] = math.inf
    return out
