"""Pairs of rows: all of them when they are few, else a sample drawn without replacement; and their distances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Parameter
from embdiff.measures.moments import Floating
from embdiff.measures.statistics.jackknife import groups
from embdiff.measures.statistics.quantiles import Doubles, ratio
from embdiff.records import FloatArray, IntArray, Metric

PAIRS = 500_000
SAMPLE = {"pairs": Parameter(PAIRS, 1, 1e9, "pairs of rows that are sampled when there are more")}
_CHUNK = 2**20  # numbers gathered at a time


def row_pairs(n: int, most: int, *, seed: int) -> tuple[IntArray, IntArray]:
    """Return pairs of different rows i < j, all n (n - 1) / 2 or ``most`` distinct ones at random.

    Returns
    -------
    i, j : ndarray of int64, shape (m,)
        Ordered, so that memory is read forwards.

    Raises
    ------
    ParameterError
        When ``most`` is below 1.
    """
    if most < 1:
        raise ParameterError(f"pairs must be an integer from 1. Got {most}. Write for example pairs={PAIRS}.")
    total = n * (n - 1) // 2
    if total <= most:
        first, second = np.triu_indices(n, 1)
        return first.astype(np.int64), second.astype(np.int64)
    codes = _distinct(total, most, np.random.default_rng(seed))
    # The pairs (0, j) ... (j - 1, j) begin at j (j - 1) / 2; the root is off by one at most.
    high = ((1 + np.sqrt(1 + 8 * codes.astype(np.float64))) / 2).astype(np.int64)
    high -= high * (high - 1) // 2 > codes
    high += (high + 1) * high // 2 <= codes
    return codes - high * (high - 1) // 2, high


def kept_pairs(n: int, i: IntArray, j: IntArray, *, seed: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield, for each group of rows that the jackknife leaves out, which pairs hold none of its rows, (m,)."""
    for part in groups(n, seed=seed):
        out = np.zeros(n, dtype=np.bool_)
        out[part] = True
        yield ~(out[i] | out[j])


def _distinct(total: int, count: int, rng: np.random.Generator) -> IntArray:
    """Draw ``count`` of ``range(total)`` without replacement in O(count log count), in ascending order."""
    if total <= 4 * count:
        return np.sort(rng.permutation(total)[:count])
    drawn = np.empty(0, dtype=np.int64)
    while len(drawn) < count:
        # np.unique looks numbers up in a table, which takes four times as long as sorting them.
        more = np.sort(np.concatenate([drawn, rng.integers(0, total, size=count - len(drawn) + 64)]))
        drawn = more[np.append(True, more[1:] != more[:-1])]
    # Dropping the surplus at random keeps every set equally likely.
    return np.sort(rng.permutation(drawn)[:count])


def squared_distances(x: Floating, i: IntArray, j: IntArray) -> Doubles:
    """Return ``|x_i - x_j|^2`` for pairs of rows, (m,), from differences: near rows keep their digits."""
    out = np.empty(len(i))
    step = max(1, _CHUNK // x.shape[1])
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        difference = np.subtract(x[i[part]], x[j[part]], dtype=np.float64)
        out[part] = np.einsum("ij,ij->i", difference, difference)
    return out


def lengths(x: Floating) -> Doubles:
    """Return the Euclidean length of each row, (n,)."""
    squared: Doubles = np.einsum("ij,ij->i", x, x, dtype=np.float64)
    return np.sqrt(squared)


def unit_rows(x: Floating) -> tuple[Floating, int]:
    """Return the rows scaled to length 1, rows of length 0 left out, and how many those were."""
    length = lengths(x)
    kept = length > 0
    scaled: Floating = x[kept] / length[kept, None].astype(x.dtype)
    return scaled, int(np.count_nonzero(~kept))


def sampled(n: int, count: int) -> str | None:
    """Say that pairs were sampled; None when all were taken."""
    total = n * (n - 1) // 2
    return None if count >= total else f"{count} of {total} pairs of rows were sampled"


def pair_similarity(left: FloatArray, right: FloatArray, metric: Metric) -> Doubles:
    """Return the similarity of each pair of rows in float64, higher = closer; NaN for cosine with a zero vector.

    Parameters
    ----------
    left, right : ndarray of float32, shape (n, d)
    metric : {"cosine", "ip", "l2"}
        l2 gives the negative squared distance.
    """
    if left.shape != right.shape or left.ndim != 2:
        raise ShapeError(
            f"Both sides of the pairs must have one shape (n, d). Got {left.shape} and {right.shape}. "
            "Encode both with one model."
        )
    a, b = left.astype(np.float64), right.astype(np.float64)
    if metric == "l2":
        return np.asarray(-np.einsum("nd,nd->n", a - b, a - b))
    products = np.einsum("nd,nd->n", a, b)
    if metric == "ip":
        return np.asarray(products)
    lengths = np.sqrt(np.einsum("nd,nd->n", a, a) * np.einsum("nd,nd->n", b, b))
    return ratio(products, lengths)
