"""Carrying a cut-off over: where one model's cut-off lies on the scale of another, with the same rate.

A cut-off c passes the pairs with a similarity of at least c. Three rates are carried over: the share of all
query-document pairs that pass, precision (the expected among those that pass) and recall (those that pass among the
expected).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.resampling import student_quantile
from embdiff.measures.similarities import BINS_PER_UNIT, Distribution, Similarities

RESAMPLES = 2_000
FEW = 10  # queries with a passing pair, below which an interval is called rough
_KNOTS = 512  # highest values that resampling sees one by one; below, ranks grow by 1/2 %
_GROWTH = 1.005

_Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CarryOver:
    """A cut-off of one model on the scale of another.

    Parameters
    ----------
    from_model, to_model : str
    by : str
        Which rate is kept: ``pass rate``, ``precision`` or ``recall``.
    at : float
        The cut-off of ``from_model``, a cosine similarity.
    value, low, high : float
        The cut-off of ``to_model`` and its 95 % interval; NaN when undefined.
    rate_from, rate_to : float
        The rate at ``at`` and at ``value``. They differ where ties leave no cut-off with the very rate.
    n : int
        Queries behind it.
    pairs, passing : int
        Pairs of the population in ``from_model``, and those that pass ``at``.
    reason : str or None
        Why a part is undefined, or the interval rough.
    """

    from_model: str
    to_model: str
    by: str
    at: float
    value: float
    low: float
    high: float
    rate_from: float
    rate_to: float
    n: int
    pairs: int
    passing: int
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values: ``null`` where a number is undefined, never ``NaN``."""
        raw = vars(self)
        return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in raw.items()}


def carry_over(a: Similarities, b: Similarities, at: float, *, seed: int) -> tuple[CarryOver, ...]:
    """Return the cut-off of ``b`` that does what ``at`` does in ``a``: by pass rate, and by precision and recall.

    Parameters
    ----------
    a, b : Similarities
        Of the same queries.
    at : float
        A cosine similarity in [-1, 1].
    seed : int
        Of the bootstrap.

    Returns
    -------
    tuple of CarryOver
        One for the pass rate; two more when there are expected pairs. The cut-off is taken as float32, as the
        similarities are.

    Raises
    ------
    ParameterError
        When ``at`` is no cosine similarity.
    ShapeError
        When the queries differ.

    Notes
    -----
    Between two neighbouring similarities the cut-off keeps its relative place, so carrying over from a model to itself
    returns the cut-off, and to an affine copy the transformed one. The interval resamples queries (percentile
    bootstrap, 2,000 resamples, widened for small samples as in Hesterberg 2015), the documents held fixed.

    References
    ----------
    Kolen and Brennan, Test Equating, 3rd ed. 2014, ch. 2 (equipercentile equating); Efron and Tibshirani 1993.
    """
    if not -1.0 <= at <= 1.0:
        raise ParameterError(
            f"A cut-off must be a cosine similarity, a number between -1 and 1. Got {at:g}. Write for example 0.7."
        )
    if not np.array_equal(a.queries, b.queries):
        raise ShapeError(
            f"Both models must have been asked the same queries. Got {len(a.queries)} and {len(b.queries)} that "
            "differ. Take two models of one run."
        )
    at = float(np.float32(at))  # as the similarities are: what is .7 to them reaches .7
    found = [_by_rate("pass rate", a, b, a.sampled, at, seed)]
    if a.judged.any():
        found += [_by_precision(a, b, at, seed), _by_rate("recall", a, b, a.judged, at, seed)]
    return tuple(found)


def few_cutoffs(distributions: Sequence[Distribution], model: str, count: int) -> list[float]:
    """Return cut-offs of a model worth carrying over: from where unrelated pairs end to where nearest neighbours do.

    Parameters
    ----------
    distributions : sequence of Distribution
    model : str
    count : int
        Evenly spaced and rounded to two decimals; fewer where two of them are the same then.

    Returns
    -------
    list of float
        Ascending, from the 95 % quantile of unrelated pairs to that of nearest neighbours.
    """
    by_name = {each.population: each for each in distributions if each.model == model}
    low = by_name["unrelated pairs"].quantiles[5]
    high = by_name["nearest neighbour"].quantiles[5] if "nearest neighbour" in by_name else low
    return list(dict.fromkeys(round(float(cut), 2) for cut in np.linspace(min(low, high), high, count)))


