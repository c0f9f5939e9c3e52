"""Two models against shuffled rows: every measure of two lists or spaces that has a best value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from embdiff.measures.base import MeasureSpec, get_measure, measures_for
from embdiff.measures.calibration import Calibration, calibrate, shuffled
from embdiff.measures.inputs import TwoLists, Undefined
from embdiff.measures.moments import check_pair
from embdiff.measures.row_pairs import SAMPLE
from embdiff.measures.score import scorer_of
from embdiff.measures.spaces import TwoSpaces
from embdiff.measures.statistics.quantiles import holm
from embdiff.records import IntArray

ROWS = 2_000  # of the spaces; beyond, so many are drawn: n x n numbers are held
_LISTS = ("two neighbors", "two ordered neighbors", "two spaces + neighbors")
_Value = Callable[[IntArray], float]


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
    n, sampled = len(x), None
    if n > ROWS:
        rows = np.sort(np.random.default_rng(seed).permutation(n)[:ROWS])
        x, y, sampled = x[rows], y[rows], f"{ROWS:,} of {n:,} rows were sampled"
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
        words = (one.reason, sampled if of_spaces else inputs.note)
        calibrations.append(replace(one, reason="; ".join(filter(None, words)) or None))
    return tuple(calibrations)


def over_pairs(found: Sequence[Calibration]) -> tuple[Calibration, ...]:
    """Return the calibrations with p-values adjusted by Holm over the pairs of models, measure by measure."""
    adjusted: dict[int, float] = {}
    for measure in dict.fromkeys(each.measure for each in found):
        places = [place for place, each in enumerate(found) if each.measure == measure]
        adjusted |= dict(zip(places, holm([found[place].p for place in places]).tolist(), strict=True))
    return tuple(replace(each, p_holm=adjusted[place]) for place, each in enumerate(found))


def _of_lists(spec: MeasureSpec, lists: TwoLists) -> _Value:
    """Return the mean over the rows that have a value, NaN when none has, the rows of B in a given order."""
    try:
        first, second, *vectors = lists.arguments(spec.measure.needs)
    except Undefined:
        return lambda _order: math.nan

    def value(order: IntArray) -> float:
        # Every row is asked, so the vectors of the queries are those of the rows.
        others = [(left, right[order]) for left, right in vectors]
        values = spec.measure.function(first, shuffled(second, order), *others, **spec.parameters)
        known = np.asarray(values, dtype=np.float64)
        known = known[~np.isnan(known)]
        return float(known.mean()) if known.size else math.nan

    return value
