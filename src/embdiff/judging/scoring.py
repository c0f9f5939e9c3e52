"""The models scored by the judgements, compared in pairs, and how many more judgements would settle it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff._plain import plain
from embdiff.judging.plan import Plan, plans
from embdiff.judging.pool import Pool, PooledQuery
from embdiff.measures.base import get_measure
from embdiff.measures.differences import Differences, between_models
from embdiff.measures.judged import Graded, Judged, grade, random_order, values_of
from embdiff.measures.score import mean_of
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.measures.statistics.resampling import interval
from embdiff.records import IntArray, Score

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
}


@dataclass(frozen=True, eq=False)
class Verdict:
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

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values (``null`` for what is undefined)."""
        return {
            **self.counts,
            "scores": plain(self.scores),
            "differences": plain(self.differences),
            "more": plain(self.plans),
            "notes": list(self.notes),
        }


def score_judgements(pool: Pool, grades: Grades, *, seed: int = 0) -> Verdict:
    """Score every model of a pool.

    Parameters
    ----------
    pool : Pool
    grades : mapping of (str, str) to int or None
        (query, document) to grade; None was skipped.
    seed : int
        Of tests and intervals.
    """
    done = [query for query in pool.queries if all((query.id, name) in grades for name in query.documents)]
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
    return Verdict(tuple(scores), differences, tuple(more), counts, tuple(notes))


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
    by_measure: dict[str, list[Score]] = {}
    for model in dict.fromkeys(name for query in queries for name in query.lists):
        lists = [
            [row_of[name] for name in query.lists.get(model, ()) if name in graded_of[query.id]] for query in queries
        ]
        rows = np.full((len(queries), pool.depth), -1, dtype=np.int64)
        for place, kept in enumerate(lists):
            rows[place, : len(kept)] = kept
        graded = grade(rows, judged)
        lengths = np.array([len(kept) for kept in lists], dtype=np.int64)
        asked = np.array([model in query.lists for query in queries])  # bm25 is not asked on the live page
        for measure, values, chance in (
            (str(ndcg), values_of(graded, ndcg), random_order(graded, ndcg, sizes)),
            (f"precision_judged@{pool.depth}", _precision(graded, lengths), share),
            (str(hit), values_of(graded, hit), random_order(graded, hit, sizes)),
        ):
            known = np.where(asked, values, np.nan)
            by_measure.setdefault(measure, []).append(_score(model, measure, known, float(chance[asked].mean()), seed))
    return tuple(score for scores in by_measure.values() for score in scores)


def _precision(graded: Graded, lengths: IntArray) -> Doubles:
    """Return the share of the judged documents of each list that are relevant; NaN for a list without any; (q,)."""
    right = np.count_nonzero(graded.grades >= graded.level, axis=1).astype(np.float64)
    out: Doubles = np.divide(right, lengths, out=np.full(len(right), np.nan), where=lengths > 0)
    return out


def _score(model: str, measure: str, values: Doubles, chance: float, seed: int) -> Score:
    within = interval(values, seed=seed)
    return mean_of(measure, values, (model,), None, chance, within, "have no judged document in the list and")
