"""Are models told apart: paired tests over all pairs of models, and tie groups, measure by measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embdiff._plain import Record
from embdiff.errors import UnknownNameError
from embdiff.measures.base import get_measure
from embdiff.measures.paired import PairedTest, paired_tests
from embdiff.measures.ties import letters, tie_groups
from embdiff.records import Score


@dataclass(frozen=True)
class Differences(Record):
    """How the models differ in one measure.

    Parameters
    ----------
    measure : str
    tests : tuple of PairedTest
        Every two models, p-values adjusted by Holm over these pairs.
    ties : tuple of tuple of str
        Groups of models that cannot be told apart, highest value first.
    letters : dict of str to str
        Model to the letters of its groups.
    """

    measure: str
    tests: tuple[PairedTest, ...]
    ties: tuple[tuple[str, ...], ...]
    letters: dict[str, str]


def between_models(scores: Sequence[Score], *, seed: int) -> tuple[Differences, ...]:
    """Compare all models in every measure in which two or more are defined."""
    found = []
    for measure in dict.fromkeys(score.measure for score in scores):
        known = [score for score in scores if score.measure == measure and score.per_query and np.isfinite(score.value)]
        if len(known) < 2:
            continue
        values = {score.models[0]: np.array(score.per_query, dtype=np.float64) for score in known}
        tests = paired_tests(values, measure=measure, seed=seed, widest=_widest(measure))
        ordered = [score.models[0] for score in sorted(known, key=lambda score: -score.value)]
        ties = tie_groups(ordered, tests)
        found.append(Differences(measure, tests, ties, letters(ordered, ties)))
    return tuple(found)


def _widest(measure: str) -> float:
    """Return the largest difference that a measure allows."""
    try:
        low, high = get_measure(measure).measure.range
    except UnknownNameError:  # of judgements alone (`precision_judged`)
        return math.inf
    return high - low
