"""Disagreement first: the queries and the rows that the models treat most differently, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from embdiff._plain import Number
from embdiff.measures.disagreement import (
    item_disagreement,
    item_switches,
    most_disputed,
    query_disagreement,
)
from embdiff.measures.hubs import occurrences
from embdiff.measures.overlap import overlap
from embdiff.measures.rbo import P
from embdiff.measures.statistics.quantiles import Doubles, mean_of_known
from embdiff.records import Answer, IntArray
from embdiff.runs import Run

QUERIES_BY = f"mean over the pairs of 1 - rbo(p={P:g})"
ITEMS_BY = "mean over the pairs of |queries that return the row in A - in B| / queries"


@dataclass(frozen=True)
class Pair:
    """Two collections that are compared, and who asked them."""

    models: tuple[str, str]
    query_models: tuple[str, str]


@dataclass(frozen=True)
class DisputedQuery:
    """A query; ``value`` is 1 - rbo, ``overlap`` 1 - overlap, means over the pairs."""

    row: int
    id: str
    text: str
    value: float
    overlap: float


@dataclass(frozen=True)
class Returned:
    """To how many queries a collection returns a row."""

    query_model: str
    model: str
    queries: int


@dataclass(frozen=True)
class DisputedItem:
    """A row of the corpus.

    ``only_one`` counts queries to which one of a pair returns the row and the other does not, over all pairs;
    ``place_change`` is the mean difference of its places where they are known.
    """

    row: int
    id: str
    text: str
    group: str | None
    value: float
    only_one: int
    place_change: Number
    returned: tuple[Returned, ...]


@dataclass(frozen=True, eq=False)
class Disagreement:
    """Queries and rows by how much the models disagree about them, the most disputed first.

    Parameters
    ----------
    pairs : tuple of Pair
    queries_by, items_by : str
        What they are ordered by.
    n : int
        Queries.
    chance : float
        What the lists of unrelated models would give the queries on average; NaN where it is not known.
    queries : tuple of DisputedQuery
    items : tuple of DisputedItem
    query_values : ndarray of float64, shape (q,)
        Of every query.
    row_values : ndarray of float64, shape (n,)
        How differently often the collections return each row; NaN where none does, so that there is no dispute.
    """

    pairs: tuple[Pair, ...]
    queries_by: str
    items_by: str
    n: int
    chance: Number
    queries: tuple[DisputedQuery, ...]
    items: tuple[DisputedItem, ...]
    query_values: Doubles = field(repr=False)
    row_values: Doubles = field(repr=False)


def disagreement(run: Run, most: int | None = None) -> Disagreement | None:
    """Return what the models disagree about; None without two lists to compare.

    bm25 counts where it was named among the models, or where there is but one model.

    Parameters
    ----------
    run : Run
    most : int, optional
        Only the first so many queries and rows; by default all.
    """
    pairs = run.disputing
    if not pairs:
        return None
    lists = [(a.returned, b.returned) for a, b in pairs]
    values, by_overlap = query_disagreement(lists), query_disagreement(lists, overlap)
    answers = list({id(answer): answer for pair in pairs for answer in pair}.values())
    counts = np.stack([occurrences(answer.returned.rows, len(run.corpus)) for answer in answers])
    row_values = item_disagreement(lists, len(run.corpus))
    row_values[counts.sum(axis=0) == 0] = np.nan
    return Disagreement(
        pairs=tuple(Pair((a.model, b.model), (a.query_model, b.query_model)) for a, b in pairs),
        queries_by=f"{QUERIES_BY}@{run.config.k}",
        items_by=ITEMS_BY,
        n=len(run.queries),
        chance=_chance(run, pairs),
        queries=tuple(
            DisputedQuery(row, run.queries.ids[row], run.queries.items[row], float(values[row]), float(by_overlap[row]))
            for row in most_disputed(values, most).tolist()
        ),
        items=tuple(_items(run, pairs, answers, counts, row_values, most)),
        query_values=values,
        row_values=row_values,
    )


def column(returned: Returned, crossed: bool) -> str:
    """Return what the column is called that says to how many queries a collection returns a row."""
    return f"{returned.model} asked with {returned.query_model}" if crossed else returned.model


def _items(
    run: Run,
    pairs: Sequence[tuple[Answer, Answer]],
    answers: Sequence[Answer],
    counts: IntArray,
    values: Doubles,
    most: int | None,
) -> list[DisputedItem]:
    rows = len(run.corpus)
    switches = [item_switches(a, b, rows) for a, b in pairs]
    only_one = np.sum([each.only_first + each.only_second for each in switches], axis=0)
    moved = mean_of_known(np.stack([each.place_change for each in switches]))
    return [
        DisputedItem(
            row=row,
            **run.corpus.row(row),
            value=float(values[row]),
            only_one=int(only_one[row]),
            place_change=float(moved[row]),
            returned=tuple(
                Returned(answer.query_model, answer.model, int(count))
                for answer, count in zip(answers, counts[:, row], strict=True)
            ),
        )
        for row in most_disputed(values, most).tolist()
    ]


def _chance(run: Run, pairs: Sequence[tuple[Answer, Answer]]) -> float:
    """Return 1 - the chance level of rbo, mean over the pairs."""
    wanted = {(a.model, b.model) for a, b in pairs}
    measure = f"rbo(p={P:g})@{run.config.k}"
    known = [1.0 - score.chance for score in run.curves if score.measure == measure and score.models in wanted]
    return float(np.mean(known)) if known else np.nan
