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
_FEWEST = {"random": jackknife.FEWEST, "weighted": 20}  # queries of the person: weights make fewer of them


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
    Labels are combined where the queries were drawn with known probabilities, the person judged the first of them and
    the model went further, and where they agree beyond chance (the interval of kappa is above 0).
    """
    labels = sum(grade is not None for grade in model.values())
    found = SecondJudge(judge, labels, len(model) - labels, math.nan, agreement_of(pool.queries, person, model))
    both, further = _samples(pool.queries[: pool.drawn], person, model)
    if reason := _reason(found.agreement, pool.order, len(both), len(further)):
        return replace(found, reason=reason)
    measure, said = ndcg_of(pool, both, person)
    _, predicted = ndcg_of(pool, [*both, *further], model)
    weights = pool.weights(len(both)), pool.weights(len(both) + len(further))
    combined = _every(measure, said, predicted, weights)
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
    if order == "disputed":
        return "the queries are no random sample: judge with --order random or weighted, you and the model"
    fewest = _FEWEST[order]
    if both < fewest:
        return (
            f"of the first queries of the sample, fewer than {fewest} were judged by you and, every one, by the model"
        )
    return None if further else "it judged no further queries than you: ask it about more (--queries)"


def of_all_queries(pool: Pool, person: Grades) -> tuple[Combined, ...]:
    """Return what a person's judgements say of all queries of the run where disputed ones were drawn rather: weighted.

    Nothing for other orders, and where fewer than 20 of the first queries were judged.
    """
    both, _ = _samples(pool.queries[: pool.drawn], person, person)
    if pool.order != "weighted" or len(both) < _FEWEST["weighted"]:
        return ()
    measure, said = ndcg_of(pool, both, person)
    nothing = {name: np.zeros(len(both)) for name in said}
    weights = pool.weights(len(both))
    return _every(measure, said, nothing, (weights, weights))


def _every(
    measure: str, said: Mapping[str, Doubles], predicted: Mapping[str, Doubles], weights: tuple[Doubles, Doubles]
) -> tuple[Combined, ...]:
    """Return the mean of every model, and the difference of every two."""
    models = [name for name in said if name in predicted]
    every = [*((name,) for name in models), *combinations(models, 2)]
    found = (_combined(measure, names, said, predicted, weights) for names in every)
    return tuple(each for each in found if each is not None)


def _combined(
    measure: str, names: tuple[str, ...], said: Mapping[str, Doubles], predicted: Mapping[str, Doubles],
    weights: tuple[Doubles, Doubles],
) -> Combined | None:  # fmt: skip
    truth, guess = (
        values[names[0]] - values[names[1]] if len(names) == 2 else values[names[0]] for values in (said, predicted)
    )
    n = len(truth)
    known = ~np.isnan(guess)
    known[:n] &= ~np.isnan(truth)
    truth, first, rest = truth[known[:n]], guess[:n][known[:n]], guess[n:][known[n:]]
    if len(truth) < jackknife.FEWEST:
        return None
    told = weights[0][known[:n]], weights[1][known]
    value, reach, weight = prediction_powered(truth, first, rest, told)
    alone = prediction_powered(truth, np.zeros_like(truth), np.zeros_like(rest), told)[1]
    lowest = -1.0 if len(names) == 2 else 0.0
    low, high = max(lowest, value - reach), min(1.0, value + reach)
    value = min(max(value, low), high)
    return Combined(
        measure, names, value, low, high, len(truth), len(rest), weight, reach / alone if alone else math.nan
    )


def prediction_powered(
    truth: Doubles, first: Doubles, rest: Doubles, weights: tuple[Doubles, Doubles] | None = None, *,
    level: float = 0.95,
) -> tuple[float, float, float]:  # fmt: skip
    """Return a mean, the half-width of its interval and the weight of the predictions.

    The mean of the truth, corrected by how far the predictions of its units are from those of all units:
    ``mean(y - w (f - mean(f_all)))``, means weighted by one over the probability with which a unit was drawn. Its
    variance is the sum of the squares of what each unit adds (linearised). The weight w is the slope of y on f, for
    each half of the units from the other half, so that no unit decides about its own correction, and kept within 0 and
    1. Intervals are by Student's t with two degrees of freedom less than there are units, of which unequal weights make
    fewer (Kish). Units are independent (queries, not documents).

    Parameters
    ----------
    truth, first : ndarray of float64, shape (n,)
        n at least 4.
    rest : ndarray of float64, shape (N,)
    weights : tuple of two ndarray of float64, shapes (n,) and (n + N,), optional
        One over the probability with which a unit was drawn for the truth, and with which one was drawn to be
        predicted; equal ones by default.
    level : float

    References
    ----------
    Angelopoulos et al., Science 382 (2023) 669; Angelopoulos, Duchi and Zrnic, arXiv:2311.01453 (the weight); Saerndal,
    Swensson and Wretman, Model Assisted Survey Sampling (1992), ch. 6 (unequal probabilities); Kish (1965), 11.7.
    """
    n, every = len(truth), np.concatenate([first, rest])
    own, of_all = (np.ones(n), np.ones(len(every))) if weights is None else weights
    middle = float(np.average(every, weights=of_all))
    slopes, halves = np.empty(n), (slice(0, None, 2), slice(1, None, 2))
    for half, other in (halves, halves[::-1]):
        known = np.concatenate([of_all[:n][other], of_all[n:]])
        slopes[half] = _slope(truth[other], first[other], rest, own[other], known)
    slope = float(slopes.mean())
    corrected = truth - slopes * (first - middle)
    value = float(np.average(corrected, weights=own))
    adds = slope * of_all / of_all.sum() * (every - middle)
    adds[:n] += own / own.sum() * (corrected - value)
    units = float(own.sum() ** 2 / (own**2).sum())
    variance = float((adds**2).sum()) * units / (units - 1)
    return value, student_quantile(0.5 + level / 2, max(1.0, units - 2)) * math.sqrt(variance), slope


def _slope(truth: Doubles, first: Doubles, rest: Doubles, own: Doubles, weights: Doubles) -> float:
    """Return the slope of the truth on its predictions, within 0 and 1; their spread is that of all predictions."""
    every = np.concatenate([first, rest])
    spread = float(np.average((every - np.average(every, weights=weights)) ** 2, weights=weights))
    gone = first - np.average(first, weights=own)
    together = float(np.average(gone * (truth - np.average(truth, weights=own)), weights=own))
    return 0.0 if spread == 0 else min(1.0, max(0.0, together / spread))
