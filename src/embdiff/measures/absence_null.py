"""What the test of absence compares with: how often each group is returned when labels or rows are shuffled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff._progress import progress
from embdiff.measures.inference import Doubles
from embdiff.records import IntArray, Neighbors

_REPORTED = 100  # permutations between two reports of progress


@dataclass(frozen=True, eq=False)
class Results:
    """Lists laid out for counting under many labellings of the rows: each result costs one look-up.

    Parameters
    ----------
    columns : ndarray of int32, shape (k, q)
        Rows returned, one line per place; n stands for padding.
    asked : ndarray of int64, shape (q,)
        The row that each query is.
    given : ndarray of float64, shape (q,)
        Results of each query.
    received : ndarray of float64, shape (n,)
        How often each row was returned.
    """

    columns: npt.NDArray[np.int32]
    asked: IntArray
    given: Doubles
    received: Doubles

    @classmethod
    def of(cls, neighbors: Neighbors, asked: IntArray, rows: int) -> Results:
        """Lay out the lists of the rows ``asked`` of a corpus of so many rows."""
        returned = neighbors.rows >= 0
        columns = np.ascontiguousarray(np.where(returned, neighbors.rows, rows).T.astype(np.int32))
        received = np.bincount(neighbors.rows[returned], minlength=rows).astype(np.float64)
        return cls(columns, asked, np.count_nonzero(returned, axis=1).astype(np.float64), received)

    def counted(self, labels: IntArray, sizes: IntArray) -> tuple[Doubles, Doubles]:
        """Return the hits of each group by the queries of others, and those due to it; both (g,).

        Parameters
        ----------
        labels : ndarray of int64, shape (n,)
            Group of each row, from 0.
        sizes : ndarray of int64, shape (g,)
        """
        # Small labels stay in the cache while they are looked up at random.
        looked_up = np.append(labels, -1).astype(np.int8 if len(sizes) < 2**7 else np.int32)
        of_query = labels[self.asked]
        own = looked_up[self.asked]
        within = np.zeros(len(own), dtype=np.int32)
        for column in self.columns:
            within += looked_up[column] == own
        inside = summed(of_query, within, len(sizes))
        rate = rates(summed(of_query, self.given, len(sizes)) - inside, sizes)
        return summed(labels, self.received, len(sizes)) - inside, others(rate) * sizes


def summed(labels: IntArray, values: npt.ArrayLike, groups: int) -> Doubles:
    """Sum values by label, (groups,)."""
    return np.asarray(np.bincount(labels, weights=values, minlength=groups), dtype=np.float64)


def rates(across: Doubles, sizes: IntArray) -> Doubles:
    """Return what the queries of a group drew from outside it, per row outside; 0 where there is none, (g,)."""
    outside = sizes.sum() - sizes
    return np.asarray(np.divide(across, outside, out=np.zeros(len(sizes)), where=outside > 0), dtype=np.float64)


def others(rate: Doubles) -> Doubles:
    """Sum over all groups but each, (g,): the total less the own rate would leave rounding where 0 is meant."""
    before = np.concatenate([[0.0], np.cumsum(rate)[:-1]])
    after = np.concatenate([[0.0], np.cumsum(rate[::-1])[:-1]])[::-1]
    return np.asarray(before + after, dtype=np.float64)


def count_lower(
    of_row: IntArray,
    by_row: tuple[Doubles, Doubles],
    observed: tuple[Doubles, Doubles],
    results: Results,
    permutations: int,
    seed: int,
) -> tuple[IntArray, IntArray]:
    """Count the permutations whose ratio is at most the observed one, in either null model; both (g,).

    Parameters
    ----------
    of_row : ndarray of int64, shape (n,)
        Group of each row.
    by_row : two ndarrays of float64, shape (n,)
        Hits of each row from other groups, and those due to it, as they are: what rows keep in the first null model.
    observed : two ndarrays of float64, shape (g,)
        Their sums by group.
    results : Results
        For the second, where all is counted again.
    permutations, seed : int
    """
    rng, (taken, due) = np.random.default_rng(seed), observed
    groups = len(due)
    sizes = np.bincount(of_row, minlength=groups)
    kept, again = (np.zeros(groups, dtype=np.int64) for _ in range(2))
    labels = of_row.copy()
    with progress("absence test", permutations, "permutations") as advance:
        for done in range(0, permutations, _REPORTED):
            count = min(_REPORTED, permutations - done)
            for _ in range(count):
                rng.shuffle(labels)  # draws every group at once, each as a sample of rows without replacement
                hits, expected = (summed(labels, values, groups) for values in by_row)
                kept += _at_most(hits * due, expected * taken)
                hits, expected = results.counted(labels, sizes)
                again += _at_most(hits * due, expected * taken)
            advance(count)
    return kept, again


def _at_most(left: Doubles, right: Doubles) -> npt.NDArray[Any]:
    # Ratios compared crosswise; what differs by rounding alone is a tie, and counts.
    return np.asarray(left <= right * (1 + 1e-9))
