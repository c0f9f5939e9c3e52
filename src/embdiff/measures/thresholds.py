"""Carrying a cut-off over: where one model's cut-off lies on the scale of another, with the same rate.

A cut-off c passes the pairs with a similarity of at least c. Three rates are carried over: the share of all
query-document pairs that pass, precision (the expected among those that pass) and recall (those that pass among the
expected). `Curve` counts the pairs that pass, over all cut-offs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from embdiff._plain import Record
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.curve import Curve, crossings, inverted, nearest_crossing
from embdiff.measures.similarities import Similarities
from embdiff.measures.statistics.quantiles import Doubles, student_quantile

RESAMPLES = 2_000
FEW = 10  # queries that an interval needs, and with a passing pair those below which it is called rough
FEWEST = 5  # of either kind, passing or not, that the interval of a recall needs


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
        The cut-off of ``to_model`` and its 95 % interval; NaN when undefined. Of fewer than 10 queries there is no
        interval, nor of a recall that hangs on fewer than 5 that pass, or do not.
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


def cuts_at(found: Similarities, rates: Sequence[float]) -> list[float]:
    """Return the cut-offs that let given shares of all pairs pass, without intervals.

    At one rate the cut-offs of several models are what `carry_over` makes of each other by pass rate.

    Parameters
    ----------
    found : Similarities
    rates : sequence of float
        Shares of the pairs, above 0 and at most 1.
    """
    curve = Curve(found.values(found.sampled, expected=False))
    return [curve.value(rate * curve.pairs) for rate in rates]


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
        finish, rank = partial(_carried, by, a, b, at, left), left.rank(at)
        if rank == 0 or rank >= left.pairs:
            return finish(math.nan, (0.0 if rank == 0 else 1.0, math.nan), _none_or_all(what, a.model, left, right, at))
        value = right.value(rank / left.pairs * right.pairs)
        resampled = inverted(table, (weights @ left.by_query_at(at)) / totals * table[:, -1], thin)
        rates = left.passing(at) / left.pairs, right.passing(value) / right.pairs
        few = _few(left.reached_by(at), what, every if only else None)
        return finish(value, rates, *few, resampled)

    return carried


def _none_or_all(what: str, model: str, left: Curve, right: Curve, at: float) -> str:
    """Say that no pair passes, or that every pair does, and which cut-offs do the same."""
    none = left.rank(at) == 0
    which, end, knot, side = ("no", "highest", 0, "above") if none else ("every", "lowest", -1, "up to")
    return (
        f"{which} {what} of {model} reaches it, the {end} is {left.knots[knot]:.4g}: "
        f"any cut-off {side} {right.knots[knot]:.4g} does the same"
    )


def _by_precision(a: Similarities, b: Similarities, at: float, seed: int) -> CarryOver:
    """Carry over the share of expected pairs among those that pass."""
    left, right = (Curve(each.values(a.judged, expected=False)) for each in (a, b))
    finish = partial(_carried, "precision", a, b, at, left)
    hits, there = (Curve(each.values(a.judged, expected=True)) for each in (a, b))
    passed, right_ones = left.passing(at), hits.passing(at)
    if right_ones == 0:
        which, rate = ("pair", math.nan) if passed == 0 else ("expected pair", 0.0)
        why = f"no {which} of {a.model} reaches it: there is no precision to keep"
        return finish(math.nan, (rate, math.nan), why)
    if passed >= left.pairs:
        return finish(math.nan, (right_ones / passed, math.nan), _none_or_all("pair", a.model, left, right, at))
    excess = there.reached(right.knots) * passed - right_ones * right.reach
    knot = int(nearest_crossing(excess[None], right.reach[None], np.array([passed]))[0])
    if knot < 0:
        side = "above" if (excess > 0).all() else "below"
        why = f"the precision of {b.model} is {side} that at every cut-off"
        return finish(math.nan, (right_ones / passed, math.nan), why)
    _, share = left.place(at)
    step = right.knots[knot] - right.knots[knot + 1] if knot + 1 < len(right.knots) else 0.0
    value = float(right.knots[knot] - share * step)
    thin = right.knots[right.thinned()]

    weights = _weights(left.queries, seed)
    passing, good, table = (
        weights @ each for each in (left.by_query_at(at), hits.by_query_at(at), right.by_query(thin))
    )
    gap = (weights @ there.by_query(thin)) * passing[:, None] - good[:, None] * table
    resampled = crossings(gap, table, passing, good, thin)
    rates = right_ones / passed, there.passing(value) / right.passing(value)
    return finish(value, rates, *_few(hits.reached_by(at), "expected pair"), resampled)


def _carried(
    by: str, a: Similarities, b: Similarities, at: float, left: Curve,
    value: float, rates: tuple[float, float], reason: str | None, held: bool = False, resampled: Doubles | None = None,
) -> CarryOver:  # fmt: skip
    """Return the record; ``left``: the population in the model whose cut-off it is; ``held``: an interval can hold."""
    low, high = _ends(resampled, left.queries) if held and resampled is not None else (math.nan, math.nan)
    open_ended = "some resampled queries have no such cut-off: the interval is open"
    said = (reason, open_ended if held and not np.isfinite([low, high]).all() else None)
    return CarryOver(
        a.model, b.model, by, at, value, low, high, *rates, left.queries, left.pairs, round(left.passing(at)),
        "; ".join(filter(None, said)) or None,
    )  # fmt: skip


def _few(reached: Doubles, what: str, every: Doubles | None = None) -> tuple[str | None, bool]:
    """Say that few queries stand behind an interval, and whether it can hold all the same.

    ``reached`` (s,): pairs of each query that pass. ``every`` (s,): all of them, where those that do not pass count as
    much; of 30 expected pairs of which 28 pass, two decide.
    """
    queries = len(reached)
    if queries < FEW:
        return f"no interval for fewer than {FEW} queries", False
    kinds = [(int(np.count_nonzero(reached)), f"a passing {what}")]
    if every is not None:
        kinds.append((int(np.count_nonzero(reached < every)), f"an {what} that does not pass"))
    few, having = min(kinds)
    held = every is None or few >= FEWEST
    said = f"only {few} of {queries} queries have {having}: {'the interval is rough' if held else 'no interval'}"
    return (None if few >= FEW else said), held


def _weights(n: int, seed: int) -> Doubles:
    """Return how often each of n queries is drawn in each resample."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)


def _ends(resampled: Doubles, n: int) -> tuple[float, float]:
    """Return the ends of the interval; NaN for one that some resamples do not have."""
    # Resampling makes small samples look too steady; Hesterberg's correction puts Student's quantile in its place.
    wide = NormalDist().cdf(math.sqrt(n / (n - 1)) * student_quantile(0.975, n - 1))
    ends = np.quantile(resampled, (1 - wide, wide), method="inverted_cdf")
    low, high = (float(end) if math.isfinite(end) else math.nan for end in ends)
    return low, high
