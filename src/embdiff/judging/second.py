"""What the labels of a judge model are worth: its agreement with a person, and numbers that use both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from embdiff._plain import Number, Record
from embdiff.judging.pool import Pool, PooledQuery
from embdiff.judging.scoring import Grades, done_of, ndcg_of
from embdiff.measures.statistics import jackknife
from embdiff.measures.statistics.quantiles import Doubles, student_quantile

_BOTH = "judged by both"


@dataclass(frozen=True)
class Agreement(Record):
    """How far a judge model and a person say the same of the same documents: relevant (1 and above) or not.

    Parameters
    ----------
    n, queries : int
        Documents that both graded, and queries that they are of.
    same : float
        Share of them of which both say the same.
    kappa : float
        Cohen's: how far ``same`` is above what two judges of these habits would share by chance, 1 for always the same,
        0 for chance.
    low, high : float
        95 % interval; queries are left out as a whole.
    reason : str or None
        Why there is no number.
    """

    n: int
    queries: int
    same: Number
    kappa: Number
    low: Number
    high: Number
    reason: str | None = None


@dataclass(frozen=True)
class Combined(Record):
    """A mean over queries of which a person judged some and a judge model all: prediction-powered.

    Parameters
    ----------
    measure : str
    models : tuple of str
        One, or two for their difference (the first less the second).
    value, low, high : float
        With 95 % interval.
    n, more : int
        Queries that the person judged, and further ones that the model alone did.
    weight : float
        0 to 1: how far the model's labels are used. 0 where they say nothing of the person's.
    width : float
        Of the interval, over that of the person's labels alone.
    """

    measure: str
    models: tuple[str, ...]
    value: float
    low: float
    high: float
    n: int
    more: int
    weight: float
    width: Number


@dataclass(frozen=True)
class SecondJudge(Record):
    """A judge model beside a person.

    Parameters
    ----------
    judge : str
    labels, unsaid : int
        Documents that it graded, and that it gave no grade.
    share : float
        Of its labels among all that the combined numbers rest on.
    agreement : Agreement
    combined : tuple of Combined
        Empty where its labels do not count.
    reason : str or None
        Why they do not.
    """

    judge: str
    labels: int
    unsaid: int
    share: Number
    agreement: Agreement
    combined: tuple[Combined, ...] = ()
    reason: str | None = None


def second_judge(judge: str, pool: Pool, person: Grades, model: Grades) -> SecondJudge:
    """Compare a judge model with a person, and combine their labels where that is honest.

    Parameters
    ----------
    judge : str
    pool : Pool
    person, model : mapping of (str, str) to int or None
        (query, document) to grade.

    Notes
    -----
    Labels are combined where the queries are a random sample, the person judged the first of them and the model went
    further, and where they agree beyond chance (the interval of kappa is above 0).
    """
    labels = sum(grade is not None for grade in model.values())
    found = SecondJudge(judge, labels, len(model) - labels, math.nan, agreement_of(pool.queries, person, model))
    both, further = _samples(pool.queries[: pool.drawn], person, model)
    if reason := _reason(found.agreement, pool.order, len(both), len(further)):
        return replace(found, reason=reason)
    measure, said = ndcg_of(pool, both, person)
    _, predicted = ndcg_of(pool, [*both, *further], model)
    models = [name for name in said if name in predicted]
    combined = tuple(
        each
        for names in [*((name,) for name in models), *combinations(models, 2)]
        if (each := _combined(measure, names, said, predicted)) is not None
    )
    counted = sum(len(query.documents) for query in further)
    own = sum(len(query.documents) for query in both)
    return replace(found, share=counted / (own + counted), combined=combined)


def agreement_of(queries: Sequence[PooledQuery], person: Grades, model: Grades) -> Agreement:
    """Return Cohen's kappa over the documents that both graded, with a jackknife interval over queries.

    References
    ----------
    Cohen, Educ. Psychol. Meas. 20 (1960) 37.
    """
    tables = []
    for query in queries:
        pairs = [(person.get((query.id, name)), model.get((query.id, name))) for name in query.documents]
        known = [(one > 0, two > 0) for one, two in pairs if one is not None and two is not None]
        if known:
            tables.append([[known.count((one, two)) for two in (False, True)] for one in (False, True)])
    counts = np.array(tables, dtype=np.int64).reshape(-1, 2, 2)
    whole, n = counts.sum(axis=0), int(counts.sum())
    same, kappa = (math.nan, math.nan) if n == 0 else (float(np.trace(whole) / n), _kappa(whole))
    left_out = [_kappa(whole - counts[rows].sum(axis=0)) for rows in jackknife.groups(len(counts), seed=0)]
    low, high, method = jackknife.jackknife(kappa, left_out, (-1.0, 1.0))
    reason = None
    if n == 0:
        reason = "no document was graded by both"
    elif math.isnan(kappa):
        reason = "one of the two says the same of every document"
    elif method == "none":
        reason = jackknife.no_interval(len(counts), "queries " + _BOTH)
    return Agreement(n, len(counts), same, kappa, low, high, reason)


def _kappa(counts: np.ndarray) -> float:
    """Return Cohen's kappa of a table of counts, (2, 2); NaN where a judge says one thing only."""
    n = counts.sum()
    one, two = counts.sum(axis=1), counts.sum(axis=0)
    if n == 0 or n in one or n in two:
        return math.nan
    chance = float(one @ two) / float(n) ** 2
    return (float(np.trace(counts)) / float(n) - chance) / (1.0 - chance)


