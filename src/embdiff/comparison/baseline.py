"""bm25 beside the models: asked with the texts of the queries, as it has no vectors and no collection."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from embdiff._optional import is_installed
from embdiff.comparison.settings import Inputs
from embdiff.comparison.work import Work
from embdiff.lexical import BM25, NO_WORDS, Bm25
from embdiff.own_rows import followed_by_own, without_own
from embdiff.records import Answer, ElsewhereRows, IntArray, Neighbors
from embdiff.search import Found, places, rows_only_elsewhere
from embdiff.settings import RunConfig

# Each query looks at each row: beyond these bm25 would take longer than a small model, and must be named.
MOST_PAIRS, MOST_ROWS = 100_000_000, 200_000


def ask_words(work: Work, found: Mapping[tuple[str, str], Found]) -> tuple[Answer | None, dict[str, Any] | None]:
    """Return what bm25 answers, and what the run says of it; (None, None) when it is not wanted.

    The answer's rows share at least one word with the query, so that lists may be short (-1, NaN); its ``exact``
    neighbours are the same, as there is no index. The places of rows that the models returned are given where bm25
    ranks them at all.
    """
    config, inputs = work.config, work.inputs
    if config.baseline == "none":
        return None, None
    reason = None if config.baseline == "named" else _left_out(inputs)
    if reason:
        return None, {"model": BM25, "about": None, "left_out": reason, "seconds": None, "short_lists": None}
    others = [here.returned.rows for here in found.values()]
    asked = (inputs.corpus.ids, inputs.corpus.items, inputs.queries.items, inputs.own, config.k, others)
    (returned, elsewhere, about, seconds), made = work.kept.recall("bm25", asked, lambda: _ask(config, inputs, others))
    marked = inputs.own.marked(returned.rows)
    facts = {
        "model": BM25,
        "about": about,
        "left_out": None,
        "seconds": seconds,
        "asked": made,
        "short_lists": int((returned.rows < 0).any(axis=1).sum()),
    }
    return Answer(BM25, BM25, returned, returned, marked, elsewhere), facts


def _ask(
    config: RunConfig, inputs: Inputs, others: Sequence[IntArray]
) -> tuple[Neighbors, ElsewhereRows, str, dict[str, float]]:
    """Return the lists, the places of rows in other lists, what was run, and the seconds it took."""
    start = time.perf_counter()
    index = Bm25(inputs.corpus.items)
    indexed = time.perf_counter()
    # Every row that another list holds is placed while its query is scored, then those kept that bm25 does not return.
    listed = rows_only_elsewhere(np.empty((len(inputs.queries), 0), dtype=np.int64), others)
    wide, asked = config.k + inputs.own.dropped, followed_by_own(listed, inputs.own)
    found, (ranks, scores) = index.rank_and_place(inputs.queries.items, wide, asked)
    returned = without_own(found, inputs.own, config.k)
    placed = places(listed, ranks, scores[:, : listed.shape[1]])
    elsewhere = _of_rows(rows_only_elsewhere(returned.rows, [listed]), placed)
    return returned, elsewhere, index.about, {"index": indexed - start, "search": time.perf_counter() - indexed}


def _of_rows(rows: IntArray, known: ElsewhereRows) -> ElsewhereRows:
    """Return the places of some of the rows that are known, ascending and padded with -1 as these."""
    query, column = np.nonzero(rows >= 0)
    asked, there = np.nonzero(known.rows >= 0)
    stride = 1 + int(known.rows.max(initial=0))
    at = np.searchsorted(asked * stride + known.rows[asked, there], query * stride + rows[query, column])
    ranks, similarity = np.full(rows.shape, -1, dtype=np.int64), np.full(rows.shape, np.nan, dtype=np.float32)
    ranks[query, column] = known.ranks[asked[at], there[at]]
    similarity[query, column] = known.similarity[asked[at], there[at]]
    return ElsewhereRows(rows, ranks, similarity)


def _left_out(inputs: Inputs) -> str | None:
    if not is_installed("bm25s"):
        return "bm25 is left out: it needs the package 'bm25s'. Install it with: pip install 'embdiff[bm25]'"
    if "image" in inputs.corpus.kinds | inputs.queries.kinds:
        return NO_WORDS
    queries, rows = len(inputs.queries), len(inputs.corpus)
    if queries * rows > MOST_PAIRS or rows > MOST_ROWS:
        return f"bm25 is left out: {queries:,} queries on {rows:,} rows take it long. To have it: -m bm25"
    return None
