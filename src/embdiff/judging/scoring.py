"""The models scored by the judgements, compared in pairs, and how many more judgements would settle it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff._plain import Record
from embdiff.headline import Headline, by_first_measure
from embdiff.judging.pool import Pool, PooledQuery
from embdiff.measures.base import get_measure
from embdiff.measures.differences import ALPHA, Differences, between_models
from embdiff.measures.judged import Judged, grade, random_order, values_of
from embdiff.measures.paired import PairedTest
from embdiff.measures.score import in_order, mean_of
from embdiff.measures.statistics.power import HOPELESS, needed_queries, needed_range
from embdiff.measures.statistics.quantiles import Doubles, ratio
from embdiff.measures.statistics.resampling import interval
from embdiff.records import Score

FEWEST = 5  # done queries before a spread means anything
Grades = Mapping[tuple[str, str], int | None]
NOTES = (
    "Only queries count whose pooled documents were all judged or skipped. Skipped documents are taken out of the "
    "lists, and the others move up (condensed lists, Sakai 2007); nothing unjudged counts as not relevant.",
    "Fix the number of queries before you start: looking after each and stopping at p < .05 finds differences that are "
    "not there.",
)
ORDER_NOTES = {
    "disputed": "The most disputed queries were asked first: these numbers speak of such queries. Over all queries the "
    "models differ less. For a sample of all queries: --order random.",
    "random": "The queries asked are a random sample of those of the run.",
    "weighted": "The more disputed queries were drawn with a higher probability, which is known: these numbers speak "
    "of such queries; of all queries of the run speak those that are weighted back.",
}


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
    found = []
    for test in differences.tests:
        one, two = (values[model] for model in test.models)
        gaps = (one - two)[~np.isnan(one - two)]
        spread = float(gaps.std(ddof=1)) if len(gaps) > 1 else math.nan
        found.append(_plan(test, spread, len(differences.tests), available, per_query))
    return found


def _plan(test: PairedTest, spread: float, pairs: int, available: int, per_query: float) -> Plan:
    least = expected = most = None
    if test.p_holm < ALPHA:
        state, words = "settled", f"told apart by the {test.n:,} queries judged"
    elif test.n < FEWEST:
        state = "too few"
        words = f"too early to say: {FEWEST - test.n} more queries must be judged first, so that their spread is known"
    elif needed_queries(test.difference, spread) > HOPELESS:
        state, words = "none", f"no number of queries would: after {test.n:,} the difference is about 0"
    else:
        state = "open"
        least, expected, most = needed_range(test.n, test.difference, test.low, test.high, spread, tests=pairs)
        judgements = round((expected - test.n) * per_query)
        words = (
            f"about {expected - test.n:,} more queries ({judgements:,} judgements) if the difference stays as it is; "
        )
        words += f"{least - test.n:,} or more, " + (
            "without an upper limit: it may be about 0" if most is None else f"up to {most - test.n:,}"
        )
        if expected > available:
            words += f"; this run has {available:,} queries in all"
    here = (test.models, test.measure, test.n, test.difference, test.low, test.high)
    return Plan(*here, state, least, expected, most, words)


@dataclass(frozen=True, eq=False)
class JudgedScores(Record):
    """What the judgements say.

    Parameters
    ----------
    scores : tuple of Score
        ``ndcg@k``, ``precision_judged@k``, ``hit@k`` of every model, k the depth of the pool.
    differences : tuple of Differences
        Paired tests, Holm over the pairs of models, tie groups.
    plans : tuple of Plan
        For ``ndcg@k``.
    counts : dict of str to int
        ``queries``, ``done``, ``begun``, ``judged``, ``skipped``, ``relevant``, ``left`` (documents still to judge).
    notes : tuple of str
    """

    scores: tuple[Score, ...]
    differences: tuple[Differences, ...]
    plans: tuple[Plan, ...]
    counts: dict[str, int]
    notes: tuple[str, ...]

    @property
    def headline(self) -> Headline:
        """What the judgements say, in a sentence: by the first measure."""
        return by_first_measure(self.scores, self.differences, units="judged queries")

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values (``null`` for what is undefined)."""
        told = super().to_dict()
        return {**told.pop("counts"), "more": told.pop("plans"), **told}


