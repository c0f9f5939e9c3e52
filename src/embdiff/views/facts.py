"""What the views render: a run, and what its manifest says, as typed facts; text in them is as the user wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
from pydantic import BeforeValidator

from embdiff.records import Answer, IntArray, Number, Score, Stamp, reader
from embdiff.runs import Run
from embdiff.views.disputed import Disagreement, disagreement

DISPUTED = 20  # of the most disputed queries and rows, where not everything is wanted
Status = Literal["kept", "moved", "lost", "gained"]


@dataclass(frozen=True)
class Overlap:
    """How many neighbours a variant in lower precision shares with its model in float32."""

    measure: str
    value: Number
    low: Number
    high: Number
    chance: Number
    n: int


@dataclass(frozen=True)
class Variant:
    """How far a variant in lower precision is from its model in float32, as `embdiff.variants` measures it."""

    of: str
    rows: int
    corpus_rows: int
    among: int
    whole: bool
    cosine_mean: Number
    cosine_lowest: Number
    overlap: Overlap | None
    role: str = "document"


@dataclass(frozen=True)
class Encoding:
    """What encoding with one model came to; None where nothing was encoded or the model does not count tokens."""

    texts: int
    duplicates: int
    cached: int
    encoded: int
    texts_per_second: float | None
    tokens_per_second: float | None
    padded_per_token: float | None
    truncated: int | None
    truncated_share: float | None
    peak_memory_bytes: float | None
    bytes_per_vector: float | None = None
    bytes_kept: float | None = None
    truncated_ids: dict[str, list[str]] | None = None
    cache: str = ""
    variant: Variant | None = None


@dataclass(frozen=True)
class Collection:
    """Where a model's vectors are, and which texts were cut to fit its fields."""

    reused: bool
    cut: tuple[dict[str, str | int], ...] = ()


@dataclass(frozen=True)
class Model:
    """A model: where its vectors came from, and what they cost."""

    model: str
    stamp: Stamp | None
    seconds: dict[str, float]
    encoding: Annotated[Encoding | None, BeforeValidator(lambda told: told or None)] = None
    collection: Collection | None = None
    about: str = ""


@dataclass(frozen=True)
class Search:
    """One collection asked with one model's vectors; ``asked`` says when, where that was in an earlier run.

    ``seconds``: ``first``, one call with all queries; ``warm``, the mean of later ones with ``warm_queries`` each.
    """

    query_model: str
    model: str
    queries: int
    short_lists: int
    seconds: dict[str, float | None]
    asked: str | None = None


@dataclass(frozen=True)
class Sample:
    """Which of the rows were asked, and how far off that may be."""

    asked: int
    of: int
    seed: int
    measure: str
    half_width: float | None
    worst_case: float


@dataclass(frozen=True)
class Baseline:
    """How bm25 stood beside the models, or why it did not."""

    left_out: str | None
    short_lists: int | None


@dataclass(frozen=True)
class Memory:
    """What vectors were allowed to take, and whose are held whatever that was."""

    given: str
    held: dict[str, int]


@dataclass(frozen=True)
class Manifest:
    """What a run says of itself.

    ``itself``: what became of a query's own row (``dropped``, ``most``); ``expected``: judgements that no list can
    meet, of the query itself (``own``) and of documents that are not there (``absent``).
    """

    created: str
    versions: dict[str, str]
    machine: dict[str, Any]
    seed: int
    store: str | None
    models: tuple[Model, ...]
    searches: tuple[Search, ...]
    itself: dict[str, int]
    notes: tuple[str, ...]
    on_disk: tuple[str, ...]
    sample: Sample | None
    memory: Memory | None
    baseline: Baseline | None
    expected: dict[str, int] | None


@dataclass(frozen=True)
class Neighbor:
    """A row in a list as shown; ``expected`` is None where nothing is."""

    rank: int
    id: str
    text: str
    group: str | None
    distance: float
    similarity: float
    self: bool
    expected: bool | None


@dataclass(frozen=True)
class Listed:
    """The list of one collection, and the rank of the first expected row in it: None for a miss."""

    query_model: str
    model: str
    expected_rank: int | None
    neighbors: tuple[Neighbor, ...]


@dataclass(frozen=True)
class Result:
    """One query with its neighbours in every collection; ``baseline`` holds bm25's where that was not named."""

    row: int
    id: str
    text: str
    group: str | None
    expected: tuple[str, ...] | None
    answers: tuple[Listed, ...]
    baseline: Listed | None


@dataclass(frozen=True, eq=False)
class Mutual:
    """Which queries find each other in one collection, (m, 2) row numbers; ``neither`` counts the pairs left."""

    query_model: str
    model: str
    both: IntArray
    one_way: IntArray
    neither: int


class Query(TypedDict):
    """The query of a diff."""

    row: int
    id: str
    text: str
    group: str | None


