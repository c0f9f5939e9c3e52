"""Which numbers a comparison reports: agreement between collections, self-retrieval, what the index lost, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from embdiff.comparison.agreement import Agreement, Compared, agreement
from embdiff.comparison.every_row import EveryRow
from embdiff.comparison.expected import Expected, judged_scores, relevant_rows
from embdiff.comparison.settings import Inputs
from embdiff.kept import call
from embdiff.measures import GroupTest, Mixing, absence_test, adjust, mixing
from embdiff.measures.retrieval import score_expected_hit, score_index_recall, score_self_retrieval
from embdiff.records import Qrels, Score
from embdiff.search import Found
from embdiff.settings import RunConfig

Pairs = Mapping[tuple[str, str], Found]


@dataclass(frozen=True, eq=False)
class Scored:
    """Every number of a run except those of groups and of spaces.

    Parameters
    ----------
    scores : tuple of Score
        In the order in which they are shown.
    agreement : Agreement
        Its scores are among ``scores``; curves and tails are not.
    expected : Expected or None
        As ``agreement``: its scores are among ``scores``.
    """

    scores: tuple[Score, ...]
    agreement: Agreement
    expected: Expected | None


def score_all(compared: Compared, found: Pairs) -> Scored:
    """Return agreement, self-retrieval, what the index lost, and expected results."""
    config, inputs = compared.config, compared.inputs
    index = _index_scores(config, inputs, found)
    agreed = agreement(compared, lossy=any(score.value < 1.0 for score in index))
    scores = [*agreed.scores, *_self_retrieval(inputs, found), *index]
    judged = None
    if inputs.expected is not None:
        judged = judged_scores(compared, inputs.expected)
        scores += [*_expected_hits(inputs, inputs.expected, found), *judged.scores]
    return Scored(tuple(scores), agreed, judged)


def _self_retrieval(inputs: Inputs, found: Pairs) -> list[Score]:
    if not inputs.twins.most:
        return []
    return [
        call(score_self_retrieval, here.nearest, inputs.twins.rows, (name,), query_model=asks, rows=len(inputs.corpus))
        for (asks, name), here in found.items()
    ]


def _index_scores(config: RunConfig, inputs: Inputs, found: Pairs) -> list[Score]:
    return [
        call(
            score_index_recall,
            here.returned,
            here.exact,
            here.exact_similarity,
            (name,),
            query_model=asks,
            candidates=inputs.candidates,
            seed=config.seed,
        )
        for (asks, name), here in found.items()
    ]


def _expected_hits(inputs: Inputs, expected: Qrels, found: Pairs) -> list[Score]:
    wanted = relevant_rows(expected, inputs)
    return [
        call(score_expected_hit, here.returned, wanted, (name,), query_model=asks, candidates=inputs.candidates)
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
        mixings[name] = call(mixing, neighbors, groups, of_query, left_out=True)
        tests[name] = call(
            absence_test, neighbors, groups, query_rows=asked, permutations=config.permutations, seed=config.seed
        )
    return mixings, tuple((name, test) for name, adjusted in adjust(tests).items() for test in adjusted)
