"""What ranks texts without a dense vector of them: bm25, sparse and late-interaction models, re-rankers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embdiff._optional import is_installed
from embdiff.comparison.settings import Inputs
from embdiff.comparison.shelved import ask_shelved
from embdiff.comparison.work import Work
from embdiff.lexical import BM25, NO_WORDS, Bm25
from embdiff.own_rows import followed_by_own, without_own
from embdiff.ranked import Ranked, ranked
from embdiff.rankings import Ranking
from embdiff.records import Answer, ElsewhereRows, IntArray, Neighbors
from embdiff.search import Found, places, rows_only_elsewhere
from embdiff.settings import RunConfig

# Each query looks at each row: beyond these bm25 would take longer than a small model, and must be named.
MOST_PAIRS, MOST_ROWS = 100_000_000, 200_000


def rank(work: Work) -> dict[str, Ranked]:
    """Return the models that rank texts, ready to be asked, by name; the others are encoded."""
    config, inputs = work.config, work.inputs
    return {
        name: ranked(
            name, config.aliases, inputs.corpus, work.vectors, config.metric, more=inputs.own.dropped,
            others=work.encoded,
        )
        for name in config.ranking
    }  # fmt: skip


def ask_beside(work: Work) -> Work:
    """Ask the models that rank texts, and bm25 where it stands beside the models; the collections were asked.

    Rows that are not ranked leave lists short (-1, NaN); without a collection the ``exact`` neighbours are the same.
    The places of rows that others returned are given where there are any.
    """
    inputs, models = work.inputs, dict(work.ranked)
    lists: dict[str, tuple[Neighbors, Neighbors]] = {}
    found: dict[str, Found] = {}
    for name, made in work.ranked.items():
        start, searcher = time.perf_counter(), work.shelved[name].searcher
        if searcher is None:
            wide = made.ranking.rank(inputs.queries.items, work.config.k + inputs.own.dropped)
            lists[name] = (without_own(wide, inputs.own, work.config.k),) * 2
            models[name] = replace(made, seconds={**made.seconds, "search": time.perf_counter() - start})
        else:
            found[name] = ask_shelved(made.ranking, searcher, work.config.k, inputs)
            lists[name] = found[name].returned, found[name].exact
    collections = [here.returned.rows for here in work.found.values()]
    words, told = _ask_words(work, [*collections, *(returned.rows for returned, _ in lists.values())])
    if words is not None:
        lists[BM25] = words.returned, words.exact
    answers = []
    for name, (here, exact) in lists.items():
        if name in models:
            others = [*collections, *(each.rows for other, (each, _) in lists.items() if other != name)]
            there = placed(models[name].ranking, rows_only_elsewhere(here.rows, others), inputs)
            answers.append(Answer(name, name, here, exact, inputs.own.marked(here.rows), there))
    beside = (*answers, *([words] if words is not None else []))
    return replace(work, ranked=models, asked=found, beside=beside, words=told)


def placed(ranking: Ranking, rows: IntArray, inputs: Inputs) -> ElsewhereRows:
    """Return the rank and score of rows (q, m) for each query, where they have one; dropped own rows do not count."""
    asked = followed_by_own(rows, inputs.own)
    _, (ranks, scores) = ranking.rank_and_place(inputs.queries.items, 1, asked)
    return places(rows, ranks, scores[:, : rows.shape[1]])


def _ask_words(work: Work, others: Sequence[IntArray]) -> tuple[Answer | None, dict[str, Any] | None]:
    """Return what bm25 answers, and what the run says of it; (None, None) when it is not wanted."""
    config, inputs = work.config, work.inputs
    if config.baseline == "none":
        return None, None
    reason = None if config.baseline == "named" else _left_out(inputs)
    if reason:
        return None, {"model": BM25, "about": None, "left_out": reason, "seconds": None, "short_lists": None}
    asked = (inputs.corpus.ids, inputs.corpus.items, inputs.queries.items, inputs.own, config.k, others)
    (returned, elsewhere, about, seconds), made = work.kept.recall("bm25", asked, lambda: _ask(config, inputs, others))
    facts = {
        "model": BM25,
        "about": about,
        "left_out": None,
        "seconds": seconds,
        "asked": made,
        "short_lists": int((returned.rows < 0).any(axis=1).sum()),
    }
    return Answer(BM25, BM25, returned, returned, inputs.own.marked(returned.rows), elsewhere), facts


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
