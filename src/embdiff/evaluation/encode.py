"""Encoding with one model after the other, and ranking by its vectors."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from embdiff import exact
from embdiff.sources import Encoder, float32_of, load_named
from embdiff.sources.joining import Wanted
from embdiff.sources.tally import Tally
from embdiff.errors import ParameterError
from embdiff.evaluation.outcome import ModelFacts
from embdiff.evaluation.settings import Settings
from embdiff.measures.noise import BATCH, Again, drawn
from embdiff.records import Corpus, FloatArray, IntArray, Metric, Role
from embdiff.variants import measure_variant


def load(name: str, settings: Settings, corpus: Corpus, whole: Corpus | None = None) -> tuple[Encoder, float]:
    """Load a model, let it learn from the corpus where it does so, and return the seconds it took.

    Ready vectors are looked for of the ``whole`` that the corpus is a part of, where there is one.
    """
    start = time.perf_counter()
    encoder = load_named(name, settings.objects, settings.cache)
    if encoder.by_row and whole is not None:
        corpus = whole
    encoder.fit(corpus.items, corpus.digest(), corpus.ids)
    return encoder, time.perf_counter() - start


def encode_one(
    name: str, settings: Settings, corpus: Corpus, again: IntArray
) -> tuple[FloatArray, Again | None, ModelFacts]:
    """Return the vectors of texts, those of some rows encoded again one by one, and the facts of the model.

    Ready vectors are found by text, as the texts stand in no file as they are here; nothing is encoded again then.
    """
    encoder, loaded = load(name, settings, corpus)
    if encoder.by_row and not encoder.by_text:
        raise ParameterError(
            f"Ready vectors of pairs must be found by their texts: Parquet with a column text. Got '{name}', without. "
            "Encode the texts of the pairs with 'embdiff encode', or name a model."
        )
    start, tally = time.perf_counter(), Tally()
    vectors = encoder.encode(corpus.items, cache=settings.cache, tally=tally)
    seconds = {"load_model": loaded, "encode": time.perf_counter() - start}
    facts = _facts(name, encoder, settings, tally, seconds, corpus, vectors)
    if encoder.by_row:
        return vectors, None, facts
    singly = encoder.encode_singly([corpus.items[row] for row in again], cache=settings.cache)
    return vectors, Again(again, singly), facts


def encode_two(
    name: str, settings: Settings, corpus: Corpus, others: Wanted, *, queries: bool, whole: Corpus | None = None
) -> tuple[FloatArray, FloatArray, Again | None, ModelFacts]:
    """Return the vectors of a corpus and of other texts, those of some others again, and the facts of the model.

    Ready vectors of the others come from the file of queries (``vectors:FILE?queries=FILE``); they are not encoded
    again.

    Parameters
    ----------
    name : str
    settings : Settings
    corpus : Corpus
        What a model that learns from its corpus learns from.
    others : Wanted
        At least one text.
    queries : bool
        Whether the others are queries to the model, or documents as well.
    whole : Corpus, optional
        The one file that corpus and others are parts of, if so: their ids are its row numbers.
    """
    encoder, loaded = load(name, settings, corpus, whole)
    start, tally = time.perf_counter(), Tally()
    role: Role = "query" if queries or encoder.expects else "document"
    if encoder.by_row and whole is not None:
        documents, asked = _parts(encoder, whole, corpus.ids, others.ids)
    else:
        encoder.expect(others)
        documents = encoder.encode(corpus.items, cache=settings.cache, tally=tally)
        asked = encoder.encode(others.items, role=role, cache=settings.cache, tally=tally)
    seconds = {"load_model": loaded, "encode": time.perf_counter() - start}
    facts = _facts(name, encoder, settings, tally, seconds, corpus, documents)
    if encoder.by_row:
        return documents, asked, None, facts
    rows = drawn(len(others.items), BATCH, seed=settings.seed)
    singly = encoder.encode_singly([others.items[row] for row in rows], role=role, cache=settings.cache)
    return documents, asked, Again(rows, singly), facts


def _parts(encoder: Encoder, whole: Corpus, *parts: Sequence[str]) -> tuple[FloatArray, ...]:
    """Return the ready vectors of parts of a file, by row numbers in text."""
    if encoder.expects:
        raise ParameterError(
            f"Ready vectors of one file of labelled texts must be in one file. Got a second one in '{encoder.spec}'. "
            "Leave queries out, or give a folder with train.* and test.*."
        )
    vectors = encoder.encode(whole.items)
    return tuple(vectors[np.array(rows, dtype=np.int64)] for rows in parts)


def _facts(
    name: str, encoder: Encoder, settings: Settings, tally: Tally, seconds: dict[str, float], corpus: Corpus,
    documents: FloatArray,
) -> ModelFacts:  # fmt: skip
    stamp, twin = encoder.stamp, float32_of(name, encoder)
    encoding = {
        **tally.to_dict(),
        "bytes_per_vector": 4 * stamp.dim,
        "bytes_kept": settings.cache.bytes_kept(stamp),
        "cache": settings.cache.state(stamp),
        **encoder.about,
    }
    if twin is not None:
        encoding["variant"] = measure_variant(name, twin, corpus.items, documents, settings.cache, settings.seed)
    return ModelFacts(name, settings.cache.stamped(stamp), seconds, encoding=encoding)


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


def without_direction(vectors: FloatArray, metric: Metric) -> int:
    """Return how many vectors are zero, where that means that they have no similarity."""
    return len(vectors) - len(_usable(vectors, metric))
