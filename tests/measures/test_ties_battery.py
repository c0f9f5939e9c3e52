"""Spaces full of ties: intervals hold what they say, and tests that compare nothing find nothing."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.stats import binomtest

from embdiff import exact
from embdiff.measures.calibration import calibrate, shuffled
from embdiff.measures.groups import absence_test
from embdiff.measures.overlap import jaccard, overlap
from embdiff.measures.rbo import rbo
from embdiff.measures.statistics.resampling import mean_intervals

ROWS, POPULATION, K, SEEDS = 200, 3_000, 10, 2_000
CELLS = 3 * 3 * 2


def eight(rng: np.random.Generator, count: int) -> np.ndarray:
    """Few different vectors, the same for rows and queries of one model."""
    return rng.standard_normal((8, 16))[rng.integers(0, 8, count)]


def signs(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.sign(rng.standard_normal((count, 8)))


def equal_texts(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.standard_normal((count, 12))
    vectors[: count // 4] = vectors[0]
    return vectors


SPACES = {"eight vectors": eight, "sign bits": signs, "equal texts": equal_texts}
MEASURES = {"overlap": overlap, "jaccard": jaccard, "rbo": rbo}


def space(kind: str, seed: int, count: int) -> np.ndarray:
    return SPACES[kind](np.random.default_rng(seed), count).astype(np.float32)


@functools.cache
def values(kind: str, name: str) -> np.ndarray:
    """Return the measure of every query that could be drawn."""
    lists = []
    for seed in (1, 2):
        every = space(kind, seed, ROWS + POPULATION)
        every = every[np.random.default_rng(seed).permutation(len(every))]
        lists.append(exact.search(every[ROWS:], every[:ROWS], K, "cosine"))
    return MEASURES[name](*lists)


@pytest.mark.battery
@pytest.mark.parametrize("n", [50, 200])
@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("kind", SPACES)
def test_intervals_hold(kind: str, name: str, n: int):
    every, rng = values(kind, name), np.random.default_rng(n)
    samples = np.stack([every[rng.integers(0, len(every), n)] for _ in range(SEEDS)], axis=1)
    found = mean_intervals(samples, [(0.0, 1.0)] * SEEDS, seed=0)
    held = sum(low <= every.mean() <= high for low, high, _ in found)
    print(f"coverage {kind}, {name}, n = {n}: {held / SEEDS:.1%}")
    assert binomtest(held, SEEDS, 0.95, alternative="less").pvalue > 0.05 / CELLS


@pytest.mark.battery
@pytest.mark.parametrize("kind", SPACES)
def test_a_group_of_any_rows_is_not_missing(kind: str):
    """Labels in the order of the file, vectors in no order: p of .05 or less in at most 5 % of the tests."""
    labels, p = ["abcd"[row // 25] for row in range(100)], []
    for seed in range(300):
        vectors = space(kind, seed, 100)[np.random.default_rng(seed).permutation(100)]
        lists = exact.search(vectors, vectors, 5, "cosine", leave_out=np.arange(100))
        p += [test.p for test in absence_test(lists, labels, permutations=99, seed=seed)]
    rejected = int(np.count_nonzero(np.array(p) <= 0.05))
    print(f"rejections of the group test, {kind}: {rejected / len(p):.1%}")
    assert binomtest(rejected, len(p), 0.05, alternative="greater").pvalue > 0.05 / 6


@pytest.mark.battery
@pytest.mark.parametrize("kind", SPACES)
def test_unrelated_spaces_are_calibrated_at_their_level(kind: str):
    rejected = 0
    for seed in range(400):
        a, b = (
            exact.search(each, each, 5, "cosine", leave_out=np.arange(40))
            for each in (
                space(kind, 2 * seed + side, 40)[np.random.default_rng([seed, side]).permutation(40)] for side in (0, 1)
            )
        )
        found = calibrate(
            lambda order, a=a, b=b: float(overlap(a, shuffled(b, order)).mean()),
            40, ("x", "y"), measure="overlap@5", seed=seed, permutations=99,
        )  # fmt: skip
        rejected += found.p <= 0.05
    print(f"rejections of calibration, {kind}: {rejected / 400:.1%}")
    assert binomtest(rejected, 400, 0.05, alternative="greater").pvalue > 0.05 / 6
