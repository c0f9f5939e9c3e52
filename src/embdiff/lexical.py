"""The baseline without a model: BM25, by the library bm25s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np

from embdiff._optional import require
from embdiff._progress import progress
from embdiff.records import FloatArray, IntArray

BM25 = "bm25"
K1, B = 1.5, 0.75


class Bm25:
    """An index of texts by their words.

    Words are runs of two or more letters, digits or underscores, in lower case; no stop words, no stemming, so that
    no language is preferred. A text in a script without blanks between words is one word to it.

    Parameters
    ----------
    texts : sequence of str, length n

    Raises
    ------
    MissingDependencyError
        When bm25s is not installed.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._library = require("bm25s", "bm25", "The baseline bm25")
        words = self._words(texts)
        self._empty = not any(words)
        self._size = len(texts)
        self._index = self._library.BM25(k1=K1, b=B, method="lucene")
        if not self._empty:
            self._index.index(words, show_progress=False)

    @property
    def about(self) -> str:
        """What was run, for the protocol."""
        return f"bm25s {version('bm25s')}: Lucene's BM25, k1 = {K1}, b = {B}, no stop words, no stemming"

    def _words(self, texts: Sequence[str]) -> list[list[str]]:
        found = self._library.tokenize(list(texts), stopwords=[], return_ids=False, show_progress=False)
        return [list(each) for each in found]

    def rank(self, queries: Sequence[str], depth: int, name_rank: IntArray) -> tuple[IntArray, FloatArray]:
        """Return the best texts of each query, equal scores by id descending, and their scores; (q, min(depth, n)).

        Texts that share no word with the query are not returned: -1 and NaN pad.

        Parameters
        ----------
        queries : sequence of str, length q
        depth : int
        name_rank : ndarray of int64, shape (n,)
            Place of each text when all ids are sorted.
        """
        depth = min(depth, self._size)
        rows = np.full((len(queries), depth), -1, dtype=np.int64)
        scores = np.full((len(queries), depth), np.nan, dtype=np.float32)
        for number, every in self._scored(queries, "rank bm25"):
            found, values = _best(every, depth, name_rank)
            rows[number, : len(found)], scores[number, : len(found)] = found, values
        return rows, scores

    def rank_and_place(
        self, queries: Sequence[str], depth: int, rows: IntArray, name_rank: IntArray
    ) -> tuple[tuple[IntArray, FloatArray], tuple[IntArray, FloatArray]]:
        """Return what `rank` does, and of given texts (q, m) the rank, from 1, and the score for each query.

        A text that shares no word with the query has no rank: -1 and NaN, as for a pad (-1).
        """
        depth = min(depth, self._size)
        best, at = (np.full((len(queries), width), -1, dtype=np.int64) for width in (depth, rows.shape[1]))
        score, there = (np.full(table.shape, np.nan, dtype=np.float32) for table in (best, at))
        for number, every in self._scored(queries, "rank bm25"):
            order = _in_order(np.flatnonzero(every > 0.0), every, name_rank)
            place = np.full(self._size, -1, dtype=np.int64)
            place[order] = np.arange(1, len(order) + 1)
            found, wanted = order[:depth], rows[number]
            best[number, : len(found)], score[number, : len(found)] = found, every[found]
            at[number] = np.where(wanted >= 0, place[wanted], -1)
            there[number] = np.where(at[number] > 0, every[wanted], np.nan)
        return (best, score), (at, there)

    def _scored(self, queries: Sequence[str], work: str) -> Iterator[tuple[int, FloatArray]]:
        """Yield the number of each query that has words, and the score (n,) of every text for it."""
        if self._empty:
            return
        with progress(work, len(queries), "queries") as advance:
            for number, words in enumerate(self._words(queries)):
                if words:
                    yield number, np.asarray(self._index.get_scores(words))
                advance(1)


def _best(scores: FloatArray, depth: int, name_rank: IntArray) -> tuple[IntArray, FloatArray]:
    found = np.flatnonzero(scores > 0.0)
    if len(found) > depth:
        # Everything from the last place's score up, so that ties there are broken by id.
        last = np.partition(scores[found], len(found) - depth)[len(found) - depth]
        found = found[scores[found] >= last]
    best = _in_order(found, scores, name_rank)[:depth]
    return best, scores[best]


def _in_order(found: IntArray, scores: FloatArray, name_rank: IntArray) -> IntArray:
    """Return the texts found, highest score first, equal scores by id descending."""
    return found[np.lexsort((-name_rank[found], -scores[found]))]
