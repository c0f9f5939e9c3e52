"""Tests where nothing differs: each gives one p-value per repetition, and 5 % of them should be .05 or less."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from embdiff import exact
from embdiff.measures import absence_test
from embdiff.measures.calibration import calibrate, shuffled
from embdiff.measures.cka import cka
from embdiff.measures.overlap import overlap
from embdiff.measures.paired import randomisation_p
from embdiff.measures.resampling import mean_interval
from embdiff.records import Neighbors

LAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal differences": lambda rng, n: rng.standard_normal(n),
    "overlaps at 10": lambda rng, n: (rng.binomial(10, 0.4, n) - rng.binomial(10, 0.4, n)) / 10,
    "reciprocal ranks": lambda rng, n: 1 / rng.geometric(0.4, n) - 1 / rng.geometric(0.4, n),
    "heavy tails (t with 2 degrees of freedom)": lambda rng, n: rng.standard_t(2, n),
}
_Null = Callable[[np.random.Generator, int], bool]


def _randomisation(law: str, n: int) -> _Null:
    def rejected(rng: np.random.Generator, seed: int) -> bool:
        return randomisation_p(LAWS[law](rng, n), seed=seed, permutations=1_999)[0] <= 0.05

    return rejected


def _bootstrap(law: str, n: int) -> _Null:
    def rejected(rng: np.random.Generator, seed: int) -> bool:
        low, high, _ = mean_interval(LAWS[law](rng, n), seed=seed)
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


def _absence(sizes: tuple[int, ...]) -> _Null:
    """Labels that mean nothing over real neighbours in a Gaussian space, hubs and all; the first group is looked at."""
    names = np.repeat([f"g{at}" for at in range(len(sizes))], sizes).tolist()

    def rejected(rng: np.random.Generator, seed: int) -> bool:
        found = lists(rng.standard_normal((len(names), 20)), 10)
        return absence_test(found, names, permutations=199, seed=seed)[0].p <= 0.05

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
}


def rejections(null: _Null, repetitions: int, first: int = 0) -> int:
    """Count the rejections at 5 %; repetition r has the seed r, fixed in advance."""
    return sum(null(np.random.default_rng((50, r)), r) for r in range(first, first + repetitions))
