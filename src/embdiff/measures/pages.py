"""Lists of chunks as lists of the documents that they are cut from: each counts once, by its best chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embdiff.measures.judged import Graded, Judged, grade
from embdiff.records import BoolArray, IntArray, Neighbors, Ties
from embdiff.ties import entries

LINES = 20_000  # random lists that a level of chance is the mean of, at least one for each query


@dataclass(frozen=True, eq=False)
class Pages:
    """Which document each row is a chunk of.

    Parameters
    ----------
    names : tuple of str, length p
        Ids of the documents.
    of_row : ndarray of int64, shape (n,)
        Their numbers, by row.
    """

    names: tuple[str, ...]
    of_row: IntArray

    @classmethod
    def of(cls, parents: Sequence[str]) -> Pages:
        """Return the documents numbered in the order in which they come."""
        number = {name: at for at, name in enumerate(dict.fromkeys(parents))}
        return cls(tuple(number), np.array([number[name] for name in parents], dtype=np.int64))

    def deep(self, depth: int) -> int:
        """Return how many chunks a list must have, so that it surely holds so many documents, or all."""
        counts = np.sort(np.bincount(self.of_row))[::-1]
        return min(len(self.of_row), int(counts[: max(depth - 1, 0)].sum()) + 1)

    def lists(self, rows: IntArray) -> IntArray:
        """Return the documents of lists of chunks, best first, each where its first chunk is; (q, depth), -1 pads.

        Parameters
        ----------
        rows : ndarray of int64, shape (q, depth)
            Rows of chunks; -1 pads, anywhere.
        """
        pages = np.where(rows >= 0, self.of_row[rows], -1)
        gone = _again(pages) | (pages < 0)
        return _put(np.where(gone, -1, pages), gone)

    def best(self, found: Neighbors, name_rank: IntArray, depth: int) -> Neighbors:
        """Return lists of documents, each with the similarity of its best chunk, equal ones by id descending.

        Parameters
        ----------
        found : Neighbors
            Lists of chunks, as long as `deep` says.
        name_rank : ndarray of int64, shape (p,)
            Place of each document when all ids are sorted (`places.name_ranks`).
        depth : int

        Returns
        -------
        Neighbors, shape (q, min(depth, p))
            ``ties`` name the documents that are as near as the last and have no place.
        """
        every, depth, queries = entries(found), min(depth, len(self.names)), len(found.rows)
        similarity, page = found.similarity[every.query, every.before], self.of_row[every.row]
        order = np.lexsort((-name_rank[page], -similarity, every.query))
        query, page, similarity = every.query[order], page[order], similarity[order]
        kept = np.sort(np.unique(query * len(self.names) + page, return_index=True)[1])
        query, page, similarity = query[kept], page[kept], similarity[kept]
        place = np.arange(len(query)) - np.searchsorted(query, query)
        rows = np.full((queries, depth), -1, dtype=np.int64)
        values = np.full((queries, depth), np.nan, dtype=np.float32)
        there = place < depth
        rows[query[there], place[there]], values[query[there], place[there]] = page[there], similarity[there]
        tied = ~there & (similarity == values[query, -1])
        before = np.broadcast_to(np.arange(depth), rows.shape)
        ties = Ties(before, np.ones_like(rows), query[tied], page[tied]) if tied.any() else None
        return Neighbors(rows, values, found.metric, found.index, ties)

    def by_chance(self, judged: Judged, k: int, seed: int) -> Graded:
        """Return what lists of k chunks drawn at random are worth, several for each query.

        Parameters
        ----------
        judged : Judged
            Of documents, by number.
        k : int
        seed : int
        """
        draws = max(1, -(-LINES // max(1, judged.queries)))
        rng = np.random.default_rng(seed)
        drawn = _drawn(rng, draws * judged.queries, min(k, len(self.of_row)), len(self.of_row))
        shift = np.repeat(np.arange(draws, dtype=np.int64) * judged.queries, len(judged.query))
        every = Judged(
            np.tile(judged.query, draws) + shift,
            np.tile(judged.document, draws),
            np.tile(judged.grade, draws),
            draws * judged.queries,
        )
        return grade(self.lists(drawn), every)


def _again(values: IntArray) -> BoolArray:
    """Return where a value stands in its line once more, (q, m)."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    found = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(found, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    return found


def _put(values: IntArray, gone: BoolArray) -> IntArray:
    """Return lines with what is gone at their ends."""
    return np.take_along_axis(values, np.argsort(gone, axis=1, kind="stable"), axis=1)


def _drawn(rng: np.random.Generator, lines: int, k: int, rows: int) -> IntArray:
    """Return k different rows of so many for each line, in random order; (lines, k)."""
    wide = 2 * k + 20
    if rows < 4 * wide:
        return np.argsort(rng.random((lines, rows)), axis=1)[:, :k].astype(np.int64)
    drawn = rng.integers(0, rows, (lines, wide))  # of so many at least k differ, but for one line in 10^12
    return _put(drawn, _again(drawn))[:, :k]
