"""The baseline without a model: BM25, by the library bm25s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np

from embdiff._optional import require
from embdiff.forms import BM25 as BM25
from embdiff.rankings import Doubles, Ranking

NO_WORDS = "bm25 is left out: images have no words"
K1, B = 1.5, 0.75


class Bm25(Ranking):
    """An index of texts by their words; texts that share no word with a query are not ranked.

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

    partial = "bm25 ranks only rows that share a word with the query"

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__(BM25, len(texts))
        self._library = require("bm25s", "bm25", "The baseline bm25")
        words = self._words(texts)
        self._empty = not any(words)
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

    def scored(self, queries: Sequence[str]) -> Iterator[tuple[int, Doubles]]:
        """Yield the number of each query that has words, and the score (n,) of every text, NaN without one of them."""
        if self._empty:
            return
        for number, words in enumerate(self._words(queries)):
            if words:
                scores = np.asarray(self._index.get_scores(words), dtype=np.float64)
                yield number, np.where(scores > 0.0, scores, np.nan)
