"""Which numbers a comparison reports: agreement between collections, self-retrieval, what the index lost, groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from embdiff.comparison.agreement import Agreement, agreement
from embdiff.comparison.every_row import EveryRow
from embdiff.comparison.expected import Expected, judged_scores, relevant_rows
from embdiff.comparison.own_groups import group_scores
from embdiff.comparison.scored import kept_scores
from embdiff.comparison.work import Work
from embdiff.measures import GroupTest, MeasureSpec, Mixing, absence_test, adjust, mixing
from embdiff.measures.base import measures_for
from embdiff.measures.differences import Differences
from embdiff.measures.groups import PERMUTATIONS, most_permutations
from embdiff.measures.inputs import OneSearch
from embdiff.records import Score

OWN_ROWS, INDEX, EXPECTED_ROWS = "neighbors + own rows", "returned + exact neighbors", "neighbors + expected rows"


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
    differences : tuple of (str or None, Differences)
        Whether the models differ in what is known of labels: by judgements, and by groups.
    """

    scores: tuple[Score, ...]
    agreement: Agreement
    expected: Expected | None
    differences: tuple[tuple[str | None, Differences], ...]


def score_all(work: Work) -> Scored:
    """Return agreement, self-retrieval, what the index lost, expected results, and own groups."""
    inputs = work.inputs
    searches = _searches(work)
    own = _of_searches(work, searches, OWN_ROWS) if inputs.twins.most else []
    index = _of_searches(work, searches, INDEX)
    agreed = agreement(work, lossy=any(score.value < 1.0 for score in index))
    scores = [*agreed.scores, *own, *index]
    judged = None
    if inputs.expected is not None:
        judged = judged_scores(work, inputs.expected)
        scores += [*_of_searches(work, searches, EXPECTED_ROWS), *judged.scores]
    grouped, by_group = group_scores(work)
    return Scored((*scores, *grouped), agreed, judged, (*(judged.differences if judged else ()), *by_group))


def _searches(work: Work) -> list[OneSearch]:
    inputs = work.inputs
    wanted = None if inputs.expected is None else relevant_rows(inputs.expected, inputs)
    return [
        OneSearch(
            here.returned, here.exact, here.nearest, here.exact_similarity, inputs.twins.rows, (name,), asks,
            inputs.candidates, len(inputs.corpus), wanted,
        )
        for (asks, name), here in work.searches.items()
    ]  # fmt: skip


def _of_searches(work: Work, searches: Sequence[OneSearch], needs: str) -> list[Score]:
    """Return every measure of one search that needs this, measure by measure; of a query's own row only the first."""
    k = 1 if needs == OWN_ROWS else work.config.k
    specs = [MeasureSpec(each, k, each.defaults) for each in measures_for(needs) if each.reported]
    found = [kept_scores(work.kept, specs, search, seed=work.config.seed) for search in searches]
    return [scores[place] for place in range(len(specs)) for scores in found]


def group_tests(
    work: Work, models: Iterable[str], every_row: EveryRow
) -> tuple[dict[str, Mixing], tuple[tuple[str, GroupTest], ...]]:
    """Return mixing and absence tests by model: every row as a query, itself left out, exact neighbours.

    Where only a sample of the rows is asked, these are of the same sample; its queries see every row.
    """
    config, groups = work.config, work.inputs.corpus.groups
    if groups is None:
        return {}, ()
    mixings, tests, models = {}, {}, list(models)
    asked = every_row.asked_rows
    # Of many tests the lowest p must be lower to be below .05 after Holm; who chose a number gets that number.
    first, most = config.permutations or PERMUTATIONS, config.permutations
    most = most or most_permutations(len(models) * len(set(groups)))
    of_query = groups if asked is None else [groups[row] for row in asked]
    for name in models:
        neighbors = every_row.of_asked(name)
        mixings[name] = work.kept.call(mixing, neighbors, groups, of_query, left_out=True)
        tests[name] = work.kept.call(
            absence_test, neighbors, groups, query_rows=asked, permutations=first, most=most, seed=config.seed
        )
    return mixings, tuple((name, test) for name, adjusted in adjust(tests).items() for test in adjusted)
