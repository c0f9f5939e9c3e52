"""The modality gap: by hand, against its published definition, and whether interval and chance hold."""

import numpy as np
import pytest

from embdiff.measures.modality import MODALITY_GAP, TwoKinds, modality_gap
from embdiff.measures.score import score


def unit(v):
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def test_by_hand():
    images, texts = [[2, 0], [0, 3]], [[-1, 0], [-5, 0]]
    assert modality_gap(images, texts) == pytest.approx(np.hypot(1.5, 0.5))
    assert modality_gap([[1, 0]], [[-7, 0]]) == pytest.approx(2)
    assert modality_gap(images, images) == 0
    assert modality_gap([[0, 0], [2, 0]], [[-1, 0]]) == pytest.approx(2)  # a zero vector has no direction
    assert np.isnan(modality_gap([[0, 0]], texts))


def kinds(rng, n, q, apart=1.0, d=6):
    """Draw two kinds around two places; the means of their directions are not those places."""
    return rng.standard_normal((n, d)) + apart, rng.standard_normal((q, d)) - apart * np.arange(d) / d


def test_the_interval_holds():
    """Of 400 draws, 95 % of the intervals should hold the gap of the population; at least 92 % must."""
    rng = np.random.default_rng(0)
    truth = modality_gap(*kinds(rng, 300_000, 300_000))
    held = 0
    for _ in range(400):
        x, y = (v.astype(np.float32) for v in kinds(rng, 60, 25))
        found = score("modality_gap", TwoKinds(x, y, ("a",)))
        assert (found.n, found.interval) == (85, "student")
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 400 <= 0.985


def test_chance_is_what_random_dealing_gives():
    rng = np.random.default_rng(1)
    x, y = kinds(rng, 40, 15)
    every = unit(np.concatenate([x, y]))
    squares = []
    for _ in range(4_000):
        order = rng.permutation(55)
        squares.append(np.sum((every[order[:40]].mean(0) - every[order[40:]].mean(0)) ** 2))
    found = score("modality_gap", TwoKinds(x.astype(np.float32), y.astype(np.float32), ("a",)))
    assert found.chance == pytest.approx(np.sqrt(np.mean(squares)), rel=0.02)
    assert found.value > 3 * found.chance


def test_too_few_are_undefined_with_a_reason():
    one = np.ones((1, 3), dtype=np.float32)
    found = score(MODALITY_GAP.name, TwoKinds(one, np.eye(3, dtype=np.float32), ("a",)))
    assert np.isnan(found.value)
    assert "two vectors" in found.reason
    same = score(
        MODALITY_GAP.name, TwoKinds(np.eye(2, dtype=np.float32)[[0] * 3], -np.eye(2, dtype=np.float32)[[0] * 2], ("a",))
    )
    assert same.value == pytest.approx(2)
    assert same.interval == "none"
