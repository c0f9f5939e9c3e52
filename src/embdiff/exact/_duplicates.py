"""Identical vectors, searched once and expanded after: 5,000 equal rows must not crowd out the rest."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from embdiff.records import FloatArray, IntArray

_SCATTER = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits in no order: 2^64 over the golden ratio


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct vectors among n rows.

    Parameters
    ----------
    first : ndarray of int64, shape (u,)
        The first row of each distinct vector, ascending.
    inverse : ndarray of int64, shape (n,)
        Which distinct vector each row is.
    order : ndarray of int64, shape (n,)
        Rows by distinct vector, ascending within each.
    start : ndarray of int64, shape (u + 1,)
        Where the rows of each distinct vector begin in ``order``.
    """

    first: IntArray
    inverse: IntArray
    order: IntArray
    start: IntArray

    @property
    def counts(self) -> IntArray:
        """Rows per distinct vector, shape (u,)."""
        return np.diff(self.start)

    @property
    def repeated(self) -> bool:
        """Whether any vector occurs twice."""
        return len(self.first) < len(self.inverse)

    def rows(self, vectors: IntArray, counts: IntArray) -> IntArray:
        """Return the first ``counts`` (m,) rows of each of some distinct vectors (m,), one after the other."""
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows: IntArray = self.order[np.repeat(self.start[vectors], counts) + within]
        return rows


def distinct(vectors: FloatArray) -> Distinct:
    """Group the rows of a contiguous float32 array (n, d) by their bytes, told apart by 16 bytes of BLAKE2b."""
    like = _alike(vectors)
    every = np.arange(len(vectors), dtype=np.int64)
    if not like.size:
        return Distinct(every, every, every, np.arange(len(vectors) + 1, dtype=np.int64))
    same_as = every.copy()  # the first row with the same bytes
    seen: dict[bytes, int] = {}
    same_as[like] = [seen.setdefault(blake2b(vectors[row], digest_size=16).digest(), row) for row in like.tolist()]
    first, inverse = np.unique(same_as, return_inverse=True)
    inverse = inverse.astype(np.int64)
    counts = np.bincount(inverse, minlength=len(first))
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Distinct(first, inverse, np.argsort(inverse, kind="stable"), start)


def _alike(vectors: FloatArray) -> IntArray:
    """Return the rows that share four of their words with another: only these can be equal to one."""
    last, middle = vectors.shape[1] - 1, vectors.shape[1] // 2
    codes = np.zeros(len(vectors), dtype=np.uint64)
    for column in dict.fromkeys((0, min(1, last), middle, min(middle + 1, last))):
        codes *= _SCATTER
        codes += vectors[:, column].view(np.uint32)
    if np.all(np.diff(np.sort(codes)) > 0):
        return np.empty(0, dtype=np.int64)
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return np.flatnonzero(counts[inverse] > 1)
