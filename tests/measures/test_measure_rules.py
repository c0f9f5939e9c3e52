"""Rules in their text form, and the engine that says on which side of a limit a number lies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from embdiff.errors import ParameterError, UnknownNameError
from embdiff.measures.rules import read_rule
from embdiff.measures.ruling import FEW_DIFFER, Estimate, most_of, of_differences, of_score, settled
from embdiff.measures.statistics.resampling import interval
from embdiff.records import Score

LIMIT = 0.02


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("overlap@10 < 0.6", "overlap@10 < 0.6"),
        ("overlap@10<=.6", "overlap@10 < 0.6"),
        (" ndcg@10  drop >= 2e-2 ", "ndcg@10 drop > 0.02"),
        ("rbo(p=0.8)@5 > 0.9", "rbo(p=0.8)@5 > 0.9"),
        ("cka < 0.4", "cka < 0.4"),
        ("hubness > 3", "hubness > 3"),
        ("ndcg drop > 0", "ndcg drop > 0"),
    ],
)
def test_text_forms_round_trip(text, form):
    assert str(read_rule(text)) == form
    assert str(read_rule(form)) == form


def test_a_rule_without_a_k_takes_that_of_the_run():
    assert str(read_rule("ndcg drop > 0.02").at(5)) == "ndcg@5 drop > 0.02"
    assert str(read_rule("ndcg@3 drop > 0.02").at(5)) == "ndcg@3 drop > 0.02"
    assert str(read_rule("cka < 0.5").at(5)) == "cka < 0.5"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("overlab@10 < 0.6", "Did you mean 'overlap'"),
        ("overlap@10", "must be a measure, < or >, and a number"),
        ("overlap@10 < many", "must be a measure, < or >, and a number"),
        ("overlap@10 < nan", "must be a measure, < or >, and a number"),
        ("overlap@10 < 60", "must lie between 0 and 1"),
        ("overlap@10 < 1", "must lie between 0 and 1"),
        ("ndcg@10 drop < 0.02", "must limit a drop from above"),
        ("ndcg@10 drop > -0.1", "must lie between 0 and 1"),
        ("ndcg@x drop > 0.1", "must be an integer"),
    ],
)
def test_what_is_no_rule_is_refused(text, said):
    with pytest.raises((ParameterError, UnknownNameError), match=said) as refused:
        read_rule(text)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(("seen", "n"), [(0, 20), (1, 20), (4, 80), (3, 3), (4, 1_400)])
def test_the_largest_share_is_the_exact_one(seen, n):
    wanted = 1.0 if seen == n else stats.beta.ppf(0.975, seen + 1, n - seen)
    assert most_of(seen, n, 0.025) == pytest.approx(wanted, abs=1e-9)


def test_the_interval_of_twenty_differences_is_student_s():
    values = np.random.default_rng(3).normal(0.1, 0.2, 20)
    low, high = of_differences(values, 1.0, seed=0).within(0.98)
    assert (low, high) == pytest.approx(stats.t.interval(0.98, 19, values.mean(), stats.sem(values)))


@pytest.mark.parametrize("differing", range(FEW_DIFFER))
def test_of_few_that_differ_the_rest_is_what_they_rule_out(differing):
    values = np.zeros(50)
    values[:differing] = 0.01
    found = of_differences(values, 1.0, seed=0)
    low, high = found.within(0.95)
    assert high == pytest.approx(stats.beta.ppf(0.975, differing + 1, 50 - differing))
    assert low == -high
    assert "rule out" in found.reason
    assert settled([found], [(0.3,)])[0].zone == 0
    open_ = settled([found], [(0.02,)])[0]
    assert open_.zone is None
    if not differing:  # n with 1 - .025^(1/n) <= .02
        assert open_.expected == 183


@pytest.mark.parametrize("n", [5, 40])
def test_where_all_differ_by_the_same_others_may_differ_otherwise(n):
    """Of which share is what n of n allow, by the exact interval; each may lie at either end of what is possible."""
    low, high = of_differences(np.full(n, 0.4), 1.0, seed=0).within(0.95)
    others = 1 - stats.beta.ppf(0.025, n, 1)
    assert (low, high) == pytest.approx((0.4 * (1 - others) - others, 0.4 * (1 - others) + others))


def test_from_thirty_on_it_reaches_as_far_as_student_s_and_the_bootstrap_s():
    """Fifty queries of which most do not differ; and values with a long tail to one side."""
    rng = np.random.default_rng(5)
    for values in (np.where(rng.random(50) < 0.3, rng.choice([-0.4, 0.4], 50), 0.0), rng.exponential(0.05, 50)):
        low, high = of_differences(values, 1.0, seed=0).within(0.95)
        student = stats.t.interval(0.95, 49, values.mean(), stats.sem(values))
        resampled = interval(values, seed=0, bounds=None)[:2]
        assert (low, high) == pytest.approx((min(student[0], resampled[0]), max(student[1], resampled[1])))


def test_no_query_no_ruling():
    found = settled([of_differences([np.nan, np.nan], 1.0, seed=0)], [(0.02,)])[0]
    assert (found.zone, found.n) == (None, 0)
    assert found.reason == "no query has a value in both models"


def fixed(value: float, error: float) -> Estimate:
    """A normal estimate, whose interval is known without resampling."""

    def within(level: float) -> tuple[float, float]:
        reach = stats.norm.ppf(0.5 + level / 2) * error
        return value - reach, value + reach

    return Estimate(value, 100, 10 * error, within)


@pytest.mark.parametrize("seed", range(40))
def test_several_are_settled_as_by_holm_on_their_p_values(seed):
    """An interval at 1 - a excludes a limit where p < a: so Holm's steps on either are the same."""
    rng = np.random.default_rng(seed)
    values, errors = rng.normal(0.05, 0.1, 7), rng.uniform(0.01, 0.08, 7)
    found = settled([fixed(*each) for each in zip(values, errors, strict=True)], [(LIMIT,)] * 7)
    p = 2 * stats.norm.sf(np.abs(values - LIMIT) / errors)
    rejected, left = set(), 7
    for at in np.argsort(p):
        if p[at] > 0.05 / left:
            break
        rejected.add(int(at))
        left -= 1
    assert {at for at, each in enumerate(found) if each.zone is not None} == rejected
    assert all(
        each.zone == int(value > LIMIT) for each, value in zip(found, values, strict=True) if each.zone is not None
    )