class _Curve:
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

    def reached(self, knots: _Doubles) -> _Doubles:
        """Return how many pairs reach each of some values, (g,)."""
        order = np.argsort(-self._found.similarity, kind="stable")
        total = np.concatenate([[0], np.cumsum(self._found.count[order])])
        lined = -self._found.similarity[order].astype(np.float64)
        reached: _Doubles = total[np.searchsorted(lined, -knots, side="right")].astype(np.float64)
        return reached

    def place(self, at: float) -> tuple[int, float]:
        """Return the last knot that is at least ``at``, and how far ``at`` lies from it to the next; (-1, 0): none."""
        knot = int(np.searchsorted(-self.knots, -at, side="right")) - 1
        if knot < 0 or knot == len(self.knots) - 1 or self.knots[knot] == at:
            return knot, 0.0
        return knot, float((self.knots[knot] - at) / (self.knots[knot] - self.knots[knot + 1]))

    def rank(self, at: float) -> float:
        """Return how many pairs reach ``at``, along the line."""
        knot, share = self.place(at)
        return self.between(self.reach, knot, share) if knot >= 0 else 0.0

    def passing(self, at: float) -> float:
        """Return how many pairs reach ``at``: the very number where values are single, along the line in bins."""
        knot, share = self.place(at)
        if knot < 0:
            return 0.0
        return float(self.reach[knot]) if self.knots[knot] > self.floor else self.between(self.reach, knot, share)

    @staticmethod
    def between(values: _Doubles, knot: int, share: float) -> float:
        """Return ``values`` at a place between two knots."""
        return float(values[knot] + (share * (values[knot + 1] - values[knot]) if share else 0.0))

    def value(self, rank: float) -> float:
        """Return where ``rank`` pairs are reached; the highest value for a rank that ties leave out above it."""
        knot = int(np.searchsorted(self.reach, rank, side="right")) - 1
        if knot < 0:
            return float(self.knots[0])
        if knot == len(self.knots) - 1:
            return float(self.knots[-1])
        share = (rank - self.reach[knot]) / (self.reach[knot + 1] - self.reach[knot])
        return float(self.knots[knot] - share * (self.knots[knot] - self.knots[knot + 1]))

    def thinned(self) -> npt.NDArray[np.int64]:
        """Return so few knots that all resamples can see them: the highest, then at ranks that grow by 1/2 %."""
        count = len(self.knots)
        ranks = np.concatenate([np.arange(1, _KNOTS + 1), _KNOTS * _GROWTH ** np.arange(1, 4_000)])
        at = np.searchsorted(self.reach, ranks[ranks < self.reach[-1]])
        return np.unique(np.concatenate([at, [0, count - 1]])).astype(np.int64)

    def by_query(self, knots: _Doubles) -> _Doubles:
        """Return how many pairs of each query reach each of some descending knots, (s, g)."""
        values, place = self._found.similarity.astype(np.float64), self._found.place
        first = np.searchsorted(-knots, -values, side="left")  # the first knot that the value reaches
        size = len(knots) + 1
        counts = np.bincount(place * size + first, weights=self._found.count, minlength=self.queries * size)
        reached: _Doubles = np.cumsum(counts.reshape(self.queries, size)[:, :-1], axis=1)
        return reached

    def by_query_at(self, at: float) -> _Doubles:
        """Return how many pairs of each query reach ``at``, along the line between its knots, (s,)."""
        knot, share = self.place(at)
        ends = self.by_query(self.knots[knot : knot + 2])
        return np.asarray(ends[:, 0] + (share * (ends[:, 1] - ends[:, 0]) if share else 0.0), dtype=np.float64)


