"""Neighbours of the query's own group: by hand, against sklearn and all orders of ties, and where two models differ."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import ShapeError
from embdiff.measures.by_group import gaps
from embdiff.measures.same_group import same_group, same_group_reached
from embdiff.measures.statistics.quantiles import false_discovery
from embdiff.records import Neighbors, Ties

GROUPS = ["a", "a", "b", "b", "b", "c"]


def lists(rows) -> Neighbors:
    rows = np.array(rows)
    return Neighbors(rows, np.where(rows < 0, np.nan, 0.5).astype(np.float32), "cosine")


def test_by_hand():
    found = lists([[1, 2], [2, 3], [3, -1], [0, 1]])
    mates = np.array([1, 1, 2, 0])
    asked = ["a", "a", "b", "c"]
    np.testing.assert_array_equal(same_group(found, GROUPS, asked, mates), [0.5, 0, 1, np.nan])
    np.testing.assert_array_equal(same_group_reached(found, GROUPS, asked, mates), [1, 0, 1, np.nan])


def test_every_query_needs_a_group_and_a_number_of_mates():
    with pytest.raises(ShapeError, match="number of mates"):
        same_group(lists([[1, 2]]), GROUPS, ["a"], np.array([1, 1]))
    with pytest.raises(ShapeError, match="a group for each"):
        same_group(lists([[1, 2]]), GROUPS, ["a", "b"], np.array([1, 1]))


def test_tied_rows_count_with_their_chance_to_be_listed():
    """Row 1 is certain; one place is left for rows 2, 3 and 5: the mean over the three lists that can be."""
    ties = Ties(np.array([[0, 1]]), np.array([[1, 3]]), np.array([0, 0]), np.array([3, 5]))
    found = Neighbors(np.array([[1, 2]]), np.array([[0.9, 0.5]], dtype=np.float32), "cosine", ties=ties)
    for asked, mates in (("a", 1), ("b", 3), ("c", 1)):
        orders = [same_group(lists([[1, last]]), GROUPS, [asked], np.array([mates]))[0] for last in (2, 3, 5)]
        assert same_group(found, GROUPS, [asked], np.array([mates]))[0] == pytest.approx(np.mean(orders), abs=1e-15)


def compared(**more):
    texts = [f"{word} number {at}" for word in ("apple", "river", "engine") for at in range(12)]
    groups = [word for word in ("apple", "river", "engine") for _ in range(12)]
    return ed.compare(texts, ["toy:64", "toy:8"], groups=groups, k=5, store="memory:", layout="none", **more)


def score(result, model: str, measure: str = "same_group@5"):
    return next(each for each in result.scores if each.measure == measure and each.models == (model,))


def test_a_comparison_against_a_count_over_its_own_lists():
    result = compared()
    groups = dict(zip(result.run.corpus.ids, result.run.corpus.groups, strict=True))
    frame = result.to_frame()
    same = frame.id.map(groups) == frame.query_id.map(groups)
    for model, mean in same.groupby(frame.model).mean().items():
        assert score(result, model).value == pytest.approx(mean, abs=0.05)  # ties count as in no order there
        assert score(result, model).chance == pytest.approx(11 / 35, abs=1e-12)
    assert score(result, "toy:64").n == 36


def test_a_query_that_stays_in_its_list_is_not_its_own_neighbour():
    kept, dropped = compared(self_matches="keep", queries="rows:0,12,24"), compared(queries="rows:0,12,24")
    for result in (kept, dropped):
        for answer in result.run.answers:
            assert all(row in answer.returned.rows[at] for at, row in enumerate((0, 12, 24)))
        assert score(result, "toy:64").value < 1 or score(result, "toy:64").n == 3
        assert score(result, "toy:64").chance == pytest.approx(11 / 35, abs=1e-12)
    shared = kept.run.headline.agreement[0]
    assert shared.of == 4
    assert shared.chance == pytest.approx(4 * 4 / 35, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_false_discovery_is_that_of_benjamini_and_hochberg(seed):
    scipy_stats = pytest.importorskip("scipy.stats")
    p = np.random.default_rng(seed).random(37) ** 2
    np.testing.assert_allclose(false_discovery(p), scipy_stats.false_discovery_control(p), rtol=1e-14)
    missing = np.insert(p, 5, np.nan)
    np.testing.assert_allclose(np.delete(false_discovery(missing), 5), false_discovery(p), rtol=0)
    assert np.isnan(false_discovery(missing)[5])


def test_a_planted_gap_comes_first_and_small_groups_say_nothing():
    rng = np.random.default_rng(0)
    groups = np.repeat(["planted", "other", "third"], 40).tolist() + ["few"] * 3
    one, two = (rng.random(123) for _ in range(2))
    one[:40] += 0.5
    one[-3:] += 9
    found = gaps({"one": one, "two": two}, groups, seed=0)
    assert {each.group for each in found} == {"planted", "other", "third"}
    first = found[0]
    assert (first.group, first.models, first.n) == ("planted", ("one", "two"), 40)
    assert first.difference == pytest.approx(float((one - two)[:40].mean()), abs=1e-12)
    assert first.low > 0.3
    assert first.p_adjusted < 0.001
    turned = gaps({"two": two, "one": one}, groups, seed=0)[0]
    assert (turned.models, turned.difference) == (("one", "two"), pytest.approx(first.difference, abs=1e-12))


@pytest.mark.slow
def test_of_many_groups_that_do_not_differ_few_are_found():
    """Under the null hypothesis any discovery is false: at most 5 % of tables may have one."""
    groups = np.repeat(np.arange(30).astype(str), 12).tolist()
    tables = 200
    found = 0
    for seed in range(tables):
        rng = np.random.default_rng(seed)
        one, two = (np.rint(10 * rng.random(360)) / 10 for _ in range(2))
        found += any(each.p_adjusted < 0.05 for each in gaps({"one": one, "two": two}, groups, seed=seed))
    assert found / tables <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / tables)


def test_values_and_groups_go_together():
    with pytest.raises(ShapeError, match="one group for each value"):
        gaps({"a": [1.0, 2.0], "b": [1.0, 2.0]}, ["x"], seed=0)
    assert list(itertools.chain(gaps({"a": [1.0]}, ["x"], seed=0))) == []