class Entry(TypedDict):
    """What became of one row between two collections; ranks and distances are those in the first and the second."""

    status: Status
    id: str
    text: str
    group: str | None
    self: bool
    ranks: list[int | None]
    distances: list[float | None]


class PairDiff(TypedDict):
    """What the second of two collections kept, moved, lost and gained against the first."""

    models: list[str]
    query_models: list[str]
    metric: str
    metrics: list[str]
    entries: list[Entry]


@dataclass(frozen=True, eq=False)
class Facts:
    """Everything that people see of a run; what takes time is made when it is asked for, once.

    Parameters
    ----------
    run : Run
    queries : int, optional
        Lists of the first so many queries only; by default of all.
    path : Path, optional
        The run folder.
    """

    run: Run
    queries: int | None = None
    path: Path | None = None

    @property
    def shown(self) -> int:
        """How many queries have their lists shown."""
        count = len(self.run.queries)
        return count if self.queries is None else min(self.queries, count)

    @cached_property
    def manifest(self) -> Manifest:
        """What the run says of itself."""
        told = self.run.manifest
        notes = told["cache"]["notes"]
        found: Manifest = reader(Manifest).validate_python({**told, "itself": told["self"], "notes": notes})
        return found

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """The queries shown, with their lists."""
        return tuple(_result(self.run, row) for row in range(self.shown))

    @cached_property
    def disagreement(self) -> Disagreement | None:
        """What the models disagree about most; None without two lists to compare."""
        return disagreement(self.run, None if self.queries is None else max(self.shown, DISPUTED))

    @cached_property
    def mutual(self) -> tuple[Mutual, ...]:
        """Which queries find each other, in each collection; nothing for queries that are no rows."""
        return tuple(_mutual(self.run))

    @property
    def crossed(self) -> bool:
        """Whether models query the collections of others."""
        return bool(self.run.config.query_models)

    def scores(self, name: str) -> list[Score]:
        """Return the scores of one measure."""
        return [score for score in self.run.scores if score.measure.partition("@")[0] == name]


def models_told(told: Iterable[Mapping[str, Any]]) -> tuple[Model, ...]:
    """Return what was told of models as JSON-able values."""
    found: tuple[Model, ...] = reader(tuple[Model, ...]).validate_python(tuple(told))
    return found


def _result(run: Run, row: int) -> Result:
    name = run.queries.ids[row]
    judged = run.expected.judgements.get(name, {}) if run.expected else None
    beside = None if run.baseline is None or run.baseline in run.shown else _listed(run, run.baseline, row, judged)
    return Result(
        row=row,
        id=name,
        text=run.queries.items[row],
        group=run.queries.groups[row] if run.queries.groups else None,
        expected=None if judged is None else tuple(sorted(judged)),
        answers=tuple(_listed(run, answer, row, judged) for answer in run.shown),
        baseline=beside,
    )


def _listed(run: Run, answer: Answer, row: int, judged: Mapping[str, int] | None) -> Listed:
    corpus, returned = run.corpus, answer.returned
    count = int(np.count_nonzero(returned.rows[row] >= 0))
    lines = zip(
        returned.rows[row, :count].tolist(), returned.distance[row, :count].tolist(),
        returned.similarity[row, :count].tolist(), answer.is_self[row, :count].tolist(), strict=True,
    )  # fmt: skip
    neighbors = tuple(
        Neighbor(
            rank=place,
            id=corpus.ids[found],
            text=corpus.items[found],
            group=corpus.groups[found] if corpus.groups else None,
            distance=distance,
            similarity=similarity,
            self=own,
            expected=None if judged is None else judged.get(corpus.ids[found], 0) > 0,
        )
        for place, (found, distance, similarity, own) in enumerate(lines, start=1)
    )
    hit = next((each.rank for each in neighbors if each.expected), None)
    return Listed(answer.query_model, answer.model, hit, neighbors)


def _mutual(run: Run) -> Iterator[Mutual]:
    if run.query_rows is None:
        return
    count = len(run.queries)
    query_of = np.full(len(run.corpus), -1, dtype=np.int64)
    query_of[list(run.query_rows)] = np.arange(count)
    for answer in run.answers:
        rows = answer.returned.rows
        found = np.where(rows >= 0, query_of[rows], -1)
        finder = np.broadcast_to(np.arange(count)[:, None], found.shape)
        known = (found >= 0) & (found != finder)
        codes = np.unique(finder[known] * count + found[known])
        finds = np.stack([codes // count, codes % count], axis=1)
        returned = np.isin(finds[:, 1] * count + finds[:, 0], codes)
        both, one_way = finds[returned & (finds[:, 0] < finds[:, 1])], finds[~returned]
        neither = count * (count - 1) // 2 - len(both) - len(one_way)
        yield Mutual(answer.query_model, answer.model, both, one_way, neither)
