"""The models scored by the judgements, compared in pairs, and how many more judgements would settle it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff._plain import plain
from embdiff.judging.plan import Plan, plans
from embdiff.judging.pool import Pool, PooledQuery
from embdiff.measures.base import MeasureSpec, get_measure
from embdiff.measures.differences import Differences, between_models
from embdiff.measures.inference import Doubles
from embdiff.measures.judged import Graded, Judged, grade
from embdiff.measures.mean_score import score_of_values
from embdiff.measures.ranking_scores import random_order, values_of
from embdiff.measures.share_interval import interval
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
    asked = pool.queries[: pool.asked]
    pooled = [
        grades[query.id, name] for query in pool.queries for name in query.documents if (query.id, name) in grades
    ]
    begun = sum(any((query.id, name) in grades for name in query.documents) for query in pool.queries)
    return {
        "queries": len(asked),
        "done": len(done),
        "begun": begun - len(done),
        "judged": sum(each is not None for each in pooled),
        "skipped": sum(each is None for each in pooled),
        "relevant": sum(each is not None and each > 0 for each in pooled),
        "left": sum((query.id, name) not in grades for query in asked for name in query.documents),
    }


def _scores(pool: Pool, queries: Sequence[PooledQuery], grades: Grades, seed: int) -> tuple[Score, ...]:
    """Score the condensed lists, measure by measure."""
    judged, row_of = _judged(queries, grades)
    sizes = judged_sizes(queries, grades)
    share = judged.counts() / sizes
    ndcg, hit = (get_measure(f"{name}@{pool.depth}") for name in ("ndcg", "hit"))
    by_measure: dict[str, list[Score]] = {}
    for model in dict.fromkeys(name for query in queries for name in query.lists):
        graded = grade(_condensed(queries, model, grades, row_of, pool.depth), judged)
        lengths = np.array([_kept(query, model, grades) for query in queries], dtype=np.int64)
        asked = np.array([model in query.lists for query in queries])  # bm25 is not asked on the live page
        for measure, values, chance in (
            (str(ndcg), values_of(graded, ndcg), _chance(graded, ndcg, sizes)),
            (f"precision_judged@{pool.depth}", _precision(graded, lengths), share),
            (str(hit), values_of(graded, hit), _chance(graded, hit, sizes)),
        ):
            known = np.where(asked, values, np.nan)
            by_measure.setdefault(measure, []).append(_score(model, measure, known, float(chance[asked].mean()), seed))
    return tuple(score for scores in by_measure.values() for score in scores)


def _judged(queries: Sequence[PooledQuery], grades: Grades) -> tuple[Judged, dict[str, int]]:
    names = sorted({name for query in queries for name in query.documents})
    row_of = {name: row for row, name in enumerate(names)}
    judgements: dict[str, dict[str, int]] = {query.id: {} for query in queries}
    for query in queries:
        for name in query.documents:
            found = grades[query.id, name]
            if found is not None:
                judgements[query.id][name] = found
    return Judged.from_qrels(judgements, list(judgements), row_of), row_of


def judged_sizes(queries: Sequence[PooledQuery], grades: Grades) -> IntArray:
    """Return how many documents of each query have a grade; (q,)."""
    return np.array(
        [sum(grades[query.id, name] is not None for name in query.documents) for query in queries], dtype=np.int64
    )


def _kept(query: PooledQuery, model: str, grades: Grades) -> int:
    return sum(grades[query.id, name] is not None for name in query.lists.get(model, ()))


def _condensed(
    queries: Sequence[PooledQuery], model: str, grades: Grades, row_of: Mapping[str, int], depth: int
) -> IntArray:
    """Return the lists without what has no grade; (q, depth), -1 pads."""
    rows = np.full((len(queries), depth), -1, dtype=np.int64)
    for place, query in enumerate(queries):
        kept = [row_of[name] for name in query.lists.get(model, ()) if grades[query.id, name] is not None]
        rows[place, : len(kept)] = kept
    return rows


def _precision(graded: Graded, lengths: IntArray) -> Doubles:
    """Return the share of the judged documents of each list that are relevant; NaN for a list without any; (q,)."""
    right = np.count_nonzero(graded.grades >= graded.level, axis=1).astype(np.float64)
    out: Doubles = np.divide(right, lengths, out=np.full(len(right), np.nan), where=lengths > 0)
    return out


def _chance(graded: Graded, spec: MeasureSpec, sizes: IntArray) -> Doubles:
    """Return what a random order of each query's judged documents would reach; (q,)."""
    judged, out = graded.judged, np.empty(graded.judged.queries)
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        number = np.full(judged.queries, -1, dtype=np.int64)
        number[chosen] = np.arange(len(chosen))
        kept = number[judged.query] >= 0
        part = Judged(number[judged.query[kept]], judged.document[kept], judged.grade[kept], len(chosen))
        out[chosen] = random_order(Graded(graded.grades[chosen], part), spec, int(size))
    return out


def _score(model: str, measure: str, values: Doubles, chance: float, seed: int) -> Score:
    within = interval(np.clip(values, 0.0, 1.0), seed=seed)
    return score_of_values(measure, values, (model,), None, chance, within, "have no judged document in the list and")
