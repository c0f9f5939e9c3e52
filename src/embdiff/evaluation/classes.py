"""Classes: do the texts of a class lie together in a model's space; by neighbours, and by a linear probe.

The probe is logistic regression from few labelled texts, by MTEB's protocol.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from embdiff._optional import require
from embdiff._picture import WHAT
from embdiff._progress import progress
from embdiff.encoded import Texts
from embdiff.errors import MissingDependencyError
from embdiff.evaluation.class_files import Labelled, place_in_class, read_classes
from embdiff.evaluation.outcome import Confusion
from embdiff.evaluation.settings import Settings, chosen
from embdiff.evaluation.task import Walk
from embdiff.lexical import BM25, Bm25
from embdiff.measures.base import MeasureSpec, get_measure, measures_for
from embdiff.measures.classes import NEEDS, ClassedTexts, confused_only, correct, knn_predict
from embdiff.measures.score import score as score_of
from embdiff.measures.score import scores as take
from embdiff.ranked import Ranked
from embdiff.records import FloatArray, IntArray, Neighbors, Score
from embdiff.search import nearest_rows
from embdiff.sources import Wanted

MAX_ITER = 100
CONFUSIONS_KEPT = 50


class Classes(Walk):
    """Labelled texts: some to learn from, the others to classify."""

    task = "classes"
    ranked = "training"
    so = "they are nobody's neighbours, and classified wrong by neighbours."

    def __init__(self, path: Path, settings: Settings) -> None:
        self.data = data = read_classes(path, seed=settings.seed, **settings.labelled)
        tested = Wanted.whole(data.test.items, data.test.ids, "test texts")
        super().__init__(
            settings,
            str(path),
            f"{len(data.test):,} {WHAT[data.test.kinds]} of {len(data.classes):,} classes to classify, "
            f"{len(data.train):,} to learn from, of {path}",
            tuple(map(str, range(len(data.test)))),
            Texts(data.train, tested, settings.seed, role="document", whole=data.whole),
            min(settings.voters, len(data.train)),
        )
        voters, others = f"knn_accuracy@{self.depth}", [each.name for each in measures_for(NEEDS) if not each.cutoff]
        self.usual = get_measure(voters)
        self.measures = chosen(settings, NEEDS, [voters, *others], self.task, k=self.depth)
        self.depth = max([self.depth, *(each.k for each in self.measures if each.k)])
        self.divide(data.parts)
        self.predicted: dict[str, IntArray] = {}
        self.draws: dict[str, list[float]] = {}
        self.notes += _data_notes(data)
        self.protocol = {
            "split": data.split,
            "knn": f"{self.usual.k} nearest training texts, exact {settings.metric}, majority of votes, "
            "ties to the nearest; confusions are those of this vote",
            "probe": _probe_protocol(settings.shots, settings.draws, settings.seed),
            "silhouette": "of the test texts, cosine distance",
            "intervals": "95 %, of other test texts, training texts and vectors held fixed",
            "chance": "accuracy: the same predictions dealt out at random; "
            "silhouette: mean over 20 random label orders",
        }

    def add_words(self) -> None:
        """Add the classes that bm25's neighbours vote for, and that it has no vectors."""
        super().add_words()
        if BM25 in self.predicted:
            self._without_vectors(BM25, Bm25.wanting)

    def tell(self, made: Ranked) -> None:
        """Say of a model that ranks texts what it is, and that it has no vectors to learn or measure on."""
        super().tell(made)
        self._without_vectors(made.model, made.ranking.wanting)

    def _without_vectors(self, model: str, why: str) -> None:
        without = [each for each in self.measures if each.measure.name != "knn_accuracy"]
        self.scores += [Score.undefined(each, (model,), f"{model} {why}") for each in without]

    def add_lists(self, model: str, found: Neighbors) -> None:
        """Add the classes that the neighbours vote for."""
        self.predicted[model] = self._voted(found, self.usual)
        votes = [each for each in self.measures if each.measure.name == "knn_accuracy"]
        for each in votes:
            self._add_classed(model, [each], self._voted(found, each))
        tied = 0 if found.ties is None else len(np.unique(found.ties.query))
        if tied:
            self.notes.append(
                f"{model}: {tied:,} of {len(found.rows):,} test texts have a tie across place {found.k}: of the tied "
                "training texts those that stand first in the file vote."
            )

    def _voted(self, found: Neighbors, spec: MeasureSpec) -> IntArray:
        assert spec.k is not None
        return knn_predict(found.rows, self.data.train_labels, spec.k)

    def add(self, model: str, there: FloatArray, asking: FloatArray) -> None:
        """Add the classes by neighbours and by logistic regression, and how the classes lie in the space."""
        super().add(model, there, asking)
        if any(each.measure.name == "probe_accuracy" for each in self.measures):
            self._add_probe(model, there, asking)
        self._add_classed(model, self._of_vectors(), asking)

    def first(self, model: str, there: FloatArray, asking: FloatArray, which: IntArray) -> Score:
        """Return the accuracy of the neighbours' votes over some of the test texts."""
        found = nearest_rows(asking[which], there, self.depth, self.settings.metric)
        spec = next((each for each in self.measures if each.measure.name == "knn_accuracy"), self.usual)
        return self._accuracy(model, spec, self._voted(found, spec), self.data.test_labels[which])

    def _add_classed(self, model: str, specs: Sequence[MeasureSpec], values: Any, axis: int = 0) -> None:
        """Add measures of classes or vectors of all test texts, which stand along an axis, and of each part of them."""
        truth, seed = self.data.test_labels, self.settings.seed
        self.scores += take(specs, ClassedTexts(values, truth, (model,)), seed=seed)
        self.add_parts(
            lambda which: take(specs, ClassedTexts(values.take(which, axis), truth[which], (model,)), seed=seed)
        )

    def _accuracy(self, model: str, spec: MeasureSpec, predicted: IntArray, truth: IntArray) -> Score:
        return score_of(spec, ClassedTexts(predicted, truth, (model,)), seed=self.settings.seed)

    def _of_vectors(self) -> list[MeasureSpec]:
        """Return the measures that are taken of vectors as they are: no classes are predicted for them."""
        return [each for each in self.measures if each.measure.name not in ("knn_accuracy", "probe_accuracy")]

    def _add_probe(self, model: str, train: FloatArray, test: FloatArray) -> None:
        asked, truth = self.settings, self.data.test_labels
        try:
            found, unfinished = probe(
                train, self.data.train_labels, test, shots=asked.shots, draws=asked.draws, seed=asked.seed
            )
        except MissingDependencyError as error:
            self.scores.append(Score.undefined("probe_accuracy", (model,), str(error)))
            return
        self._add_classed(model, [get_measure("probe_accuracy")], found, axis=1)
        self.draws[model] = [float(correct(each, truth).mean()) for each in found]
        if unfinished:
            self.notes.append(f"{model}: {unfinished} of {len(found)} probes stopped at the 100th iteration.")

    def more(self) -> dict[str, Any]:
        """Return the draws of the probe, and what each model confuses that another does not."""
        return {"draws": self.draws, "confusions": tuple(_confusions(self.data, self.predicted))}


