"""Queries with their neighbours, as shown: in every collection, in two of them beside each other, and of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict

import numpy as np

from embdiff.records import Answer, Row
from embdiff.runs import Run

Status = Literal["kept", "moved", "lost", "gained"]


class Place(NamedTuple):
    """Where a row stands in the list of one query; None where bm25 does not rank it."""

    rank: int | None
    distance: float | None
    self: bool = False


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


@dataclass(frozen=True)
class Mutual:
    """Which queries find each other in one collection, by id, the finder first; ``neither`` counts the pairs left."""

    query_model: str
    model: str
    both: list[tuple[str, str]]
    one_way: list[tuple[str, str]]
    neither: int


class Query(Row):
    """The query of a diff."""

    row: int


class Entry(Row):
    """What became of one row between two collections, and its likely causes in short.

    Ranks and distances are those in the first and the second; ``expected`` is None where nothing is.
    """

    status: Status
    self: bool
    expected: bool | None
    ranks: list[int | None]
    distances: list[float | None]
    causes: list[str]


class PairDiff(TypedDict):
    """What the second of two collections kept, moved, lost and gained against the first."""

    models: list[str]
    query_models: list[str]
    metric: str
    metrics: list[str]
    entries: list[Entry]


def query_result(run: Run, row: int) -> Result:
    """Return one query with its neighbours in every collection."""
    name = run.queries.ids[row]
    judged = run.expected.judgements.get(name, {}) if run.expected else None
    beside = None if run.baseline is None or run.baseline in run.shown else _listed(run, run.baseline, row, judged)
    return Result(
        row=row,
        **run.queries.row(row),
        expected=None if judged is None else tuple(sorted(judged)),
        answers=tuple(_listed(run, answer, row, judged) for answer in run.shown),
        baseline=beside,
    )


def places(answer: Answer, row: int) -> dict[int, Place]:
    """Return the rows in the list of one query, in order, and where they stand in it."""
    returned = answer.returned
    return {
        int(found): Place(place + 1, float(returned.distance[row, place]), bool(answer.is_self[row, place]))
        for place, found in enumerate(returned.rows[row])
        if found >= 0
    }


def _listed(run: Run, answer: Answer, row: int, judged: Mapping[str, float] | None) -> Listed:
    corpus, similarity = run.corpus, answer.returned.similarity[row].tolist()
    names = corpus.ids if run.expected is None else run.expected.names(corpus)
    neighbors = tuple(
        Neighbor(
            **place._asdict(),
            **corpus.row(found),
            similarity=value,
            expected=None if judged is None else judged.get(names[found], 0) > 0,
        )
        for (found, place), value in zip(places(answer, row).items(), similarity, strict=False)
    )
    hit = next((each.rank for each in neighbors if each.expected), None)
    return Listed(answer.query_model, answer.model, hit, neighbors)


def mutual_finds(run: Run) -> Iterator[Mutual]:
    """Yield, for each answer, which queries find each other; nothing for queries that are no rows."""
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
        by_id = [[(run.queries.ids[a], run.queries.ids[b]) for a, b in pairs.tolist()] for pairs in (both, one_way)]
        yield Mutual(answer.query_model, answer.model, by_id[0], by_id[1], neither)
