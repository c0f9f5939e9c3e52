"""Classes: do the texts of a class lie together in a model's space."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np

from embdiff.errors import MissingDependencyError
from embdiff.evaluation.class_files import Labelled, read_classes
from embdiff.evaluation.encode import encode_two, rank, without_direction
from embdiff.evaluation.noise import Scored, changes
from embdiff.evaluation.outcome import Confusion, ModelFacts, Outcome, in_order
from embdiff.evaluation.probe import probe, protocol
from embdiff.evaluation.settings import Settings
from embdiff.lexical import BM25, Bm25
from embdiff.measures.base import measures_for
from embdiff.measures.classes import NEEDS, ClassedTexts, confused_only, correct, knn_predict
from embdiff.measures.noise import Change
from embdiff.measures.places import name_ranks
from embdiff.measures.score import scores as take
from embdiff.records import FloatArray, IntArray, Score
from embdiff.sources import Wanted

CONFUSIONS_KEPT = 50
_NO_VECTORS = "bm25 has no vectors"


class _Table:
    """Scores, predictions and notes, filled model by model."""

    def __init__(self, data: Labelled, settings: Settings) -> None:
        self.data, self.settings = data, settings
        self.scores: list[Score] = []
        self.facts: list[ModelFacts] = []
        self.notes: list[str] = []
        self.predicted: dict[str, IntArray] = {}
        self.draws: dict[str, list[float]] = {}
        self.noise: list[Change] = []

    def vote(self, model: str, rows: IntArray) -> None:
        """Classify by neighbours."""
        k = min(self.settings.voters, len(self.data.train))
        self.predicted[model] = knn_predict(rows, self.data.train_labels, k)
        self.score([f"knn_accuracy@{k}"], model, self.predicted[model])

    def probe(self, model: str, train: FloatArray, test: FloatArray) -> None:
        """Classify by logistic regression."""
        asked = self.settings
        try:
            found, unfinished = probe(
                train, self.data.train_labels, test, shots=asked.shots, draws=asked.draws, seed=asked.seed
            )
        except MissingDependencyError as error:
            self.undefined("probe_accuracy", model, str(error))
            return
        self.score(["probe_accuracy"], model, found)
        self.draws[model] = [float(correct(each, self.data.test_labels).mean()) for each in found]
        if unfinished:
            self.notes.append(f"{model}: {unfinished} of {len(found)} probes stopped at the 100th iteration.")

    def score(self, measures: Sequence[str], model: str, given: FloatArray | IntArray) -> None:
        """Score vectors or predicted classes of the test texts."""
        self.scores += take(measures, ClassedTexts(given, self.data.test_labels, (model,)), seed=self.settings.seed)

    def undefined(self, measure: str, model: str, reason: str) -> None:
        """Add a number that there is not, with the reason."""
        self.scores.append(Score.undefined(measure, (model,), reason))


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
        protocol=_protocol(data, settings),
        notes=(*_data_notes(data), *table.notes),
        noise=tuple(table.noise),
        draws=table.draws,
        confusions=tuple(_confusions(table)),
    )


def _dense(table: _Table, name: str) -> None:
    data, settings = table.data, table.settings
    tested = Wanted.whole(data.test.items, data.test.ids, "test texts")
    train, test, again, facts = encode_two(name, settings, data.train, tested, queries=False, whole=data.whole)
    table.facts.append(facts)
    rows, _ = rank(test, train, settings.voters, settings.metric)
    table.vote(name, rows)
    table.probe(name, train, test)
    table.noise += changes(_headline(table, name), train, test, again, what="test texts", seed=settings.seed)
    table.score(_of_vectors(), name, test)
    lost = [without_direction(vectors, settings.metric) for vectors in (train, test)]
    if any(lost):
        table.notes.append(
            f"{name}: {lost[0]:,} training and {lost[1]:,} test texts have a zero vector (no word known): they are "
            "nobody's neighbours, and classified wrong by neighbours."
        )


def _headline(table: _Table, name: str) -> Scored:
    """Return what scores the vote of neighbours for some of the test texts."""
    data, settings = table.data, table.settings
    k = min(settings.voters, len(data.train))

    def score(train: FloatArray, test: FloatArray, which: IntArray) -> Score:
        rows, _ = rank(test, train, settings.voters, settings.metric)
        predicted = knn_predict(rows, data.train_labels, k)
        return take(
            [f"knn_accuracy@{k}"], ClassedTexts(predicted, data.test_labels[which], (name,)), seed=settings.seed
        )[0]

    return score


def _of_vectors() -> list[str]:
    """Return the measures that are taken of vectors as they are: no classes are predicted for them."""
    return [each.name for each in measures_for(NEEDS) if each.name not in ("knn_accuracy", "probe_accuracy")]


def _lexical(table: _Table) -> None:
    data = table.data
    try:
        index = Bm25(data.train.items)
    except MissingDependencyError as error:
        table.notes.append(f"The baseline bm25 is left out: {error}")
        return
    rows, _ = index.rank(data.test.items, table.settings.voters, name_ranks(data.train.ids))
    table.facts.append(ModelFacts(BM25, None, about=index.about))
    table.vote(BM25, rows)
    for measure in ("probe_accuracy", *_of_vectors()):
        table.undefined(measure, BM25, _NO_VECTORS)


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


def _protocol(data: Labelled, settings: Settings) -> dict[str, str]:
    return {
        "split": data.split,
        "knn": f"{min(settings.voters, len(data.train))} nearest training texts, exact {settings.metric}, majority of "
        "votes, ties to the nearest; confusions are those of this vote",
        "probe": protocol(settings.shots, settings.draws, settings.seed),
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
