"""Scores by hand, and how many more queries would settle it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from embdiff.errors import ParameterError
from embdiff.judging import pooled_query, score_judgements
from embdiff.judging.pool import Pool
from embdiff.judging.scoring import plans
from embdiff.measures.differences import Differences
from embdiff.measures.paired import detectable_difference, paired_tests
from embdiff.measures.statistics.power import needed_queries

GRADES = {
    ("q1", "d1"): 1, ("q1", "d2"): None, ("q1", "d3"): 0, ("q1", "d4"): 2,
    ("q2", "d5"): 0, ("q2", "d6"): 1, ("q2", "d7"): 0,
}  # fmt: skip


def values(verdict, measure):
    return {score.models[0]: score.per_query for score in verdict.scores if score.measure == measure}


def test_condensed_lists_by_hand(by_hand):
    """q1: d2 was skipped, so that a's list is d1 d3 (grades 1 0), b's is d3 d4 d1 (0 2 1)."""
    verdict = score_judgements(by_hand, GRADES)
    ideal = 2 + 1 / math.log2(3)
    found = values(verdict, "ndcg@3")
    assert found["a"] == pytest.approx((1 / ideal, 1 / math.log2(3)))
    assert found["b"] == pytest.approx(((2 / math.log2(3) + 1 / 2) / ideal, 1 / math.log2(3)))
    assert values(verdict, "precision_judged@3") == {
        "a": pytest.approx((1 / 2, 1 / 3)),
        "b": pytest.approx((2 / 3, 1 / 3)),
    }
    assert values(verdict, "hit@3") == {"a": (1.0, 1.0), "b": (1.0, 1.0)}
    assert verdict.counts == {
        "queries": 2, "done": 2, "begun": 0, "judged": 6, "skipped": 1, "relevant": 3, "left": 0,
    }  # fmt: skip


def test_chance_is_a_random_order_of_what_was_judged(by_hand):
    verdict = score_judgements(by_hand, GRADES)
    chance = {score.measure: score.chance for score in verdict.scores if score.models == ("a",)}
    discounts = np.array([1, 1 / math.log2(3), 1 / 2])
    first = (3 / 3) * discounts.sum() / (2 + 1 / math.log2(3))
    second = (1 / 3) * discounts.sum() / 1
    assert chance["ndcg@3"] == pytest.approx((first + second) / 2)
    assert chance["precision_judged@3"] == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert chance["hit@3"] == 1.0


def test_only_done_queries_count(by_hand):
    part = {pair: grade for pair, grade in GRADES.items() if pair != ("q2", "d7")}
    verdict = score_judgements(by_hand, part)
    assert {score.n for score in verdict.scores} == {1}
    assert (verdict.counts["done"], verdict.counts["begun"], verdict.counts["left"]) == (1, 1, 1)
    nothing = score_judgements(by_hand, {})
    assert nothing.scores == nothing.plans == ()
    assert nothing.counts["left"] == 7
    skipped = score_judgements(by_hand, dict.fromkeys(GRADES))
    assert skipped.scores == ()
    assert any("2 queries were skipped as a whole" in note for note in skipped.notes)


def test_a_list_without_a_judged_document_has_no_precision(by_hand):
    grades = {**GRADES, ("q1", "d1"): None, ("q1", "d3"): None}
    verdict = score_judgements(by_hand, grades)
    score = next(each for each in verdict.scores if each.measure == "precision_judged@3" and each.models == ("a",))
    assert math.isnan(score.per_query[0])
    assert score.n == 1
    assert score.reason == "1 of 2 queries have no judged document in the list and are left out"


def test_needed_queries_turn_the_detectable_difference_round():
    rng = np.random.default_rng(0)
    for difference, alpha in ((0.3, 0.05), (0.1, 0.05), (0.1, 0.05 / 3), (0.02, 0.05)):
        n = needed_queries(difference, 0.25, alpha=alpha)
        sample = rng.normal(size=int(n))
        sample = (sample - sample.mean()) / sample.std(ddof=1) * 0.25
        assert detectable_difference(sample, alpha=alpha) <= difference
        short = sample[:-1] - sample[:-1].mean()
        assert detectable_difference(short / short.std(ddof=1) * 0.25, alpha=alpha) > difference
    assert needed_queries(0.0, 0.2) == math.inf
    assert needed_queries(1e-9, 0.2) == math.inf
    assert needed_queries(0.5, 0.0) == 6  # equal differences: 2 / 2^6 is the first below .05


def test_so_many_queries_show_it_with_eighty_percent():
    """Simulated power of the t test at the number given: within 4 standard errors of .8."""
    rng = np.random.default_rng(1)
    n = int(needed_queries(0.1, 0.25))
    draws = rng.normal(0.1, 0.25, size=(4_000, n))
    from embdiff.measures.statistics.quantiles import student_quantile

    t = draws.mean(axis=1) / (draws.std(axis=1, ddof=1) / math.sqrt(n))
    power = np.mean(np.abs(t) > student_quantile(0.975, n - 1))
    assert power == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / 4_000) + 0.01)


def planned(first, second, **given):
    values = {"a": np.asarray(first, float), "b": np.asarray(second, float)}
    tests = paired_tests(values, measure="ndcg@5", seed=0)
    return plans(Differences("ndcg@5", tests, (), {}), values, **{"available": 200, "per_query": 7.0, **given})[0]


def test_states_of_a_plan():
    rng = np.random.default_rng(2)
    zeros = np.zeros(30)
    assert planned(zeros[:3], zeros[:3] + 0.1).state == "too few"
    assert "2 more queries must be judged first" in planned(zeros[:3], zeros[:3] + 0.1).words
    same = planned(zeros, zeros)
    assert same.state == "none"
    assert same.words == "no number of queries would: after 30 the difference is about 0"
    settled = planned(zeros + 0.2 + rng.normal(0, 0.1, 30), zeros)
    assert (settled.state, settled.least, settled.expected, settled.most) == ("settled", None, None, None)
    assert settled.words == "told apart by the 30 queries judged"


def test_an_open_plan_is_a_range():
    noise = np.random.default_rng(3).normal(0, 0.3, 30)
    noise = noise - noise.mean()
    plan = planned(noise + 0.08, np.zeros(30))
    assert plan.state == "open"
    assert plan.low < 0 < plan.high
    assert plan.most is None
    assert 30 < plan.least < plan.expected
    assert plan.expected == needed_queries(0.08, float(noise.std(ddof=1)))
    assert f"about {plan.expected - 30:,} more queries ({round((plan.expected - 30) * 7):,} judgements)" in plan.words
    assert "without an upper limit: it may be about 0" in plan.words
    assert "this run has 40 queries in all" in planned(noise + 0.08, np.zeros(30), available=40).words
    assert plan.to_dict()["most"] is None


def test_a_larger_judging_settles_it():
    """200 queries: a finds the relevant document first, b last; the verdict names the difference and its sign."""
    rng = np.random.default_rng(5)
    queries, grades = [], {}
    for number in range(40):
        names = [f"{number}-{i}" for i in range(4)]
        right = rng.random() < 0.9
        lists = {"a": names if right else names[::-1], "b": names[::-1]}
        queries.append(pooled_query(str(number), "text", lists, seed=0))
        grades |= {(str(number), name): int(name.endswith("-0")) for name in names}
    pool = Pool(tuple(queries), {name: name for query in queries for name in query.documents}, 4, 40, 40, "random")
    verdict = score_judgements(pool, grades)
    assert verdict.plans[0].state == "settled"
    assert verdict.plans[0].difference > 0.4
    assert verdict.differences[0].ties == (("a",), ("b",))
    assert any("random sample" in note for note in verdict.notes)


def test_a_grade_must_be_a_digit(run):
    from embdiff.judging import open_judging

    with open_judging(run) as judging:
        question = judging.next()
        for wrong in (-1, 10, True, 1.0, "1"):
            with pytest.raises(ParameterError, match=r"A grade must be an integer from 0 to 9. Got"):
                judging.record(question, wrong)
        assert judging.answered == 0
