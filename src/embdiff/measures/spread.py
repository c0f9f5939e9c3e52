"""How the neighbours of one model stand in another: their ranks there, and their similarities to the query.

Second-order cosine: whether a query stands to its neighbours alike in two spaces.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.exact import similarity
from embdiff.measures.inputs import TwoLists
from embdiff.measures.overlap import OVERLAP
from embdiff.measures.places import union_rows
from embdiff.measures.rank import RANK_SIMILARITY, blocks
from embdiff.measures.score import PerQuery, mean_over_kinds
from embdiff.measures.statistics.quantiles import Doubles, mean_known, ratio
from embdiff.records import FloatArray, IntArray, Neighbors


def median_rank(ranks: npt.ArrayLike) -> Doubles:
    """Return, per query, the median rank in B of the k neighbours in A.

    Parameters
    ----------
    ranks : array of int64 or float64, shape (q, k)
        Exact rank in B, from 1, of each neighbour in A (`embdiff.exact.ranks`), of a row that is tied there the mean
        rank of its tie; -1 pads.

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
    if array.size and ((array < 1) & (array != -1)).any():
        raise ParameterError(
            f"Ranks must be numbers from 1, or -1 for none. Got {array.min()}. Count the nearest row as rank 1."
        )
    count = np.count_nonzero(array > 0, axis=1)
    ordered = np.sort(np.where(array > 0, array, np.inf), axis=1)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, array.shape[1] - 1)
    middle = np.take_along_axis(ordered, np.stack([low, high], axis=1), axis=1)
    return np.where(count > 0, middle.mean(axis=1), np.nan)


def spread(ranks: npt.ArrayLike, candidates: int | IntArray) -> Doubles:
    """Return, per query, how far A's k neighbours went in B: their median rank there as a share of the candidates.

    ``median over A's k neighbours of their rank in B, over candidates``.

    Parameters
    ----------
    ranks : array of int64, shape (q, k)
        As for `median_rank`.
    candidates : int or ndarray of int64, shape (q,)
        Rows that a query could return: n, or n - 1 when its own row is left out.

    Returns
    -------
    ndarray of float64, shape (q,)
        In (0, 1]: (k + 1) / 2 / candidates when B has the same neighbours, about 1/2 when B is unrelated. NaN when a
        query has no neighbours in A.

    Raises
    ------
    ShapeError, ParameterError
        As for `median_rank`, and when a rank is above the candidates.

    Notes
    -----
    By chance (candidates + 1) / (2 candidates).

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


def expected_median_rank(k: int, certain: int, candidates: int) -> float:
    """Return the expected median of k ranks drawn without replacement, the first ``certain`` of them being 1, 2, ...

    The j-th smallest of m numbers drawn from 1..N is ``j (N + 1) / (m + 1)`` on average (David and Nagaraja, Order
    Statistics, 3.7). ``(candidates + 1) / 2`` without certain rows; NaN for k = 0.
    """
    if k == 0:
        return math.nan

    def smallest(j: int) -> float:
        if j <= certain:
            return float(j)
        return certain + (j - certain) * (candidates - certain + 1) / (k - certain + 1)

    return (smallest((k + 1) // 2) + smallest(k // 2 + 1)) / 2


def _expected(lists: TwoLists, values: Doubles, _seed: int) -> float:
    """Return the mean chance level: exactly (candidates + 1) / (2 candidates) where no row is the query's own."""
    ranks, candidates = lists.arguments("ranks in the other space")
    count = np.count_nonzero(ranks > 0, axis=1)
    own = np.zeros_like(count) if lists.own is None else np.count_nonzero(lists.own, axis=1)
    pool = np.broadcast_to(np.asarray(candidates, dtype=np.int64), count.shape)
    drawn = np.stack([count, np.minimum(own, count), pool], axis=1)[~np.isnan(values)]
    return mean_over_kinds(drawn, lambda k, certain, size: expected_median_rank(k, certain, size) / size)


SPREAD = OVERLAP.variant(
    function=spread,
    ties=False,
    needs="ranks in the other space",
    direction="A's neighbours stand farther away in B",
    symmetric=False,
    scorer=PerQuery(_expected, "have no ranks and"),
    best=None,
)


_SEEN = 1_000  # queries that the chance level is the mean of, at least


