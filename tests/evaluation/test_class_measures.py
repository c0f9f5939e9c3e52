"""Votes of neighbours, silhouette, confusions, split and probe: by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from embdiff import exact
from embdiff.errors import ParameterError, ShapeError
from embdiff.evaluation.class_files import place_in_class, stratified
from embdiff.evaluation.classes import draw, probe
from embdiff.measures.classes import ClassedTexts, confused_only, correct, knn_predict, silhouette
from embdiff.measures.score import score as score_of


def blobs(n: int = 120, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    return (rng.normal(size=(classes, 8))[labels] + rng.normal(size=(n, 8))).astype(np.float32), labels


def test_votes_by_hand():
    labels = np.array([0, 0, 1, 1, 2])
    rows = np.array([[0, 2, 3, 1, 4], [2, 0, 4, -1, -1], [-1, -1, -1, -1, -1], [4, 3, 2, 0, 1]])
    # First: two against two, class 0 is nearest. Second: one each, nearest wins.
    assert knn_predict(rows, labels, 5).tolist() == [0, 1, -1, 1]
    assert knn_predict(rows, labels, 1).tolist() == [0, 1, -1, 2]
    with pytest.raises(ParameterError, match=r"k must be at least 1. Got 0"):
        knn_predict(rows, labels, 0)


def test_votes_against_scikit_learn():
    neighbors = pytest.importorskip("sklearn.neighbors", reason="the reference is a test dependency")
    vectors, labels = blobs(200, 2)  # two classes and an odd k: no tied votes
    train, test = slice(0, 150), slice(150, None)
    rows = exact.search(vectors[test], vectors[train], 5, "cosine").rows
    theirs = (
        neighbors.KNeighborsClassifier(5, metric="cosine").fit(vectors[train], labels[train]).predict(vectors[test])
    )
    assert knn_predict(rows, labels[train], 5).tolist() == theirs.tolist()


def test_silhouette_against_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="the reference is a test dependency")
    vectors, labels = blobs()
    labels[0] = 9  # the only text of its class
    assert silhouette(vectors, labels) == pytest.approx(
        metrics.silhouette_samples(vectors, labels, metric="cosine"), abs=1e-6
    )
    assert silhouette(vectors, labels)[0] == 0.0
    score = score_of("silhouette", ClassedTexts(vectors, labels, ("m",)))
    assert score.low < score.value < score.high
    # By luck alone it is below 0: some other class is always near, most of all one of a single text.
    assert -0.5 < score.chance < 0 < score.value


def test_silhouette_undefined():
    vectors, labels = blobs(10)
    assert np.isnan(silhouette(vectors, np.zeros(10, dtype=int))).all()
    vectors[3] = 0
    score = score_of("silhouette", ClassedTexts(vectors, labels, ("m",)))
    assert score.n == 9
    left_out = "1 of 10 texts with a zero vector are left out"
    assert score.reason == f"{left_out}; there is no interval: there are fewer than 10 texts"
    alone = score_of("silhouette", ClassedTexts(vectors, np.zeros(10, dtype=int), ("m",)))
    assert math.isnan(alone.value)
    assert alone.reason.startswith("there is one class only")


def test_accuracy_over_draws_and_its_chance():
    truth = np.array([0, 0, 1, 1])
    score = score_of("probe_accuracy", ClassedTexts(np.array([[0, 0, 1, 0], [0, 1, 1, 0]]), truth, ("m",)))
    assert score.per_query == (1.0, 0.5, 1.0, 0.0)
    assert (score.value, score.n) == (0.625, 4)
    assert score.chance == 0.5
    # Whoever always names one class reaches that class's share by luck alone.
    always = score_of("knn_accuracy@5", ClassedTexts(np.zeros(4, dtype=int), np.array([0, 0, 0, 1]), ("m",)))
    assert always.value == always.chance == 0.75
    with pytest.raises(ShapeError, match=r"one prediction for each of the 4 texts. Got shape \(3,\)"):
        correct(np.zeros(3, dtype=int), truth)


def test_confused_in_one_only():
    truth = np.array([0, 0, 0, 1, 1, 2])
    first, second = np.array([1, 1, 0, 0, 1, -1]), np.array([0, 0, 1, 1, 1, 2])
    assert confused_only(first, second, truth) == [(0, 1, 2), (1, 0, 1), (2, -1, 1)]
    assert confused_only(second, first, truth) == [(0, 1, 1)]
    assert confused_only(truth, first, truth) == []


def test_split_is_stratified_and_by_seed():
    labels = np.array([0] * 40 + [1] * 10 + [2] * 2 + [3])
    tested = stratified(labels, 0)
    assert np.bincount(labels[tested], minlength=4).tolist() == [10, 2, 1, 0]
    assert stratified(labels, 0).tolist() == tested.tolist() != stratified(labels, 1).tolist()
    assert place_in_class(np.array([1, 0, 1, 1, 0])).tolist() == [0, 0, 1, 2, 1]


def test_probe_draws_so_many_of_each_class():
    vectors, labels = blobs(100, 3)
    labels[:5] = 7
    rows = draw(labels, 8, np.random.default_rng(0))
    assert np.bincount(labels[rows])[[0, 1, 2, 7]].tolist() == [8, 8, 8, 5]
    pytest.importorskip("sklearn", reason="the probe needs scikit-learn")
    predicted, unfinished = probe(vectors, labels, vectors, shots=8, draws=3, seed=1)
    assert predicted.shape == (3, 100)
    assert unfinished == 0
    assert (predicted == probe(vectors, labels, vectors, shots=8, draws=3, seed=1)[0]).all()
    whole, _ = probe(vectors, labels, vectors, shots=0, draws=3, seed=1)
    assert whole.shape == (1, 100)
    assert correct(whole, labels).mean() > 0.6
