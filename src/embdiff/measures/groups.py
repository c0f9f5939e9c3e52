"""Which groups are returned to which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embdiff._plain import Number, Record
from embdiff.errors import ShapeError
from embdiff.measures.base import Measure
from embdiff.records import Neighbors

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
    counts : tuple of tuple of int, shape (g, g)
        Results of group h (column) given to queries of group g (row); padding is not counted.
    share : tuple of tuple of float, shape (g, g)
        ``counts`` over their row sums; NaN for a group without results.
    chance : tuple of tuple of float, shape (g, g)
        Share if results were drawn evenly from what a query could return: n_h / n, or, its own row left out,
        (n_h - [g = h]) / (n - 1).
    """

    groups: tuple[str, ...]
    rows: tuple[int, ...]
    queries: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]
    share: Table
    chance: Table


def number_or_nan(value: float | None) -> float:
    """Undo `null`."""
    return math.nan if value is None else float(value)


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
    counted = (neighbors.rows >= 0) & (of_query >= 0)[:, None]
    pairs = (of_query[:, None] * size + of_row[neighbors.rows])[counted]
    counts = np.bincount(pairs, minlength=size * size).reshape(size, size)
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
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
