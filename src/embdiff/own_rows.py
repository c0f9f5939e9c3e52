"""Which rows of the corpus are a query itself, and what becomes of them: dropped from its list, kept, or marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError
from embdiff.records import IntArray, Neighbors
from embdiff.ties import entries, shortened

_FEW_OWN = 8


@dataclass(frozen=True)
class OwnRows:
    """The corpus rows that are the queries themselves, and whether they may be returned.

    Parameters
    ----------
    rows : sequence of ndarray of int64, length q
        For each query the rows that count as itself, possibly none.
    drop : bool
        Whether they are left out of the results.
    mark : bool
        Whether they are marked ``self`` where they stay.
    """

    rows: Sequence[IntArray]
    drop: bool
    mark: bool = True

    @property
    def most(self) -> int:
        """The largest number of own rows of any query."""
        return max((len(rows) for rows in self.rows), default=0)

    @property
    def dropped(self) -> int:
        """How many rows more than wanted a list must have, so that enough are left."""
        return self.most if self.drop else 0

    def marked(self, rows: IntArray) -> npt.NDArray[np.bool_]:
        """Return where ``rows`` are to be marked as the query itself; their shape."""
        return self.within(rows) if self.mark else np.zeros(rows.shape, dtype=bool)

    def within(self, rows: IntArray) -> npt.NDArray[np.bool_]:
        """Return where ``rows[i, j]`` is an own row of query i; shape of ``rows``.

        Queries with one text share one array of own rows, so thousands of equal texts cost no more than others.
        """
        found = np.zeros(rows.shape, dtype=bool)
        few = [query for query, own in enumerate(self.rows) if 0 < len(own) <= _FEW_OWN]
        if few:
            table = OwnRows([self.rows[query] for query in few], self.drop).padded()
            found[few] = contains(table, rows[few])
        many: dict[int, list[int]] = {}
        for query, own in enumerate(self.rows):
            if len(own) > _FEW_OWN:
                many.setdefault(id(own), []).append(query)
        for queries in many.values():
            found[queries] = np.isin(rows[queries], self.rows[queries[0]])
        return found

    def hold(self, query: IntArray, row: IntArray) -> npt.NDArray[np.bool_]:
        """Return which rows (m,) are own rows of their queries (m,), queries ascending."""
        found = np.zeros(len(row), dtype=bool)
        asked, begin = np.unique(query, return_index=True)
        for each, start, end in zip(asked.tolist(), begin, [*begin[1:], len(query)], strict=True):
            found[start:end] = np.isin(row[start:end], self.rows[each])
        return found

    def padded(self) -> IntArray:
        """Return the own rows as one array of shape (q, most), padded with -1."""
        table = np.full((len(self.rows), self.most), -1, dtype=np.int64)
        for query, rows in enumerate(self.rows):
            table[query, : len(rows)] = rows
        return table

    def check_k(self, k: int, corpus_rows: int) -> None:
        """Refuse a ``k`` for which some query has too few rows left to return."""
        left = corpus_rows - self.dropped
        if 1 <= k <= left:
            return
        why = f"{corpus_rows} rows" + (f", {self.most} left out as the query itself" if self.drop else "")
        raise ParameterError(f"k must be between 1 and {left} ({why}). Got {k}. Lower k or add rows.")


def followed_by_own(rows: IntArray, own: OwnRows) -> IntArray:
    """Return rows (q, m) and, behind them, the own rows that are dropped: what `places` must know the ranks of."""
    return np.concatenate([rows, own.padded()], axis=1) if own.drop else rows


def certain(a: Neighbors, b: Neighbors, own: OwnRows) -> IntArray:
    """Return how many of each query's own rows both lists hold, (q,): no luck was needed for those."""
    both: IntArray = np.count_nonzero(own.within(a.rows) & contains(b.rows, a.rows), axis=1)
    return both


def contains(sets: IntArray, rows: IntArray) -> npt.NDArray[np.bool_]:
    """Return where ``rows[i, j]`` (not -1) occurs in ``sets[i]``; shape of ``rows``."""
    found = np.zeros(rows.shape, dtype=bool)
    for column in sets.T:
        found |= (rows == column[:, None]) & (rows >= 0)
    return found


def without_own(neighbors: Neighbors, own: OwnRows, k: int) -> Neighbors:
    """Leave each query's own rows out of its list, (q, wide), and cut it to k, padding what comes back short.

    Where they are not dropped the list stays as it is.
    """
    if not own.drop:
        return neighbors
    if neighbors.ties is not None:
        every = entries(neighbors)
        return shortened(neighbors, own.hold(every.query, every.row), k)
    gone = own.within(neighbors.rows) | (neighbors.rows < 0)
    order = np.argsort(gone, axis=1, kind="stable")[:, :k]
    dropped = np.take_along_axis(gone, order, axis=1)
    rows = np.where(dropped, -1, np.take_along_axis(neighbors.rows, order, axis=1))
    similarity = np.where(dropped, np.float32(np.nan), np.take_along_axis(neighbors.similarity, order, axis=1))
    return Neighbors(rows, similarity.astype(np.float32), neighbors.metric, neighbors.index)
