"""Identical vectors, searched once and expanded after: 5,000 equal rows must not crowd out the rest."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

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
    """Group the rows of a contiguous float32 array (n, d) by their bytes, told apart by 16 bytes of BLAKE2b."""
    vectors, like = glance.vectors, glance.alike()
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
