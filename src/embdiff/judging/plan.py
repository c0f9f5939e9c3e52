"""How many more judged queries would settle whether two models differ."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from embdiff._plain import Record
from embdiff.measures.differences import ALPHA, Differences
from embdiff.measures.paired import PairedTest
from embdiff.measures.statistics.quantiles import Doubles, student_quantile

FEWEST = 5  # done queries before a spread means anything
HOPELESS = 10_000  # more than anybody judges
POWER = 0.8
Needed = tuple[int | None, int | None, int | None]
_NOT_KNOWN: Needed = (None, None, None)


@dataclass(frozen=True)
class Plan(Record):
    """What it would take to tell two models apart.

    Parameters
    ----------
    models : tuple of str
    measure : str
    n : int
        Queries that were judged.
    difference, low, high : float
        As observed, with 95 % interval.
    state : {"settled", "too few", "none", "open"}
        Told apart already; too few queries to say; no number would do (the difference is about 0); or more are needed.
    least, expected, most : int or None
        Judged queries in all that would be needed: for the end of the interval that is farthest from 0, for the
        difference as observed, and for the nearest end; ``most`` is None where there is no upper limit.
    words : str
    """

    models: tuple[str, str]
    measure: str
    n: int
    difference: float
    low: float
    high: float
    state: str
    least: int | None
    expected: int | None
    most: int | None
    words: str


def needed_queries(difference: float, deviation: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Return how many queries show a difference of this size with this power.

    The smallest n with ``(t(1 - alpha / 2) + t(power)) s / sqrt(n) <= |difference|``, t the quantiles of Student's
    distribution with n - 1 degrees of freedom (`paired.detectable_difference`, turned round), and so many that the
    randomisation test can reach alpha at all: 2 / 2^n < alpha.

    Parameters
    ----------
    difference : float
        Mean of the differences per query.
    deviation : float
        Their standard deviation, s.
    alpha : float
        Two-sided level.
    power : float

    Returns
    -------
    float
        A whole number; infinite for a difference of 0.
    """
    if difference == 0.0:
        return math.inf
    floor = max(2, math.floor(math.log2(2 / alpha)) + 1)
    ratio = (deviation / difference) ** 2

    def enough(n: int) -> bool:
        factor = student_quantile(1 - alpha / 2, n - 1) + student_quantile(power, n - 1)
        return factor**2 * ratio <= n

    sizes = range(floor, 1_000 * HOPELESS)
    place = bisect_left(sizes, True, key=enough)
    return sizes[place] if place < len(sizes) else math.inf


def plans(differences: Differences, values: dict[str, Doubles], *, available: int, per_query: float) -> list[Plan]:
    """Say for every two models how many judged queries would tell them apart.

    Parameters
    ----------
    differences : Differences
        The tests of one measure.
    values : dict of str to ndarray of float64, shape (q,)
        Model to one value per judged query.
    available : int
        Queries of the run.
    per_query : float
        Documents to judge for a query, on average.
    """
    pairs = len(differences.tests)
    found = []
    for test in differences.tests:
        one, two = (values[model] for model in test.models)
        gaps = (one - two)[~np.isnan(one - two)]
        spread = float(gaps.std(ddof=1)) if len(gaps) > 1 else math.nan
        state = _state(test, spread)
        least, expected, most = _needed(test, spread, pairs) if state == "open" else _NOT_KNOWN
        words = _words(state, (least, expected, most), test.n, available, per_query)
        here = (test.models, test.measure, test.n, test.difference, test.low, test.high)
        found.append(Plan(*here, state, least, expected, most, words))
    return found


def _state(test: PairedTest, spread: float) -> str:
    if test.p_holm < ALPHA:
        return "settled"
    if test.n < FEWEST:
        return "too few"
    return "none" if needed_queries(test.difference, spread) > HOPELESS else "open"


def _needed(test: PairedTest, spread: float, pairs: int) -> Needed:
    """Return the least, the expected and the most queries; Holm's levels go from alpha / pairs to alpha."""
    low, high = (test.difference if math.isnan(end) else end for end in (test.low, test.high))
    far, near = max(abs(low), abs(high)), 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    least = needed_queries(far, spread)
    expected, most = (needed_queries(size, spread, alpha=ALPHA / pairs) for size in (test.difference, near))
    more = test.n + 1
    return max(more, int(least)), max(more, int(expected)), None if most > HOPELESS else max(more, int(most))


def _words(state: str, needed: Needed, n: int, available: int, per_query: float) -> str:
    if state == "settled":
        return f"told apart by the {n:,} queries judged"
    if state == "too few":
        return f"too early to say: {FEWEST - n} more queries must be judged first, so that their spread is known"
    if state == "none":
        return f"no number of queries would: after {n:,} the difference is about 0"
    least, expected, most = needed
    assert least is not None
    assert expected is not None
    judgements = round((expected - n) * per_query)
    words = f"about {expected - n:,} more queries ({judgements:,} judgements) if the difference stays as it is; "
    words += f"{least - n:,} or more, " + (
        "without an upper limit: it may be about 0" if most is None else f"up to {most - n:,}"
    )
    if expected > available:
        words += f"; this run has {available:,} queries in all"
    return words
