"""One call for the vectors of texts: encoded or from the cache, and which the model sees only the beginning of."""

from __future__ import annotations

import time

import numpy as np

from embdiff.encoders.batches import Batches
from embdiff.encoders.cache import Keep, Tally, VectorCache
from embdiff.encoders.cache.cut import cut_texts
from embdiff.records import BoolArray, FloatArray, IntArray, Role, Stamp

_LOOKED_AT_ONCE = 10_000


class Call:
    """Texts to be encoded, or looked up.

    Parameters
    ----------
    batches : Batches
        Of the model.
    texts : list of str, length n
        Different ones, at least one.
    role : {"document", "query"}
    rows : ndarray of int64, shape (n,)
        The callers' row numbers, for messages.
    tally : Tally
        Told what becomes of the texts.

    Attributes
    ----------
    cut : ndarray of bool, shape (n,)
        Afterwards: whether the model sees only the beginning of the text.
    """

    def __init__(self, batches: Batches, texts: list[str], role: Role, rows: IntArray, tally: Tally) -> None:
        self._batches, self._texts, self._role, self._rows, self._tally = batches, texts, role, rows, tally
        self.cut = np.zeros(len(texts), dtype=np.bool_)
        self._cached = np.ones(len(texts), dtype=np.bool_)

    def encode_all(self) -> FloatArray:
        """Encode every text; vectors (n, d)."""
        self._tally.encoded += len(self._texts)
        return self._encode(np.arange(len(self._texts), dtype=np.int64))

    def look_up(self, cache: VectorCache, stamp: Stamp, kept_as: Role) -> FloatArray:
        """Encode the texts that the cache does not have; vectors (n, d).

        Parameters
        ----------
        cache : VectorCache
        stamp : Stamp
        kept_as : {"document", "query"}
            The role whose vectors the cache keeps for these.
        """
        vectors = cache.fill(stamp, kept_as, self._texts, self._encode, self._tally)
        self._tally.counted = self._batches.counts_tokens
        self._look_for_cut(cache, stamp)
        return vectors

    def _encode(self, missing: IntArray, keep: Keep | None = None) -> FloatArray:
        self._cached[missing] = False
        some = [self._texts[i] for i in missing]
        start = time.perf_counter()
        lengths, self.cut[missing] = self._batches.lengths(some, self._role, self._tally)
        vectors = self._batches.encode(some, self._role, self._rows[missing], lengths, self._tally, keep)
        self._tally.seconds += time.perf_counter() - start
        return vectors

    def _look_for_cut(self, cache: VectorCache, stamp: Stamp) -> None:
        """Mark, among texts that were not counted just now, those that the model sees only the beginning of."""
        limit = self._batches.length_limit
        if limit is None:
            return
        prompt = len((stamp.query_prompt if self._role == "query" else stamp.prompt).encode())
        # Hardly a token is shorter than a byte: what is half as long as the limit needs no counting.
        long = [i for i, text in enumerate(self._texts) if prompt + len(text.encode(errors="replace")) > limit // 2]

        def count(which: IntArray) -> BoolArray:
            found = np.zeros(len(which), dtype=np.bool_)
            for start in range(0, len(which), _LOOKED_AT_ONCE):
                some = [self._texts[long[i]] for i in which[start : start + _LOOKED_AT_ONCE]]
                found[start : start + _LOOKED_AT_ONCE] = self._batches.lengths(some, self._role, self._tally)[1]
            return found

        if long:
            some, counted = [self._texts[i] for i in long], ~self._cached[long]
            self.cut[long] = cut_texts(cache.results, stamp, self._role, some, counted, self.cut[long], count)
