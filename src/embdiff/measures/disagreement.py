"""Where models disagree most: which queries get the most different lists, which rows are treated most differently.

These are values for each query and each row, to look at the most disputed ones first. How much two models agree in
all is a score of its own: `rbo` and `overlap`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embdiff.errors import ShapeError
from embdiff.measures.hubs import occurrences
from embdiff.measures.places import ranks_of
from embdiff.measures.rank import matches
from embdiff.measures.rbo import rbo
from embdiff.measures.statistics.quantiles import Doubles, mean_of_known, ratio
from embdiff.measures.ties import times_listed
from embdiff.records import Answer, IntArray, Neighbors

Lists = Sequence[tuple[Neighbors, Neighbors]]


def query_disagreement(pairs: Lists, agreement: Callable[[Neighbors, Neighbors], Doubles] = rbo) -> Doubles:
    """Return, per query, how much the models disagree: the mean over their pairs of ``1 - agreement``.

    Parameters
    ----------
    pairs : sequence of (Neighbors, Neighbors), each of shape (q, k)
        The lists of every two models that are compared, at least one pair.
    agreement : callable
        Two lists in, one value in [0, 1] per query out: `rbo.rbo` (p = 0.9: early places count most) or
        `overlap.overlap`.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]: 0 when all lists are the same, 1 when no two share a row. The mean is over the pairs in which the
        agreement is defined; NaN where it is in none.

    Raises
    ------
    ShapeError
        When there is no pair, or the lists differ in shape.
    """
    _check(pairs)
    return mean_of_known(np.stack([1.0 - agreement(a, b) for a, b in pairs]))


def item_disagreement(pairs: Lists, rows: int) -> Doubles:
    """Return, per row of the corpus, how differently often the models return it.

    The mean over the pairs of ``|N_A - N_B| / q``: N is how many of the q queries return the row (its k-occurrence).

    Parameters
    ----------
    pairs : sequence of (Neighbors, Neighbors), each of shape (q, k)
    rows : int
        Rows of the corpus, n.

    Returns
    -------
    ndarray of float64, shape (rows,)
        In [0, 1]: 0 when all models return the row equally often (perhaps to other queries: see `item_switches`), 1
        when one returns it to every query and the other to none. NaN when there are no queries.

    Raises
    ------
    ShapeError
        When there is no pair, or the lists differ in shape.
    """
    _check(pairs)
    queries = len(pairs[0][0].rows)
    if not queries:
        return np.full(rows, np.nan)
    differences = [np.abs(times_listed(a, rows) - times_listed(b, rows)) for a, b in pairs]
    return np.asarray(np.mean(differences, axis=0) / queries, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Switches:
    """What became of each row of the corpus between two models; all arrays of shape (n,).

    Parameters
    ----------
    both, only_first, only_second : ndarray of int64
        Queries to which both models return the row, or only one of them.
    place_change : ndarray of float64
        Mean of ``|rank in A - rank in B|`` over the queries to which either returns the row and both ranks are known;
        NaN where there is none.
    """

    both: IntArray
    only_first: IntArray
    only_second: IntArray
    place_change: Doubles


def item_switches(a: Answer, b: Answer, rows: int) -> Switches:
    """Return, per row of the corpus, to how many queries both models or one of them return it, and how far it moved.

    Parameters
    ----------
    a, b : Answer, lists of shape (q, k)
        Each knows the exact ranks of the rows that only the other returned.
    rows : int
        Rows of the corpus, n.
    """
    _check([(a.returned, b.returned)])
    common = matches(a.returned.rows, b.returned.rows)
    in_both, in_both_too = (np.zeros(a.returned.rows.shape, dtype=bool) for _ in range(2))
    in_both[common.query, common.left] = True
    in_both_too[common.query, common.right] = True
    first, second = a.returned.rows, np.where(in_both_too, -1, b.returned.rows)  # each query and row once
    places = np.broadcast_to(np.arange(1, a.returned.k + 1), first.shape)
    moved, counted = np.zeros(rows), np.zeros(rows)
    for found, there in (
        (first, ranks_of(first, b.returned, b.elsewhere)),
        (second, ranks_of(second, a.returned, a.elsewhere)),
    ):
        known = (found >= 0) & (there > 0)
        moved += np.bincount(found[known], np.abs(places - there)[known], minlength=rows)
        counted += occurrences(found[known], rows)
    both, only_first, only_second = (occurrences(found, rows) for found in (first[in_both], first[~in_both], second))
    return Switches(both, only_first, only_second, ratio(moved, counted))


def most_disputed(values: npt.ArrayLike, most: int | None = None) -> IntArray:
    """Return places in order of falling value, equal values in the order given; undefined ones are left out.

    Parameters
    ----------
    values : array of float, shape (m,)
    most : int, optional
        Only the first so many; by default all.
    """
    array = np.asarray(values, dtype=np.float64)
    order = np.argsort(-array, kind="stable")
    known: IntArray = order[~np.isnan(array[order])]
    return known[:most]


def _check(pairs: Lists) -> None:
    shapes = {lists.rows.shape for pair in pairs for lists in pair}
    if len(shapes) != 1:
        raise ShapeError(
            "Disagreement needs at least one pair of models, and lists of one shape (q, k). "
            f"Got {sorted(shapes) or 'no pair'}. Search the same queries with the same k."
        )
