"""The test of absence: its numbers by hand, its p-value against enumeration, its error rate by simulation."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from neighbor_lists import listed

from embdiff._plain import reader
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import STATISTIC, UNIT, GroupTest, absence_null, absence_test, adjust
from embdiff.measures import groups as of_groups
from embdiff.measures.groups import most_permutations, undecided

# Six rows, three groups of two. Rows of c are never returned to others.
GROUPS = ["a", "a", "b", "b", "c", "c"]
FOUND = [[1, 2], [2, 3], [0, 1], [2, 0], [0, 2], [4, 3]]


def test_by_hand():
    """From outside, a draws 2, 2, 3, b draws 0, 1, 0 and c draws 0, 2, 3: three each, from 4 rows outside.

    So every e_j is 3/4 + 3/4, 3 for a group of two; h is 3, 1 | 3, 2 | 0, 0.
    """
    tests = absence_test(listed(FOUND), GROUPS, permutations=99, seed=0)
    assert [test.group for test in tests] == ["a", "b", "c"]
    assert [test.n_rows for test in tests] == [2, 2, 2]
    assert [test.hits for test in tests] == [4, 5, 0]
    assert [test.ratio for test in tests] == pytest.approx([4 / 3, 5 / 3, 0])
    assert [test.observed for test in tests] == pytest.approx([4 / 8, 5 / 8, 0])
    assert [test.expected for test in tests] == pytest.approx([2 / 5] * 3)
    assert all(test.p == max(test.p_kept, test.p_recounted) for test in tests)
    assert all(math.isnan(test.p_holm) and test.permutations == 99 and test.reason is None for test in tests)


def counts_and_dues(found, groups):
    """The definition, loop by loop: how often each row was returned to other groups, and how often that was due."""
    n, names = len(groups), list(dict.fromkeys(groups))
    h = [sum(j in line for i, line in enumerate(found) if groups[i] != groups[j]) for j in range(n)]
    rate = {}
    for a in names:
        drawn = sum(1 for i in range(n) if groups[i] == a for r in found[i] if r >= 0 and groups[r] != a)
        rate[a] = drawn / sum(g != a for g in groups)
    return h, [sum(rate[a] for a in names if a != groups[j]) for j in range(n)]


def ratio_of(members, h, e):
    due = sum(e[j] for j in members)
    # Nothing was due and nothing came: no ratio at all, so none above the observed.
    return sum(h[j] for j in members) / due if due else 0.0


def above_due(h, e, groups):
    """In standard deviations of a row: Poisson about a popularity whose variance is that of rates within groups."""
    rate = [a / b for a, b in zip(h, e, strict=True)]
    spread = []
    for j, group in enumerate(groups):
        same = [rate[i] for i, other in enumerate(groups) if other == group]
        if len(same) > 1:
            spread.append((rate[j] - np.mean(same)) ** 2 * len(same) / (len(same) - 1) - 1 / e[j])
    varies = max(0.0, np.mean(spread))
    return [(a - b) / math.sqrt(b + varies * b**2) for a, b in zip(h, e, strict=True)]


def ratios_and_p_by_enumeration(found, groups):
    """Ratios, and the larger p-value of two: over all samples of rows, and over all labellings, counted again."""
    n, names = len(groups), list(dict.fromkeys(groups))
    h, e = counts_and_dues(found, groups)
    relabelled = [(*counts_and_dues(found, labels), labels) for labels in sorted(set(itertools.permutations(groups)))]
    out = {}
    for g in names:
        members = [j for j in range(n) if groups[j] == g]
        ratio = ratio_of(members, h, e)
        above = above_due(h, e, groups)
        kept = [sum(above[j] for j in draw) for draw in itertools.combinations(range(n), len(members))]
        again = [ratio_of([j for j in range(n) if labels[j] == g], h2, e2) for h2, e2, labels in relabelled]
        rare = np.mean([draw <= sum(above[j] for j in members) + 1e-9 for draw in kept])
        out[g] = ratio, max(rare, np.mean([draw <= ratio * (1 + 1e-9) for draw in again]))
    return out


def test_ratio_and_p_against_enumeration():
    rng = np.random.default_rng(4)
    groups = ["x"] * 3 + ["y"] * 3 + ["z"] * 2
    found = [[j for j in rng.permutation(8) if j != i][:3] for i in range(8)]
    found[2][1] = -1
    expected = ratios_and_p_by_enumeration(found, groups)
    for test in absence_test(listed(found), groups, permutations=20_000, seed=1):
        ratio, p = expected[test.group]
        assert test.ratio == pytest.approx(ratio, rel=1e-12)
        assert test.p == pytest.approx(p, abs=0.015)


def test_hand_case_p_against_enumeration():
    tests = absence_test(listed(FOUND), GROUPS, permutations=20_000, seed=2)
    expected = ratios_and_p_by_enumeration(FOUND, GROUPS)
    # Of the 15 pairs of rows only c's two have no hit; of the 90 labellings 6 give c none.
    assert expected["c"][1] == pytest.approx(1 / 15)
    for test in tests:
        assert test.p == pytest.approx(expected[test.group][1], abs=0.015)


def test_seed_names_and_order_of_rows():
    one, two = (absence_test(listed(FOUND), GROUPS, permutations=500, seed=3) for _ in range(2))
    assert [test.to_dict() for test in one] == [test.to_dict() for test in two]
    renamed = absence_test(listed(FOUND), [{"a": "p", "b": "q", "c": "r"}[g] for g in GROUPS], permutations=500, seed=3)
    assert [test.p for test in renamed] == [test.p for test in one]


def test_a_group_of_one_row():
    tests = absence_test(listed([[1], [0], [3], [2], [0]]), ["a", "a", "b", "b", "solo"], permutations=99, seed=0)
    solo = tests[2]
    assert (solo.group, solo.n_rows, solo.hits) == ("solo", 1, 0)
    assert solo.reason == "no query of another group returned anything from outside its own group"
    assert math.isnan(solo.ratio)
    assert math.isnan(solo.p)
    assert [test.ratio for test in tests[:2]] == [2.0, 0.0]


@pytest.mark.parametrize("sizes", [(3, 3), (1, 9), (20, 20), (5, 15)])
def test_of_two_groups_there_is_no_test(sizes):
    """Whatever is returned from outside one is the other: the ratio is 1 in every space and under all labels."""
    groups = [name for name, size in zip("ab", sizes, strict=True) for _ in range(size)]
    n, rng = len(groups), np.random.default_rng(0)
    found = [[j for j in rng.permutation(n) if j != i][:3] for i in range(n)]
    h, e = counts_and_dues(found, groups)
    for test in adjust({"m": absence_test(listed(found), groups, permutations=99, seed=0)})["m"]:
        members = [j for j in range(n) if groups[j] == test.group]
        assert ratio_of(members, h, e) == pytest.approx(1)
        assert (
            test.reason
            == "there are only 2 groups: what either returns from outside itself is the other, in every space"
        )
        assert np.isnan([test.ratio, test.p, test.p_holm, test.p_least]).all()
        assert (test.n_rows, test.hits) == (len(members), sum(h[j] for j in members))


def test_undefined():
    for groups, found, reason in (
        (["a", "a"], [[1], [0]], "there are fewer than 2 groups"),
        (["a", "b"], [[-1], [-1]], "there are no results"),
        (
            ["a", "a", "b", "b", "c", "c"],
            [[1], [0], [3], [2], [5], [4]],
            "no query of another group returned anything from outside its own group",
        ),
    ):
        for test in absence_test(listed(found), groups, permutations=9, seed=0):
            assert test.reason == reason
            assert math.isnan(test.p)
            raw = json.loads(json.dumps(test.to_dict(), allow_nan=False))
            assert (raw["ratio"], raw["p"], raw["p_holm"]) == (None, None, None)
            assert str(reader(GroupTest).validate_python(raw)) == str(test)


def test_adjusting_over_groups_and_models():
    """Six tests: the p-values of both models, .01 to .06, times 6 to 1, never falling."""

    def made(group, p):
        return GroupTest(group, 5, 3, 0.1, 0.2, 0.5, p, 99)

    tests = {"m1": [made("a", 0.06), made("b", 0.01)], "m2": [made("a", 0.02), made("b", math.nan)]}
    adjusted = adjust(tests)
    assert [test.p_holm for test in adjusted["m1"]] == pytest.approx([0.06, 0.03])
    assert adjusted["m2"][0].p_holm == pytest.approx(0.04)
    assert math.isnan(adjusted["m2"][1].p_holm)
    assert [test.group for test in adjusted["m2"]] == ["a", "b"]
    assert reader(GroupTest).validate_python(adjusted["m1"][0].to_dict()) == adjusted["m1"][0]


def test_refusals():
    with pytest.raises(ParameterError, match=r"Got row 1 among its own results \(1 in all\)"):
        absence_test(listed([[1], [1]]), ["a", "b"], seed=0)
    with pytest.raises(ShapeError, match="Got 1 queries and 2 rows"):
        absence_test(listed([[1]]), ["a", "b"], seed=0)
    with pytest.raises(ParameterError, match=r"Permutations must be at least 1\. Got 0"):
        absence_test(listed([[1], [0]]), ["a", "b"], permutations=0, seed=0)
    assert "returned to queries of other groups" in STATISTIC
    assert UNIT.startswith("row")


def drawn(rng, labels, k, own_group, wanted=None):
    """A random graph: each row draws k others; own group weighs ``own_group``, row j weighs ``wanted[j]``."""
    weights = np.where(labels[:, None] == labels[None, :], own_group, 1.0 if wanted is None else wanted[None, :])
    keys = np.log(weights) + rng.gumbel(size=weights.shape)
    np.fill_diagonal(keys, -np.inf)
    return np.argpartition(-keys, k, axis=1)[:, :k]


@pytest.mark.parametrize("own_group", [1.0, 20.0])
def test_a_planted_absent_group_is_found(own_group):
    """Rows of g3 are a fifth as likely to be returned to others; it holds whether or not groups keep to themselves."""
    labels = np.repeat(np.arange(5), 40)
    wanted = np.where(labels == 3, 0.2, 1.0)
    found = drawn(np.random.default_rng(0), labels, 10, own_group, wanted)
    tests = adjust({"m": absence_test(listed(found), [f"g{label}" for label in labels], permutations=1_999, seed=0)})[
        "m"
    ]
    assert [test.group for test in tests if test.p_holm < 0.05] == ["g3"]
    assert tests[3].ratio < 0.35
    assert tests[3].observed < tests[3].expected


@pytest.mark.battery
@pytest.mark.parametrize(("name", "own_group"), [("random", 1.0), ("keeping to themselves x5", 5.0), ("x30", 30.0)])
@pytest.mark.parametrize("sizes", [(50, 50, 50, 50), (20, 60, 120), (8,) * 25])
def test_rejections_when_no_group_is_absent(name, own_group, sizes):
    """Over all groups of 400 graphs, about 5 % or fewer are below 0.05."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    names = [str(label) for label in labels]
    rejected = [
        test.p <= 0.05
        for seed in range(400)
        for test in absence_test(
            listed(drawn(np.random.default_rng(seed), labels, 10, own_group)), names, permutations=199, seed=seed
        )
    ]
    print(f"rejected at 5 %, {name}, sizes {sizes}: {100 * np.mean(rejected):.1f} %")
    assert np.mean(rejected) <= 0.06


