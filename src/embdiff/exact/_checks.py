"""Checks of what comes in: shapes, finite values, k, rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.exact._rows import Doubles, norms, rough_squares
from embdiff.records import FloatArray, IntArray, Metric

LARGEST_NORM = 1e18
_SURELY_FINE = (1e-30, 1e35)  # squared lengths in float32: between these neither zero nor too long, however rounded


def check_widths(queries: tuple[int, ...], vectors: tuple[int, ...]) -> None:
    """Refuse shapes that are not those of two tables (q, d) and (n, d) of one width d >= 1."""
    if len(queries) != 2 or len(vectors) != 2 or queries[1] != vectors[1] or queries[1] == 0:
        raise ShapeError(
            "Queries and vectors must be tables of one width, (q, d) and (n, d). "
            f"Got {queries} and {vectors}. Use the same model for both."
        )


def check_usable(vectors: FloatArray, what: str, metric: Metric, first: int = 0) -> Doubles:
    """Refuse what cannot be searched with; return squared lengths (n,), rounded as float32 sums are.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, d)
    what : str
        ``query`` or ``row``, for the message.
    metric : {"cosine", "ip", "l2"}
    first : int
        Number of the first of them, for the message.
    """
    squares = rough_squares(vectors)
    low, high = _SURELY_FINE
    unsure = np.flatnonzero(~((squares > low) & (squares < high)))
    if unsure.size:
        length = norms(vectors[unsure])
        _refuse(unsure, length, ~(length < LARGEST_NORM), what, first)
        if metric == "cosine":
            _refuse_zero(unsure[length == 0.0], what, first)
        squares[unsure] = length**2
    return squares


def _refuse(rows: IntArray, length: Doubles, wrong: npt.NDArray[np.bool_], what: str, first: int) -> None:
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ParameterError(
            f"Vectors must be finite and shorter than {LARGEST_NORM:g}. Got one of length {length[at]:g} in "
            f"{what} {first + rows[at]} ({wrong.sum()} in all). Check what the model returns for it."
        )


def _refuse_zero(zero: IntArray, what: str, first: int) -> None:
    if zero.size:
        raise ParameterError(
            f"Vectors must not be zero for the metric cosine: they have no direction. Got a zero vector in "
            f"{what} {first + zero[0]} ({zero.size} in all). Leave these rows out, or use the metric l2 or ip."
        )


def check_k(k: int, rows: int, left_out: bool) -> None:
    """Refuse a ``k`` outside 1..rows (one less when the query's own row is left out)."""
    highest = rows - 1 if left_out else rows
    if not 1 <= k <= highest:
        kept = ", the query's own row left out" if left_out else ""
        raise ParameterError(f"k must be between 1 and {highest} ({rows} rows{kept}). Got {k}. Lower k or add rows.")


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
