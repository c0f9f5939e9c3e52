"""Causes that were planted are found, and hardly anything else is called a cause: seeds here are no seeds of tuning."""

from __future__ import annotations

from collections import Counter

import pytest
from planted import WORLDS, looked_for

TESTING = [pytest.param(31), *(pytest.param(seed, marks=pytest.mark.battery(keep=1)) for seed in (32, 33, 34))]
LEAST, ALARMS = 0.9, 0.01


@pytest.mark.slow
@pytest.mark.parametrize("seed", TESTING)
def test_each_planted_cause_is_found_and_called_by_its_name(seed: int):
    pytest.importorskip("bm25s", reason="words are ranked by bm25s")
    hits, called, there = Counter[str](), Counter[str](), Counter[str]()
    for name in WORLDS:
        truth, found = looked_for(name, seed)
        called.update(cause for causes in found.values() for cause in causes)
        if name == "control":
            assert len(found) >= 500  # there is something to be wrong about
            assert sum(map(bool, found.values())) <= ALARMS * len(found)
            continue
        assert len(truth) >= 100, name
        hits[name], there[name] = sum(name in found[unit] for unit in truth), len(truth)
    for name in there:
        assert hits[name] / there[name] >= LEAST, f"recall of {name}"
        assert hits[name] / called[name] >= LEAST, f"precision of {name}"
