"""The stages of the line: encode, place, search, and the exact place of what others returned."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from embdiff import exact
from embdiff._sizes import read_size, written_size
from embdiff.comparison.existing import Existing
from embdiff.comparison.settings import Inputs
from embdiff.sources import Encoder, float32_of, load_named
from embdiff.sources.joining import Wanted
from embdiff.sources.tally import Tally
from embdiff.errors import ParameterError
from embdiff.kept import VectorCache
from embdiff.measures.noise import BATCH, Again, drawn
from embdiff.records import UNPINNED, Answer, FloatArray, IntArray, Space, Stamp
from embdiff.search import Found, Searcher, rows_only_elsewhere
from embdiff.settings import RunConfig
from embdiff.specs import IndexSpec
from embdiff.stores.collection import CollectionSpec, collection_name
from embdiff.stores.placing import Placement, place
from embdiff.stores.store import Store
from embdiff.variants import measure_variant


@dataclass(frozen=True, eq=False)
class Encoded:
    """One model's vectors: of the corpus when it has a collection, of the queries when it queries."""

    model: str
    stamp: Stamp
    documents: FloatArray | None
    queries: FloatArray | None
    seconds: dict[str, float]
    tally: Tally
    about: dict[str, Any]
    again: Again | None = None
    existing: Existing | None = None


@dataclass(frozen=True, eq=False)
class Placed:
    """A collection in the store, ready to be asked."""

    spec: CollectionSpec
    placement: Placement
    searcher: Searcher


def encode_all(config: RunConfig, inputs: Inputs, objects: Mapping[str, Any], cache: VectorCache) -> dict[str, Encoded]:
    """Load each model in turn, encode what it is needed for, and let it go before the next."""
    encoded: dict[str, Encoded] = {}
    twins: dict[str, str] = {}
    names = dict.fromkeys((*config.models, *config.query_models))
    read = {
        name: _read(objects[name], config, inputs, cache) for name in names if isinstance(objects.get(name), Existing)
    }
    for name in names:
        if name in read:
            if config.query_models:
                _check_dimensions(name, read[name].stamp.dim, encoded)
            encoded[name] = read[name]
            continue
        start, tally = time.perf_counter(), Tally()
        encoder = load_named(name, objects, cache)
        encoder.fit(inputs.corpus.items, inputs.corpus.digest(), inputs.corpus.ids)
        loaded = time.perf_counter()
        if config.query_models:
            _check_dimensions(name, encoder.stamp.dim, encoded)
        documents: FloatArray | None = None
        if name in config.models:
            left = _left_on_disk(config, encoder)
            documents = left if left is not None else encoder.encode(inputs.corpus.items, cache=cache, tally=tally)
        asks = name in (config.query_models or config.models)
        if asks:
            encoder.expect(_wanted(inputs))
        vectors = _query_vectors(encoder, inputs, documents, cache, tally) if asks else None
        seconds = {"load_model": loaded - start, "encode": time.perf_counter() - loaded}
        stamp, about = cache.stamped(encoder.stamp), encoder.about
        again = _again(encoder, inputs, config.seed, cache) if asks and not encoder.by_row else None
        if (twin := float32_of(name, encoder)) is not None:
            twins[name] = twin
        encoded[name] = Encoded(name, stamp, documents, vectors, seconds, tally, about, again)
    for name, twin in twins.items():  # now that the vectors of a twin in the same run are there
        encoded[name].about["variant"] = _variant(encoded[name], twin, encoded.get(twin), inputs, config.seed, cache)
    return encoded


def _variant(
    lower: Encoded, twin: str, float32: Encoded | None, inputs: Inputs, seed: int, cache: VectorCache
) -> dict[str, Any]:
    """Say how far a variant is from float32 on the corpus; on the queries where it encodes nothing else."""
    if lower.documents is not None:
        there = None if float32 is None else float32.documents
        return measure_variant(lower.model, twin, inputs.corpus.items, lower.documents, cache, seed, float32=there)
    assert lower.queries is not None
    there = None if float32 is None else float32.queries
    return measure_variant(
        lower.model, twin, inputs.queries.items, lower.queries, cache, seed, role="query", float32=there
    )


