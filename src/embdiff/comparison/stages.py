"""The stages of the line: encode, place, search, and the exact place of what others returned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff.comparison.settings import Inputs
from embdiff.encoding import Encoded, Texts, encode_models
from embdiff.errors import ParameterError
from embdiff.kept import VectorCache
from embdiff.records import UNPINNED, Answer, IntArray, Space
from embdiff.search import Found, Searcher, rows_only_elsewhere
from embdiff.settings import RunConfig
from embdiff.sources import Source, Wanted
from embdiff.sources.existing import Existing
from embdiff.specs import IndexSpec
from embdiff.stores.collection import CollectionSpec, collection_name
from embdiff.stores.placing import Placement, place
from embdiff.stores.store import Store


@dataclass(frozen=True, eq=False)
class Placed:
    """A collection in the store, ready to be asked."""

    spec: CollectionSpec
    placement: Placement
    searcher: Searcher


def encode_all(config: RunConfig, inputs: Inputs, objects: Mapping[str, Any], cache: VectorCache) -> dict[str, Encoded]:
    """Encode the corpus with every model that has a collection, and the queries with every model that asks."""
    names = tuple(dict.fromkeys((*config.models, *config.query_models)))
    collections = {name: one for name in names if isinstance(one := objects.get(name), Existing)}
    for existing in collections.values():
        existing.check_metric(config.metric)

    def check(source: Source, others: Mapping[str, Encoded]) -> None:
        if config.query_models:
            _check_dimensions(source, others)

    texts = Texts(inputs.corpus, _wanted(inputs), config.seed, memory=config.memory, shares=len(config.models))
    return encode_models(
        names, objects, texts, cache, documents={*config.models, *collections},
        queries=config.query_models or config.models, check=check,
    )  # fmt: skip


def _check_dimensions(source: Source, others: Mapping[str, Encoded]) -> None:
    for other in others.values():
        if other.stamp.dim != source.stamp.dim:
            raise ParameterError(
                "A model can query another's collection only when both have one dimension. Got "
                f"{source.spec} with {source.stamp.dim} and {other.model} with {other.stamp.dim}. Leave --query-model "
                "out, or choose models of one dimension."
            )


def _wanted(inputs: Inputs) -> Wanted:
    """Say which queries are asked, and where they stand: among the rows of the corpus, or in a file of their own."""
    queries, rows = inputs.queries, inputs.query_rows
    if rows is None:
        return Wanted.whole(queries.items, queries.ids, "queries")
    return Wanted(queries.items, queries.ids, np.array(rows, dtype=np.int64), len(inputs.corpus), "rows of the corpus")


def place_all(
    store: Store, config: RunConfig, inputs: Inputs, encoded: Mapping[str, Encoded], label: str
) -> dict[str, Placed]:
    """Put each model's vectors into its own collection, or find them there by their stamp."""
    return {name: _place(store, config, inputs, encoded[name], label) for name in config.models}


def _place(store: Store, config: RunConfig, inputs: Inputs, encoded: Encoded, label: str) -> Placed:
    assert encoded.documents is not None
    space = Space(encoded.model, inputs.corpus.ids, encoded.documents, encoded.stamp)
    if isinstance(encoded.read, Existing):
        spec, there = encoded.read.placed(space)
        return Placed(spec, Placement(True), Searcher(there, spec, space.vectors))
    spec = CollectionSpec(
        name=collection_name(label, encoded.model, encoded.stamp.fingerprint()),
        dim=space.dim,
        metric=config.metric,
        index=IndexSpec.parse(config.index),
        rows=len(inputs.corpus),
        stamp={
            **encoded.stamp.to_dict(),
            "corpus": inputs.corpus.digest(),
            "normalized": space.normalized,
            "vectors": _vector_digest(space) if encoded.stamp.revision == UNPINNED else None,
        },
    )
    placement = place(store, spec, inputs.corpus, space.vectors)
    return Placed(spec, placement, Searcher(store, spec, space.vectors))


def _vector_digest(space: Space) -> str:
    """Return what tells a model's vectors apart where nothing else pins the model down (a user's own object)."""
    return hashlib.sha256(np.ascontiguousarray(space.vectors).tobytes()).hexdigest()


def pairs(config: RunConfig) -> list[tuple[str, str]]:
    """Return (query model, collection) pairs: all of them, or each model with its own."""
    if not config.query_models:
        return [(name, name) for name in config.models]
    return [(asks, name) for asks in config.query_models for name in config.models]


def search_all(
    config: RunConfig, inputs: Inputs, encoded: Mapping[str, Encoded], placed: Mapping[str, Placed]
) -> dict[tuple[str, str], Found]:
    """Ask every collection with every query model, or with its own model only."""
    found = {}
    for asks, name in pairs(config):
        vectors = encoded[asks].queries
        assert vectors is not None
        found[asks, name] = placed[name].searcher.search(vectors, config.k, inputs.own)
    return found


def answers_of(
    inputs: Inputs,
    encoded: Mapping[str, Encoded],
    placed: Mapping[str, Placed],
    found: Mapping[tuple[str, str], Found],
    baseline: Answer | None = None,
) -> tuple[Answer, ...]:
    """Add, to each answer, the exact place of every row that the lists compared with it hold instead."""
    cross = any(asks != name for asks, name in found)
    answers = []
    for (asks, name), here in found.items():
        others: list[IntArray] = [
            there.returned.rows
            for (also_asks, other), there in found.items()
            if other != name and (also_asks == asks or not cross)
        ]
        if baseline is not None:
            others.append(baseline.returned.rows)
        vectors = encoded[asks].queries
        assert vectors is not None
        rows = rows_only_elsewhere(here.returned.rows, others)
        elsewhere = placed[name].searcher.place_of(vectors, rows, inputs.own)
        answers.append(Answer(name, asks, here.returned, here.exact, here.is_self, elsewhere))
    return tuple(answers)
