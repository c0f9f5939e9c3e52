"""What the tasks share: the walk over the models, ranking by vectors, and what the same model again changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from embdiff._picture import kinds_of
from embdiff.encoded import Texts
from embdiff.encoding import encode, form_of, refuse_early
from embdiff.errors import DataError, MissingDependencyError
from embdiff.evaluation.outcome import UNITS, ModelFacts, Outcome
from embdiff.evaluation.settings import Settings
from embdiff.lexical import BM25, NO_WORDS, Bm25
from embdiff.measures.base import MeasureSpec
from embdiff.measures.noise import BATCH, Again, Change, change, drawn_again, half_precision, sampled
from embdiff.measures.score import in_order
from embdiff.measures.statistics.kinds import Kinds
from embdiff.ranked import Ranked, ranked, refuse_unranked
from embdiff.records import Corpus, FloatArray, IntArray, Kind, Neighbors, Score
from embdiff.search import nearest_rows, with_direction
from embdiff.sources import Source
from embdiff.sources.derived import Fulls
from embdiff.views.encoding_words import encoding_notes
from embdiff.views.facts import models_told
from embdiff.views.words import order_in_question

_MOST_PARTS = 200
FROM_A_FILE = "the vectors were read from a file, not encoded"


@dataclass(frozen=True, eq=False)
class TextPairs:
    """Pairs of texts, each text once.

    Parameters
    ----------
    texts : tuple of str
        The different texts of both sides.
    left, right : ndarray of int64, shape (n,)
        Which texts each pair is of.
    few : ndarray of int64
        Pairs whose texts are encoded again.
    """

    texts: tuple[str, ...]
    left: IntArray
    right: IntArray
    few: IntArray

    @classmethod
    def of(cls, left: Sequence[str], right: Sequence[str], *, seed: int) -> TextPairs:
        """Take the texts of both sides, pair by pair."""
        texts = tuple(dict.fromkeys((*left, *right)))
        place = {text: row for row, text in enumerate(texts)}
        one, other = (np.array([place[text] for text in side], dtype=np.int64) for side in (left, right))
        sizes = np.array([len(first) + len(second) for first, second in zip(left, right, strict=True)])
        few = drawn_again(sizes, sum(map(len, texts)), BATCH // 2, seed=seed, texts=2)
        return cls(texts, one, other, few)

    @property
    def lefts(self) -> IntArray:
        """The different texts of the left side, ascending."""
        return np.unique(self.left)

    @property
    def rights(self) -> IntArray:
        """The different texts of the right side, ascending."""
        return np.unique(self.right)

    @property
    def again(self) -> IntArray:
        """The texts that are encoded again, ascending."""
        return np.unique(np.concatenate([self.left[self.few], self.right[self.few]])).astype(np.int64)


class Walk(ABC):
    """Labelled data of one kind, read, and what is found on it, filled model by model.

    Vectors come in two tables: of what is asked (documents, training texts) and of what asks (queries, test texts).
    Pairs have one of all their texts.

    Parameters
    ----------
    settings : Settings
    source : str
        The data as named.
    about : str
        One line: what is evaluated on what.
    units : sequence of str
        What one value of a score belongs to.
    texts : Texts
        What every model encodes.
    depth : int
        Length of the lists that are looked at.
    few : ndarray of int64, optional
        Units whose texts are encoded again; by default those of the queries that are.
    protocol : dict of str to str
        How the numbers are made.
    kinds : ndarray of bool, optional
        Which units are of one of two kinds, where these are scored against each other.
    """

    task: ClassVar[str]
    ranked: ClassVar[str]  # what is ranked, and what comes of it when its vectors are zero
    so: ClassVar[str]

    few: IntArray | None = None
    kinds: Kinds | None = None
    protocol: dict[str, str]
    measures: Sequence[MeasureSpec]

    def __init__(
        self, settings: Settings, source: str, about: str, units: Sequence[str], texts: Texts, depth: int = 0
    ) -> None:
        self.settings, self.source, self.about = settings, source, about
        self.units, self.texts, self.depth = tuple(units), texts, depth
        self.scores: list[Score] = []
        self.facts: list[ModelFacts] = []
        self.notes: list[str] = []
        self.noise: list[Change] = []
        self.parts: dict[str, IntArray] = {}
        self.by_group: dict[str, list[Score]] = {}

    def divide(self, values: Sequence[str] | None) -> None:
        """Have scores told by a value for each unit as well; None where no column was named."""
        for unit, value in enumerate(values or ()):
            self.parts[value] = np.append(self.parts.get(value, np.zeros(0, dtype=np.int64)), unit)
        self.parts = dict(sorted(self.parts.items()))
        if len(self.parts) > _MOST_PARTS:
            raise DataError(
                f"A column by which scores are told must have at most {_MOST_PARTS} values. Got {len(self.parts):,} in "
                f"--by {self.settings.by} of {self.source}. Name another column."
            )

    def add_parts(self, scored: Callable[[IntArray], Sequence[Score]]) -> None:
        """Add the scores of the units with each value."""
        for name, which in self.parts.items():
            self.by_group.setdefault(name, []).extend(scored(which))

    def outcome(self) -> Outcome:
        """Take bm25, where it is wanted, and every model in turn, those first that rank texts without a space."""
        settings = self.settings
        if settings.baseline:
            self.add_words()
        ranking = settings.ranking
        spaces = [name for name in settings.models if name not in ranking]
        self.refuse_ranking(ranking)
        refuse_unranked(ranking, settings.objects, self.kinds_of_items, settings.cache)
        fulls = Fulls(form for name in spaces if (form := form_of(name, settings.objects)))
        refuse_early(spaces, settings.objects, self.texts, settings.cache, fulls=fulls)
        for name in ranking:
            self.add_ranked(name)
        for name in spaces:
            check = partial(self.check, name)
            _, done = encode(name, settings.objects, self.texts, settings.cache, check=check, fulls=fulls)
            self.facts.append(ModelFacts(name, done.stamp, done.seconds, encoding=done.facts))
            assert done.documents is not None
            there, asking = done.documents, done.documents if done.queries is None else done.queries
            self.add(name, there, asking)
            self.noise += self.changes(name, there, asking, done.again)
        more, told = self.more(), models_told(model.to_dict() for model in self.facts)
        first = str(self.measures[0])
        self.notes += order_in_question(told, [each for each in self.scores if each.measure == first], first)
        return Outcome(
            task=self.task,
            source=self.source,
            about=self.about,
            scores=in_order(self.scores),
            units=self.units,
            models=tuple(self.facts),
            protocol={**self.protocol, "intervals": self.protocol["intervals"] + _made(self.scores)},
            notes=(*self.notes, *encoding_notes(told, settings.cache.notes)),
            noise=tuple(self.noise),
            by_group={name: in_order(found) for name, found in self.by_group.items()},
            **more,
        )

    def check(self, name: str, source: Source) -> None:  # noqa: B027 (a task need not refuse any)
        """Refuse a model that this task cannot have, before it encodes."""

    def changes(self, name: str, there: FloatArray, asking: FloatArray, again: Again | None) -> list[Change]:
        """Return what the same model again changes of the first measure: in half precision, and one by one.

        Nothing is encoded again where vectors are ready: they are found by row, or in a file of queries
        (``vectors:FILE?queries=FILE``), or by text.
        """
        seed, count = self.settings.seed, len(asking) if self.few is None else len(self.units)
        every, kinds = np.arange(count, dtype=np.int64), self.kinds
        plain = self.first(name, there, asking, every)
        (low_there, reason), (low_asking, why) = half_precision(there), half_precision(asking)

        def undefined(reason: str) -> Score:
            return Score.undefined(plain.measure, plain.models, reason)

        rounded = undefined(f"{reason or why}") if reason or why else self.first(name, low_there, low_asking, every)
        half = change(plain, rounded, "float16", seed=seed, kinds=kinds)
        if again is None:
            return [half, change(plain, undefined(FROM_A_FILE), "batch", seed=seed, kinds=kinds)]
        if again.vectors is None:
            return [half, change(plain, undefined(f"{again.reason}"), "batch", seed=seed, kinds=kinds)]
        which = again.rows if self.few is None else self.few
        alone = asking.copy()
        alone[again.rows] = again.vectors
        before, after = (self.first(name, there, table, which) for table in (asking, alone))
        note, some = sampled(which, count, UNITS[self.task]), None if kinds is None else kinds[which]
        return [half, change(before, after, "batch", seed=seed, note=note, kinds=some)]

    def add_words(self) -> None:
        """Add what bm25 finds."""
        corpus, queries = self.texts.corpus, self.texts.queries
        assert queries is not None
        if "image" in corpus.kinds | kinds_of(queries.items):
            self.notes.append(f"{NO_WORDS}.")
            return
        index = self.words(corpus.items)
        if index is not None:
            self.add_lists(BM25, index.rank(queries.items, self.depth))

    @property
    def kinds_of_items(self) -> frozenset[Kind]:
        """What there is to read: text, images."""
        queries = self.texts.queries
        return self.texts.corpus.kinds | (kinds_of(queries.items) if queries is not None else frozenset())

    def refuse_ranking(self, names: Sequence[str]) -> None:  # noqa: B027 (most tasks look at lists)
        """Refuse models that rank texts, where a task needs vectors."""

    def add_ranked(self, name: str) -> None:
        """Add what a model finds that ranks texts without a dense vector of them."""
        queries = self.texts.queries
        assert queries is not None
        made = self.ranked_by(name, self.texts.corpus)
        lists = made.ranking.rank(queries.items, self.depth)
        self.add_lists(name, lists)
        short = int((lists.rows < 0).any(axis=1).sum())
        if short:
            self.notes.append(
                f"{name}: {short:,} of {len(lists.rows):,} lists have fewer than {lists.k:,} {self.ranked}, as "
                f"{made.ranking.partial}: what is not listed counts as not found."
            )
        self.tell(made)

    def ranked_by(self, name: str, corpus: Corpus) -> Ranked:
        """Return a model that ranks the rows of a corpus."""
        settings = self.settings
        return ranked(name, settings.objects, corpus, settings.cache, settings.metric)

    def tell(self, made: Ranked) -> None:
        """Say of a model that ranks texts what it is, once it has ranked."""
        about = f"ranks texts by {made.ranking.about}"
        self.facts.append(ModelFacts(made.model, made.stamp, made.seconds, about=about, encoding=made.facts))

    def words(self, texts: Sequence[str]) -> Bm25 | None:
        """Return an index of words; None, with a note, where its library is missing."""
        try:
            index = Bm25(texts)
        except MissingDependencyError as error:
            self.notes.append(f"The baseline bm25 is left out: {error}")
            return None
        self.facts.append(ModelFacts(BM25, None, about=index.about))
        return index

    def add(self, model: str, there: FloatArray, asking: FloatArray) -> None:
        """Add what is found by the vectors of a model, and how many are zero where these have no similarity."""
        self.add_lists(model, nearest_rows(asking, there, self.depth, self.settings.metric))
        self.tell_lost(model, ((there, self.ranked), (asking, UNITS[self.task])))

    def tell_lost(self, model: str, tables: Iterable[tuple[FloatArray, str]]) -> None:
        """Say of how many texts the vectors are zero, where these have no similarity; ``tables`` with their words."""
        metric = self.settings.metric
        lost = [(len(vectors) - len(with_direction(vectors, metric)), words) for vectors, words in tables]
        if any(count for count, _ in lost):
            told = " and ".join(f"{count:,} {words}" for count, words in lost)
            self.notes.append(f"{model}: {told} have a zero vector (no word known): {self.so}")

    def add_lists(self, model: str, found: Neighbors) -> None:
        """Add what the nearest of each text that asks are worth; -1 and NaN pad."""
        raise NotImplementedError

    @abstractmethod
    def first(self, model: str, there: FloatArray, asking: FloatArray, which: IntArray) -> Score:
        """Return the first measure over some of the units that have vectors."""

    def more(self) -> dict[str, Any]:
        """Return what else the outcome of this task holds, by name."""
        return {}


# How intervals are made (`Score.interval`), in words.
_MADE = {
    "wilson": "Wilson's",
    "student": "Student's",
    "bca": "resampled (BCa)",
    "bootstrap-t": "resampled (studentised)",
    "jackknife": "jackknife",
    "influence": "influence",
}


def _made(scores: Sequence[Score]) -> str:
    """Say which intervals were made how; nothing where there is none."""
    ways: dict[str, dict[str, None]] = {}
    for score in scores:
        if score.interval != "none":
            ways.setdefault(score.interval, {})[score.measure] = None
    alone = len(ways) == 1
    told = [_MADE.get(way, way) + ("" if alone else f" for {', '.join(of)}") for way, of in ways.items()]
    return f": {'; '.join(told)}" if told else ""
