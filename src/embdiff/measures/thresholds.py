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

import numpy as np
import numpy.typing as npt

from embdiff._plain import Record
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.passing import Curve, Doubles, crossings, inverted, nearest_crossing
from embdiff.measures.similarities import Distribution, Similarities
from embdiff.measures.statistics.quantiles import student_quantile

RESAMPLES = 2_000
FEW = 10  # queries with a passing pair, below which an interval is called rough


@dataclass(frozen=True)
class CarryOver(Record):
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
    found = [_by_rate("pass rate", a, b, a.sampled, seed)(at)]
    if a.judged.any():
        found += [_by_precision(a, b, at, seed), _by_rate("recall", a, b, a.judged, seed)(at)]
    return tuple(found)


def carry_rates(a: Similarities, b: Similarities, cuts: Sequence[float], *, seed: int) -> tuple[CarryOver, ...]:
    """Return what `carry_over` gives by pass rate, for several cut-offs at once: the resampling is shared."""
    carried = _by_rate("pass rate", a, b, a.sampled, seed)
    return tuple(carried(float(np.float32(at))) for at in cuts)


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


def _by_rate(
    by: str, a: Similarities, b: Similarities, which: npt.NDArray[np.bool_], seed: int
) -> Callable[[float], CarryOver]:
    """Return what carries over the share of a population that passes: all pairs, or the expected ones (recall)."""
    only = by == "recall"
    left, right = (Curve(each.values(which, expected=only)) for each in (a, b))
    what = "expected pair" if only else "pair"
    every, thin = left.by_query(left.knots[-1:])[:, 0], right.knots[right.thinned()]
    weights = _weights(len(every), seed)
    totals, table = weights @ every, weights @ right.by_query(thin)

    def carried(at: float) -> CarryOver:
        finish, rank = _finish(by, a, b, at, left), left.rank(at)
        if rank == 0:
            return finish(math.nan, 0.0, math.nan, f"no {what} of {a.model} reaches it, the highest is "
                          f"{left.knots[0]:.4g}: any cut-off above {right.knots[0]:.4g} does the same")  # fmt: skip
        if rank >= left.pairs:
            return finish(math.nan, 1.0, math.nan, f"every {what} of {a.model} reaches it, the lowest is "
                          f"{left.knots[-1]:.4g}: any cut-off up to {right.knots[-1]:.4g} does the same")  # fmt: skip
        value = right.value(rank / left.pairs * right.pairs)
        rates = left.passing(at) / left.pairs, right.passing(value) / right.pairs
        passing = left.by_query_at(at)
        resampled = inverted(table, (weights @ passing) / totals * table[:, -1], thin)
        return finish(value, *rates, _rough(passing), *_ends(resampled, len(passing)))

    return carried


def _by_precision(a: Similarities, b: Similarities, at: float, seed: int) -> CarryOver:
    """Carry over the share of expected pairs among those that pass."""
    left, right = (Curve(each.values(a.judged, expected=False)) for each in (a, b))
    finish = _finish("precision", a, b, at, left)
    hits, there = (Curve(each.values(a.judged, expected=True)) for each in (a, b))
    passed, right_ones = left.passing(at), hits.passing(at)
    if right_ones == 0:
        why = "no pair" if passed == 0 else "no expected pair"
        return finish(math.nan, math.nan if passed == 0 else 0.0, math.nan, f"{why} of {a.model} reaches it: there is "
                      "no precision to keep")  # fmt: skip
    wanted = there.reached(right.knots)
    excess = wanted * passed - right_ones * right.reach
    knot = int(nearest_crossing(excess[None], right.reach[None], np.array([passed]))[0])
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

    weights = _weights(len(ends[0]), seed)
    passing, good = weights @ ends[0], weights @ ends[1]
    table = weights @ reached
    gap = (weights @ wanted_by) * passing[:, None] - good[:, None] * table
    resampled = crossings(gap, table, passing, good, thin)
    return finish(value, *rates, _rough(ends[1]), *_ends(resampled, len(ends[0])))


def _finish(by: str, a: Similarities, b: Similarities, at: float, left: Curve) -> Callable[..., CarryOver]:
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


def _rough(passing: Doubles) -> str | None:
    """Say that few queries stand behind an interval."""
    few = int(np.count_nonzero(passing))
    return None if few >= FEW else f"only {few} of {len(passing)} queries have a passing pair: the interval is rough"


def _weights(n: int, seed: int) -> Doubles:
    """Return how often each of n queries is drawn in each resample."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)


def _ends(resampled: Doubles, n: int) -> tuple[float, float]:
    """Return the ends of the interval; NaN for one that some resamples do not have."""
    if n < 2:
        return math.nan, math.nan
    # Resampling makes small samples look too steady; Hesterberg's correction puts Student's quantile in its place.
    wide = NormalDist().cdf(math.sqrt(n / (n - 1)) * student_quantile(0.975, n - 1))
    ends = np.quantile(resampled, (1 - wide, wide), method="inverted_cdf")
    low, high = (float(end) if math.isfinite(end) else math.nan for end in ends)
    return low, high
