"""Centred kernel alignment with the linear kernel, from sums over the rows: no n x n matrix is ever made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from embdiff.measures.base import Measure
from embdiff.measures.from_sums import FromSums
from embdiff.measures.moments import Moments, Sums, moments

FEWEST = 4  # rows that the unbiased estimator divides by: n (n - 3)


def cka(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the debiased linear CKA of two spaces: ``h(K, L) / sqrt(h(K, K) h(L, L))``.

    ``K = XX'`` and ``L = YY'`` with their diagonals set to 0, and the unbiased estimator of the Hilbert-Schmidt
    independence criterion ``h(K, L) = [tr KL + 1'K1 1'L1 / ((n-1)(n-2)) - 2 1'KL1 / (n-2)] / (n (n-3))``. It is
    written out in features, at O(n d^2), and equals the n x n form exactly.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)
        The same rows in both; the dimensions may differ.

    Returns
    -------
    float
        In [-1, 1], 1 for spaces that differ by rotation, scaling and shift; around 0, also below, for unrelated
        ones whatever n and d. Never clipped. NaN below 4 rows, or when one space has h(K, K) = 0 (no spread).

    References
    ----------
    Song et al., JMLR 13 (2012) 1393, eq. 5; Kornblith et al. 2019, arXiv 1905.00414; Székely and Rizzo 2014 (the
    bounds: it is an inner product of U-centred matrices).
    """
    return debiased(moments(x, y))


def cka_biased(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the linear CKA as first published: ``|Xc'Yc|^2 / (|Xc'Xc| |Yc'Yc|)``, Frobenius norms, centred spaces.

    Parameters
    ----------
    x, y : array of float, shapes (n, d1) and (n, d2)

    Returns
    -------
    float
        In [0, 1]. Unrelated spaces reach about ``d / (n + d)``: .80 for 100 rows of 384 dimensions. NaN when a space
        has no spread.

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
    return (trace + totals / ((n - 1) * (n - 2)) - 2 * across / (n - 2)) / (n * (n - 3))


_REFERENCE = "Kornblith et al. 2019, arXiv 1905.00414"

CKA = Measure(
    name="cka",
    function=cka,
    summary="debiased linear CKA: how alike the similarities between all pairs of rows are in two spaces",
    formula="h(K, L) / sqrt(h(K, K) h(L, L)), h the unbiased HSIC of K = XX', L = YY'",
    needs="two spaces",
    direction="more alike geometry",
    range=(-1.0, 1.0),
    symmetric=True,
    invariances=("rotation", "scaling", "shift", "order of the rows"),
    undefined_when="fewer than 4 rows, or a space without spread",
    chance="0, exactly, over all orders of the rows",
    reference=f"Song et al. 2012, JMLR 13:1393 (estimator); {_REFERENCE}",
    cutoff=False,
    scorer=FromSums(value=debiased, chance=lambda _: 0.0, tangent=tangent, fewest=FEWEST),
    best=1.0,
)
CKA_BIASED = replace(
    CKA,
    name="cka_biased",
    function=cka_biased,
    summary="linear CKA as first published; high for few rows of many dimensions, whatever they are",
    formula="|Xc'Yc|_F^2 / (|Xc'Xc|_F |Yc'Yc|_F)",
    range=(0.0, 1.0),
    undefined_when="fewer than 2 rows, or a space without spread",
    chance="tr Xc'Xc tr Yc'Yc / ((n - 1) |Xc'Xc|_F |Yc'Yc|_F): its mean over all orders of the rows",
    reference=_REFERENCE,
    scorer=FromSums(value=biased, chance=biased_chance),
    best=None,
    reported=False,
)