def score_judgements(pool: Pool, grades: Grades, *, seed: int = 0) -> JudgedScores:
    """Score every model of a pool.

    Parameters
    ----------
    pool : Pool
    grades : mapping of (str, str) to int or None
        (query, document) to grade; None was skipped.
    seed : int
        Of tests and intervals.
    """
    done = [query for query in pool.queries if done_of(query, grades)]
    useful = [query for query in done if any(grades[query.id, name] is not None for name in query.documents)]
    scores = _scores(pool, useful, grades, seed) if useful else ()
    differences = between_models(scores, seed=seed)
    first = [score for score in scores if score.measure == f"ndcg@{pool.depth}"]
    values = {score.models[0]: np.array(score.per_query or (), dtype=np.float64) for score in first}
    mean = float(np.mean([len(query.documents) for query in pool.queries]))
    more = plans(differences[0], values, available=pool.available, per_query=mean) if differences else []
    counts = _counts(pool, done, grades)
    empty = len(done) - len(useful)
    notes = [*NOTES, ORDER_NOTES[pool.order]]
    if empty:
        notes.append(f"{empty:,} queries were skipped as a whole and do not count.")
    return JudgedScores(scores, differences, tuple(more), counts, tuple(notes))


def done_of(query: PooledQuery, grades: Grades) -> bool:
    """Return whether every document of a query was judged or skipped."""
    return all((query.id, name) in grades for name in query.documents)


def ndcg_of(pool: Pool, queries: Sequence[PooledQuery], grades: Grades) -> tuple[str, dict[str, Doubles]]:
    """Return the measure, and its value per query by model, (q,); NaN where all of a query was skipped."""
    useful = [any(grades[query.id, name] is not None for name in query.documents) for query in queries]
    measure, found = f"ndcg@{pool.depth}", {}
    chosen = [query for query, use in zip(queries, useful, strict=True) if use]
    for score in _scores(pool, chosen, grades, 0) if chosen else ():
        if score.measure == measure:
            found[score.models[0]] = np.full(len(queries), np.nan)
            found[score.models[0]][np.array(useful)] = score.per_query
    return measure, found


def _counts(pool: Pool, done: Sequence[PooledQuery], grades: Grades) -> dict[str, int]:
    answered = [
        [grades[query.id, name] for name in query.documents if (query.id, name) in grades] for query in pool.queries
    ]
    pooled = [each for answers in answered for each in answers]
    documents = sum(len(query.documents) for query in pool.queries[: pool.asked])
    return {
        "queries": pool.asked,
        "done": len(done),
        "begun": sum(map(bool, answered)) - len(done),
        "judged": sum(each is not None for each in pooled),
        "skipped": sum(each is None for each in pooled),
        "relevant": sum(each is not None and each > 0 for each in pooled),
        "left": documents - sum(map(len, answered[: pool.asked])),
    }


def _scores(pool: Pool, queries: Sequence[PooledQuery], grades: Grades, seed: int) -> tuple[Score, ...]:
    """Score the condensed lists, measure by measure."""
    graded_of: dict[str, dict[str, int]] = {
        query.id: {name: found for name in query.documents if (found := grades[query.id, name]) is not None}
        for query in queries
    }
    row_of = {name: row for row, name in enumerate(sorted({name for found in graded_of.values() for name in found}))}
    judged = Judged.from_qrels(graded_of, list(graded_of), row_of)
    sizes = np.array([len(found) for found in graded_of.values()], dtype=np.int64)
    share = judged.counts() / sizes
    ndcg, hit = (get_measure(f"{name}@{pool.depth}") for name in ("ndcg", "hit"))
    scores = []
    for model in dict.fromkeys(name for query in queries for name in query.lists):
        rows = np.full((len(queries), pool.depth), -1, dtype=np.int64)
        for place, query in enumerate(queries):
            kept = [row_of[name] for name in query.lists.get(model, ()) if name in graded_of[query.id]]
            rows[place, : len(kept)] = kept
        graded = grade(rows, judged)
        right = np.count_nonzero(graded.grades >= graded.level, axis=1)  # of the judged documents of each list
        asked = np.array([model in query.lists for query in queries])  # bm25 is not asked on the live page
        for measure, values, chance in (
            (str(ndcg), values_of(graded, ndcg), random_order(graded, ndcg, sizes)),
            (f"precision_judged@{pool.depth}", ratio(right, np.count_nonzero(rows >= 0, axis=1)), share),
            (str(hit), values_of(graded, hit), random_order(graded, hit, sizes)),
        ):
            known = np.where(asked, values, np.nan)
            within, usual = interval(known, seed=seed), float(chance[asked].mean())
            left_out = "have no judged document in the list and"
            scores.append(mean_of(measure, known, (model,), None, usual, within, left_out))
    return in_order(scores)
