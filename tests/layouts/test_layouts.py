"""Maps: the principal plane, turned alike, honest about what they keep."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

import embdiff as ed
from embdiff.layouts import layouts, principal_plane, scaled, turned
from embdiff.views.story import maps_words


def _cloud(rows: int, dim: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(rows, dim)) * np.linspace(3, 0.5, dim)).astype(np.float32)


def test_principal_plane_is_that_of_scikit_learn():
    vectors = _cloud(300, 12)
    ours, theirs = principal_plane(vectors), PCA(2, svd_solver="full").fit_transform(vectors.astype(np.float64))
    assert np.allclose(np.abs(ours), np.abs(theirs), atol=1e-5)


def test_a_rotated_mirrored_and_scaled_space_gives_the_same_map():
    vectors = _cloud(200, 6)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    moved = (vectors @ turn * -2.5 + 1.0).astype(np.float32)
    first, second = layouts({"a": vectors, "b": moved}, "l2")
    assert np.allclose(first.xy, second.xy, atol=1e-4)
    assert first.kept == pytest.approx(second.kept, abs=0.02)


def test_turning_undoes_a_rotation_and_a_mirror():
    plane = scaled(np.random.default_rng(2).normal(size=(50, 2)))
    mirrored = plane @ np.array([[0.6, 0.8], [0.8, -0.6]])
    assert np.allclose(turned(mirrored, plane), plane)


def test_a_plane_keeps_all_neighbours_and_noise_keeps_few():
    flat = np.zeros((120, 5), dtype=np.float32)
    flat[:, :2] = np.random.default_rng(3).normal(size=(120, 2))
    noise = np.random.default_rng(4).normal(size=(120, 200)).astype(np.float32)
    kept = {each.model: each.kept for each in layouts({"flat": flat, "noise": noise}, "l2")}
    assert kept["flat"] == 1.0
    assert kept["noise"] < 0.35


@pytest.mark.parametrize("rows", [2, 3])
def test_tiny_and_constant_spaces_have_maps(rows):
    constant = np.ones((rows, 4), dtype=np.float32)
    one_axis = np.arange(rows, dtype=np.float32)[:, None] + 1.0
    found = layouts({"constant": constant, "line": one_axis}, "l2")
    assert all(np.isfinite(each.xy).all() and each.xy.shape == (rows, 2) for each in found)


def test_maps_come_back_with_the_run(tmp_path):
    result = ed.compare("sample", ["toy:16", "toy:64"], k=3, store="memory:", out=tmp_path / "run")
    again = ed.load(tmp_path / "run")
    assert again == result
    assert [each.method for each in again.run.layouts] == ["pca", "pca"]
    assert np.array_equal(again.run.layouts[1].xy, result.run.layouts[1].xy)
    assert ed.compare("sample", ["toy:16"], k=3, store="memory:", layout="none").run.layouts == ()


@pytest.mark.slow
def test_umap_is_fed_with_our_neighbours_and_repeats_itself():
    pytest.importorskip("umap", reason="needs the package umap-learn")
    centres = np.random.default_rng(5).normal(size=(6, 20)) * 4
    vectors = (centres.repeat(40, axis=0) + np.random.default_rng(6).normal(size=(240, 20))).astype(np.float32)
    first, again = (layouts({"a": vectors}, "cosine", method="umap", seed=3)[0] for _ in range(2))
    assert np.array_equal(first.xy, again.xy)
    assert first.method == "umap"
    assert first.kept > layouts({"a": vectors}, "cosine")[0].kept


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("shape", ["one point", "two points", "a line"])
def test_what_umap_cannot_lay_out_keeps_the_principal_plane(metric, shape):
    pytest.importorskip("umap", reason="needs the package umap-learn")
    along = {"one point": np.zeros(40), "two points": np.arange(40) % 2, "a line": np.linspace(0, 1, 40)}[shape]
    flat = (np.ones((40, 3)) + along[:, None] * [1.0, 0, 0]).astype(np.float32)
    found = layouts({"flat": flat, "cloud": _cloud(40, 3)}, metric, method="umap")
    assert [layout.method for layout in found] == ["pca", "umap"]
    assert all(np.isfinite(layout.xy).all() for layout in found)
    assert "by the first two principal components for flat, whose vectors UMAP cannot lay out" in maps_words(found)
