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

    def places(self, queries: Sequence[str], rows: IntArray, name_rank: IntArray) -> tuple[IntArray, FloatArray]:
        """Return the rank, from 1, and the score of given texts for each query; (q, m).

        A text that shares no word with the query has no rank: -1 and NaN, as for a pad.

        Parameters
        ----------
        queries : sequence of str, length q
        rows : ndarray of int64, shape (q, m)
            -1 pads.
        name_rank : ndarray of int64, shape (n,)
            As for `rank`.
        """
        ranks = np.full(rows.shape, -1, dtype=np.int64)
        scores = np.full(rows.shape, np.nan, dtype=np.float32)
        if not rows.shape[1]:
            return ranks, scores
        for number, every in self._scored(queries, "place in bm25"):
            ranks[number] = _ranks(every, rows[number], name_rank)
            scores[number] = np.where(ranks[number] > 0, every[np.maximum(rows[number], 0)], np.nan)
        return ranks, scores

    def _scored(self, queries: Sequence[str], work: str) -> Iterator[tuple[int, FloatArray]]:
        """Yield the number of each query that has words, and the score (n,) of every text for it."""
        if self._empty:
            return
        with progress(work, len(queries), "queries") as advance:
            for number, words in enumerate(self._words(queries)):
                if words:
                    yield number, np.asarray(self._index.get_scores(words))
                advance(1)


def _ranks(scores: FloatArray, rows: IntArray, name_rank: IntArray) -> IntArray:
    """Return the rank of each row (-1 pads) among all texts that share a word with the query, -1 for another; (m,)."""
    found = np.flatnonzero(scores > 0.0)
    order = _in_order(found, scores, name_rank)
    place = np.full(len(scores), -1, dtype=np.int64)
    place[order] = np.arange(1, len(order) + 1)
    return np.where(rows >= 0, place[np.maximum(rows, 0)], -1)


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
