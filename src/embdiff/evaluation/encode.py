"""Encoding with one model after the other, and ranking by its vectors."""

from __future__ import annotations

import numpy as np

from embdiff import exact
from embdiff.encoding import Encoded, Texts, encode
from embdiff.errors import ParameterError
from embdiff.evaluation.outcome import ModelFacts
from embdiff.evaluation.settings import Settings
from embdiff.measures.noise import Again
from embdiff.records import Corpus, FloatArray, IntArray, Metric
from embdiff.sources import Source, Wanted


def encode_one(
    name: str, settings: Settings, corpus: Corpus, again: IntArray
) -> tuple[FloatArray, Again | None, ModelFacts]:
    """Return the vectors of texts, those of some rows encoded again one by one, and the facts of the model.

    Ready vectors are found by text, as the texts stand in no file as they are here; nothing is encoded again then.
    """

    def check(source: Source) -> None:
        if source.by_row and not source.by_text:
            raise ParameterError(
                "Ready vectors of pairs must be found by their texts: Parquet with a column text. Got "
                f"'{name}', without. Encode the texts of the pairs with 'embdiff encode', or name a model."
            )

    texts = Texts(corpus, None, settings.seed, again=again)
    _, encoded = encode(name, settings.objects, texts, settings.cache, check=check)
    assert encoded.documents is not None
    return encoded.documents, encoded.again, _facts(encoded)


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
    texts = Texts(corpus, others, settings.seed, role="query" if queries else "document", whole=whole)
    _, encoded = encode(name, settings.objects, texts, settings.cache)
    assert encoded.documents is not None
    assert encoded.queries is not None
    return encoded.documents, encoded.queries, encoded.again, _facts(encoded)


def _facts(encoded: Encoded) -> ModelFacts:
    return ModelFacts(encoded.model, encoded.stamp, encoded.seconds, encoding=encoded.facts)


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
