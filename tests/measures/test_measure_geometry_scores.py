"""Scores of spaces: n, chance, intervals, reasons."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from embdiff import exact
from embdiff._plain import reader
from embdiff.errors import ShapeError
from embdiff.measures import base, get_measure
from embdiff.measures.cka import cka
from embdiff.measures.dimension import even_dimension
from embdiff.measures.rsa import rsa
from embdiff.measures.score import score as score_of
from embdiff.measures.score import scores
from embdiff.measures.spaces import OneSpace, TwoSpaces
from embdiff.measures.statistics.jackknife import groups, jackknife
from embdiff.measures.statistics.quantiles import student_quantile
from embdiff.records import Neighbors, Score, Space, Stamp

GEOMETRY = ("cka", "cka_biased", "procrustes", "shape_angle", "svcca", "pwcca")


def space(vectors, model="toy:a"):
    vectors = np.asarray(vectors, dtype=np.float32)
    ids = tuple(map(str, range(len(vectors))))
    return Space(model, ids, vectors, Stamp(model, "1", vectors.shape[1]))


def related(n=300, d1=8, d2=6, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d1))
    y = x @ rng.standard_normal((d1, d2)) / math.sqrt(d1) + noise * rng.standard_normal((n, d2))
    return space(x), space(y, "toy:b")


def unrelated(n, d1, d2, seed):
    rng = np.random.default_rng(seed)
    return space(rng.standard_normal((n, d1))), space(rng.standard_normal((n, d2)), "toy:b")


def lists(a, k=5, metric="cosine"):
    return exact.search(a.vectors, a.vectors, k, metric, leave_out=np.arange(len(a.ids)))


def score_geometry(a, b, *, seed):
    return scores(GEOMETRY, TwoSpaces(OneSpace(a), OneSpace(b)), seed=seed)


def of_two(measure, a, b, *, seed, found=(None, None)):
    return score_of(measure, TwoSpaces(*(OneSpace(*each) for each in zip((a, b), found, strict=True))), seed=seed)


def of_one(measure, a, found=None, *, seed=0):
    return score_of(measure, OneSpace(a, found), seed=seed)


def every_score(a, b, seed=0):
    two = TwoSpaces(OneSpace(a, lists(a)), OneSpace(b, lists(b)))
    alone = ("anisotropy", "first_component", "norm_spread", "uniformity", "hubness", "orphans", "intrinsic_dimension")
    return [*scores([*GEOMETRY, "rsa", "cknna"], two, seed=seed), *scores(alone, two.a, seed=seed)]


def test_every_score_is_whole():
    a, b = related()
    for score in every_score(a, b):
        spec = get_measure(score.measure)
        assert str(spec) == score.measure
        assert score.n == 300
        assert score.reason is None
        assert spec.measure.range[0] <= score.low <= score.value <= score.high <= spec.measure.range[1]
        assert score.interval == ("wilson" if spec.measure.name == "orphans" else "jackknife")
        assert math.isfinite(score.chance)
        assert score.models == ((a.model, b.model) if len(score.models) == 2 else (a.model,))
        back = reader(Score).validate_python(score.to_dict())
        np.testing.assert_equal((back.value, back.low, back.chance), (score.value, score.low, score.chance))


def test_a_seed_fixes_everything():
    a, b = related(n=60)
    first, again, other = (every_score(a, b, seed=seed) for seed in (1, 1, 2))
    assert [score.to_dict() for score in first] == [score.to_dict() for score in again]
    assert [score.low for score in first] != [score.low for score in other]


def test_single_scores_are_those_of_the_pass_for_all():
    a, b = related(n=80)
    for name, expected in zip(GEOMETRY, score_geometry(a, b, seed=3), strict=True):
        got = of_two(name, a, b, seed=3)
        assert got.measure == expected.measure
        for part in ("value", "low", "high", "chance"):
            assert getattr(got, part) == pytest.approx(getattr(expected, part), abs=1e-12)
    assert tuple(get_measure(score.measure).measure.name for score in score_geometry(a, b, seed=3)) == GEOMETRY
    assert of_two("svcca(variance=0.5)", a, b, seed=3).measure == "svcca(variance=0.5)"


def test_the_interval_is_that_of_leaving_rows_out():
    a, b = related(n=50)
    score = of_two("cka", a, b, seed=5)
    assert score.value == pytest.approx(cka(a.vectors, b.vectors))
    without = [
        cka(*(np.delete(v.vectors.astype(np.float64), part, axis=0) for v in (a, b))) for part in groups(50, seed=5)
    ]
    half = t.ppf(0.975, 19) * math.sqrt(19 / 20 * np.sum((without - np.mean(without)) ** 2))
    assert (score.low, score.high) == pytest.approx((score.value - half, score.value + half), abs=1e-5)
    score = of_two("rsa", a, b, seed=5)
    without = [rsa(*(np.delete(v.vectors, part, axis=0) for v in (a, b))) for part in groups(50, seed=5)]
    half = t.ppf(0.975, 19) * math.sqrt(19 / 20 * np.sum((without - np.mean(without)) ** 2))
    assert score.high == pytest.approx(score.value + half, abs=1e-5)


@pytest.mark.parametrize(("n", "d"), [(50, 10), (100, 384), (400, 40)])
def test_the_interval_of_independent_noise_contains_0(n, d):
    scores = [of_two("cka", *unrelated(n, d, d + 8, seed), seed=seed) for seed in range(20)]
    assert all(score.chance == 0.0 for score in scores)
    assert sum(score.low <= 0 <= score.high for score in scores) >= 18
    assert np.mean([score.high for score in scores]) < 0.2
    score = of_two("rsa", *unrelated(n, d, d + 8, 0), seed=0)
    assert score.low <= 0 <= score.high


@pytest.mark.slow
def test_the_interval_of_independent_noise_is_not_wider_than_it_need_be():
    """Values that hang on pairs of rows alone: a plain jackknife covers 98 to 99 %."""
    covered = [
        score.low <= 0 <= score.high for score in (of_two("cka", *unrelated(60, 8, 6, r), seed=r) for r in range(600))
    ]
    assert 0.925 <= np.mean(covered) <= 0.975


def test_biased_measures_stand_at_their_chance_level_for_noise():
    a, b = unrelated(120, 60, 40, 7)
    for score in score_geometry(a, b, seed=0)[1:]:
        assert score.value == pytest.approx(score.chance, rel=0.1), score.measure


def test_chance_of_cknna_hubness_orphans_and_uniformity():
    a, b = unrelated(800, 60, 60, 8)
    assert abs(of_two("cknna", a, b, seed=0, found=(lists(a), lists(b))).chance) < 0.02
    rng = np.random.default_rng(0)
    random = np.stack([rng.choice(np.delete(np.arange(800), row), 5, replace=False) for row in range(800)])
    neighbors = replace(lists(a), rows=random)
    score = of_one("hubness", a, neighbors)
    assert score.low <= score.chance <= score.high
    score = of_one("orphans", a, neighbors)
    assert score.low <= score.chance <= score.high
    score = of_one("uniformity", a)
    assert score.value == pytest.approx(score.chance, abs=0.01)
    score = of_one("first_component", a)
    assert score.value == pytest.approx(score.chance, rel=0.15)


@pytest.mark.parametrize(("n", "d"), [(60, 3), (400, 8), (300, 64)])
def test_chance_of_intrinsic_dimension_and_norm_spread(n, d):
    values = []
    for seed in range(12):
        x = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
        a = space(x)
        dimension = of_one("intrinsic_dimension", a, lists(a, 2))
        values.append((dimension.value, of_one("norm_spread", a).value))
    for value, chance in zip(np.transpose(values), (dimension.chance, of_one("norm_spread", a).chance), strict=True):
        error = value.std(ddof=1) / math.sqrt(len(value))
        assert abs(value.mean() - chance) < 3 * error + 0.03 * chance
    assert even_dimension(100_000, 3) == pytest.approx(2.0, rel=0.03)
    assert math.isnan(even_dimension(9, 3))


def test_samples_and_left_out_rows_are_said():
    a, b = related(n=40)
    score = of_two("rsa(pairs=100)", a, b, seed=0)
    assert score.measure == "rsa(pairs=100)"
    assert score.reason == "100 of 780 pairs of rows were sampled"
    empty = space(np.vstack([a.vectors, np.zeros((2, 8))]))
    assert of_one("anisotropy", empty).reason == "2 of 42 rows have length 0 and are left out"
    assert of_one("anisotropy", empty).n == 40
    score = of_one("uniformity(pairs=200)", empty)
    assert score.reason == "2 of 42 rows have length 0 and are left out; 200 of 780 pairs of rows were sampled"
    double = space(np.vstack([a.vectors, a.vectors[:5]]))
    score = of_one("intrinsic_dimension", double, lists(double, 6))
    assert score.n == 40
    assert score.reason == "5 of 45 rows repeat another, or have no two different neighbours, and are left out"


def test_undefined_scores_say_why():
    rng = np.random.default_rng(0)
    flat, other = space(np.ones((30, 4))), space(rng.standard_normal((30, 3)), "toy:b")
    for score in (*score_geometry(flat, other, seed=0), of_two("rsa", flat, other, seed=0)):
        assert math.isnan(score.value)
        assert math.isnan(score.chance)
        assert score.interval == "none"
        assert "equal" in score.reason
        assert score.to_dict()["value"] is None
    few = score_geometry(*unrelated(3, 5, 4, 0), seed=0)
    assert few[0].reason == "there must be at least 4 rows, there are 3"
    assert few[4].reason == "there must be more rows than dimensions, there are 3 rows of up to 5 dimensions"
    assert of_two("rsa", *unrelated(2, 5, 4, 0), seed=0).reason == "there must be at least 3 rows, there are 2"
    edge = of_two("svcca", *unrelated(6, 5, 4, 0), seed=0)
    assert math.isfinite(edge.value)
    assert edge.reason == "there is no interval: there are fewer than 10 rows"
    edge = of_two("svcca", *unrelated(11, 10, 4, 0), seed=0)
    assert math.isfinite(edge.value)
    assert edge.reason == "there is no interval: without some of the rows the value is undefined"
    assert of_one("anisotropy", space(np.zeros((5, 2)))).reason.startswith("undefined: fewer than 2 rows")
    score = of_two("cknna", other, other, seed=0, found=(lists(other, 1), lists(other, 1)))
    assert score.reason == "there must be at least 4 rows and 2 neighbours, there are 30 and 1"
    assert of_one("hubness", other, lists(other, 29)).reason == "undefined: all rows are returned equally often"


def test_spaces_must_be_of_the_same_ids():
    a, b = related(n=20)
    moved = Space(b.model, ("x", *b.ids[1:]), b.vectors, b.stamp)
    for name in ("cka", "rsa"):
        with pytest.raises(
            ShapeError, match=r"the same ids in the same order\. Got 20 ids in toy:a and 20 in toy:b, wh"
        ):
            of_two(name, a, moved, seed=0)


def test_groups_are_disjoint_and_whole():
    for n in (1, 5, 20, 47):
        parts = groups(n, seed=0)
        assert len(parts) == min(20, n)
        assert np.sort(np.concatenate(parts)).tolist() == list(range(n))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).standard_normal(40)
    without = [np.delete(values, i).mean() for i in range(40)]
    low, high, method = jackknife(values.mean(), without, (-9, 9))
    assert method == "jackknife"
    half = t.ppf(0.975, 39) * values.std(ddof=1) / math.sqrt(40)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=1e-4)
    assert jackknife(0.9, [0.5, 1.3] * 5, (0, 1))[:2] == (0, 1)
    for unusable in ((math.nan, [1, 2] * 5), (1.0, [*range(9), math.nan]), (1.0, range(9)), (1.0, [1]), (1.0, [])):
        assert jackknife(*unusable, (0, 1))[2] == "none"


@pytest.mark.parametrize(("rows", "there"), [(3, False), (5, False), (9, False), (10, True)])
@pytest.mark.parametrize("name", ["procrustes", "shape_angle", "cka", "rsa"])
def test_few_rows_have_no_interval_and_none_of_width_0(name, rows, there):
    """Without one of three rows any two spaces are two points each, which are alike: no spread is no certainty."""
    score = of_two(name, *unrelated(rows, 6, 4, 1), seed=0)
    assert (score.interval == "jackknife") == there
    assert (score.low < score.high) == there
    if not there and math.isfinite(score.value):
        assert score.reason == "there is no interval: there are fewer than 10 rows"


@pytest.mark.parametrize("name", ["first_component", "anisotropy", "norm_spread", "uniformity"])
def test_few_rows_of_one_space_have_no_interval(name):
    vectors = np.random.default_rng(2).standard_normal((12, 5)) + 0.3
    for rows in (3, 9, 10):
        score = of_one(name, space(vectors[:rows]))
        assert math.isfinite(score.value)
        assert (score.interval == "none") == (rows < 10)
        assert (score.reason == "there is no interval: there are fewer than 10 rows") == (rows < 10)


@pytest.mark.parametrize("free", [1, 2, 3, 5, 10, 19, 100])
def test_student(free):
    for level in (0.9, 0.95):
        assert student_quantile(0.5 + level / 2, free) == pytest.approx(t.ppf(0.5 + level / 2, free), rel=1e-9)


def test_inputs_that_a_measure_cannot_take_have_a_reason():
    a, b = related(n=30)
    two = TwoSpaces(OneSpace(a), OneSpace(b))
    assert score_of("cknna", two).reason == "undefined: the neighbours of the rows in toy:a are not there"
    assert score_of("hubness", OneSpace(a)).reason == "undefined: the neighbours of the rows in toy:a are not there"
    assert "no two spaces" in score_of("cka", OneSpace(a)).reason
    by_l2 = of_two("cknna", a, b, seed=0, found=(lists(a, metric="l2"), lists(b, metric="l2")))
    assert by_l2.reason == "undefined: it aligns cosines: vectors searched by l2 must be of length 1"
    assert (by_l2.n, by_l2.measure) == (30, "cknna@5")
    dimension = of_one("intrinsic_dimension", a, lists(a, metric="ip"))
    assert dimension.reason == "undefined: an inner product is no distance: vectors differ in length"
    few = of_one("intrinsic_dimension", a, lists(a, 1))
    assert few.reason == "undefined: it needs two neighbours of each row, k is 1"


def test_lists_of_unit_vectors_are_the_same_by_every_metric():
    a, b = (space(v.vectors / np.linalg.norm(v.vectors, axis=1, keepdims=True), v.model) for v in related(n=40))
    by_cosine, by_l2 = (
        of_two("cknna", a, b, seed=0, found=[lists(v, metric=metric) for v in (a, b)]) for metric in ("cosine", "l2")
    )
    assert by_l2.value == pytest.approx(by_cosine.value, abs=1e-6)
    values = [of_one("intrinsic_dimension", a, lists(a, metric=metric)).value for metric in ("cosine", "ip")]
    assert values[1] == pytest.approx(values[0], rel=1e-4)


def shared(a, b):
    """A plain function of two lists of every row, as another package would write it."""
    both = [len(set(one[one >= 0]) & set(two[two >= 0])) for one, two in zip(a.rows, b.rows, strict=True)]
    return float(np.mean(both)) / a.k


@pytest.mark.parametrize(
    ("name", "needs", "function"),
    [
        ("mean_norm", "one space", lambda x: float(np.linalg.norm(x, axis=1).mean())),
        ("common", "two spaces", lambda x, y: float((x[:, :6] * y).mean())),
        ("shared", "two neighbors of every row", shared),
        ("depth", "neighbors of every row", lambda a: float((a.rows >= 0).mean())),
        ("both", "one space + neighbors", lambda x, a: float(x[a.rows[:, 0]].mean())),
    ],
)
def test_a_plain_function_is_scored_by_leaving_rows_out(name, needs, function):
    a, b = related(n=50)
    measure = replace(get_measure("cka").measure, name=name, needs=needs, function=function, scorer=None, best=None)
    measure = replace(measure, range=(-math.inf, math.inf), cutoff="every row" in needs)
    two = TwoSpaces(OneSpace(a, lists(a)), OneSpace(b, lists(b)))
    inputs = two if "two" in needs else two.a
    score = score_of(base.MeasureSpec(measure), inputs, seed=4)
    assert score.measure == (f"{name}@5" if measure.cutoff else name)
    assert score.value == pytest.approx(function(*inputs.arguments(needs)))
    assert score.n == 50
    assert score.interval == "jackknife"
    assert score.low <= score.value <= score.high
    assert math.isnan(score.chance)
    if name == "common":
        without = [function(*(np.delete(v.vectors, part, axis=0) for v in (a, b))) for part in groups(50, seed=4)]
        assert (score.low, score.high) == jackknife(score.value, without, measure.range)[:2]


def test_lists_without_rows_are_shorter():
    found = Neighbors(np.array([[1, 2], [2, 0], [0, 1], [1, 2]]), np.zeros((4, 2), dtype=np.float32), "cosine")
    seen = []
    measure = replace(
        get_measure("hubness").measure, function=lambda a: seen.append(a.rows.tolist()) or 0.0, scorer=None
    )
    a = space(np.eye(4))
    score_of(base.MeasureSpec(measure), OneSpace(a, found))
    out = [int(part[0]) for part in groups(4, seed=0)]
    assert dict(zip(out, seen, strict=False)) == {
        0: [[1, -1], [0, -1], [0, 1]],
        1: [[1, -1], [0, -1], [1, -1]],
        2: [[1, -1], [0, -1], [1, -1]],
        3: [[1, 2], [2, 0], [0, 1]],
    }
