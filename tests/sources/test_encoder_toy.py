"""toy:DIM against values worked out by hand from the rule in its docstring."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embdiff.errors import ParameterError
from embdiff.sources import get_encoder


@pytest.mark.parametrize(
    ("spec", "text", "vector"),
    [
        ("toy:4", "Abba d", [1, 3, 2, 0]),  # a0 b1 b1 a0 d3→0
        ("toy:4", "", [1, 0, 0, 0]),
        ("toy:4", " \n\t", [1, 0, 0, 0]),
        ("toy:2", "any text", [1, 7]),  # everything modulo 1
        ("toy:27", "az", [1, 1, *[0] * 24, 1]),
        ("toy:11", "1é", [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]),  # code points 49→9 and 233→3
        ("toy:3", "👋", [1, 0, 1]),  # code point 128075 is odd
    ],
)
def test_values_by_hand(spec: str, text: str, vector: list[int]):
    np.testing.assert_array_equal(get_encoder(spec).encode([text])[0], np.array(vector, dtype=np.float32))


@given(st.text(max_size=200), st.integers(2, 300))
def test_counts_add_up(text: str, dim: int):
    vector = get_encoder(f"toy:{dim}").encode([text])[0]
    assert vector[0] == 1
    assert vector[1:].sum() == sum(not character.isspace() for character in text)


def test_other_processes_agree():
    code = "from embdiff import get_encoder; print(get_encoder('toy:9').encode(['Zoë & 水']).tolist())"
    seeds = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert seeds[0] == seeds[1]


@pytest.mark.parametrize("spec", ["toy", "toy:1", "toy:0", "toy:-3", "toy:2.5", "toy:x", "toy:99999", "toy:٣"])
def test_dimensions_that_cannot_be(spec: str):
    with pytest.raises(ParameterError, match=r"DIM of toy:DIM must be an integer between 2 and 32768\. Got"):
        get_encoder(spec)
