"""Kernel alignment of nearest neighbours only (CKNNA), on sparse lists: time and memory O(n k)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.inputs import Undefined
from embdiff.measures.spaces import Estimate, Jackknifed, check_every_row
from embdiff.measures.statistics.jackknife import counted_twice, groups, pairs
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import IntArray, Neighbors

SHUFFLES = 20  # random orders whose mean is the chance level


def cknna(a: Neighbors, b: Neighbors) -> float:
    """Return the centred kernel nearest-neighbour alignment: `cka` where only shared neighbours count.

    ``g(K, L) / sqrt(g(K, K) g(L, L))``: g is the unbiased HSIC (see `embdiff.measures.cka.cka`) of the similarities
    in both spaces, every pair (i, j) set to 0 unless j is among the k nearest of i in both; g(K, K) has the
    neighbours of the first space alone.

    Parameters
    ----------
    a, b : Neighbors, shape (n, k)
        Query i is row i of the corpus, its own row left out; metric cosine or ip; -1 pads.

    Returns
    -------
    float
        1 for equal lists and similarities; around 0 for unrelated ones, also below. Never clipped. NaN below 4 rows,
        for k below 2, and when g(K, K) or g(L, L) is not positive.

    Raises
    ------
    ShapeError, ParameterError
        When the lists differ in shape, hold a row that is not there or is the query itself, or are of metric l2.

    Notes
    -----
    As in the code of the reference, the masks are not made symmetric: the trace counts pairs that are neighbours both
    ways, and the term 1'KL1 changes a little when the spaces are exchanged. Its constant 1e-6 in the denominator is
    left out.

    References
    ----------
    Huh et al. 2024, arXiv 2405.07987 and github.com/minyoungg/platonic-rep; Song et al., JMLR 13 (2012) 1393.
    """
    left, right = _pair(a, b)
    return _aligned(left, right) if a.k >= 2 else math.nan


def _estimate(a: Neighbors, b: Neighbors, *, seed: int) -> Estimate:
    """Leave rows out of lists already made: nothing is searched again among the others.

    What hangs on pairs of rows is counted once (Efron and Stein 1981). Chance is the mean over 20 random orders.
    """
    if "l2" in (a.metric, b.metric):
        raise Undefined("it aligns cosines: vectors searched by l2 must be of length 1")
    left, right = _pair(a, b)
    n, value = left.n, cknna(a, b)
    if not math.isfinite(value):
        few = f"there must be at least 4 rows and 2 neighbours, there are {n} and {a.k}" if n < 4 or a.k < 2 else None
        return Estimate(value, n, why=few or "the similarities of the neighbours in one space do not vary")
    parts = groups(n, seed=seed)
    without = [_aligned(left.without(part), right.without(part)) for part in parts]
    beside = [np.concatenate([parts[i], parts[j]]) for i, j in pairs(len(parts))]
    two = [_aligned(left.without(part), right.without(part)) for part in beside]
    rng = np.random.default_rng(seed)
    chances = [_aligned(left, right.reordered(rng.permutation(n))) for _ in range(SHUFFLES)]
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

    def without(self, part: IntArray) -> _Sparse:
        """Leave rows out and number the others anew."""
        kept = np.ones(self.n, dtype=np.bool_)
        kept[part] = False
        number = np.cumsum(kept) - 1
        i, j = np.divmod(self.codes, self.n)
        both = kept[i] & kept[j]
        count = int(np.count_nonzero(kept))
        return _Sparse(count, number[i[both]] * count + number[j[both]], self.values[both])

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


def _aligned(a: _Sparse, b: _Sparse) -> float:
    _, in_a, in_b = np.intersect1d(a.codes, b.codes, assume_unique=True, return_indices=True)
    both = _hsic(a.n, a.codes[in_a], a.values[in_a], b.values[in_b])
    below = _hsic(a.n, a.codes, a.values, a.values), _hsic(b.n, b.codes, b.values, b.values)
    return both / math.sqrt(below[0] * below[1]) if min(below) > 0 else math.nan


def _hsic(n: int, codes: IntArray, k: Doubles, l: Doubles) -> float:  # noqa: E741 - the letters of the formula
    """Return the unbiased HSIC of two sparse matrices at the same pairs; NaN below 4 rows."""
    if n < 4:
        return math.nan
    i, j = np.divmod(codes, n)
    back = j * n + i
    place = np.minimum(np.searchsorted(codes, back), max(0, len(codes) - 1))
    mutual = codes[place] == back if len(codes) else np.zeros(0, dtype=np.bool_)
    trace = float(k[mutual] @ l[place[mutual]])
    across = float(np.bincount(j, weights=k, minlength=n) @ np.bincount(i, weights=l, minlength=n))
    totals = float(k.sum() * l.sum())
    return (trace + totals / ((n - 1) * (n - 2)) - 2 * across / (n - 2)) / (n * (n - 3))


CKNNA = Measure(
    name="cknna",
    function=cknna,
    summary="kernel alignment counted over shared nearest neighbours only",
    formula="g(K, L) / sqrt(g(K, K) g(L, L)), g the unbiased HSIC over pairs that are neighbours in both",
    needs="two neighbors of every row",
    direction="more alike neighbourhoods",
    range=(-math.inf, math.inf),
    symmetric=False,
    invariances=("rotation", "scaling", "order of the rows", "order of the neighbours within a list"),
    undefined_when="fewer than 4 rows, k below 2, or neighbours' similarities that do not vary",
    chance="mean over 20 random orders of the rows; near 0",
    reference="Huh et al. 2024, arXiv 2405.07987",
    scorer=Jackknifed(estimate=_estimate),
)
