"""Which groups are returned to which, as a matrix of counts and shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embdiff._plain import Number, Record
from embdiff.errors import ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.statistics.quantiles import ratio
from embdiff.measures.ties import among
from embdiff.records import Neighbors
from embdiff.ties import entries

Table = tuple[tuple[Number, ...], ...]


@dataclass(frozen=True)
class Mixing(Record):
    """Which groups appear among the results of which.

    Parameters
    ----------
    groups : tuple of str, length g
        In order of appearance: those of the rows, then any that only queries have.
    rows, queries : tuple of int, length g
        Rows and queries of each group.
    counts : tuple of tuple of float, shape (g, g)
        Results of group h (column) given to queries of group g (row); padding is not counted, and of rows that are
        equally near each counts with its chance to be listed.
    share : tuple of tuple of float, shape (g, g)
        ``counts`` over their row sums; NaN for a group without results.
    chance : tuple of tuple of float, shape (g, g)
        Share if results were drawn evenly from what a query could return: n_h / n, or, its own row left out,
        (n_h - [g = h]) / (n - 1).
    """

    groups: tuple[str, ...]
    rows: tuple[int, ...]
    queries: tuple[int, ...]
    counts: Table
    share: Table
    chance: Table


def mixing(
    neighbors: Neighbors, row_groups: Sequence[str], query_groups: Sequence[str | None], *, left_out: bool
) -> Mixing:
    """Count which groups the results of each group's queries belong to.

    Parameters
    ----------
    neighbors : Neighbors, shape (q, k)
    row_groups : sequence of str, length n
    query_groups : sequence of str or None, length q
        A query without a group is not counted.
    left_out : bool
        Whether each query is a row that was kept out of its own results.

    Raises
    ------
    ShapeError
        When a query or a returned row has no entry.
    """
    check_groups(neighbors, row_groups, len(query_groups))
    groups = tuple(dict.fromkeys([*row_groups, *(group for group in query_groups if group is not None)]))
    number = {group: at for at, group in enumerate(groups)}
    of_row = np.array([number[group] for group in row_groups], dtype=np.int64)
    of_query = np.array([-1 if group is None else number[group] for group in query_groups], dtype=np.int64)
    size = len(groups)
    every = entries(neighbors)
    counted = of_query[every.query] >= 0
    pairs = (of_query[every.query] * size + of_row[every.row])[counted]
    counts = np.bincount(pairs, among(every, neighbors.k)[counted], minlength=size * size).reshape(size, size)
    share = ratio(counts, counts.sum(axis=1, keepdims=True))
    rows = np.bincount(of_row, minlength=size)
    chance = (rows[None, :] - left_out * np.eye(size)) / max(1, len(row_groups) - left_out)
    return Mixing(
        groups=groups,
        rows=tuple(rows.tolist()),
        queries=tuple(np.bincount(of_query[of_query >= 0], minlength=size).tolist()),
        counts=tuple(map(tuple, counts.tolist())),
        share=tuple(map(tuple, share.tolist())),
        chance=tuple(map(tuple, np.maximum(chance, 0.0).tolist())),
    )


def joined(mixing: Mixing, most: int) -> Mixing:
    """Return the matrix of at most so many groups: the largest ones by themselves, all others as one, at the end."""
    if len(mixing.groups) <= most:
        return mixing
    large = sorted(sorted(range(len(mixing.groups)), key=lambda at: -mixing.rows[at])[: most - 1])
    small = [at for at in range(len(mixing.groups)) if at not in set(large)]
    counts, chance = np.array(mixing.counts, dtype=np.float64), np.array(mixing.chance, dtype=np.float64)
    counts = np.stack([*(counts[at] for at in large), counts[small].sum(axis=0)])
    counts, chance = (
        np.concatenate([each[:, large], each[:, small].sum(axis=1, keepdims=True)], axis=1)
        for each in (counts, chance[[*large, small[0]]])  # the queries of all others have one chance
    )
    rows, queries = (
        (*(each[at] for at in large), sum(each[at] for at in small)) for each in (mixing.rows, mixing.queries)
    )
    share = ratio(counts, counts.sum(axis=1, keepdims=True))
    names = (*(mixing.groups[at] for at in large), f"{len(small)} other groups")
    return Mixing(names, rows, queries, *(tuple(map(tuple, each.tolist())) for each in (counts, share, chance)))


def check_groups(neighbors: Neighbors, row_groups: Sequence[str], queries: int) -> None:
    """Refuse neighbours whose queries or rows have no entry in the lists of groups."""
    if len(neighbors.rows) != queries or neighbors.rows.max(initial=-1) >= len(row_groups):
        raise ShapeError(
            f"There must be a group for each of the {len(neighbors.rows)} queries and for every row they return. "
            f"Got {queries} groups of queries and {len(row_groups)} of rows. Give one group per query and per row."
        )


MIXING = Measure(
    name="mixing",
    function=mixing,
    summary="which groups appear among the results of which, against even shares",
    formula="results of group h given to queries of group g / results of queries of group g",
    needs="neighbors + groups",
    direction=None,
    range=(0.0, 1.0),
    symmetric=False,
    invariances=("order of the queries", "order of the neighbours within a list", "names of the groups"),
    undefined_when="no query of the group returned anything",
    chance="n_h / n; the query's own row left out, (n_h - [g = h]) / (n - 1)",
    reference="mixing matrix of Newman 2003, Phys. Rev. E 67, 026126",
    cutoff=False,
)
