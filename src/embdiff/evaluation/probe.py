"""A linear probe: logistic regression from few labelled texts, by MTEB's protocol."""

from __future__ import annotations

import warnings

import numpy as np

from embdiff._optional import require
from embdiff._progress import progress
from embdiff.evaluation.class_files import place_in_class
from embdiff.records import FloatArray, IntArray

MAX_ITER = 100


def protocol(shots: int, draws: int, seed: int) -> str:
    """Return in words how `probe` works."""
    how = "LogisticRegression(max_iter=100) of scikit-learn on the vectors as they are"
    if not shots:
        return f"{how}, fitted once on all training texts, seed {seed}"
    return f"{how}; {draws} draws of {shots} training texts per class, seed {seed}; the mean over draws (as MTEB does)"


def draw(labels: IntArray, shots: int, rng: np.random.Generator) -> IntArray:
    """Return the rows of one draw: the first ``shots`` of each class in a random order, fewer where there are fewer."""
    order = rng.permutation(len(labels))
    return np.asarray(order[place_in_class(labels[order]) < shots], dtype=np.int64)


def probe(
    train: FloatArray, labels: IntArray, test: FloatArray, *, shots: int, draws: int, seed: int
) -> tuple[IntArray, int]:
    """Fit and predict.

    Parameters
    ----------
    train : ndarray of float32, shape (n, d)
    labels : ndarray of int64, shape (n,)
    test : ndarray of float32, shape (t, d)
    shots : int
        Training texts per class in a draw; 0 means all, in one draw.
    draws : int
    seed : int
        Of the draws; they are the same for every model.

    Returns
    -------
    predicted : ndarray of int64, shape (draws, t)
    unfinished : int
        Fits that stopped at the largest number of iterations.

    Raises
    ------
    MissingDependencyError
        When scikit-learn is not installed.
    """
    linear = require("sklearn.linear_model", "classes", "The measure probe_accuracy")
    rng = np.random.default_rng(seed)
    chosen = [draw(labels, shots, rng) for _ in range(draws)] if shots else [np.arange(len(labels))]
    predicted = np.empty((len(chosen), len(test)), dtype=np.int64)
    unfinished = 0
    with progress("fit probe", len(chosen), "draws") as advance:
        for place, rows in enumerate(chosen):
            model = linear.LogisticRegression(max_iter=MAX_ITER, random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # unfinished fits are counted and told
                model.fit(train[rows], labels[rows])
            unfinished += int(np.max(model.n_iter_) >= MAX_ITER)
            predicted[place] = model.predict(test)
            advance(1)
    return predicted, unfinished
