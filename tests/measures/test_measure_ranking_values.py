"""Measures of ranked lists: values worked by hand, chance levels, ties, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import get_measure, ranking
from embdiff.measures.judged import (
    Graded,
    Judged,
    JudgedLists,
    grade,
    random_order,
    usual_measures,
    values_of,
)
from embdiff.measures.places import name_ranks, trec_order
from embdiff.measures.score import score as score_of
from trec_runs import grade_run

RANKING_MEASURES = usual_measures()


def judged(*per_query: dict[int, int]) -> Judged:
    rows = [(query, document, value) for query, each in enumerate(per_query) for document, value in each.items()]
    query, document, value = (np.array([row[part] for row in rows], dtype=np.int64) for part in range(3))
    return Judged.of(query, document, value, len(per_query))


def test_one_list_by_hand():
    # Places 1..4: not judged, grade 2, grade 0, grade 1; one document of grade 3 is not in the collection.
    graded = grade(np.array([[9, 0, 1, 2]]), judged({0: 2, 1: 0, 2: 1, -1: 3}))
    assert graded.grades.tolist() == [[0, 2, 0, 1]]
    gain = 2 / math.log2(3) + 1 / math.log2(5)
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert ranking.ndcg(graded, 10)[0] == pytest.approx(gain / ideal)
    assert ranking.ndcg(graded, 2)[0] == pytest.approx((2 / math.log2(3)) / (3 + 2 / math.log2(3)))
    assert ranking.average_precision(graded)[0] == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert ranking.reciprocal_rank(graded)[0] == 0.5
    assert ranking.reciprocal_rank(graded, 1)[0] == 0.0
    assert ranking.recall(graded, 3)[0] == pytest.approx(1 / 3)
    assert ranking.precision(graded, 10)[0] == pytest.approx(0.2)
    assert ranking.hit(graded, 1)[0] == 0.0
    assert ranking.hit(graded, 2)[0] == 1.0


def test_level_moves_what_is_relevant_but_not_the_gains():
    lists, wanted = np.array([[0, 1]]), judged({0: 1, 1: 2})
    low, high = grade(lists, wanted), grade(lists, wanted, level=2)
    assert ranking.reciprocal_rank(low)[0] == 1.0
    assert ranking.reciprocal_rank(high)[0] == 0.5
    assert ranking.recall(high, 2)[0] == 1.0
    assert ranking.ndcg(low)[0] == ranking.ndcg(high)[0]


def test_missing_lists_and_nothing_relevant_count_as_zero():
    graded = grade(np.array([[-1, -1], [0, 1], [0, 1]]), judged({0: 1}, {0: 0}, {5: -1}))
    for text in RANKING_MEASURES:
        assert values_of(graded, get_measure(text)).tolist() == [0.0, 0.0, 0.0], text
    score = score_of("ndcg@10", JudgedLists(graded, ("a",), 6))
    assert (score.n, score.value) == (3, 0.0)
    assert score.reason == "2 of 3 queries have no relevant document and count as 0"


def test_no_queries_at_all():
    graded = grade(np.zeros((0, 5), dtype=np.int64), judged())
    score = score_of("map", JudgedLists(graded, ("a",), 3))
    assert math.isnan(score.value)
    assert score.reason == "there are no judged queries"


def test_equal_scores_go_by_document_id_descending():
    ids = ("b", "a", "c")
    rows, scores = np.array([[0, 1, 2, -1]]), np.array([[1.0, 1.0, 2.0, np.nan]])
    assert trec_order(rows, scores, name_ranks(ids)).tolist() == [[2, 0, 1, -1]]
    # Apart in float64, equal in float32, in which trec_eval keeps scores.
    close = np.array([[1.0, 1.0 + 1e-12, 0.0, np.nan]])
    assert trec_order(rows, close, name_ranks(ids)).tolist() == [[0, 1, 2, -1]]
    with pytest.raises(ParameterError, match=r"must be numbers. Got NaN"):
        trec_order(rows, np.full((1, 4), np.nan), name_ranks(ids))


def test_a_run_of_mappings():
    names, graded = grade_run(
        {"q": {"x": 1.0, "y": 3.0}, "not judged": {"x": 1.0}}, {"q": {"x": 1}, "missing": {"x": 1}}
    )
    assert names == ("q", "missing")
    assert ranking.reciprocal_rank(graded).tolist() == [0.5, 0.0]


@pytest.mark.parametrize("text", [*RANKING_MEASURES, "ndcg@2", "recall@2", "precision@3", "hit@2", "mrr@2"])
def test_chance_is_the_mean_over_all_orders(text: str):
    spec = get_measure(text)
    wanted = judged({0: 2, 1: 1, 3: 1, 4: 0, -1: 3})
    orders = np.array(list(itertools.permutations(range(5))))
    everything = judged(*({0: 2, 1: 1, 3: 1, 4: 0, -1: 3} for _ in orders))
    mean = values_of(grade(orders, everything), spec).mean()
    chance = random_order(grade(orders[:1], wanted), spec, 5)
    assert chance == pytest.approx([mean])


def test_chance_of_cut_lists():
    orders = np.array(list(itertools.permutations(range(5))))[:, :3]
    everything = judged(*({0: 2, 1: 1, 3: 1} for _ in orders))
    for text in RANKING_MEASURES:
        mean = values_of(grade(orders, everything), get_measure(text)).mean()
        assert random_order(grade(orders[:1], judged({0: 2, 1: 1, 3: 1})), get_measure(text), 5) == pytest.approx(
            [mean]
        )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_ranges_identity_and_order_of_queries(data: st.DataObject):
    n, q = data.draw(st.integers(2, 12)), data.draw(st.integers(1, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    lists = np.array([rng.permutation(n) for _ in range(q)])
    per_query = [
        {int(d): int(rng.integers(-1, 4)) for d in rng.permutation(n)[: rng.integers(1, n + 1)]} for _ in range(q)
    ]
    graded = grade(lists, judged(*per_query))
    turned = grade(lists[::-1].copy(), judged(*per_query[::-1]))
    ideal = [sorted(range(n), key=lambda d, each=each: -each.get(d, 0)) for each in per_query]
    best = grade(np.array(ideal), judged(*per_query))
    relevant = graded.relevant > 0
    for text in RANKING_MEASURES:
        spec = get_measure(text)
        values = values_of(graded, spec)
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()
        np.testing.assert_array_equal(values_of(turned, spec), values[::-1])
        assert (values_of(best, spec) >= values - 1e-12).all()
    assert ranking.ndcg(best, 10)[relevant] == pytest.approx(1.0)
    assert ranking.average_precision(best)[relevant] == pytest.approx(1.0)


def test_what_is_refused():
    with pytest.raises(ShapeError, match=r"shape \(q, depth\) for 1 judged queries. Got \(2, 1\)"):
        grade(np.zeros((2, 1), dtype=np.int64), judged({0: 1}))
    with pytest.raises(ShapeError, match="Got"):
        Graded(np.zeros((2, 1), dtype=np.int64), judged({0: 1}))
    with pytest.raises(ShapeError, match=r"one query, document and grade each. Got 1, 1 and 0"):
        Judged.of(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), 1)
    graded = grade(np.zeros((1, 1), dtype=np.int64), judged({0: 1}))
    with pytest.raises(ParameterError, match=r"k must be at least 1. Got 0"):
        ranking.precision(graded, 0)
    with pytest.raises(ParameterError, match=r"must need judgements.*Got overlap@3, which needs two neighbors"):
        values_of(graded, get_measure("overlap@3"))
