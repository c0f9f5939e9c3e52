"""What travels along the line: each stage takes it and returns a new one with what the stage adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embdiff.alignment import Alignment, Reach
from embdiff.comparison.settings import Inputs
from embdiff.comparison.shelved import Shelved
from embdiff.encoded import Encoded
from embdiff.kept import Kept, VectorCache
from embdiff.lexical import BM25
from embdiff.ranked import Ranked
from embdiff.records import Answer, FloatArray, IntArray
from embdiff.search import Found, Searcher
from embdiff.settings import RunConfig
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import Placement


@dataclass(frozen=True)
class Pilot:
    """What the first queries told about how many are needed.

    Parameters
    ----------
    queries : int
        How many were asked.
    deviation : float
        The largest standard deviation of overlap@k, per query, among the pairs compared.
    """

    queries: int
    deviation: float


@dataclass(frozen=True, eq=False)
class Placed:
    """A collection in the store, ready to be asked."""

    spec: CollectionSpec
    placement: Placement
    searcher: Searcher


@dataclass(frozen=True, eq=False)
class Crossed:
    """How one model asks the collection of another.

    Parameters
    ----------
    reach : Reach
    alignment : Alignment or None
        The map between them; None where vectors ask as they are.
    rows : ndarray of int64, shape (q,)
        For each query the row with its text that maps may have seen, -1 for none.
    """

    reach: Reach
    alignment: Alignment | None
    rows: IntArray


@dataclass(frozen=True, eq=False)
class Work:
    """A comparison under way.

    Parameters
    ----------
    config : RunConfig
    inputs : Inputs
    vectors : VectorCache
        Where vectors and results are kept.
    encoded : mapping of str to Encoded
        By model, once encoded.
    crossed : mapping of (str, str) to Crossed
        By query model and the collection of another model, once it is known how the one asks the other.
    placed : mapping of str to Placed
        By model with a collection, once filled.
    pilot : Pilot or None
        What was asked to learn how many queries are needed.
    found : mapping of (str, str) to Found
        By query model and collection, once searched.
    ranked : mapping of str to Ranked
        By model that ranks texts without a dense vector of them, once the collections are filled.
    shelved : mapping of str to Shelved
        By such a model: its collection, or why it has none.
    asked : mapping of str to Found
        By such a model with a collection, once searched.
    beside : tuple of Answer
        Of these models, and of bm25 where it stands beside the models.
    words : mapping or None
        What the manifest says of bm25, also where it was left out.
    answers : tuple of Answer
        What every collection answered, with the places of rows that only others returned.
    """

    config: RunConfig
    inputs: Inputs
    vectors: VectorCache
    encoded: Mapping[str, Encoded] = field(default_factory=dict)
    crossed: Mapping[tuple[str, str], Crossed] = field(default_factory=dict)
    placed: Mapping[str, Placed] = field(default_factory=dict)
    pilot: Pilot | None = None
    found: Mapping[tuple[str, str], Found] = field(default_factory=dict)
    ranked: Mapping[str, Ranked] = field(default_factory=dict)
    shelved: Mapping[str, Shelved] = field(default_factory=dict)
    asked: Mapping[str, Found] = field(default_factory=dict)
    beside: tuple[Answer, ...] = ()
    words: Mapping[str, Any] | None = None
    answers: tuple[Answer, ...] = ()

    @property
    def kept(self) -> Kept:
        """Results of earlier runs, found again by what they were made from."""
        return self.vectors.results

    @property
    def documents(self) -> dict[str, FloatArray]:
        """The vectors of every row of each model that has a collection."""
        return {name: each.documents for name, each in self.encoded.items() if each.documents is not None}

    @property
    def on_disk(self) -> list[str]:
        """The models whose vectors stay in their file."""
        return [name for name, vectors in self.documents.items() if not isinstance(vectors, np.ndarray)]

    @property
    def named(self) -> tuple[Answer, ...]:
        """Of what stands beside the collections what was named: all of it but bm25, and bm25 where it was."""
        return tuple(each for each in self.beside if each.model != BM25 or self.config.baseline == "named")

    @property
    def searches(self) -> dict[tuple[str, str], Found]:
        """Every search of a collection: by query model and collection."""
        return {**self.found, **{(name, name): here for name, here in self.asked.items()}}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Query model and collection: all of them, or each model with its own."""
        models, asking = self.config.spaces, self.config.query_models
        return [(asks, name) for asks in asking for name in models] if asking else [(name, name) for name in models]

    def asking(self, model: str, collection: str) -> FloatArray:
        """Return the vectors of the queries, float32 (q, d), with which a model asks a collection."""
        vectors = self.encoded[model].queries
        assert vectors is not None
        return self.mapped(model, collection, vectors, np.arange(len(vectors)))

    def mapped(self, model: str, collection: str, vectors: FloatArray, queries: IntArray) -> FloatArray:
        """Return vectors (m, d) of these queries (m,), made by a model, as they ask a collection."""
        crossed = self.crossed.get((model, collection))
        if crossed is None or crossed.alignment is None:
            return vectors
        return crossed.alignment.map(vectors, crossed.rows[queries])
