"""Centred kernel alignment with the linear kernel: no n x n matrix is ever made.

Of all pairs of rows it follows from sums over the rows (CKA); of nearest neighbours only, from sparse lists, at time
and memory O(n k) (CKNNA).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.from_sums import FromSums
from embdiff.measures.inputs import Undefined
from embdiff.measures.moments import Moments, Sums, moments
from embdiff.measures.spaces import Estimate, Jackknifed, check_every_row
from embdiff.measures.statistics.jackknife import counted_twice, groups, pairs
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import BoolArray, IntArray, Neighbors

FEWEST = 4  # rows that the unbiased estimator divides by: n (n - 3)


def cka(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the debiased linear CKA: how alike the similarities between all pairs of rows are in two spaces.

    ``h(K, L) / sqrt(h(K, K) h(L, L)), h the unbiased HSIC of K = XX', L = YY'``: the diagonals are set to 0, and the
    unbiased estimator of the Hilbert-Schmidt independence criterion is
    ``h(K, L) = [tr KL + 1'K1 1'L1 / ((n-1)(n-2)) - 2 1'KL1 / (n-2)] / (n (n-3))``. It is written out in features, at
    O(n d^2), and equals the n x n form exactly.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)
        The same rows in both; the dimensions may differ.

    Returns
    -------
    float
        In [-1, 1], 1 for spaces that differ by rotation, scaling and shift; around 0, also below, for unrelated
        ones whatever n and d. Never clipped. NaN when there are fewer than 4 rows, or a space has no spread.

    Notes
    -----
    By chance 0, exactly, over all orders of the rows.

    References
    ----------
    Song et al., JMLR 13 (2012) 1393, eq. 5 (estimator); Kornblith et al. 2019, arXiv 1905.00414; Székely and Rizzo 2014
    (the bounds: it is an inner product of U-centred matrices).
    """
    return debiased(moments(x, y))


