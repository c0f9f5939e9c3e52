"""What the views render: a run, and what its manifest says, as typed facts; text in them is as the user wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from embdiff._plain import reader
from embdiff.records import Stamp
from embdiff.runs import Run
from embdiff.sources.tally import Variant as Variant
from embdiff.views.disputed import Disagreement, disagreement
from embdiff.views.lists import Mutual, Result, mutual_finds, query_result

DISPUTED = 20  # of the most disputed queries and rows, where not everything is wanted


@dataclass(frozen=True)
class Service:
    """A service that ran a model: where it is, what it calls the model, what it does with texts that are too long."""

    address: str
    model: str | None
    truncation: str
    requests: int
    again: int


@dataclass(frozen=True)
class Encoding:
    """What encoding with one model came to; None where nothing was encoded or the model does not count tokens.

    Of vectors that are ready: how they were ``joined`` with the corpus (id, text or row), the ``order`` of files that
    are joined by row, the type of ``numbers`` that may mean something else, and how those of ``queries`` were joined.
    ``form`` is the text form of a model that goes under an alias, ``full`` that of the model whose full vectors a
    variant comes from.
    """

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
    images: int = 0
    bytes_per_vector: float | None = None
    bytes_kept: float | None = None
    truncated_ids: dict[str, list[str]] | None = None
    cache: str = ""
    variant: Variant | None = None
    joined: str | None = None
    form: str | None = None
    order: str = ""
    numbers: str | None = None
    queries: dict[str, str] | None = None
    assumed: tuple[str, ...] = ()
    service: Service | None = None
    tokens: int | None = None
    full: str | None = None

    @property
    def tokens_each(self) -> float | None:
        """How many tokens a text has, on average over those encoded now; None where none were counted."""
        return self.tokens / self.encoded if self.tokens and self.encoded else None


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

    ``store_queries``: how many the store was asked; the lists of the others are the exact answer. ``seconds``:
    ``first``, one call with those; ``warm``, the median of later ones with ``warm_queries`` each.
    """

    query_model: str
    model: str
    queries: int
    store_queries: int
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
class RankedBy:
    """How a model ranks texts without a dense vector of them, and how many of its lists are shorter than k.

    ``no_collection``: why the lists are the exact answer only; None where a database was asked.
    """

    model: str
    about: str
    short_lists: int
    no_collection: str | None


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
    rankings: tuple[RankedBy, ...]
    expected: dict[str, int] | None


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
        return tuple(query_result(self.run, row) for row in range(self.shown))

    @cached_property
    def disagreement(self) -> Disagreement | None:
        """What the models disagree about most; None without two lists to compare."""
        return disagreement(self.run, None if self.queries is None else max(self.shown, DISPUTED))

    @cached_property
    def mutual(self) -> tuple[Mutual, ...]:
        """Which queries find each other, in each collection; nothing for queries that are no rows."""
        return tuple(mutual_finds(self.run))

    @property
    def crossed(self) -> bool:
        """Whether models query the collections of others."""
        return bool(self.run.config.query_models)


def models_told(told: Iterable[Mapping[str, Any]]) -> tuple[Model, ...]:
    """Return what was told of models as JSON-able values."""
    found: tuple[Model, ...] = reader(tuple[Model, ...]).validate_python(tuple(told))
    return found
