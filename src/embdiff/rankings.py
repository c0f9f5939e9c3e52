"""Rankings without one dense vector for each text: lists, places and ties from a score of every row for a query."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff._progress import progress
from embdiff.records import FloatArray, IntArray, Neighbors, Ragged
from embdiff.ties import TOLERANCE, Entries, entries, groups, listed

Doubles = npt.NDArray[np.float64]
Asked = Sequence[str] | Ragged  # queries: texts, or what a model makes of them
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
        self._known: tuple[Ragged | tuple[str, ...], dict[int, Doubles]] = ((), {})

    @property
    @abstractmethod
    def about(self) -> str:
        """What was run, for the protocol."""

    @abstractmethod
    def scored(self, queries: Any) -> Iterator[tuple[int, Doubles]]:
        """Yield the number of each query that finds something, ascending, and the score (n,) of every row.

        NaN where a row is not ranked. Queries are texts; a `VectorRanking` takes what its `asked` returns, too.
        """

    def rank(self, queries: Asked, depth: int) -> Neighbors:
        """Return the best rows of each query, (q, min(depth, n)), equal scores by row; ties (`embdiff.ties`) are told.

        Rows that are not ranked are not returned: -1 and NaN pad.
        """
        nobody = np.full((len(queries), 0), -1, dtype=np.int64)
        return self.rank_and_place(queries, depth, nobody)[0]

    def rank_and_place(
        self, queries: Asked, depth: int, rows: IntArray
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

    def _once(self, queries: Asked) -> Iterator[tuple[int, Doubles]]:
        """Yield the scores of queries, those of the last list of queries from memory, where they fit into it."""
        asked, (before, known) = queries if isinstance(queries, Ragged) else tuple(queries), self._known
        if len(asked) and asked == before:
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


class VectorRanking(Ranking):
    """A ranking by vectors, of rows of unequal length, that some databases can search, too.

    It answers as `embdiff.exact.Index` does, to queries that `asked` made.
    """

    rows: Ragged  # of the corpus, as a database would hold them
    _last: tuple[tuple[str, ...], Ragged] | None = None  # queries are asked of a database, and of all that is here

    @property
    @abstractmethod
    def unfit(self) -> str | None:
        """Why no database would rank these rows as this does; None where one can."""

    def asked(self, queries: Asked) -> Ragged:
        """Return what the model makes of queries; of the last ones it is remembered."""
        if isinstance(queries, Ragged):
            return queries
        if self._last is None or self._last[0] != tuple(queries):
            self._last = tuple(queries), self.encoded(queries)
        return self._last[1]

    @abstractmethod
    def encoded(self, queries: Sequence[str]) -> Ragged:
        """Return what the model makes of queries."""

    def search(self, queries: Ragged, k: int) -> Neighbors:
        """Return what `rank` does."""
        return self.rank(queries, k)

    def ranks(self, queries: Ragged, rows: IntArray) -> IntArray:
        """Return the rank of given rows (q, m) for each query, from 1; -1 for pads and rows without one."""
        return self.rank_and_place(queries, 1, rows)[1][0]

    def similarity(self, queries: Ragged, rows: IntArray) -> FloatArray:
        """Return the score of given rows (q, m) for each query; NaN for pads and rows without one."""
        return self.rank_and_place(queries, 1, rows)[1][1]


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