def _again(encoder: Encoder, inputs: Inputs, seed: int, cache: VectorCache) -> Again:
    """Encode some queries once more, one by one: what another batch size changes is not the model's doing."""
    rows = drawn(len(inputs.queries), BATCH, seed=seed)
    texts = [inputs.queries.items[row] for row in rows]
    return Again(rows, encoder.encode_singly(texts, role="query", cache=cache))


def _read(existing: Existing, config: RunConfig, inputs: Inputs, cache: VectorCache) -> Encoded:
    """Take the vectors of a collection that others made; before anything is encoded, for what may be refused."""
    start, tally = time.perf_counter(), Tally()
    existing.check_metric(config.metric)
    documents = existing.documents(inputs.corpus)
    loaded = time.perf_counter()
    asks = existing.text in (config.query_models or config.models)
    vectors = existing.queries(documents, inputs.query_rows, inputs.queries.items, cache, tally) if asks else None
    seconds = {"load_model": loaded - start, "encode": time.perf_counter() - loaded}
    about: dict[str, Any] = {"variant": existing.variant} if existing.variant else {}
    if not about and existing.float32 is not None and vectors is not None:
        name, items = existing.options["encoder"], inputs.queries.items
        about["variant"] = measure_variant(name, existing.float32, items, vectors, cache, config.seed, role="query")
    stamp = existing.stamp(documents)
    return Encoded(existing.text, stamp, documents, vectors, seconds, tally, about, existing=existing)


def _left_on_disk(config: RunConfig, encoder: Encoder) -> FloatArray | None:
    """Return given vectors in their file when the memory allowed cannot hold them; half of it is to work in.

    `FileVectors` are sliced, and asked for rows, as arrays are; that is all that the stages do with vectors.
    """
    if config.memory is None:
        return None
    half = read_size(config.memory) // 2
    room, least = half // len(config.models), exact.least_memory(encoder.stamp.dim)
    if half < least and encoder.nbytes > room:
        enough = written_size(2 * least, at_least=True)
        raise ParameterError(
            f"Vectors of {encoder.stamp.dim:,} dimensions that stay in their file need --memory of at least "
            f"{enough}: half of it is to search in. Got {config.memory} for {encoder.spec}. Write --memory {enough} or "
            "more."
        )
    return cast("FloatArray | None", encoder.on_disk(room, half))


def _check_dimensions(name: str, dim: int, others: Mapping[str, Encoded]) -> None:
    for other in others.values():
        if other.stamp.dim != dim:
            raise ParameterError(
                f"A model can query another's collection only when both have one dimension. Got {name} with {dim} and "
                f"{other.model} with {other.stamp.dim}. Leave --query-model out, or choose models of one dimension."
            )


def _wanted(inputs: Inputs) -> Wanted:
    """Say which queries are asked, and where they stand: among the rows of the corpus, or in a file of their own."""
    queries, rows = inputs.queries, inputs.query_rows
    if rows is None:
        return Wanted.whole(queries.items, queries.ids, "queries")
    return Wanted(queries.items, queries.ids, np.array(rows, dtype=np.int64), len(inputs.corpus), "rows of the corpus")


def _query_vectors(
    encoder: Encoder, inputs: Inputs, documents: FloatArray | None, cache: VectorCache, tally: Tally
) -> FloatArray:
    """Encode the queries; rows of the corpus need no second encoding where query and document are one to the model."""
    if documents is not None and inputs.query_rows is not None and encoder.same_roles:
        return np.ascontiguousarray(documents[list(inputs.query_rows)])
    return encoder.encode(inputs.queries.items, role="query", cache=cache, tally=tally)


def place_all(
    store: Store, config: RunConfig, inputs: Inputs, encoded: Mapping[str, Encoded], label: str
) -> dict[str, Placed]:
    """Put each model's vectors into its own collection, or find them there by their stamp."""
    return {name: _place(store, config, inputs, encoded[name], label) for name in config.models}


def _place(store: Store, config: RunConfig, inputs: Inputs, encoded: Encoded, label: str) -> Placed:
    assert encoded.documents is not None
    space = Space(encoded.model, inputs.corpus.ids, encoded.documents, encoded.stamp)
    if encoded.existing is not None:
        spec, searcher = encoded.existing.placed(space)
        return Placed(spec, Placement(True), searcher)
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
