"""How far query models reach in the collections of others: by a map fitted on rows of the corpus, or as they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from embdiff._progress import progress
from embdiff.alignment import ASKED, MOST_ROWS, Alignment, align, reach
from embdiff.comparison.work import Crossed, Work
from embdiff.encoded import Encoded
from embdiff.records import Corpus, FloatArray, IntArray
from embdiff.settings import RunConfig


def askers(config: RunConfig) -> list[str]:
    """Return the models that ask the collection of another."""
    return [name for name in config.query_models if any(name != other for other in config.spaces)]


def drawn_rows(config: RunConfig, corpus: Corpus) -> IntArray:
    """Return the rows, ascending, that both models encode: of different texts, so that no map has seen an equal one."""
    different = np.sort(np.unique(np.asarray(corpus.items, dtype=object), return_index=True)[1])
    most = ASKED if config.align is None else MOST_ROWS
    rows: IntArray = np.sort(np.random.default_rng(config.seed).permutation(different)[:most]).astype(np.int64)
    return rows


def cross(work: Work) -> Work:
    """Fit the maps that were asked for, and say how far each query model reaches in the collections of others."""
    pairs = [pair for pair in work.pairs if pair[0] != pair[1]]
    crossed = {}
    with progress("reach", len(pairs), "pairs of models") as advance:
        for asks, name in pairs:
            crossed[asks, name] = _crossed(work, asks, name)
            advance(1)
    return replace(work, crossed=crossed)


def _crossed(work: Work, asks: str, name: str) -> Crossed:
    config, documents = work.config, work.encoded[name].documents
    assert documents is not None
    vectors, rows = _source(work, work.encoded[asks])
    if config.align is None:
        found = work.kept.call(
            reach, vectors, documents, rows, metric=config.metric, k=config.k, seed=config.seed, models=(asks, name)
        )
        return Crossed(found, None, np.full(len(work.inputs.queries), -1, dtype=np.int64))
    fitted: Alignment = work.kept.call(
        align, vectors, documents, config.align, rows=rows, metric=config.metric, k=config.k, seed=config.seed,
        models=(asks, name),
    )  # fmt: skip
    return Crossed(fitted.reach, fitted, _seen(work.inputs.queries.items, work.inputs.corpus, rows))


def _source(work: Work, encoded: Encoded) -> tuple[FloatArray, IntArray]:
    """Return vectors of rows of the corpus that a query model made, and which rows."""
    if encoded.documents is None:
        assert encoded.sampled is not None
        return encoded.sampled.vectors, encoded.sampled.rows
    rows = drawn_rows(work.config, work.inputs.corpus)
    return np.ascontiguousarray(encoded.documents[rows]), rows


def _seen(queries: Iterable[str], corpus: Corpus, rows: IntArray) -> IntArray:
    """Return for each query the row with its text that a map may have seen, -1 for none."""
    row_of = {corpus.items[row]: int(row) for row in rows}
    return np.array([row_of.get(text, -1) for text in queries], dtype=np.int64)
