"""One model at work: its vectors, ranking by them, and what the same model again changes of the first measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from embdiff import exact
from embdiff.encoding import Check, Texts, encode
from embdiff.errors import MissingDependencyError
from embdiff.evaluation.outcome import ModelFacts
from embdiff.evaluation.settings import Settings
from embdiff.lexical import Bm25
from embdiff.measures.noise import Again, Change, change, half_precision, sampled
from embdiff.records import FloatArray, IntArray, Metric, Score

FROM_A_FILE = "the vectors were read from a file, not encoded"

Two = tuple[FloatArray, FloatArray]
Scored = Callable[[FloatArray, FloatArray, IntArray], Score]
Few = tuple[IntArray, Two, Two]  # some of the units, their vectors, and their vectors encoded again one by one


def vectors_of(
    name: str, settings: Settings, texts: Texts, check: Check | None = None
) -> tuple[FloatArray, FloatArray, Again | None, ModelFacts]:
    """Return the vectors of a corpus and of the texts that ask (without any, the corpus), some again, and the facts.

    Nothing is encoded again where vectors are ready: they are found by row, or in a file of queries
    (``vectors:FILE?queries=FILE``), or by text.
    """
    _, done = encode(name, settings.objects, texts, settings.cache, check=check)
    assert done.documents is not None
    asked = done.documents if done.queries is None else done.queries
    return done.documents, asked, done.again, ModelFacts(name, done.stamp, done.seconds, encoding=done.facts)


def lexical(items: Sequence[str], notes: list[str]) -> Bm25 | None:
    """Return the baseline over texts; None where its library is missing, which the notes tell then."""
    try:
        return Bm25(items)
    except MissingDependencyError as error:
        notes.append(f"The baseline bm25 is left out: {error}")
        return None


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


def zero_notes(name: str, metric: Metric, tables: Sequence[tuple[FloatArray, str]], so: str) -> list[str]:
    """Say how many vectors of two tables are zero, where that means that they have no similarity."""
    lost = [(len(vectors) - len(_usable(vectors, metric)), words) for vectors, words in tables]
    if not any(count for count, _ in lost):
        return []
    told = " and ".join(f"{count:,} {words}" for count, words in lost)
    return [f"{name}: {told} have a zero vector (no word known): {so}"]


def few_again(documents: FloatArray, asked: FloatArray, again: Again | None) -> Few | None:
    """Return what `changes` takes where some of the asked texts were encoded again."""
    if again is None:
        return None
    return again.rows, (documents, asked[again.rows]), (documents, again.vectors)


def changes(
    score: Scored, documents: FloatArray, asked: FloatArray, few: Few | None, *, what: str, seed: int
) -> list[Change]:
    """Return what the same model again changes of a measure.

    Parameters
    ----------
    score : callable
        Takes documents (n, d), asked vectors (m, d) and which of the units these are (m,), and returns the score of
        the measure over these units.
    documents, asked : ndarray of float32, shapes (n, d) and (q, d)
    few : Few or None
        Some of the units encoded one by one; None for vectors that were ready.
    what : str
        What the units are called: queries, pairs, test texts.
    seed : int
        Of the intervals.
    """
    every = np.arange(len(asked), dtype=np.int64)
    plain = score(documents, asked, every)
    (low_documents, reason), (low_asked, why) = half_precision(documents), half_precision(asked)

    def undefined(reason: str) -> Score:
        return Score.undefined(plain.measure, plain.models, reason)

    rounded = undefined(f"{reason or why}") if reason or why else score(low_documents, low_asked, every)
    first = change(plain, rounded, "float16", seed=seed)
    if few is None:
        return [first, change(plain, undefined(FROM_A_FILE), "batch", seed=seed)]
    rows, before, after = few
    note = sampled(rows, len(asked), what)
    return [first, change(score(*before, rows), score(*after, rows), "batch", seed=seed, note=note)]
