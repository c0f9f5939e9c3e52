"""Permutation calibration: what a measure says when the rows of one model are shuffled, and what is left above that.

Taken of every measure of two lists or spaces that has a best value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from embdiff._plain import Number, Record
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import MeasureSpec, get_measure, measures_for
from embdiff.measures.inputs import TwoLists, Undefined
from embdiff.measures.moments import check_pair
from embdiff.measures.noise import drawn, sampled
from embdiff.measures.row_pairs import SAMPLE
from embdiff.measures.score import scorer_of
from embdiff.measures.spaces import TwoSpaces
from embdiff.measures.statistics.quantiles import holm, mean_known
from embdiff.measures.ties import in_one_order
from embdiff.records import IntArray, Neighbors
from embdiff.ties import of_queries

PERMUTATIONS = 200
ROWS = 2_000  # of the spaces; beyond, so many are drawn: n x n numbers are held
_LISTS = ("two neighbors", "two ordered neighbors", "two spaces + neighbors")


@dataclass(frozen=True)
class Calibration(Record):
    """A measure of two models against shuffled rows.

    Parameters
    ----------
    measure : str
        Text form.
    models : tuple of str
    observed : float
        The value of the rows as they are, s.
    threshold : float
        tau: the ceil((1 - alpha) (K + 1))-th smallest of the observed and the K shuffled values (largest, where low
        values mean agreement).
    p : float
        (1 + number of shuffled values at least as extreme as the observed) / (K + 1).
    calibrated : float
        max(0, (s - tau) / (best - tau)), in [0, 1]: 0 is no more than shuffled rows reach, 1 the best value possible.
        NaN where tau is the best value.
    null_mean, null_sd : float
        Of the K shuffled values: the chance level of this measure for these two models, and its spread.
    best : float
        The value of two models that agree fully.
    permutations : int
        K, those with a defined value.
    alpha : float
    reason : str or None
        Why a part is undefined.
    p_holm : float
        p adjusted by Holm over all pairs of models; NaN until then.
    """

    measure: str
    models: tuple[str, str]
    observed: Number
    threshold: Number
    p: Number
    calibrated: Number
    null_mean: Number
    null_sd: Number
    best: Number
    permutations: int
    alpha: float = 0.05
    reason: str | None = None
    p_holm: Number = math.nan


def calibrate(
    value: Callable[[IntArray], float],
    rows: int,
    models: tuple[str, str],
    *,
    measure: str,
    seed: int,
    best: float = 1.0,
    agreement: Literal["high", "low"] = "high",
    permutations: int = PERMUTATIONS,
    alpha: float = 0.05,
) -> Calibration:
    """Compare a measure of two models with its values after shuffling the rows of the second.

    Parameters
    ----------
    value : callable
        Takes ``order``, an ndarray of int64 of shape (n,) holding every row number once, and returns the measure of A
        and of B with its rows in that order: ``lambda order: cka(x, y[order])``, or with neighbours
        ``lambda order: overlap(a, shuffled(b, order)).mean()``.
    rows : int
        n, at least 2.
    models : tuple of str
    measure : str
        Text form.
    seed : int
        Of the permutations.
    best : float
        The value of full agreement.
    agreement : {"high", "low"}
        Whether high values mean agreement (similarities) or low ones (distances).
    permutations : int
        K, at least 1.
    alpha : float
        In (0, 1).

    Returns
    -------
    Calibration

    Raises
    ------
    ParameterError
        When a number is out of its range, or a value is beyond ``best``.

    References
    ----------
    "Revisiting the Platonic Representation Hypothesis: an Aristotelian view", arXiv 2602.14486; Phipson and Smyth 2010
    (p with the observed value among the shuffled).
    """
    _check(rows, permutations, alpha)
    rng, sign = np.random.default_rng(seed), 1.0 if agreement == "high" else -1.0
    observed = sign * float(value(np.arange(rows)))
    null = np.array([sign * float(value(rng.permutation(rows))) for _ in range(permutations)])
    known = null[~np.isnan(null)]
    highest = float(np.append(known, -math.inf if math.isnan(observed) else observed).max())
    if highest > sign * best + 1e-9 * max(1.0, abs(best)):
        raise ParameterError(
            f"No value of {measure} may be beyond the best one, {best:g}. Got {sign * highest:g}. "
            "Pass the value of full agreement as best, and its direction as agreement."
        )
    if math.isnan(observed) or not len(known):
        reason = f"the {'observed value is' if math.isnan(observed) else 'values of all shuffled rows are'} undefined"
        nan = math.nan
        return Calibration(
            measure, models, sign * observed, nan, nan, nan, nan, nan, best, len(known), alpha, reason
        )  # fmt: skip
    ordered = np.sort(np.append(known, observed))
    # Rounded first: 0.95 * 200 must not become 191 through its last digit.
    threshold = float(ordered[math.ceil(round((1 - alpha) * len(ordered), 9)) - 1])
    room = sign * best - threshold
    # Sums in another order differ in the last digits: those are ties.
    extreme = int(np.count_nonzero(known >= observed - 1e-12 * max(1.0, abs(observed))))
    return Calibration(
        measure=measure,
        models=models,
        observed=sign * observed,
        threshold=sign * threshold,
        p=(1 + extreme) / (len(known) + 1),
        calibrated=min(1.0, max(0.0, (observed - threshold) / room)) if room > 0 else math.nan,
        null_mean=sign * float(known.mean()),
        null_sd=float(known.std(ddof=1)) if len(known) > 1 else math.nan,
        best=best,
        permutations=len(known),
        alpha=alpha,
        reason=_reason(len(known), permutations, room),
    )


def shuffled(neighbors: Neighbors, order: IntArray) -> Neighbors:
    """Return the neighbours that a space would have with its rows in another order; nothing is searched again.

    Parameters
    ----------
    neighbors : Neighbors, shape (n, k)
        Of every row: query i is row i.
    order : ndarray of int64, shape (n,)
        Every row number once; row i of the shuffled space is row ``order[i]`` of this one.

    Returns
    -------
    Neighbors, shape (n, k)

    Raises
    ------
    ShapeError
        When the queries are not the rows, or ``order`` has another length.
    """
    n = len(neighbors.rows)
    if order.shape != (n,) or int(neighbors.rows.max(initial=-1)) >= n:
        raise ShapeError(
            f"Shuffling needs the neighbours of every row, and one place for each. Got {n} lists with rows up to "
            f"{neighbors.rows.max(initial=-1)}, and an order of shape {order.shape}. Search all rows as queries."
        )
    place = np.empty(n + 1, dtype=np.int64)
    place[order] = np.arange(n)
    place[-1] = -1  # where the pads look
    lists = of_queries(neighbors, order)
    ties = None if lists.ties is None else replace(lists.ties, row=place[lists.ties.row])
    return replace(lists, rows=place[lists.rows], ties=ties)


def _check(rows: int, permutations: int, alpha: float) -> None:
    if rows < 2 or permutations < 1 or not 0.0 < alpha < 1.0:
        raise ParameterError(
            "Calibration needs at least 2 rows, 1 permutation and an alpha between 0 and 1. "
            f"Got {rows}, {permutations} and {alpha:g}. Pass for example 200 permutations and 0.05."
        )


def _reason(known: int, permutations: int, room: float) -> str | None:
    parts = []
    if known < permutations:
        parts.append(f"{permutations - known} of {permutations} shuffled values are undefined and are left out")
    if room <= 0:
        parts.append("shuffled rows reach the best value too: there is no calibrated value")
    return "; ".join(parts) or None


def calibrated_measures() -> tuple[MeasureSpec, ...]:
    """Return the measures that can be compared with shuffled rows: reported ones that have a best value."""
    found = measures_for(*_LISTS, "two spaces")
    return tuple(MeasureSpec(each, None, each.defaults) for each in found if each.reported and each.best is not None)


def calibrate_pair(
    measures: Sequence[str | MeasureSpec], inputs: TwoSpaces, *, permutations: int, seed: int
) -> tuple[Calibration, ...]:
    """Return the calibrations of measures for two models, in the order of the measures.

    Parameters
    ----------
    measures : sequence of str or MeasureSpec
        Some of `calibrated_measures`; text forms without ``@k`` are as deep as the lists.
    inputs : TwoSpaces
        With neighbours. Beyond 2,000 rows, 2,000 are drawn for the measures of spaces, and ``reason`` says so.
    permutations : int
    seed : int
        Of the permutations, the same for all measures, and of the sample.
    """
    lists = inputs.lists()
    x, y = check_pair(*inputs.arguments("two spaces"))
    rows = drawn(len(x), ROWS, seed=seed)
    note = sampled(rows, len(x), "rows")
    x, y = x[rows], y[rows]
    calibrations = []
    for spec in (get_measure(each) if isinstance(each, str) else each for each in measures):
        measure, of_spaces = spec.measure, spec.measure.needs == "two spaces"
        # Of the pairs of so few rows all are taken.
        parameters = {name: value for name, value in spec.parameters.items() if name not in SAMPLE}
        depth = lists.k if spec.k is None and measure.cutoff else spec.k
        spec = replace(spec, k=depth, parameters=parameters)
        assert measure.best is not None
        one = calibrate(
            scorer_of(measure).of_orders(spec, x, y) if of_spaces else _of_lists(spec, lists.at(spec.k)),
            len(x) if of_spaces else len(lists.a.rows),
            (inputs.a.space.model, inputs.b.space.model),
            measure=str(spec),
            seed=seed,
            best=measure.best,
            agreement="low" if measure.best == measure.range[0] else "high",
            permutations=permutations,
        )
        words = (one.reason, note if of_spaces else inputs.note)
        calibrations.append(replace(one, reason="; ".join(filter(None, words)) or None))
    return tuple(calibrations)


def over_pairs(found: Sequence[Calibration]) -> tuple[Calibration, ...]:
    """Return the calibrations with p-values adjusted by Holm over the pairs of models, measure by measure."""
    adjusted: dict[int, float] = {}
    for measure in dict.fromkeys(each.measure for each in found):
        places = [place for place, each in enumerate(found) if each.measure == measure]
        adjusted |= dict(zip(places, holm([found[place].p for place in places]).tolist(), strict=True))
    return tuple(replace(each, p_holm=adjusted[place]) for place, each in enumerate(found))


def _of_lists(spec: MeasureSpec, lists: TwoLists) -> Callable[[IntArray], float]:
    """Return the mean over the rows that have a value, NaN when none has, the rows of B in a given order."""
    try:
        first, second, *vectors = lists.arguments(spec.measure.needs)
    except Undefined:
        return lambda _order: math.nan
    if not spec.measure.ties:
        first, second = in_one_order(first, seed=0), in_one_order(second, seed=1)

    def value(order: IntArray) -> float:
        # Every row is asked, so the vectors of the queries are those of the rows.
        others = [(left, right[order]) for left, right in vectors]
        values = spec.measure.function(first, shuffled(second, order), *others, **spec.parameters)
        return mean_known(np.asarray(values, dtype=np.float64))

    return value