def second_order_cosine(
    a: Neighbors, b: Neighbors, queries: tuple[FloatArray, FloatArray], vectors: tuple[FloatArray, FloatArray]
) -> Doubles:
    """Return, per query, the cosine of the similarities of a query to all neighbours in either list, in A and in B.

    ``x . y / (|x| |y|), x_j = cos_A(query, j) and y_j = cos_B(query, j) for j in A u B``.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
        Lists of the same queries; the rows within a list are distinct, -1 pads.
    queries : two ndarrays of float32, shapes (q, d_A) and (q, d_B)
        The queries' vectors in A and in B; the spaces may differ in dimension.
    vectors : two ndarrays of float32, shapes (n, d_A) and (n, d_B)
        The rows' vectors in A and in B.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [-1, 1]. The profiles are not centred, and cosines of embeddings are mostly positive: values near 1 are
        common for unrelated models too (see `chance_of_second_order`). NaN when both lists of a query are empty, or
        all its similarities are 0.

    Raises
    ------
    ShapeError, ParameterError
        When the arrays do not fit together, or a vector has no direction.

    Notes
    -----
    By chance its mean after shuffling the rows of B, over 1,000 queries or more; often near 1.

    References
    ----------
    Hamilton, Leskovec and Jurafsky 2016 (EMNLP, local neighbourhood measure); ReSi (Klabunde et al. 2024).
    """
    _check(vectors)
    out = np.full(len(a.rows), np.nan)
    for part, one, two in blocks(a, b):
        union = union_rows(one.rows, two.rows, a.k)
        sides = zip(queries, vectors, strict=True)
        x, y = (similarity(asked[part], rows, union, "cosine") for asked, rows in sides)
        out[part] = _cosine(x, y)
    return out


def chance_of_second_order(
    a: Neighbors,
    b: Neighbors,
    queries: tuple[FloatArray, FloatArray],
    vectors: tuple[FloatArray, FloatArray],
    *,
    rows: IntArray | None = None,
    seed: int,
) -> float:
    """Return the mean second-order cosine after shuffling the rows of B: what unrelated spaces like these two reach.

    Parameters
    ----------
    a, b, queries, vectors
        As for `second_order_cosine`.
    rows : ndarray of int64, shape (q,), optional
        The row that each query is. Queries then change places as their rows do, so that a row left out of its own list
        stays left out; otherwise queries and rows are shuffled apart.
    seed : int
        Of the shuffles: so many that 1,000 queries or more are seen, at most 1,000 queries in each.

    Returns
    -------
    float
        NaN when no query has a value.
    """
    n, q = _check(vectors), len(a.rows)
    if not q:
        return math.nan
    rng = np.random.default_rng(seed)
    parts = zip(*(_shuffled(a, b, n, rows, rng) for _ in range(-(-_SEEN // q))), strict=True)
    some, other, union, there = (np.concatenate(part) for part in parts)
    x = similarity(queries[0][some], vectors[0], union, "cosine")
    y = similarity(queries[1][other], vectors[1], there, "cosine")
    return mean_known(_cosine(x, y))


def _shuffled(
    a: Neighbors, b: Neighbors, n: int, rows: IntArray | None, rng: np.random.Generator
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return queries of A, those of B in their place, (m,), and the rows in either list, as A and B have them."""
    order, other = _shuffle(n, len(a.rows), rows, rng)
    # Row r of the shuffled B is what was its row order[r]; place is the way back, -1 for the pads.
    place = np.full(n + 1, -1, dtype=np.int64)
    place[order] = np.arange(n)
    some = np.sort(rng.permutation(len(a.rows))[:_SEEN])
    union = union_rows(a.rows[some], place[b.rows[other[some]]], a.k)
    return some, other[some], union, np.where(union >= 0, order[union], -1)


def _check(vectors: tuple[FloatArray, FloatArray]) -> int:
    """Return the number of rows, the same in both spaces."""
    if len(vectors[0]) != len(vectors[1]):
        raise ShapeError(
            f"Two spaces must have the same rows. Got {len(vectors[0])} and {len(vectors[1])}. "
            "Encode one corpus with both models."
        )
    return len(vectors[0])


def _shuffle(n: int, q: int, rows: IntArray | None, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Return an order of the rows, (n,), and which query stands in for each, (q,)."""
    other = rng.permutation(q)
    if rows is None:
        return rng.permutation(n), other
    order = np.arange(n, dtype=np.int64)
    order[rows] = rows[other]
    rest = np.setdiff1d(np.arange(n, dtype=np.int64), rows)
    order[rest] = rng.permutation(rest)
    return order, other


def _cosine(left: FloatArray, right: FloatArray) -> Doubles:
    """Return the cosine of every two profiles; NaN where one of them is 0."""
    x, y = (np.nan_to_num(side).astype(np.float64) for side in (left, right))
    cosine = ratio((x * y).sum(axis=1), np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1)))
    return np.asarray(np.clip(cosine, -1.0, 1.0))


def _expected_cosine(lists: TwoLists, _values: Doubles, seed: int) -> float:
    return chance_of_second_order(*lists.arguments("two spaces + neighbors"), rows=lists.rows, seed=seed)


SECOND_ORDER_COSINE = RANK_SIMILARITY.variant(
    function=second_order_cosine,
    needs="two spaces + neighbors",
    direction="more alike profiles of similarity",
    range=(-1.0, 1.0),
    invariances=(
        "order of the queries",
        "order of the neighbours within a list",
        "rotation and scaling of either space",
    ),
    scorer=PerQuery(_expected_cosine, "have no neighbours, or no similarity other than 0, and"),
)
