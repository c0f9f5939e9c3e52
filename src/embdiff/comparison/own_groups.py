"""Groups as weak labels: whose neighbours are of the query's own group, and whether models differ in that."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from embdiff.comparison.scored import kept_scores
from embdiff.comparison.work import Work
from embdiff.measures import MeasureSpec
from embdiff.measures.base import measures_for
from embdiff.measures.differences import Differences, between_models
from embdiff.measures.same_group import NEEDS, GroupedLists
from embdiff.own_rows import without_own
from embdiff.records import Answer, IntArray, Score


@dataclass(frozen=True, eq=False)
class Grouped:
    """How many neighbours are of the query's own group.

    Parameters
    ----------
    scores : tuple of Score
        Of every collection and bm25, measure by measure.
    differences : tuple of (str or None, Differences)
        For each query model (None: each model queried its own): every two collections, on the same queries.
    """

    scores: tuple[Score, ...] = ()
    differences: tuple[tuple[str | None, Differences], ...] = ()


def group_scores(work: Work) -> Grouped:
    """Score every list by the groups of its rows; nothing where the rows or the queries have no groups.

    A query's own row never counts, also where it stays in its list.
    """
    specs = [MeasureSpec(each, None, each.defaults) for each in measures_for(NEEDS) if each.reported]
    groups, crossed = _codes(work), bool(work.config.query_models)
    if groups is None or not specs:
        return Grouped()
    found: dict[str | None, list[Score]] = {}
    for answer in work.answers:
        asks = answer.query_model if crossed else None
        found.setdefault(asks, []).extend(
            kept_scores(work.kept, specs, _lists(work, answer, asks, *groups), seed=work.config.seed)
        )
    words = work.baseline
    beside = (
        [] if words is None
        else kept_scores(work.kept, specs, _lists(work, words, None, *groups), seed=work.config.seed)
    )  # fmt: skip
    every = [score for scores in (*found.values(), beside) for score in scores]
    return Grouped(
        tuple(every[place] for at in range(len(specs)) for place in range(at, len(every), len(specs))),
        tuple(
            (asks, each)
            for asks, scores in found.items()
            for each in work.kept.call(between_models, [*scores, *beside], seed=work.config.seed)
        ),
    )


def _codes(work: Work) -> tuple[IntArray, IntArray] | None:
    """Return a number for the group of every row and every query, where both have groups."""
    rows, queries = work.inputs.corpus.groups, work.inputs.queries.groups
    if rows is None or queries is None:
        return None
    number = {group: at for at, group in enumerate(dict.fromkeys((*rows, *queries)))}
    of_row, of_query = (np.array([number[group] for group in groups], dtype=np.int64) for groups in (rows, queries))
    return of_row, of_query


def _lists(work: Work, answer: Answer, asks: str | None, of_row: IntArray, of_query: IntArray) -> GroupedLists:
    own, corpus = replace(work.inputs.own, drop=True), len(work.inputs.corpus)
    sizes = np.bincount(of_row, minlength=int(of_query.max(initial=0)) + 1)
    mine = np.array([np.count_nonzero(of_row[rows] == group) for rows, group in zip(own.rows, of_query, strict=True)])
    count = np.array([len(rows) for rows in own.rows])
    lists = without_own(answer.returned, own, answer.returned.k)
    return GroupedLists(
        lists, of_row, of_query, sizes[of_query] - mine, np.maximum(corpus - count, 1), (answer.model,), asks
    )  # fmt: skip
