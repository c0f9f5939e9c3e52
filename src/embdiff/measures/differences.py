"""Are models told apart: paired tests over all pairs of models, measure by measure.

Models that cannot be told apart are shown as one group instead of as ranks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from embdiff._plain import Record
from embdiff.errors import ParameterError, UnknownNameError
from embdiff.measures.base import get_measure
from embdiff.measures.paired import PairedTest, paired_tests
from embdiff.measures.statistics.kinds import Kinds
from embdiff.measures.statistics.power import ALPHA as ALPHA
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


def between_models(scores: Sequence[Score], *, seed: int, kinds: Kinds | None = None) -> tuple[Differences, ...]:
    """Compare all models in every measure in which two or more are defined and have an interval.

    Where there are too few units for an interval there are too few for a test. ``kinds`` as for `paired_tests`.
    """
    found = []
    for measure in dict.fromkeys(score.measure for score in scores):
        known = [score for score in scores if score.measure == measure and score.per_query and np.isfinite(score.low)]
        if len(known) < 2:
            continue
        values = {score.models[0]: np.array(score.per_query, dtype=np.float64) for score in known}
        tests = paired_tests(values, measure=measure, seed=seed, widest=_widest(measure), kinds=kinds)
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


def tie_groups(
    models: Sequence[str], tests: Iterable[PairedTest], *, alpha: float = ALPHA
) -> tuple[tuple[str, ...], ...]:
    """Return the largest sets of models of which no two can be told apart.

    Two models are told apart when the p-value of their test, adjusted by Holm's method over all pairs, is below
    ``alpha``; an undefined test tells nothing apart. A *tie group* is a set of models of which no two are told apart,
    and to which no further model can be added (a maximal clique). So every two models that are not told apart share a
    group, and no two that are told apart do. A model may be in several groups: a may tie with b and b with c, and a
    still differ from c. A group of one is a model that is told apart from all others.

    Parameters
    ----------
    models : sequence of str
        In the order to show, for example highest mean first.
    tests : iterable of PairedTest
        One for every two models, in either order.
    alpha : float
        Chance of telling apart any two models that do not differ, over the whole table.

    Returns
    -------
    tuple of tuples of str
        Each in the order of ``models``; groups ordered by their first models.

    Raises
    ------
    ParameterError
        When a model occurs twice, or two models have no test or two.

    References
    ----------
    Piepho, "An algorithm for a letter-based representation of all-pairwise comparisons", JCGS 13 (2004) 456; Bron and
    Kerbosch, CACM 16 (1973) 575 (maximal cliques).
    """
    if not 0.0 < alpha < 1.0:
        raise ParameterError(f"alpha must be between 0 and 1. Got {alpha:g}. Pass for example 0.05.")
    tied = _tied(models, tests, alpha)
    found = sorted(_cliques(set(), set(range(len(models))), set(), tied)) if models else []
    return tuple(tuple(models[place] for place in group) for group in found)


def letters(models: Sequence[str], groups: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the compact letter display: models that share a letter cannot be told apart.

    Parameters
    ----------
    models : sequence of str
    groups : sequence of sequences of str
        As `tie_groups` returns them; the first gets ``a``, the 27th ``aa``, then separated by commas.

    Returns
    -------
    dict of str to str
        Model to its letters, for example ``{"x": "a", "y": "ab", "z": "b"}``.
    """
    names = [_letter(place) for place in range(len(groups))]
    comma = "," if len(groups) > 26 else ""
    return {
        model: comma.join(name for name, group in zip(names, groups, strict=True) if model in group) for model in models
    }


def _letter(place: int) -> str:
    return (_letter(place // 26 - 1) if place >= 26 else "") + chr(ord("a") + place % 26)


def _tied(models: Sequence[str], tests: Iterable[PairedTest], alpha: float) -> list[set[int]]:
    """Return, for each model, the places of those it cannot be told apart from; refuse pairs missing or repeated."""
    place = {model: i for i, model in enumerate(models)}
    if len(place) < len(models):
        raise ParameterError(f"Every model must occur once. Got {list(models)}. Leave the repeated one out.")
    tied: list[set[int]] = [set() for _ in models]
    pairs: set[frozenset[str]] = set()
    for test in tests:
        names, pair = f"{test.models[0]} and {test.models[1]}", frozenset(test.models)
        if not pair <= place.keys():
            raise ParameterError(
                f"Every test must be of two of the models. Got one of {names}. Pass the tests of these models alone."
            )
        if pair in pairs:
            raise ParameterError(
                f"Every two models must have one test. Got two of {names}. Pass the tests of one measure."
            )
        pairs.add(pair)
        if not test.p_holm < alpha:
            one, two = (place[model] for model in test.models)
            tied[one].add(two)
            tied[two].add(one)
    wanted = len(models) * (len(models) - 1) // 2
    if len(pairs) != wanted:
        raise ParameterError(
            f"{len(models)} models need {wanted} tests, one for every two. Got {len(pairs)}. Use paired_tests."
        )
    return tied


def _cliques(chosen: set[int], may: set[int], done: set[int], tied: list[set[int]]) -> Iterator[tuple[int, ...]]:
    """Bron and Kerbosch with a pivot: ``may`` join ``chosen``; ``done`` could, but were counted before."""
    if not may and not done:
        yield tuple(sorted(chosen))
        return
    pivot = max(may | done, key=lambda model: len(tied[model] & may))
    for model in sorted(may - tied[pivot]):
        yield from _cliques(chosen | {model}, may & tied[model], done & tied[model], tied)
        may, done = may - {model}, done | {model}
