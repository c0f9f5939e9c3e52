"""Whether a group is missing from the results of the others.

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

Of two groups there is no test: what either returns from outside itself is the other, so that the ratio is 1 in every
space and under all labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embdiff._plain import Number, Record
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.absence_null import Null, Results, by_label, returned_by_row
from embdiff.measures.mixing import MIXING, check_groups
from embdiff.measures.statistics.quantiles import holm, log_binomial
from embdiff.measures.ties import in_one_order
from embdiff.records import IntArray, Neighbors

ALPHA = 0.05
PERMUTATIONS = 9_999
EACH, MOST = 50, 99_999  # permutations for each of many tests: the lowest p after Holm is .02; and how many at most
MOST_DEALT = 2**32  # labels given to rows in all permutations, about a quarter of an hour; beyond, there is no test
MOST_CHANCES = 2**23  # rows that could be listed; beyond, the tests take ties in one random order
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
        Behind ``p``: more where the group is rare, when there are many tests.
    reason : str or None
        Why ratio and p are undefined.
    p_kept, p_recounted : float
        The two that ``p`` is the larger of: rows keep their counts, everything is counted again.
    p_least : float
        The lowest that p could have been: one of all permutations, or one of all ways to choose so many rows.
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
    p_least: Number = math.nan


def most_permutations(tests: int) -> int:
    """Return how many permutations so many tests need to be decided after Holm, as far as they are to be had."""
    return max(PERMUTATIONS, min(MOST, EACH * tests - 1))


def absence_test(
    neighbors: Neighbors,
    row_groups: Sequence[str],
    *,
    query_rows: IntArray | None = None,
    permutations: int = PERMUTATIONS,
    most: int | None = None,
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
    most : int, optional
        Permutations for groups that are rare among the first (`most_permutations`). Default: no more.
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
    hits, expected = returned_by_row(neighbors, of_row, of_row[asked], sizes)
    taken, due = (by_label(of_row, values, len(groups)) for values in (hits, expected))
    results = Results.of(neighbors, asked, len(of_row))
    null = Null(of_row, (hits, expected), (taken, due), results, seed)
    most = max(permutations, min(most or 0, MOST_DEALT // null.dealt))
    large = null.dealt * permutations > MOST_DEALT
    nothing = np.full(len(groups), math.nan), np.full(len(groups), math.nan), np.zeros(len(groups), dtype=np.int64)
    kept, again, drawn = nothing if large else null.p_values(permutations, most)
    given = by_label(of_row, results.given, len(groups))
    tests = []
    for at, group in enumerate(groups):
        reason = _reason(len(groups), float(due[at]), float(given.sum())) or (_TOO_LARGE if large else None)
        p_kept, p_recounted = (math.nan, math.nan) if reason else (float(kept[at]), float(again[at]))
        results_of_others = given.sum() - given[at]
        tests.append(
            GroupTest(
                group=group,
                n_rows=int(sizes[at]),
                hits=float(taken[at]),
                observed=float(taken[at] / results_of_others) if results_of_others else math.nan,
                expected=float(sizes[at] / (len(of_row) - 1)) if sizes[at] < len(of_row) else math.nan,
                ratio=math.nan if reason else float(taken[at] / due[at]),
                p=max(p_kept, p_recounted),
                permutations=int(drawn[at]),
                reason=reason,
                p_kept=p_kept,
                p_recounted=p_recounted,
                p_least=math.nan if reason else _least(len(of_row), int(sizes[at]), most),
            )
        )
    return tests


_TOO_LARGE = (
    "so many rows and groups take too long to shuffle: name fewer groups, or fewer permutations (--permutations)"
)


def _least(rows: int, size: int, permutations: int) -> float:
    """Return the lowest p that a group of so many rows can have."""
    return max(1 / (permutations + 1), math.exp(-log_binomial(rows, size)))


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
    if groups == 2:
        return "there are only 2 groups: what either returns from outside itself is the other, in every space"
    return None if due > 0 else "no query of another group returned anything from outside its own group"


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


def undecided(tests: Sequence[GroupTest]) -> list[GroupTest]:
    """Return the tests that look rare, but are so many that none of them could have been found beside the others.

    Parameters
    ----------
    tests : sequence of GroupTest
        Of all models, with ``p_holm``.
    """
    known = [test for test in tests if math.isfinite(test.p_holm)]
    return [each for each in known if each.p <= ALPHA <= each.p_holm and each.p_least * len(known) >= ALPHA]


GROUP_PRESENCE = replace(
    MIXING,
    name="group_presence",
    function=absence_test,
    summary="how often a group is returned to the other groups, against how often they are returned to each other",
    formula="sum h_j / sum e_j over the rows j of the group",
    direction="the group is returned to other groups more often",
    range=(0.0, math.inf),
    invariances=("order of the rows", "order of the neighbours within a list", "names of the groups"),
    undefined_when="there are fewer than 3 groups, or no query of another group returned anything from outside its own",
    chance="1",
    reference="permutation tests with (1 + count) / (P + 1): Phipson and Smyth 2010; the larger p of two: Berger 1982",
)
