"""Rankings without one dense vector for each text: lists, places and ties from a score of every row for a query."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from embdiff._progress import progress
from embdiff.records import FloatArray, IntArray, Neighbors
from embdiff.ties import TOLERANCE, Entries, entries, groups, listed

Doubles = npt.NDArray[np.float64]
_REMEMBERED = 2**25  # scores of one list of queries that are kept: 256 MiB


class Ranking(ABC):
    """The rows of a corpus, ranked for queries that are texts.

    Parameters
    ----------
    kind : str
        What scores them: ``bm25``, ``sparse``, ``maxsim``, ``rerank``; it stands in the place of an index.
    size : int
        How many rows there are.
    """

    partial: str | None = None  # why some rows have no rank; None where all have one
    wanting = "has no vectors"  # why measures of vectors are undefined

    def __init__(self, kind: str, size: int) -> None:
        self.kind, self.size = kind, size
        self._known: tuple[tuple[str, ...], dict[int, Doubles]] = ((), {})

    @property
    @abstractmethod
    def about(self) -> str:
        """What was run, for the protocol."""

    @abstractmethod
    def scored(self, queries: Sequence[str]) -> Iterator[tuple[int, Doubles]]:
        """Yield the number of each query that finds something, ascending, and the score (n,) of every row.

        NaN where a row is not ranked.
        """

    def rank(self, queries: Sequence[str], depth: int) -> Neighbors:
        """Return the best rows of each query, (q, min(depth, n)), equal scores by row; ties (`embdiff.ties`) are told.

        Rows that are not ranked are not returned: -1 and NaN pad.
        """
        nobody = np.full((len(queries), 0), -1, dtype=np.int64)
        return self.rank_and_place(queries, depth, nobody)[0]

    def rank_and_place(
        self, queries: Sequence[str], depth: int, rows: IntArray
    ) -> tuple[Neighbors, tuple[IntArray, FloatArray]]:
        """Return what `rank` does, and of given rows (q, m) the rank, from 1, and the score for each query.

        A row that is not ranked has -1 and NaN, as for a pad (-1).
        """
        shape = len(queries), min(depth, self.size)
        at, there = np.full(rows.shape, -1, dtype=np.int64), np.full(rows.shape, np.nan, dtype=np.float32)
        best = [entries(self._nothing((0, 1)))]
        for number, every in self._once(queries):
            found, values, before = _best(every, shape[1])
            ones = np.ones(len(found), dtype=np.int64)
            best.append(Entries(number * ones, found, values.astype(np.float32), before, ones))
            if rows.shape[1]:
                order = _in_order(np.flatnonzero(~np.isnan(every)), every)
                place = np.full(self.size, -1, dtype=np.int64)
                place[order] = np.arange(1, len(order) + 1)
                at[number] = np.where(rows[number] >= 0, place[rows[number]], -1)
                there[number] = np.where(at[number] > 0, every[rows[number]], np.nan)
        joined = Entries(*map(np.concatenate, zip(*best, strict=True)))
        return listed(joined, self._nothing(shape), shape), (at, there)

    def _once(self, queries: Sequence[str]) -> Iterator[tuple[int, Doubles]]:
        """Yield the scores of queries, those of the last list of queries from memory, where they fit into it."""
        asked, (before, known) = tuple(queries), self._known
        if asked and asked == before:
            yield from known.items()
            return
        fits, kept = len(asked) * self.size <= _REMEMBERED, {}
        with progress(f"rank {self.kind}", len(asked), "queries") as advance:
            done = 0
            for number, every in self.scored(queries):
                if fits:
                    kept[number] = every
                yield number, every
                advance(number + 1 - done)
                done = number + 1
            advance(len(asked) - done)
        if fits:
            self._known = asked, kept

    def _nothing(self, shape: tuple[int, int]) -> Neighbors:
        """Return lists in which nothing is found."""
        rows, scores = np.full(shape, -1, dtype=np.int64), np.full(shape, np.nan, dtype=np.float32)
        return Neighbors(rows, scores, "ip", self.kind)


def _best(scores: Doubles, depth: int) -> tuple[IntArray, Doubles, IntArray]:
    """Return the best rows and all that are tied with the last of them, their scores, and how many come before."""
    found = np.flatnonzero(~np.isnan(scores))
    off = TOLERANCE * float(np.abs(scores[found]).max(initial=0.0))
    if len(found) > depth:
        last = np.partition(scores[found], len(found) - depth)[len(found) - depth]
        found = found[scores[found] >= last - off]
    found = _in_order(found, scores)
    values = scores[found]
    if not len(found):
        return found, values, found
    end = min(depth, len(found))
    before = groups(values[None, :end], np.array([off]))[0]
    return found, values, np.concatenate([before, np.full(len(found) - end, before[-1])])


def _in_order(found: IntArray, scores: Doubles) -> IntArray:
    """Return the rows found, highest score first, equal scores by row."""
    return found[np.argsort(-scores[found], kind="stable")]