def test_what_is_counted_again_is_what_was_counted():
    """The fast count under the labels as they are gives the hits and dues of the definition."""
    rng = np.random.default_rng(6)
    found = np.array([[j for j in rng.permutation(40) if j != i][:5] for i in range(40)])
    found[3, 2:] = -1
    labels = rng.integers(0, 4, 40)
    names = [str(label) for label in labels]
    h, e = counts_and_dues(found.tolist(), names)
    taken, due = absence_null.Results.of(listed(found), np.arange(40), 40).counted(
        np.stack([labels, labels[::-1]], axis=1), np.bincount(labels)
    )
    np.testing.assert_array_equal(taken[:, 0], np.bincount(labels, weights=h))
    np.testing.assert_allclose(due[:, 0], np.bincount(labels, weights=e), rtol=1e-12)


def test_rows_that_return_each_other_do_not_look_absent():
    """Two cliques of four: each row returns the other three of its clique, and labels cross them.

    Rows keeping their counts, the ratio of g2 is low in few samples; counted again, in many labellings as low.
    """
    found = [[j for j in range(4 * (i // 4), 4 * (i // 4) + 4) if j != i] for i in range(8)]
    names = ["g0", "g1", "g1", "g0", "g1", "g2", "g0", "g2"]
    test = absence_test(listed(found), names, permutations=5_000, seed=0)[2]
    assert test.group == "g2"
    assert test.p == test.p_recounted > 0.25 > 0.1 > test.p_kept
    assert test.p == pytest.approx(ratios_and_p_by_enumeration(found, names)["g2"][1], abs=0.02)


def sampled(rows=4_000, asking=80, k=6):
    """A corpus of which few rows asked; most are in no list. Groups of unlike size, the last hardly ever returned."""
    rng = np.random.default_rng(3)
    labels = rng.choice(5, rows, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    weights = np.where(labels == 4, 0.2, 1.0)
    asked = np.sort(rng.permutation(rows)[:asking])
    found = [rng.choice(np.delete(np.arange(rows), row), k, replace=False, p=np.delete(weights, row) / np.delete(weights, row).sum()) for row in asked]  # fmt: skip
    return listed(found), [f"g{label}" for label in labels], asked


def test_silent_rows_are_dealt_as_if_they_were_shuffled_one_by_one(monkeypatch):
    found, names, asked = sampled()
    told = absence_null.told_by_one(absence_null.Results.of(found, asked, len(names)), 5)
    assert {*asked.tolist(), *found.rows.ravel().tolist()} == {*told.tolist()}
    quick = absence_test(found, names, query_rows=asked, permutations=4_000, seed=0)
    monkeypatch.setattr(absence_null, "told_by_one", lambda results, groups: np.arange(len(results.given)))
    slow = absence_test(found, names, query_rows=asked, permutations=4_000, seed=0)
    for one, other in zip(quick, slow, strict=True):
        assert (one.ratio, one.hits, one.observed) == (other.ratio, other.hits, other.observed)
        assert one.p_kept == pytest.approx(other.p_kept, abs=0.03)  # three standard errors of their difference
        assert one.p_recounted == pytest.approx(other.p_recounted, abs=0.03)
    assert min(one.p for one in quick) < 0.05


def test_labels_are_dealt_by_the_hypergeometric_law():
    rng, left = np.random.default_rng(0), np.array([3, 5, 2])
    drawn = absence_null.dealt(rng, np.tile(left, (20_000, 1)), 4)
    assert (drawn.sum(axis=1) == 4).all()
    assert (drawn <= left).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 4 * left / 10, atol=0.02)
    none_of_the_second = math.comb(5, 4) / math.comb(10, 4)
    assert (drawn[:, 1] == 0).mean() == pytest.approx(none_of_the_second, abs=0.005)


def test_what_would_take_hours_is_not_tested_and_says_so(monkeypatch):
    monkeypatch.setattr(of_groups, "MOST_DEALT", 1_000)
    found, names = planted()
    for test in absence_test(found, names, permutations=199, seed=0):
        assert "take too long to shuffle" in test.reason
        assert math.isnan(test.p)
        assert math.isnan(test.ratio)


def planted(groups=40, size=6, k=5):
    """Many groups; the rows of the last are hardly ever returned to others."""
    labels = np.repeat(np.arange(groups), size)
    found = drawn(np.random.default_rng(1), labels, k, 1.0, np.where(labels == groups - 1, 1e-9, 1.0))
    return listed(found), [f"g{label}" for label in labels]


def test_rare_groups_get_more_permutations_and_the_others_the_same_p():
    found, names = planted()
    few, many = (absence_test(found, names, permutations=199, most=most, seed=0) for most in (None, 3_999))
    assert {test.permutations for test in few} == {199}
    assert {test.permutations for test in many} == {199, 3_999}
    for one, more in zip(few, many, strict=True):
        rare = max(one.p_kept, one.p_recounted) * 200 - 1 < absence_null.RARE
        assert more.permutations == (3_999 if rare else 199)
        assert rare or replace(more, p_least=one.p_least) == one
        assert (one.p_least, more.p_least) == (1 / 200, 1 / 4_000)
    assert (few[-1].p, many[-1].p) == (1 / 200, 1 / 4_000)
    whole = absence_test(found, names, permutations=3_999, seed=0)
    assert whole[-1] == many[-1]


def test_what_permutations_many_tests_need():
    assert [most_permutations(tests) for tests in (1, 200, 604, 1_999, 10**6)] == [9_999, 9_999, 30_199, 99_949, 99_999]
    for tests in (200, 604, 1_000):
        assert tests / (most_permutations(tests) + 1) < 0.03


def test_a_test_that_could_not_have_passed_is_undecided():
    """Forty tests with 199 permutations: the lowest p is .005, .2 after Holm."""
    found, names = planted()
    few, enough = (
        adjust({"m": absence_test(found, names, permutations=99, most=most, seed=0)})["m"] for most in (None, 3_999)
    )
    assert few[-1].p_holm == pytest.approx(40 / 100)
    assert few[-1] in undecided(few)
    assert all(test.p <= 0.05 for test in undecided(few))
    assert enough[-1].p_holm < 0.05
    assert undecided(enough) == []


def test_groups_of_so_few_rows_that_nothing_could_be_found_are_undecided():
    """One row of forty is never returned: in one of forty labellings it is that row."""
    rng = np.random.default_rng(5)
    found = [[j for j in rng.permutation(39) if j != i][:8] for i in range(40)]
    names = [*(["a"] * 13), *(["b"] * 13), *(["c"] * 13), "one"]
    tests = adjust({"m": absence_test(listed(found), names, permutations=9_999, seed=0)})["m"]
    one = tests[-1]
    assert (one.ratio, one.p_least) == (0.0, pytest.approx(1 / 40))
    assert one.p == pytest.approx(1 / 40, abs=0.01)
    assert undecided(tests) == [one]
    assert undecided([replace(one, p_holm=0.04)]) == []
    assert undecided([replace(one, p=0.4, p_holm=1.0)] * 4) == []


@pytest.mark.battery
def test_stopping_early_keeps_the_level():
    """Labels that mean nothing: p of two stages is at most .01, .02 and .05 in no more than that share of groups."""
    labels = np.repeat(np.arange(5), 12)
    p = np.array([
        test.p
        for seed in range(600)
        for test in absence_test(
            listed(drawn(np.random.default_rng(seed), labels, 6, 1.0)), list(map(str, labels)), permutations=199,
            most=999, seed=seed,
        )
    ])  # fmt: skip
    for level in (0.01, 0.02, 0.05, 0.1):
        assert np.mean(p <= level) <= level + 2.5 * math.sqrt(level * (1 - level) / 600)
