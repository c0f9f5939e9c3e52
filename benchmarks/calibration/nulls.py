"""Tests where nothing differs: each gives one p-value per repetition, and 5 % of them should be .05 or less."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from embdiff import exact
from embdiff.measures import absence_test
from embdiff.measures.calibration import calibrate, shuffled
from embdiff.measures.cka import cka
from embdiff.measures.overlap import overlap
from embdiff.measures.statistics.randomisation import randomisation_p
from embdiff.measures.statistics.resampling import interval
from embdiff.records import Neighbors

LAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal differences": lambda rng, n: rng.standard_normal(n),
    "overlaps at 10": lambda rng, n: (rng.binomial(10, 0.4, n) - rng.binomial(10, 0.4, n)) / 10,
    "reciprocal ranks": lambda rng, n: 1 / rng.geometric(0.4, n) - 1 / rng.geometric(0.4, n),
    "heavy tails (t with 2 degrees of freedom)": lambda rng, n: rng.standard_t(2, n),
}
COARSE = "overlaps at 10"  # the law whose differences are tenths
_Null = Callable[[np.random.Generator, int], bool]


def _randomisation(law: str, n: int) -> _Null:
    def rejected(rng: np.random.Generator, seed: int) -> bool:
        return randomisation_p(LAWS[law](rng, n), seed=seed, permutations=1_999)[0] <= 0.05

    return rejected


def _bootstrap(law: str, n: int) -> _Null:
    def rejected(rng: np.random.Generator, seed: int) -> bool:
        low, high, _ = interval(LAWS[law](rng, n), seed=seed, bounds=None)
        return not low <= 0 <= high

    return rejected


def lists(vectors: np.ndarray, k: int) -> Neighbors:
    """Return the nearest rows of every row, its own left out."""
    single = vectors.astype(np.float32)
    return exact.search(single, single, k, "cosine", leave_out=np.arange(len(single)))


def _overlap(rng: np.random.Generator, seed: int) -> bool:
    a, b = (lists(rng.standard_normal((40, 6)), 5) for _ in range(2))
    found = calibrate(
        lambda order: float(overlap(a, shuffled(b, order)).mean()),
        40,
        ("a", "b"),
        measure="overlap@5",
        seed=seed,
        permutations=99,
    )
    return found.p <= 0.05


def _cka(rng: np.random.Generator, seed: int) -> bool:
    x, y = rng.standard_normal((40, 8)), rng.standard_normal((40, 6))
    found = calibrate(lambda order: cka(x, y[order]), 40, ("a", "b"), measure="cka", seed=seed, permutations=99)
    return found.p <= 0.05


def attainable(law: str, n: int, repetitions: int) -> float:
    """Return how often the randomisation test of differences in steps of a tenth could reject at 5 % without mid-p.

    Given the sizes of the differences, the sum takes few values. Counting ties whole, p-values between .05 and the next
    lower one that occurs are never seen: the share of true nulls rejected is that lower one, here the mean of samples.
    """
    levels = []
    for r in range(repetitions):
        sizes = np.abs(np.rint(10 * LAWS[law](np.random.default_rng((50, r)), n))).astype(np.int64)
        chances = np.ones(1)  # of the sum of the sizes with positive sign, from 0
        for size in sizes[sizes > 0]:
            chances = (np.pad(chances, (0, size)) + np.pad(chances, (size, 0))) / 2
        away = np.abs(2 * np.arange(len(chances)) - (len(chances) - 1))
        tails = np.cumsum(np.bincount(away, weights=chances)[::-1])  # chance of a sum at least so far from 0
        levels.append(float(tails[tails <= 0.05 + 1e-12].max(initial=0.0)))
    return float(np.mean(levels))


def _absence(sizes: tuple[int, ...], part: str = "p") -> _Null:
    """Labels that mean nothing over real neighbours in a Gaussian space, hubs and all; the first group is looked at."""
    names = np.repeat([f"g{at}" for at in range(len(sizes))], sizes).tolist()

    def rejected(rng: np.random.Generator, seed: int) -> bool:
        found = lists(rng.standard_normal((len(names), 20)), 10)
        return bool(getattr(absence_test(found, names, permutations=199, seed=seed)[0], part) <= 0.05)

    return rejected


NULLS: dict[str, _Null] = {
    **{f"paired randomisation test, {law}, n = {n}": _randomisation(law, n) for law in LAWS for n in (15, 50, 200)},
    **{
        f"paired bootstrap, {law}, n = {n}": _bootstrap(law, n)
        for law in ("normal differences", "overlaps at 10", "reciprocal ranks")
        for n in (50, 200)
    },
    "permutation calibration of overlap@5, 40 rows": _overlap,
    "permutation calibration of cka, 40 rows": _cka,
    "absence of a group, 4 groups of 25": _absence((25,) * 4),
    "absence of a group, groups of 15, 30 and 75": _absence((15, 30, 75)),
    "absence of a group, groups of 75, 30 and 15": _absence((75, 30, 15)),
    "absence of a group, groups of 15, 30 and 75, labels shuffled and recounted": _absence((15, 30, 75), "p_recounted"),
}


def rejections(null: _Null, repetitions: int, first: int = 0) -> int:
    """Count the rejections at 5 %; repetition r has the seed r, fixed in advance."""
    return sum(null(np.random.default_rng((50, r)), r) for r in range(first, first + repetitions))
