"""The baseline without a model: BM25, by the library bm25s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from embdiff._optional import require
from embdiff._progress import progress
from embdiff.records import FloatArray, IntArray

BM25 = "bm25"
K1, B = 1.5, 0.75
_BITS, _LOW = np.uint64(32), np.uint64(2**32 - 1)
_Keys = npt.NDArray[np.uint64]


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
        order = _Order(name_rank)
        for number, every in self._scored(queries, "rank bm25"):
            keys = order.keys(every)
            found = order.texts(np.sort(np.partition(keys, self._size - depth)[self._size - depth :]), depth)
            rows[number, : len(found)], scores[number, : len(found)] = found, every[found]
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
        order = _Order(name_rank)
        for number, every in self._scored(queries, "rank bm25"):
            keys, wanted = order.keys(every), rows[number]
            ascending = np.sort(keys)
            found = order.texts(ascending, depth)
            best[number, : len(found)], score[number, : len(found)] = found, every[found]
            ranked = (wanted >= 0) & (every[wanted] > 0.0)
            at[number] = np.where(ranked, self._size - np.searchsorted(ascending, keys[wanted]), -1)
            there[number] = np.where(ranked, every[wanted], np.nan)
        return (best, score), (at, there)

    def _scored(self, queries: Sequence[str], work: str) -> Iterator[tuple[int, FloatArray]]:
        """Yield the number of each query that has words, and the score (n,) of every text for it."""
        if self._empty:
            return
        with progress(work, len(queries), "queries") as advance:
            for number, words in enumerate(self._words(queries)):
                if words:
                    yield number, np.asarray(self._index.get_scores(words), dtype=np.float32)
                advance(1)


class _Order:
    """The order of texts, highest score first, equal scores by id descending, as that of one number for each.

    A score is never negative, so that its bits are ordered as it is; the place of the id stands below them.

    Parameters
    ----------
    name_rank : ndarray of int64, shape (n,)
        Place of each text when all ids are sorted.
    """

    def __init__(self, name_rank: IntArray) -> None:
        self._names, self._by_name = name_rank.astype(np.uint64), np.argsort(name_rank)

    def keys(self, scores: FloatArray) -> _Keys:
        """Return a number for each text (n,), the larger the earlier it stands; below 2^32 where the score is 0."""
        return (scores.view(np.uint32).astype(np.uint64) << _BITS) | self._names

    def texts(self, ascending: _Keys, depth: int) -> IntArray:
        """Return the first texts of which these are the numbers, at most ``depth``, none with the score 0."""
        last = ascending[-depth:][::-1]
        return np.asarray(self._by_name[last[last >> _BITS > 0] & _LOW])
