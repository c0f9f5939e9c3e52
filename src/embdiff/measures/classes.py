"""Do the texts of a class lie together: accuracy of neighbours' votes and of a linear probe, silhouette, confusions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.statistics.jackknife import groups, jackknife
from embdiff.measures.statistics.resampling import interval
from embdiff.records import FloatArray, IntArray, Score

Doubles = npt.NDArray[np.float64]
SHUFFLES = 20  # label permutations for the chance level of the silhouette


def knn_predict(rows: IntArray, labels: IntArray, k: int) -> IntArray:
    """Return the class that most of the first k neighbours have; among equals, that of the nearest one.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, m)
        Neighbours among the training texts, nearest first; -1 pads.
    labels : ndarray of int64, shape (n,)
        Class of each training text, from 0.
    k : int
        At least 1; lists shorter than k vote with what they have.

    Returns
    -------
    ndarray of int64, shape (q,)
        -1 where a list is empty.
    """
    if k < 1:
        raise ParameterError(f"k must be at least 1. Got {k}. Write knn_accuracy@5.")
    near = rows[:, :k]
    votes = np.where(near >= 0, labels[np.maximum(near, 0)], -1)
    counts = np.zeros(votes.shape, dtype=np.int64)
    for column in votes.T:
        counts += votes == column[:, None]
    # The first place with the highest count belongs to the nearest of the tied classes.
    best = np.where(votes >= 0, counts, 0).argmax(axis=1)
    return np.asarray(np.take_along_axis(votes, best[:, None], axis=1)[:, 0])


def correct(predicted: IntArray, truth: IntArray) -> Doubles:
    """Return, per text, 1 when the predicted class is the true one, else 0; draws (r, n) are averaged to (n,)."""
    if predicted.shape[-1] != len(truth):
        raise ShapeError(
            f"There must be one prediction for each of the {len(truth)} texts. Got shape {predicted.shape}. "
            "Predict every test text."
        )
    right = (predicted == truth).astype(np.float64)
    return right if right.ndim == 1 else np.asarray(right.mean(axis=0))


def silhouette(vectors: FloatArray, labels: IntArray) -> Doubles:
    """Return, per text, (b - a) / max(a, b) with cosine distances.

    a is the mean distance to the other texts of its class, b the mean distance to those of the nearest other class.
    As 1 - cosine is linear in unit vectors, class sums do the work of all pairs: O(n classes d).

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, d)
    labels : ndarray of int64, shape (n,)
        From 0.

    Returns
    -------
    ndarray of float64, shape (n,)
        In [-1, 1]; 0 for the only text of its class; NaN for a zero vector, and everywhere when there is one class.
    """
    wide = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    known = lengths > 0
    values = np.full(len(vectors), np.nan)
    names, own = np.unique(labels[known], return_inverse=True)
    if len(names) < 2:
        return values
    unit = wide[known] / lengths[known, None]
    counts = np.bincount(own).astype(np.float64)
    sums = np.zeros((len(names), unit.shape[1]))
    np.add.at(sums, own, unit)
    distance = 1.0 - unit @ sums.T / counts
    at = np.arange(len(unit))
    others = np.maximum(counts[own] - 1.0, 1.0)
    # The own class without the text itself, whose distance to itself is 0.
    a = np.maximum(distance[at, own] * counts[own] / others, 0.0)
    distance[at, own] = np.inf
    b = np.maximum(distance.min(axis=1), 0.0)
    larger = np.maximum(a, b)
    ratio = np.divide(b - a, larger, out=np.zeros(len(unit)), where=larger > 0)
    values[known] = np.where(counts[own] > 1, ratio, 0.0)
    return values


def score_accuracy(measure: str, predicted: IntArray, truth: IntArray, model: str, *, seed: int) -> Score:
    """Return the share of texts classified right; chance: the same predictions dealt out to the texts at random.

    Parameters
    ----------
    measure : str
    predicted : ndarray of int64, shape (n,) or (draws, n)
        Of several draws each text counts with its share of right ones, so n stays the number of texts.
    truth : ndarray of int64, shape (n,)
    model : str
    seed : int
    """
    values = correct(predicted, truth)
    low, high, method = interval(values, seed=seed)
    chance = float(np.mean([_dealt_out(each, truth) for each in np.atleast_2d(predicted)]))
    return Score(
        measure, (model,), float(values.mean()), low, high, chance, len(values),
        interval=method, per_query=tuple(values.tolist()),
    )  # fmt: skip


def _dealt_out(predicted: IntArray, truth: IntArray) -> float:
    size = 1 + int(max(predicted.max(initial=0), truth.max(initial=0)))
    given = np.bincount(predicted[predicted >= 0], minlength=size)
    return float(given @ np.bincount(truth, minlength=size)) / len(truth) ** 2


def score_silhouette(vectors: FloatArray, labels: IntArray, model: str, *, seed: int) -> Score:
    """Return the mean silhouette; chance: the mean over 20 random orders of the labels.

    The interval is a jackknife over 20 groups of texts: each also moves the means of the classes, so that values per
    text are not independent.
    """
    values = silhouette(vectors, labels)
    known = values[~np.isnan(values)]
    left_out = len(values) - len(known)
    reason = f"{left_out} of {len(values)} texts with a zero vector are left out" if left_out else None
    if not len(known):
        reason = "there is one class only, or no vector has a direction"
        return Score("silhouette", (model,), math.nan, math.nan, math.nan, math.nan, 0, reason=reason)
    value = float(known.mean())
    low, high, method = jackknife(value, _without_groups(vectors, labels, values, seed), SILHOUETTE.range)
    if method == "none":
        why = "there is no interval: without some of the texts the value is undefined"
        reason = why if reason is None else f"{reason}; {why}"
    rng = np.random.default_rng(seed)
    chance = np.nanmean([np.nanmean(silhouette(vectors, rng.permutation(labels))) for _ in range(SHUFFLES)])
    return Score(
        "silhouette", (model,), value, low, high, float(chance), len(known),
        interval=method, reason=reason, per_query=tuple(values.tolist()),
    )  # fmt: skip


def _without_groups(vectors: FloatArray, labels: IntArray, values: Doubles, seed: int) -> list[float]:
    """Return the mean silhouette without each group of the texts that have one."""
    known = np.flatnonzero(~np.isnan(values))
    means = []
    for part in groups(len(known), seed=seed):
        rest = np.delete(known, part)
        without = silhouette(vectors[rest], labels[rest])
        means.append(math.nan if np.isnan(without).all() else float(np.nanmean(without)))
    return means


def confused_only(first: IntArray, second: IntArray, truth: IntArray) -> list[tuple[int, int, int]]:
    """Return what one model confuses and another does not.

    Parameters
    ----------
    first, second : ndarray of int64, shape (n,)
        Predictions of two models; -1 for none.
    truth : ndarray of int64, shape (n,)

    Returns
    -------
    list of (true class, class that ``first`` gives instead, number of texts), most first
        Only texts that ``second`` classifies right.
    """
    chosen = (first != truth) & (second == truth)
    pairs, counts = np.unique(np.stack([truth[chosen], first[chosen]], axis=1), axis=0, return_counts=True)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -counts))
    return [(int(pairs[at, 0]), int(pairs[at, 1]), int(counts[at])) for at in order]


_DEALT = "the same predictions dealt out at random: sum over classes of share predicted * share true"

KNN_ACCURACY = Measure(
    name="knn_accuracy",
    function=knn_predict,
    summary="share of test texts whose class most of their k nearest training texts have",
    formula="1 if the majority class of the k nearest training texts is the true one, ties to the nearest, else 0",
    needs="class labels",
    direction="more texts lie among their own class",
    range=(0.0, 1.0),
    symmetric=False,
    invariances=("order of the texts", "rotation and scaling of the space"),
    undefined_when="there is no training text",
    chance=_DEALT,
    reference="Fix and Hodges 1951; k-NN evaluation of representations",
)
PROBE_ACCURACY = replace(
    KNN_ACCURACY,
    name="probe_accuracy",
    function=correct,
    summary="share of test texts that a logistic regression on the vectors classifies right",
    formula="mean over draws of training texts of the share of test texts classified right",
    direction="classes are separated by planes more often",
    invariances=("order of the texts",),
    undefined_when="scikit-learn is not installed, or there are fewer than two classes",
    reference="Muennighoff et al. 2023 (MTEB): 8 texts per class, 10 draws",
    cutoff=False,
)
SILHOUETTE = replace(
    KNN_ACCURACY,
    name="silhouette",
    function=silhouette,
    summary="how much nearer a text is to its own class than to the nearest other one",
    formula="(b - a) / max(a, b), a: mean cosine distance within the class, b: to the nearest other class",
    direction="classes are tighter and farther apart",
    range=(-1.0, 1.0),
    invariances=("order of the texts", "rotation and scaling of the space", "length of each vector"),
    undefined_when="there is one class only; a zero vector is left out",
    chance="mean over 20 random orders of the labels",
    reference="Rousseeuw 1987; sklearn.metrics.silhouette_score",
    cutoff=False,
)
