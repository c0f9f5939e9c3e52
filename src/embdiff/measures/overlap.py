"""How many neighbours two lists share: overlap and Jaccard, per query and as scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.chance import expected_jaccard, expected_shared
from embdiff.measures.score import PerQuery, of_random_lists
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import IntArray, Neighbors

_CHUNK = 2**17  # row numbers sorted at a time: what stays in the cache is fastest


def overlap(a: Neighbors, b: Neighbors) -> Doubles:
    """Return, per query, the share of the k neighbours that both lists hold: ``|A n B| / k``.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
        Lists of the same queries; the rows within a list are distinct, -1 pads and matches nothing.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]. Lists that came back short are still divided by k, so that a missing result counts as not shared.
        NaN where both lists are empty.

    Raises
    ------
    ShapeError
        When the lists differ in shape, or k is 0.

    References
    ----------
    Mean over queries: mutual k-NN of Huh et al. 2024, arXiv 2405.07987; Wang et al. 2022.
    """
    shared, left, right = _counts(a, b)
    out: Doubles = shared / a.k
    out[left + right == 0] = np.nan
    return out


def jaccard(a: Neighbors, b: Neighbors) -> Doubles:
    """Return, per query, the common neighbours over those in either list: ``|A n B| / |A u B|``.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
        As for `overlap`.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]; the union holds what was really returned, so short lists are not punished. For full lists
        J = o / (2 - o), per query (not for the means). NaN where both lists are empty.

    Raises
    ------
    ShapeError
        When the lists differ in shape, or k is 0.

    References
    ----------
    Jaccard 1901; for embeddings Wang et al. 2022.
    """
    shared, left, right = _counts(a, b)
    union = left + right - shared
    out = np.full(len(shared), np.nan)
    np.divide(shared, union, out=out, where=union > 0)
    return out


def _counts(a: Neighbors, b: Neighbors) -> tuple[IntArray, IntArray, IntArray]:
    """Return |A n B|, |A| and |B| per query, all (q,)."""
    if a.rows.shape != b.rows.shape or a.k == 0:
        raise ShapeError(
            "Two lists of neighbours must have one shape (q, k), k at least 1. "
            f"Got {a.rows.shape} and {b.rows.shape}. Search the same queries with the same k."
        )
    shared = np.empty(len(a.rows), dtype=np.int64)
    step = max(1, _CHUNK // a.k)
    for start in range(0, len(shared), step):
        part = slice(start, start + step)
        both = np.concatenate([_numbered(a.rows[part], 1), _numbered(b.rows[part], 2)], axis=1)
        both.sort(axis=1)
        shared[part] = np.count_nonzero(both[:, 1:] == both[:, :-1], axis=1)
    return shared, np.count_nonzero(a.rows >= 0, axis=1), np.count_nonzero(b.rows >= 0, axis=1)


def _numbered(rows: IntArray, first: int) -> npt.NDArray[Any]:
    """Narrow the row numbers, and give each pad a negative number that occurs nowhere else in the line."""
    small = rows.size == 0 or rows.max() <= np.iinfo(np.int32).max
    out: npt.NDArray[Any] = rows.astype(np.int32 if small else np.int64)
    pads = out < 0
    if pads.any():
        out[pads] = np.broadcast_to(-first - 2 * np.arange(rows.shape[1]), rows.shape)[pads]
    return out


def _overlap_law(left: int, right: int, certain: int, candidates: int, k: int) -> float:
    """Return k / candidates for full lists; with s certain rows (s + (k - s)^2 / (candidates - s)) / k."""
    return expected_shared(left, right, certain, candidates) / k


def _jaccard_law(left: int, right: int, certain: int, candidates: int, _k: int) -> float:
    """Return the expectation of the ratio over the number of common rows, not the ratio of expectations."""
    return expected_jaccard(left, right, certain, candidates)


_EMPTY = "have no neighbours in either list and"
_INVARIANCES = (
    "order of the queries",
    "order of the neighbours within a list",
    "rotation, scaling and (l2) shift of either space",
)

OVERLAP = Measure(
    name="overlap",
    function=overlap,
    summary="share of the k nearest neighbours that two lists have in common, mean over queries",
    formula="|A n B| / k",
    needs="two neighbors",
    direction="more neighbours in common",
    range=(0.0, 1.0),
    symmetric=True,
    invariances=_INVARIANCES,
    undefined_when="both lists of a query are empty",
    chance="k / (n - 1), the query's own row left out; k / n when it can be returned",
    reference="Huh et al. 2024, arXiv 2405.07987 (mutual k-NN); Wang et al. 2022",
    scorer=PerQuery(of_random_lists(_overlap_law), _EMPTY),
    best=1.0,
)
JACCARD = Measure(
    name="jaccard",
    function=jaccard,
    summary="neighbours in both lists over neighbours in either, mean over queries",
    formula="|A n B| / |A u B|",
    needs="two neighbors",
    direction="more neighbours in common",
    range=(0.0, 1.0),
    symmetric=True,
    invariances=_INVARIANCES,
    undefined_when="both lists of a query are empty",
    chance="exact expectation over the hypergeometric number of common rows; near k / (2n - k) when k is small",
    reference="Jaccard 1901; for embeddings Wang et al. 2022",
    scorer=PerQuery(of_random_lists(_jaccard_law), _EMPTY),
    best=1.0,
)
EXACT_OVERLAP = replace(
    OVERLAP,
    name="exact_overlap",
    summary="overlap of the exact neighbours: what the models differ by, index aside",
    reported=False,
    exact_of="overlap",
)
EXACT_JACCARD = replace(
    JACCARD,
    name="exact_jaccard",
    summary="jaccard of the exact neighbours: what the models differ by, index aside",
    reported=False,
    exact_of="jaccard",
)
