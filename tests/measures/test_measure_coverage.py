"""What the intervals and tests promise, by simulation with fixed seeds: how often they hold, how often they are wrong.

Lists: each query's list in B is its list in A with noise on the scores; the noise differs from query to query, from
nearly none to nearly everything. A population of 200,000 pairs of lists stands for all queries of the kind, and its
mean for the truth; samples of n are drawn from it.
"""

import functools
import time

import numpy as np
import pytest
from neighbor_lists import listed

from embdiff.measures import interval
from embdiff.measures.overlap import jaccard, overlap
from embdiff.measures.paired import detectable_difference
from embdiff.measures.rank import kendall_tau, rank_similarity
from embdiff.measures.rbo import rbo
from embdiff.measures.statistics.randomisation import randomisation_p

REPETITIONS = 2_000
POPULATION = 200_000
K, ROWS = 10, 40


@functools.cache
def population():
    """Lists of all queries, in two models and a third: (POPULATION, K) each."""
    rng = np.random.default_rng(20)
    own = rng.standard_normal((POPULATION, ROWS), dtype=np.float32)
    noise = rng.gamma(1.0, 1.5, (POPULATION, 1)).astype(np.float32)
    seen = [own] + [own + noise * rng.standard_normal((POPULATION, ROWS), dtype=np.float32) for _ in range(2)]
    return [listed(np.argsort(-scores, axis=1)[:, :K]) for scores in seen]


@functools.cache
def values(name):
    """The values of a measure over the population."""
    a, b, c = population()
    if name == "difference":
        # Of two models in their overlap with a third, continuous as a graded measure: B leads by a little.
        return rbo(a, b) - 0.95 * rbo(a, c)
    measure = {"overlap": overlap, "jaccard": jaccard, "rbo": rbo, "rank_similarity": rank_similarity}
    return {**measure, "kendall_tau": kendall_tau}[name](a, b)


BOUNDS = {"rbo": (0, 1), "rank_similarity": (0, 1), "kendall_tau": (-1, 1), "difference": None}


@pytest.mark.battery(one_in=9)
@pytest.mark.parametrize("name", ["overlap", "jaccard", *BOUNDS])
@pytest.mark.parametrize("n", [50, 200, 1_000])
def test_coverage_of_lists(name, n, record_property):
    """Of 2,000 samples, 93 to 97 % of the intervals hold the true mean (Monte Carlo error 0.5 %)."""
    every = values(name)
    every = every[~np.isnan(every)]
    rng, held, start = np.random.default_rng(21), 0, time.perf_counter()
    for seed in range(REPETITIONS):
        sample = every[rng.integers(0, len(every), n)]
        ends = interval(sample, seed=seed, bounds=BOUNDS.get(name, (0, 1)))
        held += ends[0] <= every.mean() <= ends[1]
    share = held / REPETITIONS
    record_property("coverage", float(share))
    print(f"coverage {name}, n = {n}: {share:.2%} ({time.perf_counter() - start:.0f} s)")
    assert 0.93 <= share <= 0.97


@pytest.mark.battery
@pytest.mark.parametrize("n", [5, 10, 29])
def test_coverage_of_few_differences(n, record_property):
    """Below 30 differences the interval is Student's."""
    every = values("difference")
    rng, held = np.random.default_rng(22), 0
    for _ in range(REPETITIONS):
        low, high, method = interval(every[rng.integers(0, len(every), n)], seed=0, bounds=None)
        held += low <= every.mean() <= high
        assert method == "student"
    record_property("coverage", float(held / REPETITIONS))
    print(f"coverage difference (Student), n = {n}: {held / REPETITIONS:.2%}")
    assert 0.93 <= held / REPETITIONS <= 0.97


NULLS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "overlaps at 10": lambda rng, n: (rng.binomial(10, 0.4, n) - rng.binomial(10, 0.4, n)) / 10,
    "reciprocal ranks": lambda rng, n: 1 / rng.geometric(0.4, n) - 1 / rng.geometric(0.4, n),
    "heavy tails": lambda rng, n: rng.standard_t(2, n),
}


@pytest.mark.battery
@pytest.mark.parametrize("name", NULLS)
@pytest.mark.parametrize("n", [15, 50, 200])
def test_a_true_null_is_rejected_at_its_level(name, n, record_property):
    """Two models exchangeable on every query: of 10,000 tests at 5 %, 4 to 6 % reject (Monte Carlo error 0.2 %).

    Fifteen overlaps in steps of a tenth have so many tied sums that no p lies just below .05: 3.6 %, on the safe side.
    """
    rng, rejected, start = np.random.default_rng(23), 0, time.perf_counter()
    for seed in range(10_000):
        rejected += randomisation_p(NULLS[name](rng, n), seed=seed, permutations=1_999)[0] <= 0.05
    record_property("rejected", float(rejected / 10_000))
    print(f"true null {name}, n = {n}: {rejected / 100:.2f} % rejected ({time.perf_counter() - start:.0f} s)")
    coarse = name == "overlaps at 10" and n == 15
    assert (0.03 if coarse else 0.04) <= rejected / 10_000 <= (0.05 if coarse else 0.06)


@pytest.mark.battery
@pytest.mark.parametrize("n", [50, 200, 1_000])
def test_a_detectable_difference_is_detected(n, record_property):
    """A true difference as large as the one printed is found in about 80 % of 2,000 tests (Monte Carlo error 0.9 %)."""
    rng, found = np.random.default_rng(24), 0
    spread = 0.3
    sample = rng.standard_normal(n)
    shift = detectable_difference(spread * sample / sample.std(ddof=1))
    for seed in range(REPETITIONS):
        found += randomisation_p(rng.normal(shift, spread, n), seed=seed, permutations=1_999)[0] <= 0.05
    record_property("power", float(found / REPETITIONS))
    print(f"power at the detectable difference, n = {n}: {found / REPETITIONS:.1%}")
    assert 0.77 <= found / REPETITIONS <= 0.83
