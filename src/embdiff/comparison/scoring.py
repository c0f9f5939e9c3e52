"""Which numbers a comparison reports: agreement between collections, self-retrieval, what the index lost, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from embdiff.comparison.every_row import EveryRow
from embdiff.comparison.settings import Inputs
from embdiff.config import RunConfig
from embdiff.measures import GroupTest, Mixing, absence_test, adjust, mixing
from embdiff.measures.overlap import overlap, score_jaccard, score_overlap
from embdiff.measures.retrieval import score_expected_hit, score_index_recall, score_self_retrieval
from embdiff.records import Answer, IntArray, Neighbors, Qrels, Score
from embdiff.search import Found, OwnRows, compared_pairs

Pairs = Mapping[tuple[str, str], Found]


def score_all(config: RunConfig, inputs: Inputs, answers: Sequence[Answer], found: Pairs) -> tuple[Score, ...]:
    """Return every score of the run, in the order in which they are shown."""
    index = _index_scores(config, inputs, found)
    lossy = any(score.value < 1.0 for score in index)
    scores = [*_agreement(config, inputs, answers, exactly=False)]
    if lossy:
        scores += _agreement(config, inputs, answers, exactly=True)
    scores += _self_retrieval(inputs, found)
    scores += index
    if inputs.expected is not None:
        scores += _expected_hits(inputs, inputs.expected, found)
    return tuple(scores)


def _candidates(inputs: Inputs) -> IntArray:
    """Return how many rows each query could return, (q,)."""
    own = np.array([len(rows) for rows in inputs.own.rows], dtype=np.int64)
    return len(inputs.corpus) - (own if inputs.own.drop else np.zeros_like(own))


def _agreement(config: RunConfig, inputs: Inputs, answers: Sequence[Answer], *, exactly: bool) -> list[Score]:
    """Score each pair of collections that were asked alike, on what was returned or on the exact neighbours."""
    scores = []
    for a, b in compared_pairs(answers):
        left, right = (a.exact, b.exact) if exactly else (a.returned, b.returned)
        certain = _certain(left, right, inputs.twins)
        asked = a.query_model if a.query_model == b.query_model else None
        for score_of in (score_overlap, score_jaccard):
            score = score_of(
                left,
                right,
                (a.model, b.model),
                query_model=asked,
                candidates=_candidates(inputs),
                fixed=certain,
                seed=config.seed,
            )
            scores.append(replace(score, measure=f"exact_{score.measure}") if exactly else score)
    return scores


def _certain(a: Neighbors, b: Neighbors, own: OwnRows) -> IntArray:
    """Return how many of each query's own rows both lists hold: no luck was needed for those."""
    left, right = (replace(n, rows=np.where(own.within(n.rows), n.rows, -1)) for n in (a, b))
    return np.rint(np.nan_to_num(overlap(left, right)) * a.k).astype(np.int64)


def _self_retrieval(inputs: Inputs, found: Pairs) -> list[Score]:
    if not inputs.twins.most:
        return []
    return [
        score_self_retrieval(here.nearest, inputs.twins.rows, (name,), query_model=asks, rows=len(inputs.corpus))
        for (asks, name), here in found.items()
    ]


def _index_scores(config: RunConfig, inputs: Inputs, found: Pairs) -> list[Score]:
    return [
        score_index_recall(
            here.returned,
            here.exact,
            here.exact_similarity,
            (name,),
            query_model=asks,
            candidates=_candidates(inputs),
            seed=config.seed,
        )
        for (asks, name), here in found.items()
    ]


def _expected_hits(inputs: Inputs, expected: Qrels, found: Pairs) -> list[Score]:
    row_of = {name: row for row, name in enumerate(inputs.corpus.ids)}
    wanted = [
        np.array([row_of[name] for name, grade in expected.judgements.get(query, {}).items() if grade > 0], np.int64)
        for query in inputs.queries.ids
    ]
    return [
        score_expected_hit(here.returned, wanted, (name,), query_model=asks, candidates=_candidates(inputs))
        for (asks, name), here in found.items()
    ]


def group_tests(
    config: RunConfig, inputs: Inputs, models: Iterable[str], every_row: EveryRow
) -> tuple[dict[str, Mixing], tuple[tuple[str, GroupTest], ...]]:
    """Return mixing and absence tests by model: every row as a query, itself left out, exact neighbours.

    Where only a sample of the rows is asked, these are of the same sample; its queries see every row.
    """
    groups = inputs.corpus.groups
    if groups is None:
        return {}, ()
    mixings, tests = {}, {}
    asked = every_row.asked_rows
    of_query = groups if asked is None else [groups[row] for row in asked]
    for name in models:
        neighbors = every_row.of_asked(name)
        mixings[name] = mixing(neighbors, groups, of_query, left_out=True)
        tests[name] = absence_test(
            neighbors, groups, query_rows=asked, permutations=config.permutations, seed=config.seed
        )
    return mixings, tuple((name, test) for name, adjusted in adjust(tests).items() for test in adjusted)
