"""What the test of absence compares with: how often each group is returned when labels or rows are shuffled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff._progress import progress
from embdiff.measures.statistics.quantiles import Doubles, ratio
from embdiff.measures.ties import among
from embdiff.records import IntArray, Neighbors
from embdiff.ties import entries

_TOGETHER = 64  # labellings counted at a time: the labels of one row under all of them fill one line of the cache


@dataclass(frozen=True, eq=False)
class Results:
    """Lists laid out for counting under many labellings of the rows: each result costs one look-up.

    Parameters
    ----------
    columns : ndarray of int32, shape (m, q)
        Rows returned, one line per place; n stands for padding. Of rows that are equally near all that could be.
    chances : ndarray of float64, shape (m, q), or None
        The chance of each to be listed; None where all are.
    asked : ndarray of int64, shape (q,)
        The row that each query is.
    given : ndarray of float64, shape (q,)
        Results of each query.
    received : ndarray of float64, shape (n,)
        How often each row was returned.
    """

    columns: npt.NDArray[np.int32]
    chances: Doubles | None
    asked: IntArray
    given: Doubles
    received: Doubles

    @classmethod
    def of(cls, neighbors: Neighbors, asked: IntArray, rows: int) -> Results:
        """Lay out the lists of the rows ``asked`` of a corpus of so many rows."""
        every, queries = entries(neighbors), len(neighbors.rows)
        chance = among(every, neighbors.k)
        given, received = (by_label(each, chance, count) for each, count in ((every.query, queries), (every.row, rows)))
        begin = np.searchsorted(every.query, np.arange(queries + 1))
        place = np.arange(len(every.query)) - begin[every.query]
        width = int(np.diff(begin).max(initial=0))
        columns, chances = np.full((width, queries), rows, dtype=np.int32), np.zeros((width, queries))
        columns[place, every.query], chances[place, every.query] = every.row, chance
        return cls(columns, None if (chance == 1.0).all() else chances, asked, given, received)

    @property
    def _count(self) -> type[Any]:
        if self.chances is not None:
            return np.float64
        return np.uint8 if len(self.columns) < 2**8 else np.int32

    def counted(self, labels: IntArray, sizes: IntArray) -> tuple[Doubles, Doubles]:
        """Return the hits of each group by the queries of others, and those due to it; both (g, m).

        Parameters
        ----------
        labels : ndarray of int64, shape (n, m)
            Group of each row, from 0, under each of m labellings.
        sizes : ndarray of int64, shape (g,)
        """
        small = np.int8 if len(sizes) < 2**7 else np.int32
        looked_up = np.concatenate([labels, np.full((1, labels.shape[1]), -1)]).astype(small)
        own = looked_up[self.asked]
        within: npt.NDArray[Any] = np.zeros(own.shape, dtype=self._count)
        for place, column in enumerate(self.columns):
            alike = looked_up[column] == own
            within += alike if self.chances is None else alike * self.chances[place][:, None]
        groups = len(sizes)
        inside, given = summed(labels[self.asked], groups, within, self.given[:, None])
        (received,) = summed(labels, groups, self.received[:, None])
        return received - inside, others(rates(given - inside, sizes)) * sizes[:, None]


def summed(labels: IntArray, groups: int, *values: Doubles) -> tuple[Doubles, ...]:
    """Sum values, (n, m) or (n, 1), by label under each of m labellings (n, m); each (groups, m)."""
    count = labels.shape[1]
    codes = (labels + groups * np.arange(count)).ravel()
    flat = (np.broadcast_to(each, labels.shape).ravel() for each in values)
    sums = (np.asarray(np.bincount(codes, each, groups * count), dtype=np.float64) for each in flat)
    return tuple(each.reshape(count, groups).T for each in sums)


def by_label(labels: IntArray, values: npt.ArrayLike, groups: int) -> Doubles:
    """Sum values (n,) by label (n,): (groups,)."""
    return np.asarray(np.bincount(labels, weights=values, minlength=groups), dtype=np.float64)


def rates(across: Doubles, sizes: IntArray) -> Doubles:
    """Return what the queries of a group drew from outside it, per row outside; 0 where there is none; (g, ...)."""
    return ratio(across, (sizes.sum() - sizes).reshape(-1, *[1] * (across.ndim - 1)), 0.0)


def others(rate: Doubles) -> Doubles:
    """Sum over all groups but each, (g, ...): the total less the own rate would leave rounding where 0 is meant."""
    before, after = np.zeros_like(rate), np.zeros_like(rate)
    before[1:] = np.cumsum(rate[:-1], axis=0)
    after[:-1] = np.cumsum(rate[:0:-1], axis=0)[::-1]
    return before + after


def residuals(of_row: IntArray, by_row: tuple[Doubles, Doubles], sizes: IntArray) -> Doubles:
    """Return how far above what is due each row was returned, in standard deviations of such a row, (n,).

    ``(h_j - e_j) / sqrt(e_j + f e_j^2)``: hits of a row of popularity w are Poisson of mean w e_j, and f is the
    variance of w, estimated from how rates ``h_j / e_j`` differ within groups (a negative binomial law, by moments).
    All rows of a group have one e_j; rows of large groups have fewer queries to be returned to, and their rates vary
    more. 0 where nothing is due.

    Parameters
    ----------
    of_row : ndarray of int64, shape (n,)
    by_row : two ndarrays of float64, shape (n,)
        Hits of each row from other groups, and those due to it.
    sizes : ndarray of int64, shape (g,)
    """
    hits, due = by_row
    known = due > 0
    rate, noise = (ratio(top, due, 0.0) for top in (hits, np.ones(len(due))))
    mean = by_label(of_row, rate, len(sizes)) / np.maximum(sizes, 1)
    several = known & (sizes[of_row] > 1)
    share = (sizes / np.maximum(sizes - 1, 1))[of_row]
    spread = ((rate - mean[of_row]) ** 2 * share - noise)[several]
    varies = max(0.0, float(spread.mean())) if spread.size else 0.0
    return ratio(hits - due, np.sqrt(due + varies * due**2), 0.0)


def count_lower(
    of_row: IntArray,
    by_row: tuple[Doubles, Doubles],
    observed: tuple[Doubles, Doubles],
    results: Results,
    permutations: int,
    seed: int,
) -> tuple[IntArray, IntArray]:
    """Count the permutations in which a group is returned as rarely as observed, in either null model; both (g,).

    Parameters
    ----------
    of_row : ndarray of int64, shape (n,)
        Group of each row.
    by_row : two ndarrays of float64, shape (n,)
        Hits of each row from other groups, and those due to it, as they are: rows keep their `residuals` in the first
        null model.
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
    labels, by_kept = of_row.copy(), residuals(of_row, by_row, sizes)
    least = by_label(of_row, by_kept, groups)
    least += 1e-9 * (1 + np.abs(least))  # what differs by rounding alone is a tie, and counts
    with progress("absence test", permutations, "permutations") as advance:
        for done in range(0, permutations, _TOGETHER):
            table = np.empty((min(_TOGETHER, permutations - done), len(labels)), dtype=np.int64)
            for line in table:
                rng.shuffle(labels)  # draws every group at once, each as a sample of rows without replacement
                line[:] = labels
            drawn = np.ascontiguousarray(table.T)
            kept += np.count_nonzero(summed(drawn, groups, by_kept[:, None])[0] <= least[:, None], axis=1)
            hits, expected = results.counted(drawn, sizes)
            # Ratios compared crosswise; what differs by rounding alone is a tie, and counts.
            again += np.count_nonzero(hits * due[:, None] <= expected * taken[:, None] * (1 + 1e-9), axis=1)
            advance(len(table))
    return kept, again
