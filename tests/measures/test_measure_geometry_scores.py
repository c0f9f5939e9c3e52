"""Scores of spaces: n, chance, intervals, reasons."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from embdiff import exact
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import get_measure
from embdiff.measures import shape_of_one as one
from embdiff.measures.cka import cka
from embdiff.measures.cknna import score_cknna
from embdiff.measures.dimension import even_dimension, score_intrinsic_dimension
from embdiff.measures.geometry import (
    GEOMETRY,
    score_cka,
    score_cka_biased,
    score_geometry,
    score_procrustes,
    score_pwcca,
    score_shape_angle,
    score_svcca,
)
from embdiff.measures.hubs import score_hubness, score_orphans
from embdiff.measures.rsa import rsa, score_rsa
from embdiff.measures.statistics.jackknife import groups, jackknife, student
from embdiff.records import Score, Space, Stamp


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


def every_score(a, b, seed=0):
    scores = [*score_geometry(a, b, seed=seed), score_rsa(a, b, seed=seed)]
    scores += [score_cknna(lists(a), lists(b), (a.model, b.model), seed=seed)]
    scores += [f(a, seed=seed) for f in (one.score_anisotropy, one.score_first_component, one.score_norm_spread)]
    scores += [one.score_uniformity(a, seed=seed), score_hubness(lists(a), a.model, seed=seed)]
    return [*scores, score_orphans(lists(a), a.model), score_intrinsic_dimension(a, lists(a), seed=seed)]


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
        back = Score.from_dict(score.to_dict())
        np.testing.assert_equal((back.value, back.low, back.chance), (score.value, score.low, score.chance))


def test_a_seed_fixes_everything():
    a, b = related(n=60)
    first, again, other = (every_score(a, b, seed=seed) for seed in (1, 1, 2))
    assert [score.to_dict() for score in first] == [score.to_dict() for score in again]
    assert [score.low for score in first] != [score.low for score in other]


def test_single_scores_are_those_of_the_pass_for_all():
    a, b = related(n=80)
    single = (score_cka, score_cka_biased, score_procrustes, score_shape_angle, score_svcca, score_pwcca)
    for function, expected in zip(single, score_geometry(a, b, seed=3), strict=True):
        got = function(a, b, seed=3)
        assert got.measure == expected.measure
        for part in ("value", "low", "high", "chance"):
            assert getattr(got, part) == pytest.approx(getattr(expected, part), abs=1e-12)
    assert tuple(get_measure(score.measure).measure.name for score in score_geometry(a, b, seed=3)) == GEOMETRY
    assert score_svcca(a, b, variance=0.5, seed=3).measure == "svcca(variance=0.5)"


def test_the_interval_is_that_of_leaving_rows_out():
    a, b = related(n=50)
    score = score_cka(a, b, seed=5)
    assert score.value == pytest.approx(cka(a.vectors, b.vectors))
    without = [
        cka(*(np.delete(v.vectors.astype(np.float64), part, axis=0) for v in (a, b))) for part in groups(50, seed=5)
    ]
    half = t.ppf(0.975, 19) * math.sqrt(19 / 20 * np.sum((without - np.mean(without)) ** 2))
    assert (score.low, score.high) == pytest.approx((score.value - half, score.value + half), abs=1e-5)
    score = score_rsa(a, b, seed=5)
    without = [rsa(*(np.delete(v.vectors, part, axis=0) for v in (a, b))) for part in groups(50, seed=5)]
    half = t.ppf(0.975, 19) * math.sqrt(19 / 20 * np.sum((without - np.mean(without)) ** 2))
    assert score.high == pytest.approx(score.value + half, abs=1e-5)


@pytest.mark.parametrize(("n", "d"), [(50, 10), (100, 384), (400, 40)])
def test_the_interval_of_independent_noise_contains_0(n, d):
    scores = [score_cka(*unrelated(n, d, d + 8, seed), seed=seed) for seed in range(20)]
    assert all(score.chance == 0.0 for score in scores)
    assert sum(score.low <= 0 <= score.high for score in scores) >= 18
    assert np.mean([score.high for score in scores]) < 0.2
    score = score_rsa(*unrelated(n, d, d + 8, 0), seed=0)
    assert score.low <= 0 <= score.high


@pytest.mark.slow
def test_the_interval_of_independent_noise_is_not_wider_than_it_need_be():
    """Values that hang on pairs of rows alone: a plain jackknife covers 98 to 99 %."""
    covered = [
        score.low <= 0 <= score.high for score in (score_cka(*unrelated(60, 8, 6, r), seed=r) for r in range(600))
    ]
    assert 0.925 <= np.mean(covered) <= 0.975


def test_biased_measures_stand_at_their_chance_level_for_noise():
    a, b = unrelated(120, 60, 40, 7)
    for score in score_geometry(a, b, seed=0)[1:]:
        assert score.value == pytest.approx(score.chance, rel=0.1), score.measure


def test_chance_of_cknna_hubness_orphans_and_uniformity():
    a, b = unrelated(800, 60, 60, 8)
    assert abs(score_cknna(lists(a), lists(b), ("a", "b"), seed=0).chance) < 0.02
    rng = np.random.default_rng(0)
    random = np.stack([rng.choice(np.delete(np.arange(800), row), 5, replace=False) for row in range(800)])
    neighbors = replace(lists(a), rows=random)
    score = score_hubness(neighbors, "a", seed=0)
    assert score.low <= score.chance <= score.high
    score = score_orphans(neighbors, "a")
    assert score.low <= score.chance <= score.high
    score = one.score_uniformity(a, seed=0)
    assert score.value == pytest.approx(score.chance, abs=0.01)
    score = one.score_first_component(a, seed=0)
    assert score.value == pytest.approx(score.chance, rel=0.15)


@pytest.mark.parametrize(("n", "d"), [(60, 3), (400, 8), (300, 64)])
def test_chance_of_intrinsic_dimension_and_norm_spread(n, d):
    values = []
    for seed in range(12):
        x = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
        a = space(x)
        dimension = score_intrinsic_dimension(a, exact.search(x, x, 2, "cosine", leave_out=np.arange(n)), seed=0)
        values.append((dimension.value, one.score_norm_spread(a, seed=0).value))
    for value, chance in zip(
        np.transpose(values), (dimension.chance, one.score_norm_spread(a, seed=0).chance), strict=True
    ):
        error = value.std(ddof=1) / math.sqrt(len(value))
        assert abs(value.mean() - chance) < 3 * error + 0.03 * chance
    assert even_dimension(100_000, 3) == pytest.approx(2.0, rel=0.03)
    assert math.isnan(even_dimension(9, 3))


def test_samples_and_left_out_rows_are_said():
    a, b = related(n=40)
    score = score_rsa(a, b, pairs=100, seed=0)
    assert score.measure == "rsa(pairs=100)"
    assert score.reason == "100 of 780 pairs of rows were sampled"
    empty = space(np.vstack([a.vectors, np.zeros((2, 8))]))
    assert one.score_anisotropy(empty, seed=0).reason == "2 of 42 rows have length 0 and are left out"
    assert one.score_anisotropy(empty, seed=0).n == 40
    score = one.score_uniformity(empty, pairs=200, seed=0)
    assert score.reason == "2 of 42 rows have length 0 and are left out; 200 of 780 pairs of rows were sampled"
    double = space(np.vstack([a.vectors, a.vectors[:5]]))
    score = score_intrinsic_dimension(double, lists(double, 6), seed=0)
    assert score.n == 40
    assert score.reason == "5 of 45 rows repeat another, or have no two different neighbours, and are left out"


def test_undefined_scores_say_why():
    rng = np.random.default_rng(0)
    flat, other = space(np.ones((30, 4))), space(rng.standard_normal((30, 3)), "toy:b")
    for score in (*score_geometry(flat, other, seed=0), score_rsa(flat, other, seed=0)):
        assert math.isnan(score.value)
        assert math.isnan(score.chance)
        assert score.interval == "none"
        assert "equal" in score.reason
        assert score.to_dict()["value"] is None
    few = score_geometry(*unrelated(3, 5, 4, 0), seed=0)
    assert few[0].reason == "there must be at least 4 rows, there are 3"
    assert few[4].reason == "there must be more rows than dimensions, there are 3 rows of up to 5 dimensions"
    assert score_rsa(*unrelated(2, 5, 4, 0), seed=0).reason == "there must be at least 3 rows, there are 2"
    edge = score_svcca(*unrelated(6, 5, 4, 0), seed=0)
    assert math.isfinite(edge.value)
    assert edge.reason == "there is no interval: without some of the rows the value is undefined"
    assert one.score_anisotropy(space(np.zeros((5, 2))), seed=0).reason.startswith("undefined: fewer than 2 rows")
    score = score_cknna(lists(other, 1), lists(other, 1), ("a", "b"), seed=0)
    assert score.reason == "there must be at least 4 rows and 2 neighbours, there are 30 and 1"
    assert score_hubness(lists(other, 29), "b", seed=0).reason == "undefined: all rows are returned equally often"


def test_spaces_must_be_of_the_same_ids():
    a, b = related(n=20)
    moved = Space(b.model, ("x", *b.ids[1:]), b.vectors, b.stamp)
    for function in (score_cka, score_rsa):
        with pytest.raises(
            ShapeError, match=r"the same ids in the same order\. Got 20 ids in toy:a and 20 in toy:b, wh"
        ):
            function(a, moved, seed=0)
    with pytest.raises(ParameterError, match=r"must be one of cka, cka_biased.*Got 'overlap'\. Take one of these\."):
        score_geometry(a, b, seed=0, measures=("overlap",))


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
    assert jackknife(0.9, [0.5, 1.3], (0, 1))[:2] == (0, 1)
    for unusable in ((math.nan, [1, 2]), (1.0, [1, math.nan]), (1.0, [1]), (1.0, [])):
        assert jackknife(*unusable, (0, 1))[2] == "none"


@pytest.mark.parametrize("free", [1, 2, 3, 5, 10, 19, 100])
def test_student(free):
    for level in (0.9, 0.95):
        assert student(free, level) == pytest.approx(t.ppf(0.5 + level / 2, free), rel=0.003 if free < 10 else 1e-4)
