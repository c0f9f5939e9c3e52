"""Checks of what comes in: shapes, finite values, k, rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.records import FloatArray, IntArray, Metric

_LARGEST_NORM = 1e18


def check_vectors(queries: Any, vectors: Any, metric: Metric) -> tuple[FloatArray, FloatArray]:
    """Return both as contiguous float32 (q, d) and (n, d).

    Raises
    ------
    ShapeError
        When they are not two tables of one width d >= 1.
    ParameterError
        When a vector is not finite, or too long to be squared; for cosine, when one is zero.
    """
    left, right = (np.ascontiguousarray(array, dtype=np.float32) for array in (queries, vectors))
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1] or left.shape[1] == 0:
        raise ShapeError(
            "Queries and vectors must be tables of one width, (q, d) and (n, d). "
            f"Got {left.shape} and {right.shape}. Use the same model for both."
        )
    _refuse_unusable(left, "query", metric)
    if right is not left:
        _refuse_unusable(right, "row", metric)
    return left, right


def _refuse_unusable(vectors: FloatArray, what: str, metric: Metric) -> None:
    length = norms(vectors)
    wrong = np.flatnonzero(~(length < _LARGEST_NORM))
    if wrong.size:
        raise ParameterError(
            f"Vectors must be finite and shorter than {_LARGEST_NORM:g}. Got one of length {length[wrong[0]]:g} in "
            f"{what} {wrong[0]} ({wrong.size} in all). Check what the model returns for it."
        )
    zero = np.flatnonzero(length == 0.0) if metric == "cosine" else wrong
    if zero.size:
        raise ParameterError(
            f"Vectors must not be zero for the metric cosine: they have no direction. Got a zero vector in "
            f"{what} {zero[0]} ({zero.size} in all). Leave these rows out, or use the metric l2 or ip."
        )


def norms(vectors: FloatArray) -> npt.NDArray[np.float64]:
    """Return Euclidean norms, shape (n,), summed in float64."""
    out = np.empty(len(vectors))
    step = max(1, 2**20 // max(1, vectors.shape[1]))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step].astype(np.float64)
        out[start : start + step] = np.sqrt(np.einsum("nd,nd->n", block, block))
    return out


def check_k(k: int, rows: int, left_out: bool) -> None:
    """Refuse a ``k`` outside 1..rows (one less when the query's own row is left out)."""
    highest = rows - 1 if left_out else rows
    if not 1 <= k <= highest:
        kept = ", the query's own row left out" if left_out else ""
        raise ParameterError(f"k must be between 1 and {highest} ({rows} rows{kept}). Got {k}. Lower k or add rows.")


def check_left_out(leave_out: Any, queries: int, rows: int) -> IntArray | None:
    """Return ``leave_out`` as int64 (q,), or None when it leaves nothing out."""
    if leave_out is None:
        return None
    return check_rows(np.asarray(leave_out), (queries,), rows, "leave_out")


def check_rows(rows: Any, shape: tuple[int, ...], count: int, name: str = "rows") -> IntArray:
    """Return ``rows`` as int64 of the given shape, with values -1..count-1.

    Raises
    ------
    ShapeError
        For another shape; -1 in ``shape`` stands for any length.
    ParameterError
        For a row that is not there.
    """
    array = np.asarray(rows)
    fits = array.ndim == len(shape) and all(want in (-1, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits or (array.size and not np.issubdtype(array.dtype, np.integer)):
        wanted = "(" + ", ".join("m" if want == -1 else str(want) for want in shape) + ")"
        raise ShapeError(
            f"{name} must be integers of shape {wanted}, one line per query. Got {array.dtype} of shape {array.shape}. "
            "Give row numbers of the corpus, -1 for none."
        )
    if array.size and not (array.min() >= -1 and array.max() < count):
        raise ParameterError(
            f"{name} must hold rows 0 to {count - 1}, or -1 for none. "
            f"Got values from {array.min()} to {array.max()}. Check that they belong to these {count} vectors."
        )
    return array.astype(np.int64, copy=False)
