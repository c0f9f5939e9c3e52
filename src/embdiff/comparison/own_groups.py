"""Groups as weak labels: whose neighbours are of the query's own group, and whether models differ in that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from embdiff.comparison.scored import Labelled, labelled_scores
from embdiff.comparison.work import Work
from embdiff.measures import MeasureSpec
from embdiff.measures.base import measures_for
from embdiff.measures.same_group import NEEDS, GroupedLists
from embdiff.own_rows import without_own
from embdiff.records import Answer, IntArray


def group_scores(work: Work, *, tested: bool = True) -> Labelled:
    """Score every list by the groups of its rows; nothing where the rows or the queries have no groups.

    A query's own row never counts, also where it stays in its list. ``tested``: whether differences are wanted.
    """
    specs = [MeasureSpec(each, None, each.defaults) for each in measures_for(NEEDS) if each.reported]
    groups = _codes(work)
    if groups is None or not specs:
        return (), ()
    return labelled_scores(work, specs, lambda answer, asks: _lists(work, answer, asks, *groups), tested=tested)


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
