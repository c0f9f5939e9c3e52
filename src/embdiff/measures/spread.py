"""How far the neighbours of one model went in another: their ranks there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.chance import expected_median_rank
from embdiff.measures.inputs import TwoLists
from embdiff.measures.overlap import OVERLAP
from embdiff.measures.score import PerQuery
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import IntArray


def median_rank(ranks: npt.ArrayLike) -> Doubles:
    """Return, per query, the median rank in B of the k neighbours in A.

    Parameters
    ----------
    ranks : array of int64, shape (q, k)
        Exact rank in B, from 1, of each neighbour in A (`embdiff.exact.ranks`); -1 pads.

    Returns
    -------
    ndarray of float64, shape (q,)
        From 1; (k + 1) / 2 when B has the same k neighbours in any order. NaN for a query without ranks.

    Raises
    ------
    ShapeError
        When the ranks have no shape (q, k), k at least 1.
    ParameterError
        When a rank is 0 or below -1.
    """
    array = np.asarray(ranks)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ShapeError(
            f"Ranks must have a shape (q, k), k at least 1. Got {array.shape}. Pass one line of ranks per query."
        )
    if array.size and (array == 0).any() | (array < -1).any():
        raise ParameterError(
            f"Ranks must be integers from 1, or -1 for none. Got {array.min()}. Count the nearest row as rank 1."
        )
    count = np.count_nonzero(array > 0, axis=1)
    ordered = np.sort(np.where(array > 0, array, np.iinfo(np.int64).max), axis=1)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, array.shape[1] - 1)
    middle = np.take_along_axis(ordered, np.stack([low, high], axis=1), axis=1).astype(np.float64)
    return np.where(count > 0, middle.mean(axis=1), np.nan)


def spread(ranks: npt.ArrayLike, candidates: int | IntArray) -> Doubles:
    """Return, per query, how far A's k neighbours went in B: their median rank there as a share of the candidates.

    Parameters
    ----------
    ranks : array of int64, shape (q, k)
        As for `median_rank`.
    candidates : int or ndarray of int64, shape (q,)
        Rows that a query could return: n, or n - 1 when its own row is left out.

    Returns
    -------
    ndarray of float64, shape (q,)
        In (0, 1]: (k + 1) / 2 / candidates when B has the same neighbours, about 1/2 when B is unrelated. NaN for a
        query without ranks.

    Raises
    ------
    ShapeError, ParameterError
        As for `median_rank`, and when a rank is above the candidates.

    References
    ----------
    After embComp (Heimerl et al. 2020, arXiv 2004.11500), which shows the distribution of these ranks.
    """
    middle = median_rank(ranks)
    array = np.asarray(ranks)
    pool = np.broadcast_to(np.asarray(candidates, dtype=np.int64), middle.shape)
    above = np.flatnonzero(array.max(axis=1) > pool)
    if above.size:
        at = int(above[0])
        raise ParameterError(
            f"A rank must be at most the number of candidates. Got rank {array[at].max()} and {pool[at]} candidates "
            f"for query {at}. Pass the number of rows that a query could return."
        )
    return middle / np.maximum(pool, 1)


def _expected(lists: TwoLists, values: Doubles, _seed: int) -> float:
    """Return the mean chance level: exactly (candidates + 1) / (2 candidates) where no row is the query's own."""
    ranks, candidates = lists.arguments("ranks in the other space")
    count = np.count_nonzero(ranks > 0, axis=1)
    own = np.zeros_like(count) if lists.own is None else np.count_nonzero(lists.own, axis=1)
    pool = np.broadcast_to(np.asarray(candidates, dtype=np.int64), count.shape)
    drawn = np.stack([count, np.minimum(own, count), pool], axis=1)[~np.isnan(values)]
    kinds, sizes = np.unique(drawn, axis=0, return_counts=True)
    return float(np.average([expected_median_rank(*map(int, kind)) / int(kind[2]) for kind in kinds], weights=sizes))


SPREAD = replace(
    OVERLAP,
    name="spread",
    function=spread,
    summary="how far A's k neighbours went in B: their median rank there as a share of the candidates",
    formula="median over A's k neighbours of their rank in B, over candidates",
    needs="ranks in the other space",
    direction="A's neighbours stand farther away in B",
    symmetric=False,
    undefined_when="a query has no neighbours in A",
    chance="(candidates + 1) / (2 candidates)",
    reference="after embComp, Heimerl et al. 2020, arXiv 2004.11500",
    scorer=PerQuery(_expected, "have no ranks and"),
    best=None,
)