def _samples(
    drawn: Sequence[PooledQuery], person: Grades, model: Grades
) -> tuple[list[PooledQuery], list[PooledQuery]]:
    """Return the first queries that the person judged without a gap, and those behind that the model went on to."""
    own = 0
    while own < len(drawn) and done_of(drawn[own], person):
        own += 1
    reached = own
    while reached < len(drawn) and done_of(drawn[reached], model):
        reached += 1
    both = [query for query in drawn[:own] if done_of(query, model)]
    return (both if len(both) == own else []), list(drawn[own:reached])


def _reason(agreement: Agreement, order: str, both: int, further: int) -> str | None:
    """Return why labels of a model do not count; None where they do."""
    if agreement.reason:
        return f"its agreement with you is not known: {agreement.reason}"
    if not agreement.low > 0:
        return "it may agree with you no more than by chance"
    if order != "random":
        return "the queries are no random sample: judge with --order random, you and the model"
    if both < jackknife.FEWEST:
        return (
            f"of the first queries of the sample, fewer than {jackknife.FEWEST} were judged by you and, every one, by "
            "the model"
        )
    return None if further else "it judged no further queries than you: ask it about more (--queries)"


def _combined(
    measure: str, names: tuple[str, ...], said: Mapping[str, Doubles], predicted: Mapping[str, Doubles]
) -> Combined | None:
    truth, guess = (
        values[names[0]] - values[names[1]] if len(names) == 2 else values[names[0]] for values in (said, predicted)
    )
    first, rest = guess[: len(truth)], guess[len(truth) :]
    known = ~np.isnan(truth + first)
    truth, first, rest = truth[known], first[known], rest[~np.isnan(rest)]
    if len(truth) < jackknife.FEWEST or not len(rest):
        return None
    value, reach, weight = prediction_powered(truth, first, rest)
    alone = prediction_powered(truth, np.zeros_like(truth), np.zeros_like(rest))[1]
    lowest = -1.0 if len(names) == 2 else 0.0
    low, high = max(lowest, value - reach), min(1.0, value + reach)
    value = min(max(value, low), high)
    return Combined(
        measure, names, value, low, high, len(truth), len(rest), weight, reach / alone if alone else math.nan
    )


def prediction_powered(
    truth: Doubles, first: Doubles, rest: Doubles, *, level: float = 0.95
) -> tuple[float, float, float]:
    """Return a mean, the half-width of its interval and the weight of the predictions.

    The mean of the truth, corrected by how far the predictions of its units are from those of the others:
    ``mean(y) + w (mean(f_rest) - mean(f_first))``, with variance ``var(y - w f) / n + w^2 var(f_rest) / N``. The weight
    is the one that makes it smallest, ``cov(y, f) / ((1 + n / N) var(f))``, found for each half of the units from the
    other half, so that no unit decides about its own correction, and kept within 0 and 1. Intervals are by Student's t
    with n - 2 degrees of freedom. Units are drawn at random, and independent (queries, not documents).

    Parameters
    ----------
    truth, first : ndarray of float64, shape (n,)
        n at least 4.
    rest : ndarray of float64, shape (N,)
    level : float

    References
    ----------
    Angelopoulos et al., Science 382 (2023) 669; Angelopoulos, Duchi and Zrnic, arXiv:2311.01453 (the weight).
    """
    n, more = len(truth), len(rest)
    middle, halves = float(rest.mean()), (slice(0, None, 2), slice(1, None, 2))
    weights = np.empty(n)
    for half, other in (halves, halves[::-1]):
        spread = float(np.var(np.concatenate([first[other], rest]), ddof=1))
        together = float(np.cov(truth[other], first[other])[0, 1])
        weights[half] = 0.0 if spread == 0 else min(1.0, max(0.0, together / ((1 + n / more) * spread)))
    weight = float(weights.mean())
    corrected = truth - weights * (first - middle)
    variance = float(corrected.var(ddof=1)) / n
    variance += weight**2 * (float(rest.var(ddof=1)) if more > 1 else float(first.var(ddof=1))) / more
    reach = student_quantile(0.5 + level / 2, n - 2) * math.sqrt(variance)
    return float(corrected.mean()), reach, weight
