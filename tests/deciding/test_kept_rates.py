"""How often `decide` is wrong about keeping old vectors, where the truth is known: as they are, and by a map."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from simulated_spaces import DIM, POPULATION, World, where, world

from embdiff.deciding import mapping
from embdiff.measures.rules import Rule, read_rule

RUNS, ERROR = 1_000, 0.05
MARGIN = 3 * math.sqrt(ERROR * (1 - ERROR) / RUNS)  # three standard errors of the simulation


@cache
def made(case: str, judged: bool) -> World:
    """Return two spaces: rows are as near the limit as they are and mapped; far from it as they are; or need a map."""
    if case == "both":
        return where(lambda one: one.loss(one.old, judged) - one.loss(one.mapped, judged))
    return world(0.3) if case == "turned" else world(0.0, dim=DIM - 4)


def at_the_limit(true: World, judged: bool) -> Rule:
    """Return the rule whose limit is the very loss of mapped rows."""
    loss = true.loss(true.mapped, judged)
    rule = read_rule("ndcg@10 drop > 0.5" if judged else "overlap@10 < 0.5")
    return replace(rule, limit=loss if judged else 1 - loss)


@pytest.mark.battery(one_in=9)
@pytest.mark.parametrize("n", [20, 50, 225])
@pytest.mark.parametrize("judged", [False, True], ids=["overlap", "ndcg"])
@pytest.mark.parametrize("case", ["both", "turned", "other dimension"])
def test_at_the_limit_old_vectors_are_spoken_of_no_more_often_than_stated(case, judged, n, monkeypatch):
    """The loss is the limit, for both looks where there are two: "can be kept" and "cannot" are wrong alike."""
    true, rng = made(case, judged), np.random.default_rng([n, len(case), judged])
    rule = at_the_limit(true, judged)
    if case == "both":
        assert abs(true.loss(true.old, judged) - true.loss(true.mapped, judged)) < 0.05 / math.sqrt(225 * 10)
    led = mapping._led(true.old, true.new, true.run(np.arange(10)), ("old", "new"))
    monkeypatch.setattr(mapping, "_led", lambda *_: led)  # no query has a say in the map: fitted once
    as_is = fails = keeps = 0
    for _ in range(RUNS):
        drawn = rng.integers(POPULATION, size=n)
        run = true.run(drawn)
        found = mapping.mapped_old(run, true.work(run, drawn), "old", "new", [rule], ERROR)
        as_is += found.outcome == "pass" and not found.fitted
        keeps += found.outcome == "pass" and bool(found.fitted)
        fails += found.outcome == "fail"
    wrong = (as_is + keeps + fails) / RUNS
    print(f"{case}, {rule}, n = {n}: {wrong:.1%} ({as_is} as they are, {keeps} mapped, {fails} not)")
    assert wrong <= ERROR + MARGIN
    if case == "turned":
        assert as_is == 0
        assert wrong <= ERROR / 2 + MARGIN
