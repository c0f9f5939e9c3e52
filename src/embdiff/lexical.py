"""The baseline without a model: BM25, by the library bm25s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from embdiff._optional import require
from embdiff._progress import progress
from embdiff.records import FloatArray, IntArray, Neighbors
from embdiff.ties import TOLERANCE, Entries, entries, groups, listed

BM25 = "bm25"
NO_WORDS = "bm25 is left out: images have no words"
K1, B = 1.5, 0.75
Doubles = npt.NDArray[np.float64]


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
        # float64: what is equal but for the order of a sum is equal within the tolerance of a tie.
        self._index = self._library.BM25(k1=K1, b=B, method="lucene", dtype="float64")
        if not self._empty:
            self._index.index(words, show_progress=False)

    @property
    def about(self) -> str:
        """What was run, for the protocol."""
        return f"bm25s {version('bm25s')}: Lucene's BM25, k1 = {K1}, b = {B}, no stop words, no stemming"

    def _words(self, texts: Sequence[str]) -> list[list[str]]:
        found = self._library.tokenize(list(texts), stopwords=[], return_ids=False, show_progress=False)
        return [list(each) for each in found]

    def rank(self, queries: Sequence[str], depth: int) -> Neighbors:
        """Return the best texts of each query, (q, min(depth, n)), equal scores by row; ties (`embdiff.ties`) are told.

        Texts that share no word with the query are not returned: -1 and NaN pad.
        """
        nobody = np.full((len(queries), 0), -1, dtype=np.int64)
        return self.rank_and_place(queries, depth, nobody)[0]

    def rank_and_place(
        self, queries: Sequence[str], depth: int, rows: IntArray
    ) -> tuple[Neighbors, tuple[IntArray, FloatArray]]:
        """Return what `rank` does, and of given texts (q, m) the rank, from 1, and the score for each query.

        A text that shares no word with the query has no rank: -1 and NaN, as for a pad (-1).
        """
        shape = len(queries), min(depth, self._size)
        at, there = np.full(rows.shape, -1, dtype=np.int64), np.full(rows.shape, np.nan, dtype=np.float32)
        best = [entries(_nothing((0, 1)))]
        for number, every in self._scored(queries, "rank bm25"):
            found, values, before = _best(every, shape[1])
            ones = np.ones(len(found), dtype=np.int64)
            best.append(Entries(number * ones, found, values.astype(np.float32), before, ones))
            if rows.shape[1]:
                order = _in_order(np.flatnonzero(every > 0.0), every)
                place = np.full(self._size, -1, dtype=np.int64)
                place[order] = np.arange(1, len(order) + 1)
                at[number] = np.where(rows[number] >= 0, place[rows[number]], -1)
                there[number] = np.where(at[number] > 0, every[rows[number]], np.nan)
        joined = Entries(*map(np.concatenate, zip(*best, strict=True)))
        return listed(joined, _nothing(shape), shape), (at, there)

    def _scored(self, queries: Sequence[str], work: str) -> Iterator[tuple[int, Doubles]]:
        """Yield the number of each query that has words, and the score (n,) of every text for it."""
        if self._empty:
            return
        with progress(work, len(queries), "queries") as advance:
            for number, words in enumerate(self._words(queries)):
                if words:
                    yield number, np.asarray(self._index.get_scores(words), dtype=np.float64)
                advance(1)


def _nothing(shape: tuple[int, int]) -> Neighbors:
    """Return lists in which nothing is found."""
    return Neighbors(np.full(shape, -1, dtype=np.int64), np.full(shape, np.nan, dtype=np.float32), "ip", BM25)


def _best(scores: Doubles, depth: int) -> tuple[IntArray, Doubles, IntArray]:
    """Return the best texts and all that are tied with the last of them, their scores, and how many come before."""
    found = np.flatnonzero(scores > 0.0)
    if len(found) > depth:
        last = np.partition(scores[found], len(found) - depth)[len(found) - depth]
        found = found[scores[found] >= last * (1.0 - TOLERANCE)]
    found = _in_order(found, scores)
    values = scores[found]
    if not len(found):
        return found, values, found
    end = min(depth, len(found))
    before = groups(values[None, :end], TOLERANCE * values[end - 1 : end])[0]
    return found, values, np.concatenate([before, np.full(len(found) - end, before[-1])])


def _in_order(found: IntArray, scores: Doubles) -> IntArray:
    """Return the texts found, highest score first, equal scores by row."""
    return found[np.argsort(-scores[found], kind="stable")]
