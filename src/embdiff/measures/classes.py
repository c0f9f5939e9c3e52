"""Do the texts of a class lie together: accuracy of neighbours' votes and of a linear probe, silhouette, confusions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Measure, MeasureSpec, Needs
from embdiff.measures.inputs import Undefined, Whole
from embdiff.measures.score import PerQuery, mean_of
from embdiff.measures.statistics.jackknife import groups, jackknife, no_interval
from embdiff.measures.statistics.quantiles import Doubles, mean_known, ratio
from embdiff.records import FloatArray, IntArray, Score

NEEDS: Needs = "class labels"
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
    """Return, per text, 1 when the predicted class is the true one, else 0; draws (r, n) are averaged to (n,).

    Notes
    -----
    By chance what the same predictions reach dealt out at random: sum over classes of share predicted * share true.
    """
    if predicted.shape[-1] != len(truth):
        raise ShapeError(
            f"There must be one prediction for each of the {len(truth)} texts. Got shape {predicted.shape}. "
            "Predict every test text."
        )
    right = (predicted == truth).astype(np.float64)
    return right if right.ndim == 1 else np.asarray(right.mean(axis=0))


def silhouette(vectors: FloatArray, labels: IntArray) -> Doubles:
    """Return, per text, how much nearer a text is to its own class than to the nearest other one.

    ``(b - a) / max(a, b), a: mean cosine distance within the class, b: to the nearest other class``. As 1 - cosine is
    linear in unit vectors, class sums do the work of all pairs: O(n classes d).

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, d)
    labels : ndarray of int64, shape (n,)
        From 0.

    Returns
    -------
    ndarray of float64, shape (n,)
        In [-1, 1]; 0 for the only text of its class; NaN when there is one class only; a zero vector is left out.

    Notes
    -----
    By chance the mean over 20 random orders of the labels.

    References
    ----------
    Rousseeuw 1987; sklearn.metrics.silhouette_score.
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
    values[known] = np.where(counts[own] > 1, ratio(b - a, np.maximum(a, b), 0.0), 0.0)
    return values


@dataclass(frozen=True, eq=False)
class ClassedTexts(Whole):
    """Texts with their classes, and what a model makes of them.

    Parameters
    ----------
    given : ndarray
        Vectors of float32, (n, d), or predicted classes of int64: (n,), or (draws, n). Of several draws each text
        counts with its share of right ones, so n stays the number of texts.
    labels : ndarray of int64, shape (n,)
        True classes, from 0.
    models : tuple of one str
    """

    given: FloatArray | IntArray
    labels: IntArray
    models: tuple[str, ...]
    query_model: None = None

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of classes is called with."""
        if needs != NEEDS:
            raise Undefined(f"classes have no {needs}")
        return self.given, self.labels


def _dealt_out(texts: ClassedTexts, _values: Doubles, _seed: int) -> float:
    """Return the share of texts classified right when the same predictions are dealt out to them at random."""
    predicted, truth = np.atleast_2d(texts.given), texts.labels
    size = 1 + int(max(predicted.max(initial=0), truth.max(initial=0)))
    true = np.bincount(truth, minlength=size)
    given = [np.bincount(each[each >= 0], minlength=size) for each in predicted]
    return float(np.mean([float(each @ true) / len(truth) ** 2 for each in given]))


class MeanSilhouette:
    """The mean silhouette; chance: the mean over 20 random orders of the labels.

    The interval is a jackknife over 20 groups of texts: each also moves the means of the classes, so that values per
    text are not independent.
    """

    @classmethod
    def scores(cls, specs: Sequence[MeasureSpec], inputs: ClassedTexts, seed: int) -> list[Score]:
        """Return each score by itself."""
        return [_score(spec, inputs, seed) for spec in specs]


def _score(spec: MeasureSpec, texts: ClassedTexts, seed: int) -> Score:
    vectors, labels = texts.arguments(spec.measure.needs)
    values = silhouette(vectors, labels)
    if np.isnan(values).all():
        return Score.undefined(spec, texts.models, "there is one class only, or no vector has a direction")
    within = jackknife(mean_known(values), _without_groups(vectors, labels, values, seed), spec.measure.range)
    rng = np.random.default_rng(seed)
    chance = float(np.nanmean([_mean_silhouette(vectors, rng.permutation(labels)) for _ in range(SHUFFLES)]))
    found = mean_of(str(spec), values, texts.models, None, chance, within, "with a zero vector", "texts")
    if found.interval != "none":
        return found
    return replace(found, reason="; ".join(filter(None, (found.reason, no_interval(found.n, "texts")))))


def _without_groups(vectors: FloatArray, labels: IntArray, values: Doubles, seed: int) -> list[float]:
    """Return the mean silhouette without each group of the texts that have one."""
    known = np.flatnonzero(~np.isnan(values))
    rests = [np.delete(known, part) for part in groups(len(known), seed=seed)]
    return [_mean_silhouette(vectors[rest], labels[rest]) for rest in rests]


def _mean_silhouette(vectors: FloatArray, labels: IntArray) -> float:
    values = silhouette(vectors, labels)
    return math.nan if np.isnan(values).all() else float(np.nanmean(values))


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


SILHOUETTE = Measure(
    function=silhouette,
    needs=NEEDS,
    direction="classes are tighter and farther apart",
    range=(-1.0, 1.0),
    symmetric=False,
    invariances=("order of the texts", "rotation and scaling of the space", "length of each vector"),
    cutoff=False,
    scorer=MeanSilhouette(),
)
PROBE_ACCURACY = SILHOUETTE.variant(
    name="probe_accuracy",
    function=correct,
    summary="share of test texts that a logistic regression on the vectors classifies right",
    formula="mean over draws of training texts of the share of test texts classified right",
    direction="classes are separated by planes more often",
    range=(0.0, 1.0),
    invariances=("order of the texts",),
    undefined_when="scikit-learn is not installed, or there are fewer than two classes",
    reference="Muennighoff et al. 2023 (MTEB): 8 texts per class, 10 draws",
    scorer=PerQuery(_dealt_out, nothing="there are no texts"),
)
KNN_ACCURACY = PROBE_ACCURACY.variant(
    name="knn_accuracy",
    summary="share of test texts whose class most of their k nearest training texts have",
    formula="1 if the majority class of the k nearest training texts is the true one, ties to the nearest, else 0",
    direction="more texts lie among their own class",
    invariances=("order of the texts", "rotation and scaling of the space"),
    undefined_when="there is no training text",
    reference="Fix and Hodges 1951; k-NN evaluation of representations",
    cutoff=True,
)
