"""A small run to judge, and a pool by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from judged_sentences import TEXTS

import embdiff
from embdiff.judging import Pool, pooled_query


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two letter-counting models on twelve sentences; every row queries."""
    embdiff.compare(TEXTS, ["toy:4", "toy:64"], k=4, store="memory:", baseline=False, out=tmp_path / "runs" / "first")
    return tmp_path / "runs" / "first"


@pytest.fixture
def by_hand() -> Pool:
    """Two queries, two models, three places."""
    lists = {
        "q1": {"a": ["d1", "d2", "d3"], "b": ["d3", "d4", "d1"]},
        "q2": {"a": ["d5", "d6", "d7"], "b": ["d5", "d6", "d7"]},
    }
    queries = tuple(pooled_query(name, f"query {name}", found, seed=0) for name, found in lists.items())
    return Pool(queries, {f"d{i}": f"document {i}" for i in range(1, 8)}, 3, 2, 2, "disputed")
