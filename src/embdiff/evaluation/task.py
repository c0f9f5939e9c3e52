"""What the three tasks share: the walk over the models, ranking by vectors, and what the same model again changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from embdiff import exact
from embdiff.encoding import Texts, encode
from embdiff.errors import MissingDependencyError
from embdiff.evaluation.outcome import UNITS, ModelFacts, Outcome
from embdiff.evaluation.settings import Settings
from embdiff.lexical import BM25, Bm25
from embdiff.measures.noise import Again, Change, change, half_precision, sampled
from embdiff.measures.score import in_order
from embdiff.records import FloatArray, IntArray, Metric, Score
from embdiff.sources import Source

FROM_A_FILE = "the vectors were read from a file, not encoded"

Two = tuple[FloatArray, FloatArray]
Few = tuple[IntArray, Two, Two]  # some of the units, their vectors, and their vectors encoded again one by one


class Walk(ABC):
    """Labelled data of one kind, read, and what is found on it, filled model by model.

    Vectors come in two tables: of what is asked (documents, training texts, left texts of pairs) and of what asks
    (queries, test texts, right texts).

    Parameters
    ----------
    settings : Settings
    source : str
        The data as named.
    headline : str
        One line: what is evaluated on what.
    units : sequence of str
        What one value of a score belongs to.
    texts : Texts
        What every model encodes.
    """

    task: ClassVar[str]

    def __init__(self, settings: Settings, source: str, headline: str, units: Sequence[str], texts: Texts) -> None:
        self.settings, self.source, self.headline = settings, source, headline
        self.units, self.texts = tuple(units), texts
        self.scores: list[Score] = []
        self.facts: list[ModelFacts] = []
        self.notes: list[str] = []
        self.noise: list[Change] = []

    def outcome(self) -> Outcome:
        """Take bm25, where it is wanted, and every model in turn."""
        settings = self.settings
        if settings.baseline:
            self.add_words()
        for name in settings.models:
            _, done = encode(name, settings.objects, self.texts, settings.cache, check=partial(self.check, name))
            self.facts.append(ModelFacts(name, done.stamp, done.seconds, encoding=done.facts))
            assert done.documents is not None
            there, asking, few = self.sides(done.documents, done.queries, done.again)
            self.add(name, there, asking)
            self.noise += self.changes(name, there, asking, few)
        more = self.more()
        return Outcome(
            task=self.task,
            source=self.source,
            headline=self.headline,
            scores=in_order(self.scores),
            units=self.units,
            models=tuple(self.facts),
            protocol=self.protocol(),
            notes=tuple(self.notes),
            noise=tuple(self.noise),
            **more,
        )

    def check(self, name: str, source: Source) -> None:  # noqa: B027 (most tasks have any)
        """Refuse a model that this task cannot have, before it encodes."""

    def sides(
        self, documents: FloatArray, queries: FloatArray | None, again: Again | None
    ) -> tuple[FloatArray, FloatArray, Few | None]:
        """Return both tables, and those of some units, before and after they were encoded again.

        Nothing is encoded again where vectors are ready: they are found by row, or in a file of queries
        (``vectors:FILE?queries=FILE``), or by text.
        """
        assert queries is not None
        if again is None:
            return documents, queries, None
        return documents, queries, (again.rows, (documents, queries[again.rows]), (documents, again.vectors))

    def changes(self, name: str, there: FloatArray, asking: FloatArray, few: Few | None) -> list[Change]:
        """Return what the same model again changes of the first measure: in half precision, and one by one."""
        seed, every = self.settings.seed, np.arange(len(asking), dtype=np.int64)
        plain = self.first(name, there, asking, every)
        (low_there, reason), (low_asking, why) = half_precision(there), half_precision(asking)

        def undefined(reason: str) -> Score:
            return Score.undefined(plain.measure, plain.models, reason)

        rounded = undefined(f"{reason or why}") if reason or why else self.first(name, low_there, low_asking, every)
        half = change(plain, rounded, "float16", seed=seed)
        if few is None:
            return [half, change(plain, undefined(FROM_A_FILE), "batch", seed=seed)]
        rows, before, after = few
        note = sampled(rows, len(asking), UNITS[self.task])
        own, again = (self.first(name, *tables, rows) for tables in (before, after))
        return [half, change(own, again, "batch", seed=seed, note=note)]

    @abstractmethod
    def add_words(self) -> None:
        """Add what bm25 finds."""

    @abstractmethod
    def add(self, model: str, there: FloatArray, asking: FloatArray) -> None:
        """Add what is found by the vectors of a model."""

    @abstractmethod
    def first(self, model: str, there: FloatArray, asking: FloatArray, which: IntArray) -> Score:
        """Return the first measure over some of the units, whose vectors these are."""

    @abstractmethod
    def protocol(self) -> dict[str, str]:
        """Return how the numbers are made."""

    def more(self) -> dict[str, Any]:
        """Return what else the outcome of this task holds, by name."""
        return {}

    def index(self, items: Sequence[str]) -> Bm25 | None:
        """Return bm25 over texts; None where its library is missing, which the notes tell then."""
        try:
            index = Bm25(items)
        except MissingDependencyError as error:
            self.notes.append(f"The baseline bm25 is left out: {error}")
            return None
        self.facts.append(ModelFacts(BM25, None, about=index.about))
        return index

    def tell_zeros(self, name: str, tables: Sequence[tuple[FloatArray, str]], so: str) -> None:
        """Say how many vectors of two tables are zero, where that means that they have no similarity."""
        lost = [(len(vectors) - len(_usable(vectors, self.settings.metric)), words) for vectors, words in tables]
        if any(count for count, _ in lost):
            told = " and ".join(f"{count:,} {words}" for count, words in lost)
            self.notes.append(f"{name}: {told} have a zero vector (no word known): {so}")


def rank(queries: FloatArray, vectors: FloatArray, depth: int, metric: Metric) -> tuple[IntArray, FloatArray]:
    """Return the nearest rows of each query, exactly, and their similarity; (q, min(depth, n)).

    A zero vector has no direction: with cosine such a row is never returned and such a query returns nothing; the
    lists are padded with -1 and NaN.
    """
    depth = min(depth, len(vectors))
    rows = np.full((len(queries), depth), -1, dtype=np.int64)
    similarity = np.full((len(queries), depth), np.nan, dtype=np.float32)
    asking, there = (_usable(table, metric) for table in (queries, vectors))
    if asking.size and there.size:
        found = exact.search(queries[asking], vectors[there], min(depth, len(there)), metric)
        rows[asking, : found.k] = np.where(found.rows >= 0, there[found.rows], -1)
        similarity[asking, : found.k] = found.similarity
    return rows, similarity


def _usable(vectors: FloatArray, metric: Metric) -> IntArray:
    if metric != "cosine":
        return np.arange(len(vectors), dtype=np.int64)
    return np.flatnonzero(np.any(vectors != 0.0, axis=1)).astype(np.int64)
