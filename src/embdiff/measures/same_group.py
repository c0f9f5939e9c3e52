"""How many of a query's neighbours are of its own group: what is known of a space from weak labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff.errors import ShapeError
from embdiff.measures.base import Measure, Needs
from embdiff.measures.inputs import Undefined, Whole
from embdiff.measures.mixing import check_groups
from embdiff.measures.score import PerQuery
from embdiff.measures.statistics.quantiles import Doubles, ratio
from embdiff.measures.ties import among, told_ties
from embdiff.records import IntArray, Neighbors
from embdiff.ties import entries

NEEDS: Needs = "neighbors + own group"


def same_group(
    neighbors: Neighbors, row_groups: Sequence[Any], query_groups: Sequence[Any], mates: IntArray
) -> Doubles:
    """Return, per query, the share of its neighbours of its own group: ``|{neighbours of its group}| / |neighbours|``.

    Groups are weak labels: neighbours of another group need not be wrong, nor those of the same group right.

    Parameters
    ----------
    neighbors : Neighbors, shape (q, k)
        The query's own row left out.
    row_groups : sequence of str or int, length n
    query_groups : sequence of str or int, length q
    mates : ndarray of int64, shape (q,)
        Rows of the query's group that it could return, its own row not counted.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]; NaN when no other row is of the query's group, or the list is empty. Rows that are equally near
        count with their chance to be listed.

    Raises
    ------
    ShapeError
        When a query or a row has no group.

    Notes
    -----
    By chance (n_g - 1) / (n - 1) for a group of n_g rows, mean over queries.

    References
    ----------
    Precision at k of the retrieval tradition, the group taken as the class; e.g. Musgrave, Belongie and Lim 2020.
    """
    own, listed = _counted(neighbors, row_groups, query_groups, mates)
    return np.where(mates > 0, ratio(own, listed), np.nan)


def same_group_reached(
    neighbors: Neighbors, row_groups: Sequence[Any], query_groups: Sequence[Any], mates: IntArray
) -> Doubles:
    """Return, per query, the neighbours of its group as a share of those that could be among so many.

    ``|{neighbours of its group}| / min(|neighbours|, rows of its group)``: a group of 4 cannot fill 10 places.

    Parameters
    ----------
    neighbors, row_groups, query_groups, mates
        As for `same_group`.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]; NaN when no other row is of the query's group, or the list is empty.

    Notes
    -----
    By chance k (n_g - 1) / (n - 1) / min(k, n_g - 1), mean over queries.

    References
    ----------
    `same_group`, as recall where the group is smaller than the list.
    """
    own, listed = _counted(neighbors, row_groups, query_groups, mates)
    return ratio(own, np.minimum(listed, mates))


def _counted(
    neighbors: Neighbors, row_groups: Sequence[Any], query_groups: Sequence[Any], mates: IntArray
) -> tuple[Doubles, Doubles]:
    """Return how many neighbours are of the query's group, and how many there are; both (q,)."""
    check_groups(neighbors, row_groups, len(query_groups))
    if len(mates) != len(query_groups):
        raise ShapeError(
            f"There must be a number of mates for each of the {len(query_groups)} queries. Got {len(mates)}. Count the "
            "other rows of each query's group."
        )
    every, of_row, of_query = entries(neighbors), np.asarray(row_groups), np.asarray(query_groups)
    chance = among(every, neighbors.k)
    own = chance * (of_row[every.row] == of_query[every.query])
    q = len(query_groups)
    return (
        np.asarray(np.bincount(every.query, own, minlength=q), dtype=np.float64),
        np.rint(np.bincount(every.query, chance, minlength=q)),
    )


@dataclass(frozen=True, eq=False)
class GroupedLists(Whole):
    """One collection's lists, and the groups of rows and queries.

    Parameters
    ----------
    neighbors : Neighbors, shape (q, k)
        The queries' own rows left out.
    row_groups : ndarray of int64, shape (n,)
    query_groups : ndarray of int64, shape (q,)
    mates : ndarray of int64, shape (q,)
        Rows of the query's group that it could return, its own row not counted.
    candidates : ndarray of int64, shape (q,)
        Rows that it could return, its own row not counted.
    models : tuple of one str
    query_model : str or None
    """

    neighbors: Neighbors
    row_groups: IntArray
    query_groups: IntArray
    mates: IntArray
    candidates: IntArray
    models: tuple[str, ...]
    query_model: str | None

    @property
    def k(self) -> int:
        """Length of the lists."""
        return self.neighbors.k

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of own groups is called with."""
        if needs != NEEDS:
            raise Undefined(f"these lists have no {needs}")
        return self.neighbors, self.row_groups, self.query_groups, self.mates


def _by_chance(lists: GroupedLists, values: Doubles, _seed: int) -> float:
    known = ~np.isnan(values)
    return float((lists.mates / lists.candidates)[known].mean())


def _reached_by_chance(lists: GroupedLists, values: Doubles, _seed: int) -> float:
    known = ~np.isnan(values)
    drawn = np.minimum(lists.k, lists.candidates)
    due = drawn * lists.mates / lists.candidates
    return float((due[known] / np.minimum(drawn, lists.mates)[known]).mean())


def _told(lists: GroupedLists, _values: Doubles) -> str | None:
    return told_ties(lists.neighbors)


_LEFT_OUT = "whose group has no other row, or whose list is empty,"

SAME_GROUP = Measure(
    function=same_group,
    summary="share of the neighbours, own row left out, that are of the query's group",
    needs=NEEDS,
    direction="more neighbours of the query's own group",
    range=(0.0, 1.0),
    symmetric=False,
    invariances=("order of the queries", "order of the neighbours within a list", "names of the groups"),
    scorer=PerQuery(_by_chance, _LEFT_OUT, _told),
    ties=True,
)
SAME_GROUP_REACHED = SAME_GROUP.variant(
    function=same_group_reached,
    summary="neighbours of the query's group, as a share of those that could be among so many",
    scorer=PerQuery(_reached_by_chance, _LEFT_OUT, _told),
)
