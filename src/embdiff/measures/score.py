"""From a measure and its inputs to a `Score`: the one place where value, chance level and interval come together.

A measure brings its own ways along: its ``function`` gives the values, its ``scorer`` says what they would be by chance
and how their interval is made. A measure without a scorer gets the usual one for what it needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from embdiff.measures.base import Measure, MeasureSpec, get_measure
from embdiff.measures.inputs import Inputs, TwoLists, Undefined
from embdiff.measures.statistics.quantiles import Doubles, mean_known, mean_of_known
from embdiff.measures.statistics.resampling import mean_intervals
from embdiff.measures.ties import in_any_order, tied_queries, told_ties
from embdiff.records import IntArray, Neighbors, Score


class Scorer(Protocol):
    """How scores of a kind of measure are made."""

    @classmethod
    def scores(cls, specs: Sequence[MeasureSpec], inputs: Inputs, seed: int) -> list[Score]:
        """Return the scores of measures whose scorers are of this class, one for each, together."""
        ...


def score(measure: str | MeasureSpec, inputs: Inputs, *, seed: int = 0) -> Score:
    """Return one score; parameters as for `scores`."""
    return scores([measure], inputs, seed=seed)[0]


def scores(measures: Sequence[str | MeasureSpec], inputs: Inputs, *, seed: int = 0) -> list[Score]:
    """Take measures from the same inputs.

    Parameters
    ----------
    measures : sequence of str or MeasureSpec
        Text forms; without ``@k`` as deep as the inputs.
    inputs : Inputs
    seed : int
        Of resampling, groups of rows and shuffles.

    Returns
    -------
    list of Score
        In the order of ``measures``. What cannot be taken is NaN with a reason.
    """
    specs = [get_measure(each) if isinstance(each, str) else each for each in measures]
    specs = [replace(spec, k=inputs.k) if spec.k is None and spec.measure.cutoff else spec for spec in specs]
    kinds: dict[type[Scorer], list[int]] = {}
    for place, spec in enumerate(specs):
        kinds.setdefault(type(scorer_of(spec.measure)), []).append(place)
    found: dict[int, Score] = {}
    for kind, places in kinds.items():
        found.update(zip(places, kind.scores([specs[place] for place in places], inputs, seed), strict=True))
    return [found[place] for place in range(len(specs))]


def in_order(scores: Sequence[Score]) -> tuple[Score, ...]:
    """Return the scores measure by measure, each in the order in which it first came."""
    measures = list(dict.fromkeys(score.measure for score in scores))
    return tuple(score for measure in measures for score in scores if score.measure == measure)


def scorer_of(measure: Measure) -> Any:
    """Return the scorer of a measure, or the usual one for what it needs."""
    if measure.scorer is not None:
        return measure.scorer
    if measure.needs in SPACES:
        from embdiff.measures.spaces import JACKKNIFE

        return JACKKNIFE
    return PerQuery()


SPACES = ("two spaces", "two neighbors of every row", "one space", "one space + neighbors", "neighbors of every row")


@dataclass(frozen=True)
class PerQuery:
    """A value per query: their mean, with an interval from resampled queries.

    Parameters
    ----------
    expected : callable, optional
        ``expected(inputs, values, seed, **parameters)``: the mean by chance over the queries that have a value, (q,).
        None where nobody worked it out.
    left_out : str
        What stands between "3 of 9 queries" and "are left out" when some have no value.
    note : callable, optional
        ``note(inputs, values)``: what else is to be said, or None.
    nothing : str
        The reason where there is nothing to take a mean of.
    """

    expected: Callable[..., float] | None = None
    left_out: str = "are undefined and"
    note: Callable[..., str | None] | None = None
    nothing: str = "there are no queries"

    @classmethod
    def scores(cls, specs: Sequence[MeasureSpec], inputs: Inputs, seed: int) -> list[Score]:
        """Return the means; all intervals are from one draw of resampling weights."""
        taken: list[tuple[MeasureSpec, Inputs, Doubles] | Score] = []
        for spec in specs:
            cut = inputs.at(spec.k)
            try:
                taken.append((spec, cut, per_query(spec, cut)))
            except Undefined as why:
                taken.append(Score.undefined(spec, inputs.models, str(why), query_model=inputs.query_model))
        known = [each for each in taken if not isinstance(each, Score)]
        if not known:
            return [each for each in taken if isinstance(each, Score)]
        columns = np.stack([values for _, _, values in known], axis=1)
        within = iter(mean_intervals(columns, [_bounds(spec.measure) for spec, _, _ in known], seed=seed))
        return [
            each if isinstance(each, Score) else scorer_of(each[0].measure).mean(*each, next(within), seed)
            for each in taken
        ]

    def chance(self, inputs: Any, values: Doubles, seed: int, **parameters: float) -> float:
        """Return the mean by chance over the queries that have a value; NaN where nobody worked it out."""
        return math.nan if self.expected is None else self.expected(inputs, values, seed, **parameters)

    def mean(
        self, spec: MeasureSpec, inputs: Inputs, values: Doubles, within: tuple[float, float, str], seed: int
    ) -> Score:
        """Return the mean of the values with its chance level."""
        known = not np.isnan(values).all()
        chance = self.chance(inputs, values, seed, **spec.parameters) if known else math.nan
        note = None if self.note is None else self.note(inputs, values)
        again = spec.measure.needs == "the same model again"  # there ties are left alone
        ties = told_ties(inputs.a, inputs.b) if isinstance(inputs, TwoLists) and not again else None
        found = mean_of(str(spec), values, inputs.models, inputs.query_model, chance, within, self.left_out)
        equal = "there is no interval: all values are equal" if known and found.interval == "none" else None
        reasons = (found.reason, equal, note, ties) if len(values) else (self.nothing,)
        return replace(found, reason="; ".join(filter(None, reasons)) or None)


def mean_of(
    measure: str,
    values: Doubles,
    models: tuple[str, ...],
    query_model: str | None,
    chance: float,
    within: tuple[float, float, str],
    left_out: str,
    units: str = "queries",
) -> Score:
    """Return the mean of the defined values as a `Score`.

    Parameters
    ----------
    measure : str
        Text form.
    values : ndarray of float64, shape (q,)
        NaN where the measure is undefined.
    models, query_model, chance
        As in `Score`.
    within : tuple of (float, float, str)
        Lower and upper end of the interval, and how it was made.
    left_out : str
        What stands between "3 of 9 queries" and "are left out" when some have no value.
    units : str
        What there is a value of.
    """
    missing = int(np.count_nonzero(np.isnan(values)))
    low, high, method = within
    return Score(
        measure=measure,
        models=models,
        value=mean_known(values),
        low=low,
        high=high,
        chance=chance,
        n=len(values) - missing,
        query_model=query_model,
        interval=method,
        reason=f"{missing} of {len(values)} {units} {left_out} are left out" if missing else None,
        per_query=tuple(values.tolist()),
    )


def per_query(spec: MeasureSpec, inputs: Inputs) -> Doubles:
    """Return a measure's values, (q,), of inputs that are cut to its depth.

    Raises
    ------
    Undefined
        When the inputs do not have what it needs.
    """
    needs = spec.measure.needs

    def taken(*arguments: Any) -> Doubles:
        return np.asarray(spec.measure.function(*arguments, **spec.parameters), np.float64)

    arguments = inputs.arguments(needs)
    lists = [each for each in arguments if isinstance(each, Neighbors) and each.ties is not None]
    if not lists or spec.measure.ties:
        return taken(*arguments)
    if not isinstance(inputs, TwoLists):
        return mean_of_known(np.stack([taken(*each) for each in in_any_order(arguments)]))
    tied = np.flatnonzero(np.any([tied_queries(each) for each in lists], axis=0))
    values = taken(*arguments)  # right where nothing is tied
    some = in_any_order(inputs.of(tied).arguments(needs))
    values[tied] = mean_of_known(np.stack([taken(*each) for each in some]))
    return values


def _bounds(measure: Measure) -> tuple[float, float] | None:
    return measure.range if all(map(math.isfinite, measure.range)) else None


def of_random_lists(law: Callable[..., float], *, share: bool = False) -> Callable[..., float]:
    """Return the chance level of a measure of two lists: the exact expectation for lists drawn without replacement.

    Parameters
    ----------
    law : callable
        ``law(left, right, certain, candidates, **parameters)``: the expected value of one query, from the lengths of
        its lists, how many of its own rows are in both for certain, and how many rows it could return.
    share : bool
        Whether that is a number of rows, to be divided by k.
    """

    def expected(lists: TwoLists, values: Doubles, _seed: int, **parameters: float) -> float:
        whole = lists.k if share else 1
        return mean_over_kinds(lists.drawn()[~np.isnan(values)], lambda *kind: law(*kind, **parameters) / whole)

    return expected


def mean_over_kinds(drawn: IntArray, law: Callable[..., float]) -> float:
    """Return the mean of ``law(*line)`` over the lines of an array (q, m), worked out once for lines that are equal."""
    ordered = drawn[np.lexsort(drawn.T[::-1])]  # np.unique of lines takes six times as long
    begin = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)))
    counts = np.diff(begin, append=len(ordered))
    return float(np.average([law(*kind) for kind in ordered[begin].tolist()], weights=counts))
