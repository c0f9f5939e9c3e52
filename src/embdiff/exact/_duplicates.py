"""Identical vectors, searched once and expanded after: 5,000 equal rows must not crowd out the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embdiff.records import FloatArray, IntArray


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


def distinct(vectors: FloatArray) -> Distinct:
    """Group the rows of a contiguous float32 array (n, d) by their bytes."""
    codes = _codes(vectors)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    if len(first) < len(vectors) and not _same_bytes(vectors, first[inverse]):
        # Two different vectors with one code: about 1 in 10^19 pairs. Compare the bytes themselves.
        whole = vectors.view(np.dtype((np.void, vectors.itemsize * vectors.shape[1]))).ravel()
        _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    by_row = np.argsort(first)
    place = np.empty_like(by_row)
    place[by_row] = np.arange(len(by_row))
    inverse = place[inverse].astype(np.int64)
    counts = np.bincount(inverse, minlength=len(first))
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Distinct(first[by_row].astype(np.int64), inverse, np.argsort(inverse, kind="stable"), start)


def _same_bytes(vectors: FloatArray, other: IntArray) -> bool:
    rows = np.flatnonzero(other != np.arange(len(vectors)))
    step = max(1, 2**20 // vectors.shape[1])
    parts = (rows[start : start + step] for start in range(0, len(rows), step))
    words = vectors.view(np.uint32)
    return all(np.array_equal(words[part], words[other[part]]) for part in parts)


def _codes(vectors: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    # A sum of the words of a row, each times a random odd number, modulo 2^64.
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 2**63, vectors.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    words = vectors.view(np.uint32)
    out = np.empty(len(vectors), dtype=np.uint64)
    step = max(1, 2**18 // vectors.shape[1])
    for start in range(0, len(vectors), step):
        out[start : start + step] = (words[start : start + step] * factors).sum(axis=1, dtype=np.uint64)
    return out
