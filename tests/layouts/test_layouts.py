"""Maps: the principal plane, turned alike, honest about what they keep."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA

import embdiff as ed
from embdiff import layouts as layouts_module
from embdiff.layouts import layouts, principal_plane, scaled, turned
from embdiff.views.story import map_words, maps_words


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


_UMAP_HAS_NONE = {
    "in one point": np.ones((40, 4)),
    "on a line": np.arange(1, 41)[:, None] * np.array([[1.0, 2.0, 3.0]]),
    "one dimension": np.random.default_rng(7).normal(size=(40, 1)),
    "two points": np.repeat([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]], 20, axis=0),
    "few rows": np.random.default_rng(8).normal(size=(12, 4)),
}


@pytest.mark.parametrize("name", _UMAP_HAS_NONE)
def test_a_space_that_umap_cannot_unfold_has_the_principal_map_and_the_reason(name):
    pytest.importorskip("umap", reason="needs the package umap-learn")
    vectors = _UMAP_HAS_NONE[name].astype(np.float32)
    (found,) = layouts({"a": vectors}, "l2", method="umap")
    assert found.method == "pca"
    wanted = {"in one point": "all rows lie in one point", "few rows": "it needs more than 15 rows"}
    assert found.reason.startswith(wanted.get(name, "all rows lie on a line"))
    assert np.array_equal(found.xy, layouts({"a": vectors}, "l2")[0].xy)
    assert f"PCA (not UMAP: {found.reason})" in map_words(found)


def test_a_map_that_is_not_finite_is_not_shown(monkeypatch):
    monkeypatch.setattr(layouts_module, "_umap", lambda vectors, *_rest: np.full((len(vectors), 2), np.nan))
    first, second = layouts({"a": _cloud(40, 6), "b": _cloud(40, 6, 1)}, "cosine", method="umap")
    assert (first.method, second.method) == ("pca", "pca")
    assert first.reason == second.reason == "it returned no finite map"
    assert np.isfinite(second.xy).all()


@pytest.mark.slow
def test_a_run_with_a_flat_space_goes_on_beside_a_map_by_umap(tmp_path):
    pytest.importorskip("umap", reason="needs the package umap-learn")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", UserWarning)
        result = ed.compare("sample", ["lsa:1", "toy:16"], k=3, store="memory:", layout="umap", baseline=False)
    assert [each.method for each in result.run.layouts] == ["pca", "umap"]
    assert "UMAP has no map of lsa:1: all rows lie in one point" in " ".join(repr(result).split())
    assert "by the first two principal components or UMAP" in maps_words(result.run.layouts)
    result.save(tmp_path / "run")
    assert ed.load(tmp_path / "run").run.layouts[0].reason == result.run.layouts[0].reason
