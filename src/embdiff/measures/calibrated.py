"""Two models against shuffled rows: every measure of two lists or spaces, in a form in which a shuffle is cheap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from embdiff.measures.calibration import Calibration, calibrate, shuffled
from embdiff.measures.cca import VARIANCE, of_orders
from embdiff.measures.moments import Doubles, Floating, check_pair
from embdiff.measures.overlap import jaccard, overlap
from embdiff.measures.rank import kendall_tau, rank_similarity
from embdiff.measures.rbo import P, rbo
from embdiff.measures.row_pairs import Ranked, row_pairs, squared_distances
from embdiff.measures.second_order import second_order_cosine
from embdiff.measures.statistics.quantiles import holm
from embdiff.records import FloatArray, IntArray, Neighbors, Space

ROWS = 2_000  # of the spaces; beyond, so many are drawn: n x n numbers are held
_LISTS: tuple[tuple[str, Callable[..., Doubles]], ...] = (
    ("overlap@{}", overlap),
    ("jaccard@{}", jaccard),
    (f"rbo(p={P:g})@{{}}", rbo),
    ("rank_similarity@{}", rank_similarity),
    ("kendall_tau@{}", kendall_tau),
)

_Value = Callable[[IntArray], float]
_Kind = tuple[str, _Value, int, float, str | None]


def calibrate_pair(
    a: Space,
    b: Space,
    neighbors: tuple[Neighbors, Neighbors],
    *,
    vectors: tuple[FloatArray, FloatArray] | None = None,
    permutations: int,
    seed: int,
    note: str | None = None,
) -> tuple[Calibration, ...]:
    """Return the calibrations for two models: of their neighbours, then of their spaces.

    Parameters
    ----------
    a, b : Space, vectors of shapes (n, d1) and (n, d2)
        Of the same rows. Beyond 2,000 rows, 2,000 are drawn for the measures of spaces, and ``reason`` says so.
    neighbors : tuple of Neighbors, each (m, k)
        Of the same rows in both, each left out of its own list.
    vectors : tuple of ndarray of float32, shapes (m, d1) and (m, d2), optional
        Of the rows that the neighbours are of; by default those of the spaces.
    permutations : int
    seed : int
        Of the permutations, the same for all measures, and of the sample.
    note : str, optional
        What was sampled for the neighbours.
    """
    kinds = [*_of_lists(neighbors, vectors or (a.vectors, b.vectors), note), *_of_spaces(a, b, seed)]
    found = []
    for measure, value, rows, best, words in kinds:
        one = calibrate(
            value, rows, (a.model, b.model), measure=measure, seed=seed, best=best,
            agreement="high" if best else "low", permutations=permutations,
        )  # fmt: skip
        found.append(replace(one, reason="; ".join(filter(None, (one.reason, words))) or None))
    return tuple(found)


def _of_lists(
    neighbors: tuple[Neighbors, Neighbors], vectors: tuple[FloatArray, FloatArray], note: str | None
) -> Iterator[_Kind]:
    first, second = neighbors
    for text, function in _LISTS:
        yield text.format(first.k), _mean_of(function, first, second), len(first.rows), 1.0, note
    yield f"second_order_cosine@{first.k}", _profiles(first, second, vectors), len(first.rows), 1.0, note


def _of_spaces(a: Space, b: Space, seed: int) -> Iterator[_Kind]:
    x, y = check_pair(a.vectors, b.vectors)
    n, sampled = len(x), None
    if n > ROWS:
        rows = np.sort(np.random.default_rng(seed).permutation(n)[:ROWS])
        x, y, sampled = x[rows], y[rows], f"{ROWS:,} of {n:,} rows were sampled"
    distance = _rotations(x, y)
    mean, weighted = of_orders(x, y)
    for measure, value, best in (
        ("cka", _products(_centred(x), _centred(y)), 1.0),
        ("rsa", _products(_ranks(x), _ranks(y)), 1.0),
        ("procrustes", distance, 0.0),
        ("shape_angle", lambda order: float(np.arccos(np.clip(1 - distance(order) ** 2 / 2, 0.0, 1.0))), 0.0),
        (f"svcca(variance={VARIANCE:g})", mean, 1.0),
        ("pwcca", weighted, 1.0),
    ):
        yield measure, value, len(x), best, sampled


def _mean_of(function: Callable[..., Doubles], first: Neighbors, second: Neighbors) -> _Value:
    """Return the mean over the rows that have a value, NaN when none has."""

    def value(order: IntArray) -> float:
        values = function(first, shuffled(second, order))
        known = values[~np.isnan(values)]
        return float(known.mean()) if known.size else math.nan

    return value


def _profiles(first: Neighbors, second: Neighbors, vectors: tuple[FloatArray, FloatArray]) -> _Value:
    left, right = vectors
    if any(not side.any(axis=1).all() for side in vectors):
        return lambda _order: math.nan

    def both(a: Neighbors, b: Neighbors, order: IntArray) -> Doubles:
        there = right[order]
        return second_order_cosine(a, b, (left, there), (left, there))

    return lambda order: _mean_of(lambda a, b: both(a, b, order), first, second)(order)


def over_pairs(found: Sequence[Calibration]) -> tuple[Calibration, ...]:
    """Return the calibrations with p-values adjusted by Holm over the pairs of models, measure by measure."""
    adjusted: dict[int, float] = {}
    for measure in dict.fromkeys(each.measure for each in found):
        places = [place for place, each in enumerate(found) if each.measure == measure]
        adjusted |= dict(zip(places, holm([found[place].p for place in places]).tolist(), strict=True))
    return tuple(replace(each, p_holm=adjusted[place]) for place, each in enumerate(found))


def _products(left: Doubles, right: Doubles) -> _Value:
    """Return the sum of products of two n x n tables, rows and columns of the second in a given order."""
    return lambda order: float((left * right[np.ix_(order, order)]).sum())


def _unit(table: Doubles, scale: float) -> Doubles:
    """Bring a table to Frobenius norm 1; NaN where nothing but rounding is left of ``scale``."""
    length = math.sqrt(float((table * table).sum()))
    return table / (length if length > 1e-12 * scale else math.nan)


def _centred(x: Floating) -> Doubles:
    """Return the U-centred products of all rows: their inner product is the unbiased HSIC (Székely and Rizzo 2014)."""
    shifted = x - x.mean(axis=0, dtype=np.float64)
    n = len(shifted)
    if n < 4:
        return np.full((n, n), math.nan)
    table = shifted @ shifted.T
    scale = float(np.abs(table).sum())
    np.fill_diagonal(table, 0.0)
    sums = table.sum(axis=0) / (n - 2)
    table = table - sums[:, None] - sums[None, :] + table.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(table, 0.0)
    return _unit(table, scale)


def _ranks(x: Floating) -> Doubles:
    """Return the centred ranks of the distances of all pairs, as a table with zeros on the diagonal."""
    n = len(x)
    i, j = row_pairs(n, n * n, seed=0)
    if n < 3:
        return np.full((n, n), math.nan)
    ranks = Ranked(squared_distances(x, i, j)).ranks()
    table = np.zeros((n, n))
    table[i, j] = table[j, i] = ranks - ranks.mean()
    return _unit(table, float(n * n))


def _rotations(x: Floating, y: Floating) -> _Value:
    """Return the Procrustes distance of x and of y with its rows in a given order."""
    left, right = (each - each.mean(axis=0, dtype=np.float64) for each in (x, y))
    left, right = (_unit(each, float(np.abs(each).max(initial=0.0))) for each in (left, right))

    def value(order: IntArray) -> float:
        product = left.T @ right[order]
        if not np.isfinite(product).all():
            return math.nan
        return math.sqrt(max(0.0, 2 - 2 * float(np.linalg.svd(product, compute_uv=False).sum())))

    return value
