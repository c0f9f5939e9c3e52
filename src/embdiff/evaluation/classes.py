"""Classes: do the texts of a class lie together in a model's space; by neighbours, and by a linear probe.

The probe is logistic regression from few labelled texts, by MTEB's protocol.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

import numpy as np

from embdiff._optional import require
from embdiff._progress import progress
from embdiff.encoding import Texts
from embdiff.errors import MissingDependencyError
from embdiff.evaluation.class_files import Labelled, place_in_class, read_classes
from embdiff.evaluation.models import changes, few_again, lexical, rank, vectors_of, zero_notes
from embdiff.evaluation.outcome import Confusion, ModelFacts, Outcome
from embdiff.evaluation.settings import Settings
from embdiff.lexical import BM25
from embdiff.measures.base import measures_for
from embdiff.measures.classes import NEEDS, ClassedTexts, confused_only, correct, knn_predict
from embdiff.measures.noise import Change
from embdiff.measures.places import name_ranks
from embdiff.measures.score import in_order
from embdiff.measures.score import scores as take
from embdiff.records import FloatArray, IntArray, Score
from embdiff.sources import Wanted

MAX_ITER = 100
CONFUSIONS_KEPT = 50
_NO_VECTORS = "bm25 has no vectors"


@dataclass(eq=False)
class _Table:
    """Scores, predictions and notes, filled model by model."""

    data: Labelled
    settings: Settings
    scores: list[Score] = field(default_factory=list)
    facts: list[ModelFacts] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    predicted: dict[str, IntArray] = field(default_factory=dict)
    draws: dict[str, list[float]] = field(default_factory=dict)
    noise: list[Change] = field(default_factory=list)

    @property
    def k(self) -> int:
        """Neighbours that vote."""
        return min(self.settings.voters, len(self.data.train))

    def vote(self, model: str, rows: IntArray, which: IntArray | None = None) -> tuple[IntArray, Score]:
        """Classify some test texts, or all, by their neighbours."""
        truth = self.data.test_labels if which is None else self.data.test_labels[which]
        predicted = knn_predict(rows, self.data.train_labels, self.k)
        given = ClassedTexts(predicted, truth, (model,))
        return predicted, take([f"knn_accuracy@{self.k}"], given, seed=self.settings.seed)[0]

    def add_vote(self, model: str, rows: IntArray) -> None:
        """Add the classes of all test texts by their neighbours."""
        self.predicted[model], score = self.vote(model, rows)
        self.scores.append(score)

    def add_probe(self, model: str, train: FloatArray, test: FloatArray) -> None:
        """Add the classes by logistic regression."""
        asked = self.settings
        try:
            found, unfinished = probe(
                train, self.data.train_labels, test, shots=asked.shots, draws=asked.draws, seed=asked.seed
            )
        except MissingDependencyError as error:
            self.scores.append(Score.undefined("probe_accuracy", (model,), str(error)))
            return
        given = ClassedTexts(found, self.data.test_labels, (model,))
        self.scores += take(["probe_accuracy"], given, seed=asked.seed)
        self.draws[model] = [float(correct(each, self.data.test_labels).mean()) for each in found]
        if unfinished:
            self.notes.append(f"{model}: {unfinished} of {len(found)} probes stopped at the 100th iteration.")


def evaluate_classes(path: Path, settings: Settings) -> Outcome:
    """Read labelled texts, and classify the test texts with every model."""
    data = read_classes(path, seed=settings.seed, text_column=settings.text_column, label_column=settings.label_column)
    table = _Table(data, settings)
    if settings.baseline:
        _lexical(table)
    for name in settings.models:
        _dense(table, name)
    return Outcome(
        task="classes",
        source=data.source,
        headline=f"{len(data.test):,} texts of {len(data.classes):,} classes to classify, {len(data.train):,} to learn "
        f"from, of {data.source}",
        scores=in_order(table.scores),
        units=tuple(map(str, range(len(data.test)))),
        models=tuple(table.facts),
        protocol=_protocol(table),
        notes=(*_data_notes(data), *table.notes),
        noise=tuple(table.noise),
        draws=table.draws,
        confusions=tuple(_confusions(table)),
    )


def _dense(table: _Table, name: str) -> None:
    data, seed, metric = table.data, table.settings.seed, table.settings.metric
    tested = Wanted.whole(data.test.items, data.test.ids, "test texts")
    texts = Texts(data.train, tested, seed, role="document", whole=data.whole)
    train, test, again, facts = vectors_of(name, table.settings, texts)
    table.facts.append(facts)
    table.add_vote(name, rank(test, train, table.k, metric)[0])
    table.add_probe(name, train, test)

    def score(train: FloatArray, test: FloatArray, which: IntArray) -> Score:
        return table.vote(name, rank(test, train, table.k, metric)[0], which)[1]

    table.noise += changes(score, train, test, few_again(train, test, again), what="test texts", seed=seed)
    table.scores += take(_of_vectors(), ClassedTexts(test, data.test_labels, (name,)), seed=seed)
    so = "they are nobody's neighbours, and classified wrong by neighbours."
    table.notes += zero_notes(name, metric, ((train, "training"), (test, "test texts")), so)


def _of_vectors() -> list[str]:
    """Return the measures that are taken of vectors as they are: no classes are predicted for them."""
    return [each.name for each in measures_for(NEEDS) if each.name not in ("knn_accuracy", "probe_accuracy")]


def _lexical(table: _Table) -> None:
    data = table.data
    index = lexical(data.train.items, table.notes)
    if index is not None:
        rows, _ = index.rank(data.test.items, table.settings.voters, name_ranks(data.train.ids))
        table.facts.append(ModelFacts(BM25, None, about=index.about))
        table.add_vote(BM25, rows)
        without = ("probe_accuracy", *_of_vectors())
        table.scores += [Score.undefined(each, (BM25,), _NO_VECTORS) for each in without]


def _confusions(table: _Table) -> list[Confusion]:
    """Return, for every two models in both orders, what the first confuses and the second does not."""
    data, found = table.data, list[Confusion]()
    totals = np.bincount(data.test_labels, minlength=len(data.classes))
    for a, b in permutations(table.predicted, 2):
        listed = confused_only(table.predicted[a], table.predicted[b], data.test_labels)
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


def _protocol(table: _Table) -> dict[str, str]:
    settings = table.settings
    return {
        "split": table.data.split,
        "knn": f"{table.k} nearest training texts, exact {settings.metric}, majority of "
        "votes, ties to the nearest; confusions are those of this vote",
        "probe": _probe_protocol(settings.shots, settings.draws, settings.seed),
        "silhouette": "of the test texts, cosine distance",
        "intervals": "95 %, test texts resampled, training texts and vectors held fixed",
        "chance": "accuracy: the same predictions dealt out at random; silhouette: mean over 20 random label orders",
    }


def _data_notes(data: Labelled) -> list[str]:
    notes = []
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
