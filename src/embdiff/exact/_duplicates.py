"""Identical vectors, searched once and expanded after: 5,000 equal rows must not crowd out the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embdiff.records import FloatArray, IntArray

_Codes = npt.NDArray[np.uint64]
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


class Glance:
    """A look at four words of each row, to find the rows that may be equal to another; call it for every part.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, d)
        Contiguous.
    """

    def __init__(self, vectors: FloatArray) -> None:
        self.vectors = vectors
        self._codes: _Codes = np.zeros(len(vectors), dtype=np.uint64)
        last, middle = vectors.shape[1] - 1, vectors.shape[1] // 2
        self._columns = tuple(dict.fromkeys((0, min(1, last), middle, min(middle + 1, last))))

    def __call__(self, part: slice) -> None:
        """Look at the rows of one part."""
        words, codes = self.vectors[part].view(np.uint32), self._codes[part]
        for column in self._columns:
            codes *= _SCATTER
            codes += words[:, column]

    def alike(self) -> IntArray:
        """Return the rows that share the words looked at with another: only these can be equal to one."""
        if np.all(np.diff(np.sort(self._codes)) > 0):
            return np.empty(0, dtype=np.int64)
        _, inverse, counts = np.unique(self._codes, return_inverse=True, return_counts=True)
        return np.flatnonzero(counts[inverse] > 1)


def distinct(glance: Glance) -> Distinct:
    """Group the rows of a contiguous float32 array (n, d) by their bytes."""
    vectors, like = glance.vectors, glance.alike()
    every = np.arange(len(vectors), dtype=np.int64)
    if not like.size:
        return Distinct(every, every, every, np.arange(len(vectors) + 1, dtype=np.int64))
    same_as = every.copy()  # the first row with the same bytes
    same_as[like] = like[_first_of(vectors[like])]
    first, inverse = np.unique(same_as, return_inverse=True)
    inverse = inverse.astype(np.int64)
    counts = np.bincount(inverse, minlength=len(first))
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Distinct(first, inverse, np.argsort(inverse, kind="stable"), start)


def _first_of(vectors: FloatArray) -> IntArray:
    """Return, for each row, the first row with the same bytes."""
    _, first, inverse = np.unique(_codes(vectors.view(np.uint32)), return_index=True, return_inverse=True)
    found = first[inverse]
    if _same_bytes(vectors, found):
        return found
    # Two different vectors with one code: about 1 in 10^19 pairs. Compare the bytes themselves.
    whole = vectors.view(np.dtype((np.void, vectors.itemsize * vectors.shape[1]))).ravel()
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)


def _same_bytes(vectors: FloatArray, other: IntArray) -> bool:
    rows = np.flatnonzero(other != np.arange(len(vectors)))
    step = max(1, 2**20 // vectors.shape[1])
    parts = (rows[start : start + step] for start in range(0, len(rows), step))
    words = vectors.view(np.uint32)
    return all(np.array_equal(words[part], words[other[part]]) for part in parts)


def _codes(words: npt.NDArray[np.uint32]) -> _Codes:
    # A sum of the words of a row, each times a random odd number, modulo 2^64.
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 2**63, words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    out = np.empty(len(words), dtype=np.uint64)
    step = max(1, 2**18 // words.shape[1])
    for start in range(0, len(words), step):
        out[start : start + step] = (words[start : start + step] * factors).sum(axis=1, dtype=np.uint64)
    return out