def _by_rate(
    by: str, a: Similarities, b: Similarities, which: npt.NDArray[np.bool_], at: float, seed: int
) -> CarryOver:
    """Carry over the share of a population that passes: all pairs, or the expected ones (then it is recall)."""
    only = by == "recall"
    left, right = (_Curve(each.values(which, expected=only)) for each in (a, b))
    finish = _finish(by, a, b, at, left)
    what = "expected pair" if only else "pair"
    rank = left.rank(at)
    if rank == 0:
        return finish(math.nan, 0.0, math.nan, f"no {what} of {a.model} reaches it, the highest is "
                      f"{left.knots[0]:.4g}: any cut-off above {right.knots[0]:.4g} does the same")  # fmt: skip
    if rank >= left.pairs:
        return finish(math.nan, 1.0, math.nan, f"every {what} of {a.model} reaches it, the lowest is "
                      f"{left.knots[-1]:.4g}: any cut-off up to {right.knots[-1]:.4g} does the same")  # fmt: skip
    value = right.value(rank / left.pairs * right.pairs)
    rates = left.passing(at) / left.pairs, right.passing(value) / right.pairs
    passing, every = left.by_query_at(at), left.by_query(left.knots[-1:])[:, 0]
    thin = right.knots[right.thinned()]
    reached = right.by_query(thin)

    def carried(weights: _Doubles) -> _Doubles:
        share = (weights @ passing) / (weights @ every)
        table = weights @ reached
        return _inverted(table, share * table[:, -1], thin)

    return finish(value, *rates, _rough(passing), *_interval(carried, len(passing), seed))


def _by_precision(a: Similarities, b: Similarities, at: float, seed: int) -> CarryOver:
    """Carry over the share of expected pairs among those that pass."""
    left, right = (_Curve(each.values(a.judged, expected=False)) for each in (a, b))
    finish = _finish("precision", a, b, at, left)
    hits, there = (_Curve(each.values(a.judged, expected=True)) for each in (a, b))
    passed, right_ones = left.passing(at), hits.passing(at)
    if right_ones == 0:
        why = "no pair" if passed == 0 else "no expected pair"
        return finish(math.nan, math.nan if passed == 0 else 0.0, math.nan, f"{why} of {a.model} reaches it: there is "
                      "no precision to keep")  # fmt: skip
    wanted = there.reached(right.knots)
    excess = wanted * passed - right_ones * right.reach
    knot = int(_nearest_crossing(excess[None], right.reach[None], np.array([passed]))[0])
    if knot < 0:
        best = "above" if (excess > 0).all() else "below"
        return finish(math.nan, right_ones / passed, math.nan, f"the precision of {b.model} is {best} that at every "
                      "cut-off")  # fmt: skip
    _, share = left.place(at)
    step = right.knots[knot] - right.knots[knot + 1] if knot + 1 < len(right.knots) else 0.0
    value = float(right.knots[knot] - share * step)
    rates = right_ones / passed, there.passing(value) / right.passing(value)
    ends = left.by_query_at(at), hits.by_query_at(at)
    thin = right.knots[right.thinned()]
    reached, wanted_by = right.by_query(thin), there.by_query(thin)

    def carried(weights: _Doubles) -> _Doubles:
        passing, good = weights @ ends[0], weights @ ends[1]
        table = weights @ reached
        gap = (weights @ wanted_by) * passing[:, None] - good[:, None] * table
        return _crossings(gap, table, passing, good, thin)

    return finish(value, *rates, _rough(ends[1]), *_interval(carried, len(a.queries[a.judged]), seed))


def _finish(by: str, a: Similarities, b: Similarities, at: float, left: _Curve) -> Callable[..., CarryOver]:
    """Return what makes the record of value, rates, reason and interval."""

    def finish(
        value: float, rate: float, there: float, reason: str | None, low: float = math.nan, high: float = math.nan
    ) -> CarryOver:
        open_ended = math.isfinite(value) and not (math.isfinite(low) and math.isfinite(high))
        no_end = "some resampled queries have no such cut-off: the interval is open" if open_ended else None
        passing = round(left.passing(at))
        return CarryOver(
            a.model, b.model, by, at, value, low, high, rate, there, left.queries, left.pairs, passing,
            "; ".join(filter(None, (reason, no_end))) or None,
        )  # fmt: skip

    return finish


