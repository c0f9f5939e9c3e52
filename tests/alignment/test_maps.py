"""Maps against other implementations: scipy's Procrustes, scikit-learn's ridge, reduced-rank regression by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import Ridge, RidgeCV

import embdiff as ed
from embdiff.alignment import METHODS, fit

RNG = np.random.default_rng(7)


def _space(n: int, d: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) * np.linspace(2, 0.5, d) + rng.normal(size=d)).astype(np.float32)


def _centred(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64) - x.astype(np.float64).mean(axis=0)


def _padded(x: np.ndarray, d: int) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, d - x.shape[1])))


def _rotation(d: int, seed: int = 3) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


@pytest.mark.parametrize(("d", "e"), [(8, 8), (5, 8), (8, 5)], ids=str)
def test_procrustes_is_scipys_with_the_smaller_space_padded(d, e):
    x, y = _space(60, d), _space(60, e, 1)
    found = fit(x, y, "procrustes", metric="l2")
    wide = max(d, e)
    a, b = _padded(_centred(x), wide), _padded(_centred(y), wide)
    rotation, total = orthogonal_procrustes(a, b)
    scale = total / (a**2).sum()
    np.testing.assert_allclose(found.matrix, scale * rotation[:d, :e], atol=1e-9)
    assert found.scale == pytest.approx(scale, rel=1e-9)
    assert found.rank == min(d, e)
    np.testing.assert_allclose(found(x), a @ (scale * rotation)[:, :e] + y.mean(axis=0, dtype=np.float64), atol=1e-5)


@pytest.mark.parametrize(("d", "e"), [(6, 9), (9, 6)], ids=str)
@pytest.mark.parametrize("penalty", [0.01, 5.0])
def test_ridge_is_scikit_learns(d, e, penalty):
    x, y = _space(50, d), _space(50, e, 1)
    found = fit(x, y, "ridge", metric="l2", penalty=penalty)
    other = Ridge(alpha=penalty, solver="svd").fit(x.astype(np.float64), y.astype(np.float64))
    np.testing.assert_allclose(found.matrix, other.coef_.T, atol=1e-8)
    np.testing.assert_allclose(found(x), other.predict(x.astype(np.float64)), atol=1e-5)


def _tried(x):
    return float(np.linalg.svd(_centred(x), compute_uv=False)[0] ** 2) * 10.0 ** np.arange(-6.0, 2.0)


@pytest.mark.parametrize("n", [8, 1_001])
def test_of_very_few_and_of_many_rows_leave_one_out_error_chooses_the_penalty(n):
    x, y = _space(n, 20), (_space(n, 20)[:, :6] + 0.7 * _space(n, 6, 5)).astype(np.float32)
    found = fit(x, y, "ridge", metric="l2")
    other = RidgeCV(alphas=_tried(x), scoring=None).fit(x.astype(np.float64), y.astype(np.float64))
    assert found.penalty == pytest.approx(other.alpha_, rel=1e-9)


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("n", [15, 60])
def test_the_penalty_is_the_one_with_which_rows_left_out_find_most_neighbours_again(n, metric):
    """By fitting without each row in turn, for each penalty, with scikit-learn."""
    x, y = _space(n, 20), (_space(n, 20)[:, :6] + 0.7 * _space(n, 6, 5)).astype(np.float32)
    found = fit(x, y, "ridge", metric=metric)
    if metric == "cosine":
        x, y = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x.astype(float), y.astype(float)))
    few = n // 10

    def nearest(asking, row):
        if metric == "l2":
            away = ((y - asking) ** 2).sum(axis=1)
        else:
            away = -(y @ asking) / (np.linalg.norm(asking) if metric == "cosine" else 1.0)
        return set(np.argsort(np.where(np.arange(n) == row, np.inf, away))[:few].tolist())

    scored = []
    for penalty in _tried(x):
        again, error = 0, 0.0
        for row in range(n):
            others = np.arange(n) != row
            without = Ridge(alpha=penalty, solver="svd").fit(x[others].astype(float), y[others].astype(float))
            value = without.predict(x[row : row + 1].astype(float))[0]
            again += len(nearest(value, row) & nearest(y[row], row))
            error += float(((value - y[row]) ** 2).sum())
        scored.append((-again, error))
    assert found.penalty == pytest.approx(_tried(x)[min(range(8), key=scored.__getitem__)], rel=1e-9)


def test_low_rank_is_the_best_of_its_rank():
    """Eckart and Young: of fitted values with that rank none is nearer to those of the whole regression."""
    x = _space(200, 10)
    y = (x @ RNG.normal(size=(10, 2)) @ RNG.normal(size=(2, 7)) + 0.05 * RNG.normal(size=(200, 7))).astype(np.float32)
    found, whole = (fit(x, y, method, metric="l2", penalty=1e-9) for method in ("low-rank", "ridge"))
    assert found.rank == np.linalg.matrix_rank(found.matrix) < whole.rank
    fitted = _centred(x) @ whole.matrix
    left, values, right = np.linalg.svd(fitted, full_matrices=False)
    best = (left[:, : found.rank] * values[: found.rank]) @ right[: found.rank]
    np.testing.assert_allclose(_centred(x) @ found.matrix, best, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_what_rows_do_not_span_leads_nowhere(method):
    x, y = _space(12, 30), _space(12, 9, 1)
    found = fit(x, y, method, metric="l2")
    across = np.linalg.svd(_centred(x))[2][11:]  # eleven directions are spanned by twelve centred rows
    np.testing.assert_allclose(across @ found.matrix, 0.0, atol=1e-8)
    assert found.rank <= 9


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_lengths_count_except_with_cosine(metric):
    x, y = _space(40, 6), _space(40, 6, 1)
    lengths = RNG.uniform(0.5, 2.0, size=(40, 1)).astype(np.float32)
    one, other = (fit(each, y, "procrustes", metric=metric) for each in (x, x * lengths))
    assert np.allclose(one.matrix, other.matrix, atol=1e-6) == (metric == "cosine")


@given(
    d=st.integers(2, 9), more=st.integers(0, 5), seed=st.integers(0, 2**16), scale=st.floats(0.1, 10.0),
    down=st.booleans(),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_a_planted_rotation_is_recovered_exactly(d, more, seed, scale, down):
    """Also into a larger space, and out of a subspace of one: shift and scale with it."""
    x, rotation = _space(80, d, seed), _rotation(d + more, seed)
    y = (scale * (_padded(x, d + more) @ rotation) + 1.5).astype(np.float32)
    source, target = (y, x) if down else (x, y)
    found = ed.align(source, target, metric="l2", k=5)
    np.testing.assert_allclose(found.map(source), target, atol=2e-4 * max(1.0, scale, 1 / scale))
    assert found.reach.recovery.value > 0.99
    assert found.reach.self_retrieval.value == 1.0
    assert found.reach.verdict == "most"


@given(seed=st.integers(0, 2**16), method=st.sampled_from(METHODS))
@settings(max_examples=15, deadline=None)
def test_turning_the_target_turns_what_is_mapped(seed, method):
    x, y = _space(60, 5, seed), _space(60, 7, seed + 1)
    rotation = _rotation(7, seed)
    plain, turned = fit(x, y, method, metric="l2"), fit(x, (y @ rotation).astype(np.float32), method, metric="l2")
    np.testing.assert_allclose(plain(x) @ rotation, turned(x), atol=1e-3)
