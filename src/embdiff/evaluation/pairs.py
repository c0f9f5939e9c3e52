"""Pairs: does the similarity of two texts follow the score people gave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from embdiff.evaluation.encode import encode_one
from embdiff.evaluation.noise import FROM_A_FILE, Scored, undefined
from embdiff.evaluation.outcome import ModelFacts, Outcome, in_order
from embdiff.evaluation.pair_files import Pairs, read_pairs
from embdiff.evaluation.settings import Settings
from embdiff.lexical import BM25
from embdiff.measures.base import measures_for
from embdiff.measures.noise import BATCH, Again, Change, change, drawn, half_precision, sampled
from embdiff.measures.pairs import NEEDS, ScoredPairs, pair_similarity
from embdiff.measures.score import scores as take
from embdiff.records import Corpus, FloatArray, IntArray, Score

_NO_VECTORS = "bm25 ranks documents for a query; it has no similarity that can be compared between pairs"


def evaluate_pairs(path: Path, settings: Settings) -> Outcome:
    """Read pairs, encode both texts with every model, and correlate."""
    pairs = read_pairs(path)
    # auc compares two kinds of pairs; the first measure is that of the same model again.
    wanted = sorted(measures_for(NEEDS), key=lambda each: each.symmetric)
    measures = [each.name for each in wanted if pairs.binary or each.symmetric]
    facts: list[ModelFacts] = []
    scores: list[Score] = []
    if settings.baseline:
        scores += [Score.undefined(measure, (BM25,), _NO_VECTORS) for measure in measures]
        facts.append(ModelFacts(BM25, None))
    texts = tuple(dict.fromkeys((*pairs.left, *pairs.right)))
    corpus = Corpus(texts, tuple(map(str, range(len(texts)))), source=pairs.source)
    place = {text: row for row, text in enumerate(texts)}
    left, right = (np.array([place[text] for text in side]) for side in (pairs.left, pairs.right))
    few = drawn(len(pairs), BATCH // 2, seed=settings.seed)
    again_rows = np.unique(np.concatenate([left[few], right[few]])).astype(np.int64)
    noise: list[Change] = []
    for name in settings.models:
        vectors, again, about = encode_one(name, settings, corpus, again_rows)
        similarity = pair_similarity(vectors[left], vectors[right], settings.metric)

        def score(first: FloatArray, second: FloatArray, which: IntArray, name: str = name) -> Score:
            some = ScoredPairs(pair_similarity(first, second, settings.metric), pairs.score[which], (name,))
            return take(measures[:1], some)[0]

        noise += _same_again(score, vectors, (left, right), few, again, settings.seed)
        scores += take(measures, ScoredPairs(similarity, pairs.score, (name,)))
        facts.append(about)
    return Outcome(
        task="pairs",
        source=pairs.source,
        headline=f"{len(pairs):,} pairs of texts of {pairs.source}",
        scores=in_order(scores),
        units=tuple(map(str, range(len(pairs)))),
        models=tuple(facts),
        protocol=_protocol(pairs, settings),
        details={"noise": [each.to_dict() for each in noise]},
    )


def _same_again(
    score: Scored, vectors: FloatArray, sides: tuple[IntArray, IntArray], few: IntArray, again: Again | None, seed: int
) -> list[Change]:
    """Return what half precision and encoding one by one change, the latter over a few pairs."""
    left, right = sides
    every = np.arange(len(left), dtype=np.int64)
    plain = score(vectors[left], vectors[right], every)
    low, reason = half_precision(vectors)
    first = (
        undefined(plain, "float16", reason)
        if reason
        else change(plain, score(low[left], low[right], every), "float16", seed=seed)
    )
    if again is None:
        return [first, undefined(plain, "batch", FROM_A_FILE)]
    place = {int(row): at for at, row in enumerate(again.rows)}
    at = [np.array([place[int(row)] for row in side[few]], dtype=np.int64) for side in sides]
    before, after = (score(table[at[0]], table[at[1]], few) for table in (vectors[again.rows], again.vectors))
    return [first, change(before, after, "batch", seed=seed, note=sampled(few, len(left), "pairs"))]


def _protocol(pairs: Pairs, settings: Settings) -> dict[str, str]:
    low, high = float(pairs.score.min()), float(pairs.score.max())
    kinds = f"two kinds of pairs, {low:g} and {high:g} (the positive ones)" if pairs.binary else f"{low:g} to {high:g}"
    return {
        "columns": pairs.how,
        "scores": kinds,
        "similarity": f"{settings.metric} of the two vectors, both encoded as documents",
        "intervals": "95 %, from the influence of each pair (delta method on Fisher's z; DeLong on the logit for auc)",
        "differences": "tests on the pseudo-values of the pairs (value + influence), whose mean is the number",
    }