def _rough(passing: _Doubles) -> str | None:
    """Say that few queries stand behind an interval."""
    few = int(np.count_nonzero(passing))
    return None if few >= FEW else f"only {few} of {len(passing)} queries have a passing pair: the interval is rough"


def _interval(carried: Callable[[_Doubles], _Doubles], n: int, seed: int) -> tuple[float, float]:
    """Return the ends of the interval; NaN for one that some resamples do not have."""
    if n < 2:
        return math.nan, math.nan
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    # Resampling makes small samples look too steady; Hesterberg's correction puts Student's quantile in its place.
    wide = NormalDist().cdf(math.sqrt(n / (n - 1)) * student_quantile(0.975, n - 1))
    ends = np.quantile(carried(weights), (1 - wide, wide), method="inverted_cdf")
    low, high = (float(end) if math.isfinite(end) else math.nan for end in ends)
    return low, high


def _inverted(table: _Doubles, ranks: _Doubles, knots: _Doubles) -> _Doubles:
    """Return where each line of ``table`` (r, g), numbers that reach the knots, reaches ``ranks`` (r,)."""
    knot = np.count_nonzero(table <= ranks[:, None], axis=1) - 1
    inner = np.clip(knot, 0, len(knots) - 2) if len(knots) > 1 else np.zeros_like(knot)
    line = np.arange(len(table))
    after = np.minimum(inner + 1, len(knots) - 1)
    rise = table[line, after] - table[line, inner]
    share = np.divide(ranks - table[line, inner], rise, out=np.zeros(len(table)), where=rise > 0)
    out: _Doubles = knots[inner] - np.clip(share, 0.0, 1.0) * (knots[inner] - knots[after])
    out[ranks <= 0] = math.inf
    out[knot == len(knots) - 1] = -math.inf
    return out


def _nearest_crossing(excess: _Doubles, reach: _Doubles, passed: _Doubles) -> npt.NDArray[np.int64]:
    """Return the knot (r,) where ``excess`` (r, g) is 0 or has just changed sign, by rank nearest to ``passed``; -1."""
    crossing = excess == 0
    crossing[:, :-1] |= (excess[:, :-1] > 0) & (excess[:, 1:] < 0)
    crossing[:, 1:] |= (excess[:, :-1] < 0) & (excess[:, 1:] > 0)
    away = np.where(crossing, np.abs(reach - passed[:, None]), math.inf)
    return np.where(crossing.any(axis=1), away.argmin(axis=1), -1).astype(np.int64)


def _crossings(gap: _Doubles, table: _Doubles, passing: _Doubles, good: _Doubles, knots: _Doubles) -> _Doubles:
    """Return where ``gap`` (r, g) crosses 0, on a straight line between knots, nearest to ``passing`` pairs (r,)."""
    knot = _nearest_crossing(gap, table, passing)
    line = np.arange(len(gap))
    here = np.maximum(knot, 0)
    value = gap[line, here]
    # The other end of the segment with the change of sign; the same knot where the gap is 0 there.
    before, after = np.maximum(here - 1, 0), np.minimum(here + 1, len(knots) - 1)
    other = np.where(value > 0, np.where(gap[line, after] < 0, after, before), here)
    other = np.where(value < 0, np.where(gap[line, before] > 0, before, after), other)
    change = value - gap[line, other]
    share = np.divide(value, change, out=np.zeros(len(gap)), where=change != 0)
    out: _Doubles = knots[here] + np.clip(share, 0.0, 1.0) * (knots[other] - knots[here])
    out[knot < 0] = np.where((gap[knot < 0] > 0).all(axis=1), -math.inf, math.inf)
    out[good <= 0] = math.inf
    return out