def test_between_two_limits_there_is_a_zone():
    near, below, above, open_ = settled(
        [fixed(0, 0.001), fixed(-1, 0.001), fixed(1, 0.001), fixed(0.1, 0.1)], [(-0.1, 0.1)] * 4
    )
    assert [near.zone, below.zone, above.zone, open_.zone] == [1, 0, 2, None]


def test_the_level_of_a_score_s_interval_grows_with_student_s_quantiles():
    score = Score("overlap@10", ("a", "b"), 0.5, 0.4, 0.65, 0.01, 20)
    assert of_score(score).within(0.95) == (0.4, 0.65)
    ratio = stats.t.ppf(0.995, 19) / stats.t.ppf(0.975, 19)
    assert of_score(score).within(0.99) == pytest.approx((0.5 - 0.1 * ratio, 0.5 + 0.15 * ratio), abs=1e-6)


def test_how_many_more_would_tell_is_what_a_simulation_needs():
    """With so many queries, four of five samples of the same spread are told."""
    rng = np.random.default_rng(5)
    values = rng.normal(0.06, 0.15, 20)
    values += 0.06 - values.mean()
    values *= 1.0
    found = settled([of_differences(values, 1.0, seed=0)], [(LIMIT,)])[0]
    assert found.zone is None
    draws = rng.normal(0.06, values.std(ddof=1), (4_000, found.expected))
    low = draws.mean(axis=1) - stats.t.ppf(0.975, found.expected - 1) * stats.sem(draws, axis=1)
    assert 0.77 < (low > LIMIT).mean() < 0.83