def cka_biased(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the linear CKA as first published; high for few rows of many dimensions, whatever they are.

    ``|Xc'Yc|_F^2 / (|Xc'Xc|_F |Yc'Yc|_F)``, centred spaces.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)

    Returns
    -------
    float
        In [0, 1]. Unrelated spaces reach about ``d / (n + d)``: .80 for 100 rows of 384 dimensions. NaN when there
        are fewer than 2 rows, or a space has no spread.

    Notes
    -----
    By chance tr Xc'Xc tr Yc'Yc / ((n - 1) |Xc'Xc|_F |Yc'Yc|_F): its mean over all orders of the rows.

    References
    ----------
    Kornblith et al. 2019, arXiv 1905.00414.
    """
    return biased(moments(x, y))


def debiased(sums: Moments) -> float:
    """`cka` of sums."""
    if sums.n < FEWEST or not sums.has_spread:
        return math.nan
    both, left, right = _three(sums)
    # Equidistant rows have h(K, K) = 0; what cancellation leaves of it is rounding.
    if left <= 1e-12 * sums.left.kk / sums.n**2 or right <= 1e-12 * sums.right.kk / sums.n**2:
        return math.nan
    return both / math.sqrt(left * right)


def tangent(at: Moments) -> Callable[[Moments], float]:
    """Return `cka` as a linear function of the three h that it is made of, near sums whose value is defined.

    Its second differences are those of the three, without the curvature of the ratio.
    """
    value = debiased(at)
    _, left, right = _three(at)

    def linear(sums: Moments) -> float:
        if sums.n < FEWEST:
            return math.nan
        h = _three(sums)
        return h[0] / math.sqrt(left * right) - value / 2 * (h[1] / left + h[2] / right)

    return linear


def biased(sums: Moments) -> float:
    """`cka_biased` of sums."""
    if not sums.has_spread:
        return math.nan
    below = np.linalg.norm(sums.left.centred) * np.linalg.norm(sums.right.centred)
    return float((sums.centred * sums.centred).sum()) / float(below)


def biased_chance(sums: Moments) -> float:
    """Return the mean of `cka_biased` over all orders of the rows of Y.

    It is ``tr Xc'Xc tr Yc'Yc / ((n-1) |Xc'Xc| |Yc'Yc|)``, exactly: a centred kernel has row sums 0, so the mean of
    its off-diagonal numbers is ``-tr / (n (n-1))``.
    """
    if not sums.has_spread:
        return math.nan
    xx, yy = sums.left.centred, sums.right.centred
    return float(np.trace(xx) * np.trace(yy) / ((sums.n - 1) * np.linalg.norm(xx) * np.linalg.norm(yy)))


def _three(sums: Moments) -> tuple[float, float, float]:
    """Return h(K, L), h(K, K) and h(L, L)."""
    return _hsic(sums), _hsic(_with_itself(sums.left)), _hsic(_with_itself(sums.right))


def _with_itself(x: Sums) -> Moments:
    return Moments(x, x, x.xx, x.xk, x.xk, x.kk)


def _hsic(sums: Moments) -> float:
    """Return ``h(K, L)``.

    Taking the diagonals out of the three terms, with a = sum x, b = sum y:
    tr KL = |X'Y|^2 - sum kl; 1'K1 = |a|^2 - sum k; 1'KL1 = a'X'Yb - a'(sum l x) - b'(sum k y) + sum kl.
    """
    n, a, b = sums.n, sums.left.x, sums.right.x
    trace = float((sums.xy * sums.xy).sum()) - sums.kl
    totals = (float(a @ a) - sums.left.k) * (float(b @ b) - sums.right.k)
    across = float(a @ sums.xy @ b) - float(a @ sums.xl) - float(b @ sums.yk) + sums.kl
    return _unbiased(n, trace, totals, across)


def _unbiased(n: int, trace: float, totals: float, across: float) -> float:
    """Return h from tr KL, 1'K1 1'L1 and 1'KL1 of matrices without diagonal."""
    return (trace + totals / ((n - 1) * (n - 2)) - 2 * across / (n - 2)) / (n * (n - 3))


CKA = Measure(
    function=cka,
    needs="two spaces",
    direction="more alike geometry",
    range=(-1.0, 1.0),
    symmetric=True,
    invariances=("rotation", "scaling", "shift", "order of the rows"),
    cutoff=False,
    scorer=FromSums(value=debiased, chance=lambda _: 0.0, tangent=tangent, fewest=FEWEST),
    best=1.0,
)
CKA_BIASED = CKA.variant(
    function=cka_biased,
    range=(0.0, 1.0),
    scorer=FromSums(value=biased, chance=biased_chance),
    best=None,
    reported=False,
)


SHUFFLES = 20  # random orders whose mean is the chance level


def cknna(a: Neighbors, b: Neighbors) -> float:
    """Return the kernel alignment counted over shared nearest neighbours only: the centred one, CKNNA.

    ``g(K, L) / sqrt(g(K, K) g(L, L)), g the unbiased HSIC over pairs that are neighbours in both`` spaces: see
    `embdiff.measures.cka.cka`; every similarity (i, j) is 0 unless j is among the k nearest of i in both. g(K, K) has
    the neighbours of the first space alone.

    Parameters
    ----------
    a, b : Neighbors, shape (n, k)
        Query i is row i of the corpus, its own row left out; metric cosine or ip; -1 pads.

    Returns
    -------
    float
        1 for equal lists and similarities; around 0 for unrelated ones, also below. Never clipped. NaN when there are
        fewer than 4 rows, k is below 2, or the similarities of the neighbours do not vary (g(K, K) is not positive).

    Raises
    ------
    ShapeError, ParameterError
        When the lists differ in shape, hold a row that is not there or is the query itself, or are of metric l2.

    Notes
    -----
    By chance the mean over 20 random orders of the rows; near 0.

    As in the code of the reference, the masks are not made symmetric: the trace counts pairs that are neighbours both
    ways, and the term 1'KL1 changes a little when the spaces are exchanged. Its constant 1e-6 in the denominator is
    left out.

    References
    ----------
    Huh et al. 2024, arXiv 2405.07987 and github.com/minyoungg/platonic-rep; Song et al., JMLR 13 (2012) 1393.
    """
    left, right = _pair(a, b)
    return _Aligned.of(left, right).value() if a.k >= 2 else math.nan


def _of_neighbors(a: Neighbors, b: Neighbors, *, seed: int) -> Estimate:
    """Leave rows out of lists already made: nothing is searched again among the others.

    What hangs on pairs of rows is counted once (Efron and Stein 1981). Chance is the mean over 20 random orders.
    """
    if "l2" in (a.metric, b.metric):
        raise Undefined("it aligns cosines: vectors searched by l2 must be of length 1")
    left, right = _pair(a, b)
    n, value = left.n, cknna(a, b)
    if not math.isfinite(value):
        why = "the similarities of the neighbours in one space do not vary"
        if n < FEWEST or a.k < 2:
            why = f"there must be at least 4 rows and 2 neighbours, there are {n} and {a.k}"
        return Estimate(value, n, why=why)
    parts, aligned = groups(n, seed=seed), _Aligned.of(left, right)
    without = [aligned.value(part) for part in parts]
    two = [aligned.value(np.concatenate([parts[i], parts[j]])) for i, j in pairs(len(parts))]
    rng = np.random.default_rng(seed)
    chances = [_Aligned.of(left, right.reordered(rng.permutation(n))).value() for _ in range(SHUFFLES)]
    return Estimate(value, n, without, float(np.mean(chances)), twice=counted_twice(value, without, two))


@dataclass(frozen=True, eq=False)
class _Sparse:
    """An n x n matrix without diagonal: ``values[m]`` at the pair ``codes[m] = i n + j``, codes ascending."""

    n: int
    codes: IntArray
    values: Doubles

    @classmethod
    def of(cls, n: int, i: IntArray, j: IntArray, values: Doubles) -> _Sparse:
        """Put the values at pairs (i, j) in order."""
        codes = i * n + j
        order = np.argsort(codes)
        return cls(n, codes[order], values[order])

    def reordered(self, order: IntArray) -> _Sparse:
        """Give row i the number ``order[i]``."""
        i, j = np.divmod(self.codes, self.n)
        return _Sparse.of(self.n, order[i], order[j], self.values)


def _sparse(neighbors: Neighbors) -> _Sparse:
    i, place = np.nonzero(neighbors.rows >= 0)
    similarity = neighbors.similarity[i, place].astype(np.float64)
    return _Sparse.of(len(neighbors.rows), i, neighbors.rows[i, place], similarity)


def _pair(a: Neighbors, b: Neighbors) -> tuple[_Sparse, _Sparse]:
    if a.rows.shape != b.rows.shape:
        raise ShapeError(
            "Two lists of neighbours must have one shape (n, k). "
            f"Got {a.rows.shape} and {b.rows.shape}. Search the same rows with the same k."
        )
    for lists in (a, b):
        check_every_row(lists)
        if lists.metric == "l2":
            raise ParameterError(
                "The metric of cknna must be cosine or ip: it aligns inner products. Got l2. "
                "Search with the metric cosine."
            )
    return _sparse(a), _sparse(b)


@dataclass(frozen=True, eq=False)
class _Products:
    """Sparse n x n matrices K and L at the same pairs (i, j), and K_ij L_ji where (j, i) is a pair, too (else 0)."""

    n: int
    i: IntArray
    j: IntArray
    k: Doubles
    l: Doubles  # noqa: E741 - the letters of the formula
    mirrored: Doubles

    @classmethod
    def of(cls, n: int, codes: IntArray, k: Doubles, l: Doubles) -> _Products:  # noqa: E741
        """Take them apart; ``codes`` as in `_Sparse`."""
        i, j = np.divmod(codes, n)
        back = j * n + i
        place = np.minimum(np.searchsorted(codes, back), max(0, len(codes) - 1))
        return cls(n, i, j, k, l, np.where(codes[place] == back, k * l[place], 0.0))

    def hsic(self, kept: BoolArray) -> float:
        """Return the unbiased HSIC of the rows that are ``kept`` (n,); NaN below 4."""
        count = int(np.count_nonzero(kept))
        if count < FEWEST:
            return math.nan
        here = kept[self.i] & kept[self.j]
        k, l = self.k[here], self.l[here]  # noqa: E741
        columns, rows = (np.bincount(at[here], weights, minlength=self.n) for at, weights in ((self.j, k), (self.i, l)))
        return _unbiased(count, float(self.mirrored[here].sum()), float(k.sum() * l.sum()), float(columns @ rows))


@dataclass(frozen=True, eq=False)
class _Aligned:
    """What the alignment of two sparse matrices is made of: at the pairs of both, and each with itself."""

    both: _Products
    alone: tuple[_Products, _Products]

    @classmethod
    def of(cls, a: _Sparse, b: _Sparse) -> _Aligned:
        """Look up the pairs that both have."""
        _, in_a, in_b = np.intersect1d(a.codes, b.codes, assume_unique=True, return_indices=True)
        both = _Products.of(a.n, a.codes[in_a], a.values[in_a], b.values[in_b])
        one, two = (_Products.of(each.n, each.codes, each.values, each.values) for each in (a, b))
        return cls(both, (one, two))

    def value(self, left_out: IntArray | None = None) -> float:
        """Return the alignment, without some rows; nothing is searched again."""
        kept = np.ones(self.both.n, dtype=np.bool_)
        if left_out is not None:
            kept[left_out] = False
        below = [each.hsic(kept) for each in self.alone]
        return self.both.hsic(kept) / math.sqrt(below[0] * below[1]) if min(below) > 0 else math.nan


CKNNA = Measure(
    function=cknna,
    needs="two neighbors of every row",
    direction="more alike neighbourhoods",
    range=(-math.inf, math.inf),
    symmetric=False,
    invariances=("rotation", "scaling", "order of the rows", "order of the neighbours within a list"),
    scorer=Jackknifed(estimate=_of_neighbors),
)
