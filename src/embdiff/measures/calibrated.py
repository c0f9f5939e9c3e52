"""Two models against shuffled rows: overlap, cka, rsa and procrustes, each in a form in which a shuffle is cheap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from embdiff.measures.calibration import Calibration, calibrate, shuffled
from embdiff.measures.inference import holm
from embdiff.measures.moments import Doubles, Floating, check_pair
from embdiff.measures.overlap import overlap
from embdiff.measures.row_pairs import Ranked, row_pairs, squared_distances
from embdiff.records import IntArray, Neighbors, Space

ROWS = 2_000  # of the spaces; beyond, so many are drawn: n x n numbers are held
MEASURES = ("overlap", "cka", "rsa", "procrustes")

_Value = Callable[[IntArray], float]


def calibrate_pair(
    a: Space, b: Space, neighbors: tuple[Neighbors, Neighbors], *, permutations: int, seed: int, note: str | None = None
) -> tuple[Calibration, ...]:
    """Return the calibration of each of `MEASURES` for two models.

    Parameters
    ----------
    a, b : Space, vectors of shapes (n, d1) and (n, d2)
        Of the same rows. Beyond 2,000 rows, 2,000 are drawn for cka, rsa and procrustes, and ``reason`` says so.
    neighbors : tuple of Neighbors, each (m, k)
        Of the same rows in both, each left out of its own list.
    permutations : int
    seed : int
        Of the permutations, the same for all measures, and of the sample.
    note : str, optional
        What was sampled for the neighbours.
    """
    x, y = check_pair(a.vectors, b.vectors)
    n, sampled = len(x), None
    if n > ROWS:
        rows = np.sort(np.random.default_rng(seed).permutation(n)[:ROWS])
        x, y, sampled = x[rows], y[rows], f"{ROWS:,} of {n:,} rows were sampled"
    first, second = neighbors
    kinds: tuple[tuple[str, _Value, int, float, str | None], ...] = (
        (f"overlap@{first.k}", lambda order: float(overlap(first, shuffled(second, order)).mean()), len(first.rows),
         1.0, note),
        ("cka", _products(_centred(x), _centred(y)), len(x), 1.0, sampled),
        ("rsa", _products(_ranks(x), _ranks(y)), len(x), 1.0, sampled),
        ("procrustes", _rotations(x, y), len(x), 0.0, sampled),
    )  # fmt: skip
    found = []
    for measure, value, rows_there, best, words in kinds:
        one = calibrate(
            value, rows_there, (a.model, b.model), measure=measure, seed=seed, best=best,
            agreement="high" if best else "low", permutations=permutations,
        )  # fmt: skip
        found.append(replace(one, reason="; ".join(filter(None, (one.reason, words))) or None))
    return tuple(found)


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
