"""Which groups are returned to which, and whether a group is missing from the results of the others.

Two null models are tried, and the larger p-value is reported, so that both must be rejected (an intersection-union
test, Berger 1982). In the first each row keeps how often it was returned to other groups, above what was due to it and
in standard deviations (rows of a large group have fewer queries of others): right where groups keep to themselves, but
blind to rows that return each other, whose counts fall together when they share a group. In the second the labels are
shuffled and everything is counted again: right for labels that mean nothing, whatever the lists.

How far to trust the p-value (docs/calibration.md): labels drawn at random over real nearest neighbours are rejected in
about 5 % of repetitions at 5 % for groups of equal size and for a small group among larger ones, in about 2 % for a
large group among smaller ones; where rows
draw their neighbours independently with a preference for their own group, in 1 to 5 %. Where each group is a cluster of
its own, groups at the rim really are returned less often than groups in the middle, and the test says so (10 to 19 % of
groups in a simulation): it speaks of how this corpus lies in this space, not of why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embdiff._plain import Number, Record
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.absence_null import Results, by_label, count_lower, others, rates
from embdiff.measures.base import Measure
from embdiff.measures.statistics.quantiles import Doubles, holm, ratio
from embdiff.measures.ties import among, in_one_order
from embdiff.records import IntArray, Neighbors
from embdiff.ties import entries

MOST_CHANCES = 2**23  # rows that could be listed; beyond, the tests take ties in one random order
Table = tuple[tuple[Number, ...], ...]
STATISTIC = (
    "times that rows of the group were returned to queries of other groups, over the number expected if the "
    "other-group results of every query were spread evenly over the rows outside the query's group"
)
UNIT = (
    "row: which rows make up the group is shuffled, once with each row keeping how often it was returned to other "
    "groups (above what was due to it, in standard deviations), once with all results counted again under the shuffled "
    "groups; p is the larger of the two"
)


@dataclass(frozen=True)
class GroupTest(Record):
    """Whether a group is returned to the other groups as often as they are to each other.

    Parameters
    ----------
    group : str
    n_rows : int
        Rows of the group.
    hits : float
        Times that a row of the group was returned to a query of another group; of rows that are equally near each
        counts with its chance to be listed.
    observed : float
        The same as a share of all results of those queries.
    expected : float
        That share if results were drawn evenly: n_rows / (n - 1).
    ratio : float
        The statistic (`STATISTIC`): 1 = as often as the other groups, 0 = never.
    p : float
        One-sided (less often), (1 + permutations with a ratio as low) / (permutations + 1), the larger of two: rows
        keep their counts, or everything is counted again (`UNIT`).
    p_holm : float
        Adjusted over all groups and models by `adjust`; NaN before.
    permutations : int
    reason : str or None
        Why ratio and p are undefined.
    p_kept, p_recounted : float
        The two that ``p`` is the larger of: rows keep their counts, everything is counted again.
    """

    group: str
    n_rows: int
    hits: Number
    observed: Number
    expected: Number
    ratio: Number
    p: Number
    permutations: int
    p_holm: Number = math.nan
    reason: str | None = None
    p_kept: Number = math.nan
    p_recounted: Number = math.nan


def absence_test(
    neighbors: Neighbors,
    row_groups: Sequence[str],
    *,
    query_rows: IntArray | None = None,
    permutations: int = 9_999,
    seed: int,
) -> list[GroupTest]:
    """Test, for each group, whether the other groups' queries return it less often than they return each other.

    Let h_j be how often row j is returned to queries of other groups, and e_j how often it would be if each query's
    results outside its own group were spread evenly over the rows outside its group: the sum, over the other groups
    a, of (results that queries of a drew from outside a) / (rows outside a). The statistic of a group is sum h_j /
    sum e_j over its rows (`STATISTIC`). That every group mostly returns itself does not make it small.

    Parameters
    ----------
    neighbors : Neighbors, shape (n, k), or (q, k) with ``query_rows``
        Every row as a query, its own row left out.
    row_groups : sequence of str, length n
    query_rows : ndarray of int64, shape (q,), optional
        Which rows the queries are, each once, when only some rows were asked (a random sample of them): counts and
        expected counts are then of their results.
    permutations : int
        Of which rows make up the group (`UNIT`).
    seed : int

    Returns
    -------
    list of GroupTest
        In order of appearance; ``p_holm`` is NaN until `adjust`.

    Raises
    ------
    ShapeError
        When there is not one query and one group per row, or one query per row of ``query_rows``.
    ParameterError
        When a query returned its own row, or ``permutations`` is below 1.
    """
    asked = np.arange(len(row_groups)) if query_rows is None else np.asarray(query_rows, dtype=np.int64)
    neighbors = in_one_order(neighbors, MOST_CHANCES)
    _check_queries(neighbors, row_groups, asked, permutations)
    groups = tuple(dict.fromkeys(row_groups))
    number = {group: at for at, group in enumerate(groups)}
    of_row = np.array([number[group] for group in row_groups], dtype=np.int64)
    sizes = np.bincount(of_row)
    hits, expected = _by_row(neighbors, of_row, of_row[asked], sizes)
    taken, due = (by_label(of_row, values, len(groups)) for values in (hits, expected))
    results = Results.of(neighbors, asked, len(of_row))
    lower = count_lower(of_row, (hits, expected), (taken, due), results, permutations, seed)
    given = by_label(of_row[asked], results.given, len(groups))
    tests = []
    for at, group in enumerate(groups):
        reason = _reason(len(groups), float(due[at]), float(given.sum()))
        kept, recounted = (math.nan if reason else float(1 + count[at]) / (permutations + 1) for count in lower)
        results_of_others = given.sum() - given[at]
        tests.append(
            GroupTest(
                group=group,
                n_rows=int(sizes[at]),
                hits=float(taken[at]),
                observed=float(taken[at] / results_of_others) if results_of_others else math.nan,
                expected=float(sizes[at] / (len(of_row) - 1)) if sizes[at] < len(of_row) else math.nan,
                ratio=math.nan if reason else float(taken[at] / due[at]),
                p=max(kept, recounted),
                permutations=permutations,
                reason=reason,
                p_kept=kept,
                p_recounted=recounted,
            )
        )
    return tests


def _check_queries(neighbors: Neighbors, row_groups: Sequence[str], asked: IntArray, permutations: int) -> None:
    check_groups(neighbors, row_groups, len(neighbors.rows))
    if len(neighbors.rows) != len(asked):
        raise ShapeError(
            f"The test of absence needs every row as a query. Got {len(neighbors.rows)} queries and "
            f"{len(asked)} rows. Search with every row, or say which rows were asked."
        )
    own = np.flatnonzero((neighbors.rows == asked[:, None]).any(axis=1))
    if own.size:
        raise ParameterError(
            f"Every query must have its own row left out. Got row {asked[own[0]]} among its own results ({own.size} in "
            "all). Search with the own row left out."
        )
    if permutations < 1:
        raise ParameterError(f"Permutations must be at least 1. Got {permutations}. Use 9999.")


def _reason(groups: int, due: float, results: float) -> str | None:
    if groups < 2:
        return "there are fewer than 2 groups"
    if not results:
        return "there are no results"
    return None if due > 0 else "no query of another group returned anything from outside its own group"


def _by_row(neighbors: Neighbors, of_row: IntArray, of_query: IntArray, sizes: IntArray) -> tuple[Doubles, Doubles]:
    """Return how often each row was returned to other groups, and how often it would be by chance, both (n,)."""
    every = entries(neighbors)
    across = of_row[every.row] != of_query[every.query]
    query, row, chance = every.query[across], every.row[across], among(every, neighbors.k)[across]
    hits = by_label(row, chance, len(of_row))
    drawn = by_label(of_query[query], chance, len(sizes))
    return hits, others(rates(drawn, sizes))[of_row]


def adjust(tests: Mapping[str, Sequence[GroupTest]]) -> dict[str, list[GroupTest]]:
    """Fill in ``p_holm``, adjusted over all groups of all models together.

    Parameters
    ----------
    tests : mapping of str to sequence of GroupTest
        Tests by model.
    """
    adjusted = iter(holm([test.p for group_tests in tests.values() for test in group_tests]).tolist())
    return {
        model: [replace(test, p_holm=next(adjusted)) for test in group_tests] for model, group_tests in tests.items()
    }


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
GROUP_PRESENCE = replace(
    MIXING,
    name="group_presence",
    function=absence_test,
    summary="how often a group is returned to the other groups, against how often they are returned to each other",
    formula="sum h_j / sum e_j over the rows j of the group",
    direction="the group is returned to other groups more often",
    range=(0.0, math.inf),
    invariances=("order of the rows", "order of the neighbours within a list", "names of the groups"),
    undefined_when="there are fewer than 2 groups, or no query of another group returned anything from outside its own",
    chance="1",
    reference="permutation tests with (1 + count) / (P + 1): Phipson and Smyth 2010; the larger p of two: Berger 1982",
)
