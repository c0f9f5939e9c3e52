"""What the test of absence compares with: how often each group is returned when labels or rows are shuffled.

Of a large corpus most rows are silent: they did not ask, and no list holds them. One is like the next of its group, so
how many of them get which label is drawn (hypergeometric counts), and only the other rows are shuffled one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff._progress import progress
from embdiff.measures.statistics.quantiles import Doubles, ratio
from embdiff.measures.ties import among
from embdiff.records import IntArray, Neighbors
from embdiff.ties import entries

RARE = 10  # permutations as rare as observed, below which more of them may matter
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
    given : ndarray of float64, shape (n,)
        Results of each row as a query; 0 of those not asked.
    received : ndarray of float64, shape (n,)
        How often each row was returned.
    even : bool
        Whether every row gave as many results as any other: then the sizes of the groups say how many each was given.
    """

    columns: npt.NDArray[np.int32]
    chances: Doubles | None
    asked: IntArray
    given: Doubles
    received: Doubles
    even: bool

    @classmethod
    def of(cls, neighbors: Neighbors, asked: IntArray, rows: int) -> Results:
        """Lay out the lists of the rows ``asked`` of a corpus of so many rows."""
        every, queries = entries(neighbors), len(neighbors.rows)
        chance = among(every, neighbors.k)
        given, received = (by_label(each, chance, rows) for each in (asked[every.query], every.row))
        begin = np.searchsorted(every.query, np.arange(queries + 1))
        place = np.arange(len(every.query)) - begin[every.query]
        width = int(np.diff(begin).max(initial=0))
        columns, chances = np.full((width, queries), rows, dtype=np.int32), np.zeros((width, queries))
        columns[place, every.query], chances[place, every.query] = every.row, chance
        sure = bool((chance == 1.0).all())
        return cls(columns, None if sure else chances, asked, given, received, bool(np.ptp(given) == 0))

    def among(self, rows: IntArray) -> Results:
        """Return the same of these rows alone, (m,) in order, in which everybody is who asked or was returned."""
        place = np.full(len(self.given) + 1, len(rows), dtype=np.int32)  # what is no row of them is padding
        place[rows] = np.arange(len(rows))
        return replace(
            self, columns=place[self.columns], asked=place[self.asked].astype(np.int64), given=self.given[rows],
            received=self.received[rows],
        )  # fmt: skip

    @property
    def _count(self) -> type[Any]:
        if self.chances is not None:
            return np.float64
        return np.uint8 if len(self.columns) < 2**8 else np.int32

    def counted(self, labels: IntArray, sizes: IntArray, *values: Doubles) -> tuple[Doubles, ...]:
        """Return the hits of each group by the queries of others, and those due to it; each (g, m).

        Parameters
        ----------
        labels : ndarray of int64, shape (n, m)
            Group of each row, from 0, under each of m labellings.
        sizes : ndarray of int64, shape (g,)
        *values : ndarray of float64, shape (n,)
            Values of the rows whose sums by group are wanted, too; they come after the others.
        """
        small = np.int8 if len(sizes) < 2**7 else np.int16 if len(sizes) < 2**15 else np.int32
        looked_up = np.concatenate([labels, np.full((1, labels.shape[1]), -1)]).astype(small)
        own = looked_up[self.asked]
        within: npt.NDArray[Any] = np.zeros(own.shape, dtype=self._count)
        for place, column in enumerate(self.columns):
            alike = looked_up[column] == own
            within += alike if self.chances is None else alike * self.chances[place][:, None]
        inside = np.zeros(labels.shape, dtype=within.dtype)
        inside[self.asked] = within
        rest = () if self.even else (self.given,)
        back, received, *sums = summed(labels, len(sizes), inside, self.received, *values, *rest)
        given = self.given[0] * sizes[:, None] if self.even else sums.pop()
        return received - back, others(rates(given - back, sizes)) * sizes[:, None], *sums


def summed(labels: IntArray, groups: int, *values: npt.NDArray[Any]) -> tuple[Doubles, ...]:
    """Sum values, (n, m) or the same (n,) for all, by label under each of m labellings (n, m); each (groups, m)."""
    count = labels.shape[1]
    codes = (labels + groups * np.arange(count)).ravel()
    flat = (each.ravel() if each.ndim == 2 else np.repeat(each, count) for each in values)
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


def returned_by_row(
    neighbors: Neighbors, of_row: IntArray, of_query: IntArray, sizes: IntArray
) -> tuple[Doubles, Doubles]:
    """Return how often each row was returned to other groups, and how often it would be by chance, both (n,)."""
    every = entries(neighbors)
    across = of_row[every.row] != of_query[every.query]
    query, row, chance = every.query[across], every.row[across], among(every, neighbors.k)[across]
    hits = by_label(row, chance, len(of_row))
    drawn = by_label(of_query[query], chance, len(sizes))
    return hits, others(rates(drawn, sizes))[of_row]


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


