"""How often `check` and `decide` are wrong where the truth is known: at the limit itself, where it is hardest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from simulated import drawn_run, law

from embdiff.deciding.choosing import choose
from embdiff.deciding.measured import Measured
from embdiff.deciding.table import Rules, read_table
from embdiff.decision import worst
from embdiff.measures.rules import read_rule

RUNS, ERROR = 1_000, 0.05
MARGIN = 3 * math.sqrt(ERROR * (1 - ERROR) / RUNS)  # three standard errors of the simulation
LAWS = {"often alike": law(0.6, 0.5), "rarely alike": law(0.1, 0.35), "seldom worse": law(0.85, 1.0)}


def table_at(limit: float) -> Rules:
    """Return the usual table with this limit for what nDCG may lose."""
    rule = replace(read_rule("ndcg drop > 0.5"), limit=limit)
    return replace(read_table(), judgements=(rule,))


@pytest.mark.battery(one_in=9)
@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("n", [20, 50, 225])
@pytest.mark.parametrize("job", ["check", "decide"])
def test_at_the_limit_a_claim_is_made_no_more_often_than_stated(job, n, name):
    """The loss is the limit: to say that it is above, or below, is wrong by as little as one likes."""
    true, rng = LAWS[name], np.random.default_rng([n, len(name), len(job)])
    table = table_at(true.drop)
    claims = 0
    for _ in range(RUNS):
        one, two = true.draw(n, rng)
        run = drawn_run({"a": one, "b": two})
        if job == "check":
            claims += (
                worst(Measured(run, current="a").rulings([table.judgements[0].at(10)], error=ERROR)) != "inconclusive"
            )
        else:
            claims += choose(run, table, "a").verdict != "undecided"
    print(f"{job}, {name}, n = {n}: {claims / RUNS:.1%}")
    assert claims / RUNS <= ERROR + MARGIN


@pytest.mark.battery(keep=1)
@pytest.mark.parametrize("n", [20, 100])
def test_three_models_at_the_limit_are_called_wrongly_no_more_often_together(n):
    true, rng = LAWS["often alike"], np.random.default_rng([n, 3])
    table = table_at(true.drop)
    claims = 0
    for _ in range(RUNS):
        one, two = true.draw(n, rng)
        others = {name: true.draw(n, rng)[1] for name in "cd"}
        found = choose(drawn_run({"a": one, "b": two, **others}), table, "a")
        claims += any(each.outcome != "inconclusive" for each in found.rulings)
    print(f"three models, n = {n}: {claims / RUNS:.1%}")
    assert claims / RUNS <= ERROR + MARGIN


@pytest.mark.battery(keep=1)
@pytest.mark.parametrize("n", [20, 50])
def test_equal_models_are_called_different_no_more_often_than_stated(n):
    """Without a model in use every two are held against each other: where none is better nothing may be out."""
    true, rng = law(0.3, 0.0), np.random.default_rng([n, 5])
    wrong = 0
    for _ in range(RUNS):
        one, two = true.draw(n, rng)
        wrong += bool(choose(drawn_run({"a": one, "b": two}), read_table(), None).out)
    print(f"equal models, n = {n}: {wrong / RUNS:.1%} out")
    assert wrong / RUNS <= ERROR + MARGIN


@pytest.mark.slow
@pytest.mark.parametrize("worse", [0.0, 0.5, 1.0])
def test_undecided_with_twenty_questions_comes_as_often_as_an_independent_simulation_says(worse):
    """By Student's interval of scipy, on gains drawn apart from everything here: within three points."""
    true, limit = law(0.2, worse), 0.05
    rng, other = np.random.default_rng([1, int(10 * worse)]), np.random.default_rng([2, int(10 * worse)])
    table, undecided = table_at(limit), 0
    for _ in range(RUNS):
        one, two = true.draw(20, rng)
        undecided += choose(drawn_run({"a": one, "b": two}), table, "a").verdict == "undecided"
    gains = np.where(np.arange(100) <= 10, 1 / np.log2(np.arange(100) + 1.0 + (np.arange(100) == 0)), 0.0)
    draws = [true.draw(20, other) for _ in range(20_000)]
    drops = np.stack([gains[one] - gains[two] for one, two in draws])
    low, high = stats.t.interval(0.95, 19, drops.mean(axis=1), stats.sem(drops, axis=1))
    few = np.count_nonzero(drops, axis=1) < 5
    theirs = (few | ((low < limit) & (high > limit))).mean()
    print(f"worse = {worse}: undecided {undecided / RUNS:.1%}, theirs {theirs:.1%}")
    assert abs(undecided / RUNS - theirs) <= 0.03
