"""What is computed row by row, on all cores: lengths, and the one similarity that somebody sees.

numpy lets go of the interpreter while it computes. einsum sums along the contiguous last axis in one fixed order, so
equal rows and pairs give equal bits in any block.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from embdiff._processors import threads
from embdiff.records import FloatArray, IntArray, Metric

Doubles = npt.NDArray[np.float64]

_DIGITS = 2.0**40  # 12 decimal digits; float32 keeps 7
_NUMBERS = 2**18  # float64 numbers held at a time and thread: what stays in the cache is fastest


def in_parts(function: Callable[[slice], None], count: int, step: int) -> None:
    """Call ``function`` with every slice of ``step`` of ``count`` rows, on as many threads as we may use.

    The function writes what it finds into its own slice of an array, so the order does not matter.
    """
    parts = [slice(start, min(start + step, count)) for start in range(0, count, step)]
    at_once = min(len(parts), threads())
    if at_once <= 1:
        for part in parts:
            function(part)
        return
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(function, parts):
            pass


def rough_squares(vectors: FloatArray) -> Doubles:
    """Return squared lengths (n,), summed in float32: off by at most (d + 1) roundings of the true value."""
    out = np.empty(len(vectors))

    def some(part: slice) -> None:
        with np.errstate(all="ignore"):
            out[part] = np.einsum("nd,nd->n", vectors[part], vectors[part])

    in_parts(some, len(vectors), max(1, 2**22 // max(1, vectors.shape[1])))
    return out


def norms(vectors: FloatArray, centre: Doubles | float = 0.0) -> Doubles:
    """Return Euclidean norms, or distances from a centre (d,), shape (n,), summed in float64."""
    out = np.empty(len(vectors))

    def some(part: slice) -> None:
        block = np.subtract(vectors[part], centre, dtype=np.float64)
        out[part] = np.sqrt(np.einsum("nd,nd->n", block, block))

    in_parts(some, len(vectors), max(1, _NUMBERS // max(1, vectors.shape[1])))
    return out


def pair_similarity(queries: FloatArray, vectors: FloatArray, rows: IntArray, metric: Metric) -> Doubles:
    """Return the similarity of queries (q, d) to ``rows`` (q, m) of vectors (n, d), unchecked; every row is there."""
    out = np.empty(rows.shape)
    if out.size == 0:
        return out
    width = max(1, min(rows.shape[1], _NUMBERS // vectors.shape[1]))
    height = max(1, _NUMBERS // (width * vectors.shape[1]))

    def some(lines: slice) -> None:
        block = queries[lines].astype(np.float64)
        for left in range(0, rows.shape[1], width):
            part = (lines, slice(left, left + width))
            out[part] = _told_apart(_scores(block, vectors[rows[part]].astype(np.float64), metric))

    in_parts(some, len(rows), height)
    return out


def _told_apart(similarity: Doubles) -> Doubles:
    """Round to the digits that a sum of float64 products has for certain: what is equal but for rounding is equal."""
    fraction, exponent = np.frexp(similarity)
    return np.asarray(np.ldexp(np.round(fraction * _DIGITS) / _DIGITS, exponent))


def _scores(queries: Doubles, found: Doubles, metric: Metric) -> Doubles:
    if metric == "l2":
        found -= queries[:, None, :]
        return np.asarray(0.0 - np.einsum("qmd,qmd->qm", found, found))
    dots: Doubles = np.einsum("qd,qmd->qm", queries, found)
    if metric == "ip":
        return dots
    own = np.sqrt(np.einsum("qd,qd->q", queries, queries))
    other = np.sqrt(np.einsum("qmd,qmd->qm", found, found))
    return np.asarray(np.clip(dots / (own[:, None] * other), -1.0, 1.0))