class Null:
    """Both null models: permutation after permutation, how often a group is returned as rarely as observed.

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
    seed : int

    """

    def __init__(
        self,
        of_row: IntArray,
        by_row: tuple[Doubles, Doubles],
        observed: tuple[Doubles, Doubles],
        results: Results,
        seed: int,
    ) -> None:
        groups = len(observed[0])
        self._rng, self._observed = np.random.default_rng(seed), observed
        self._sizes = np.bincount(of_row, minlength=groups)
        every = residuals(of_row, by_row, self._sizes)
        told = told_by_one(results, groups)
        silent = np.ones(len(of_row), dtype=bool)
        silent[told] = False
        self._silent = np.bincount(of_row[silent], minlength=groups)
        self._theirs = by_label(of_row[silent], every[silent], groups) / np.maximum(
            self._silent, 1
        )  # one like the next
        self._labels, self._residuals = of_row[told], every[told]
        self._results = results if len(told) == len(of_row) else results.among(told)
        self.dealt = len(told) + (groups**2 if silent.any() else 0)  # work of a permutation
        least = by_label(of_row, every, groups)
        self._least = least + 1e-9 * (1 + np.abs(least))  # what differs by rounding alone is a tie, and counts
        self.kept, self.again = (np.zeros(groups, dtype=np.int64) for _ in range(2))
        self.done = 0

    def p_values(self, permutations: int, most: int) -> tuple[Doubles, Doubles, IntArray]:
        """Return both p-values of each group, and from how many permutations they are; all (g,).

        Where fewer than 10 of the first are as rare as observed, ``most`` are counted. The p-values hold: one of at
        most 10 / (permutations + 1) needs the count over all of ``most``, any other one the first alone.

        References
        ----------
        Besag and Clifford, Biometrika 78 (1991) 301 (stopping early where nothing is rare).
        """
        self._run(permutations)
        counts, drawn = np.stack([self.kept, self.again]), np.full(len(self.kept), permutations)
        rare = counts.max(axis=0) < RARE
        if rare.any():
            self._run(most)
            counts[:, rare], drawn[rare] = np.stack([self.kept, self.again])[:, rare], self.done
        kept, again = (1.0 + counts) / (drawn + 1)
        return kept, again, drawn

    def _run(self, permutations: int) -> None:
        """Count until there were so many permutations."""
        taken, due = self._observed
        with progress("absence test", permutations - self.done, "permutations") as advance:
            while self.done < permutations:
                drawn, silent = self._drawn(min(_TOGETHER, permutations - self.done))
                hits, expected, kept = self._results.counted(drawn, self._sizes, self._residuals)
                self.kept += np.count_nonzero(kept + silent <= self._least[:, None], axis=1)
                # Ratios compared crosswise; what differs by rounding alone is a tie, and counts.
                self.again += np.count_nonzero(hits * due[:, None] <= expected * taken[:, None] * (1 + 1e-9), axis=1)
                self.done += drawn.shape[1]
                advance(drawn.shape[1])

    def _drawn(self, count: int) -> tuple[IntArray, Doubles]:
        """Return so many labellings, (m, count): every group at once, each a sample of rows without replacement.

        And the sums of what silent rows keep, (groups, count).
        """
        left, sums = np.tile(self._sizes, (count, 1)), np.zeros((count, len(self._sizes)))
        for group in np.flatnonzero(self._silent):
            taken = dealt(self._rng, left, int(self._silent[group]))
            left -= taken
            sums += self._theirs[group] * taken
        table = np.empty((count, len(self._labels)), dtype=np.int64)
        for line, labels in zip(table, left, strict=True):
            if self._silent.any():
                self._labels = np.repeat(np.arange(len(labels)), labels)
            self._rng.shuffle(self._labels)
            line[:] = self._labels
        return np.ascontiguousarray(table.T), sums.T


def told_by_one(results: Results, groups: int) -> IntArray:
    """Return the rows that are shuffled one by one: those that asked or were returned, where that is less work."""
    heard = results.received > 0
    heard[results.asked] = True
    work = np.count_nonzero(heard) + groups**2
    return np.flatnonzero(heard) if 2 * work < len(heard) else np.arange(len(heard))


def dealt(rng: np.random.Generator, left: IntArray, count: int) -> IntArray:
    """Return how many of each kind are among ``count`` drawn of those left, line by line, (m, g).

    A multivariate hypergeometric law, kind after kind.
    """
    taken, wanted, rest = np.zeros_like(left), np.full(len(left), count), left.sum(axis=1)
    for at in range(left.shape[1]):
        rest = rest - left[:, at]
        taken[:, at] = rng.hypergeometric(left[:, at], rest, wanted)
        wanted = wanted - taken[:, at]
    return taken