def _confusions(data: Labelled, predicted: Mapping[str, IntArray]) -> list[Confusion]:
    """Return, for every two models in both orders, what the first confuses and the second does not."""
    found: list[Confusion] = []
    totals = np.bincount(data.test_labels, minlength=len(data.classes))
    for a, b in permutations(predicted, 2):
        listed = confused_only(predicted[a], predicted[b], data.test_labels)
        found.append(
            {
                "in": a,
                "not_in": b,
                "texts": sum(count for *_, count in listed),
                "pairs": [
                    {
                        "class": data.classes[true],
                        "taken_for": data.classes[instead] if instead >= 0 else None,
                        "texts": count,
                        "of": int(totals[true]),
                    }
                    for true, instead, count in listed[:CONFUSIONS_KEPT]
                ],
            }
        )
    return found


def _data_notes(data: Labelled) -> list[str]:
    notes = list(dict.fromkeys(note for part in (data.whole, data.train, data.test) if part for note in part.notes))
    unseen = sorted({data.classes[label] for label in np.setdiff1d(data.test_labels, data.train_labels)})
    if unseen:
        notes.append(
            f"{len(unseen):,} classes of the test texts have no training text: always wrong ({', '.join(unseen[:5])})."
        )
    empty = [sum(not item.strip() for item in part.items) for part in (data.train, data.test)]
    if any(empty):
        notes.append(f"{empty[0]:,} training and {empty[1]:,} test texts are empty; they stay.")
    return notes


def _probe_protocol(shots: int, draws: int, seed: int) -> str:
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
