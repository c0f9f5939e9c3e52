"""Cut-offs carried over: hand values, the same model and copies of it, bins, edges, and whether intervals cover."""

from __future__ import annotations

import math

import numpy as np
import pytest

from embdiff._plain import reader
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import similarities as similarities_module
from embdiff.measures import thresholds
from embdiff.measures.similarities import Distribution, Similarities, describe, gather, unrelated
from embdiff.measures.thresholds import carry_over


def table(values, expected=None, model="a"):
    """All similarities single: one line per query and document; NaN for the query's own."""
    values = np.asarray(values, dtype=np.float32)
    wanted = np.zeros(values.shape, dtype=bool) if expected is None else np.asarray(expected, dtype=bool)
    place, column = np.nonzero(~np.isnan(values))
    order = np.lexsort((-values[place, column], place))
    place, column = place[order], column[order]
    s = len(values)
    return Similarities(
        model, model, np.arange(s), np.ones(s, dtype=bool), wanted.any(axis=1), place, values[place, column],
        np.ones(len(place), dtype=np.int64), np.zeros(len(place), dtype=bool), wanted[place, column],
    )  # fmt: skip


def gathered(queries, documents, *, kept, expected=None, model="a"):
    own = [np.array([row]) for row in range(len(queries))]
    wanted = [np.zeros(0, dtype=np.int64)] * len(queries) if expected is None else expected
    s = len(queries)
    lines = gather(queries, documents, own, wanted, kept=kept)
    return Similarities(
        model, model, np.arange(s), np.ones(s, dtype=bool), np.array([len(each) > 0 for each in wanted]), *lines
    )


def vectors(n=120, dim=6, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, dim)) + shift).astype(np.float32)


def cosines(x, q):
    unit = x.astype(float) / np.linalg.norm(x.astype(float), axis=1, keepdims=True)
    return unit[:q] @ unit.T


A = [[0.9, 0.5, 0.1, math.nan], [0.7, 0.3, math.nan, 0.2]]
B = [[0.95, 0.85, 0.55, math.nan], [0.9, 0.75, math.nan, 0.65]]
E = [[1, 0, 0, 0], [0, 1, 0, 0]]


def by_name(found):
    return {each.by: each for each in found}


def test_hand_values():
    # In A .6 passes two of six pairs, .9 and .7, and lies half-way from .7 to .5. In B two pairs pass down to .9, and
    # half-way from there to the next, .85, is .875.
    found = by_name(carry_over(table(A, E), table(B, E, "b"), 0.6, seed=0))
    rate = found["pass rate"]
    assert rate.value == pytest.approx(0.875, abs=1e-6)
    assert (rate.rate_from, rate.rate_to) == (2 / 6, 2 / 6)
    assert (rate.n, rate.pairs, rate.passing) == (2, 6, 2)
    assert (math.isnan(rate.low), math.isnan(rate.high)) == (True, True)
    assert rate.reason == "no interval for fewer than 10 queries"
    # One of the two that pass is expected. In B the first of one, one of two, two of four (.95 .9 .85 .75): precision
    # one half at two pairs, nearest to A's two; again half-way to the next.
    assert found["precision"].value == pytest.approx(0.875, abs=1e-6)
    assert (found["precision"].rate_from, found["precision"].rate_to) == (0.5, 0.5)
    # Expected pairs: .9 and .3 in A, .6 half-way; .95 and .75 in B.
    assert found["recall"].value == pytest.approx(0.85, abs=1e-6)
    assert (found["recall"].rate_from, found["recall"].rate_to, found["recall"].pairs) == (0.5, 0.5, 2)


def test_a_cutoff_passes_what_is_equal_to_it():
    found = carry_over(table(A), table(B, model="b"), float(np.float32(0.7)), seed=0)[0]
    assert found.passing == 2
    assert found.value == pytest.approx(0.9, abs=1e-6)
    assert found.rate_to == 2 / 6


def test_to_itself_returns_the_cutoff():
    x = vectors()
    wanted = [np.argsort(-line)[2:90:29] for line in cosines(x, 60)]
    for kept in (1_000, 15):
        a = gathered(x[:60], x, kept=kept, expected=wanted)
        for at in (0.2, 0.45, 0.6, 0.75):
            for each in carry_over(a, a, at, seed=1):
                assert each.value == pytest.approx(at, abs=1e-7), (each.by, at, kept)
                assert each.low - 1e-7 <= at <= each.high + 1e-7
                assert each.rate_to == pytest.approx(each.rate_from, abs=1e-12)


def test_to_an_affine_copy_returns_the_transformed_cutoff():
    x = cosines(vectors(), 60).astype(np.float32)
    np.fill_diagonal(x, np.nan)
    wanted = np.argsort(np.argsort(-np.nan_to_num(x, nan=-2)))[:, :] % 17 == 3
    copy = 0.5 * x + np.float32(0.25)
    for at in (-0.3, 0.2, 0.6, 0.75):
        for each in carry_over(table(x, wanted), table(copy, wanted, "b"), at, seed=0):
            assert each.value == pytest.approx(0.5 * at + 0.25, abs=1e-6), (each.by, at)


def test_ties_say_both_rates():
    tied = table([[0.8, 0.8, 0.8, 0.1], [0.8, 0.8, 0.2, 0.1]], model="b")
    found = carry_over(table([[0.9, 0.7, 0.3, 0.2], [0.6, 0.5, 0.4, 0.1]]), tied, 0.6, seed=0)[0]
    assert found.rate_from == 3 / 8
    assert found.value == pytest.approx(0.8, abs=1e-6)  # three cannot be had: at .8 five pass, above it none
    assert found.rate_to == 5 / 8


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0.95, "no pair of a reaches it, the highest is 0.9: any cut-off above 0.95 does the same"),
        (0.05, "every pair of a reaches it, the lowest is 0.1: any cut-off up to 0.55 does the same"),
        (-1.0, "every pair of a reaches it"),
        (1.0, "no pair of a reaches it"),
    ],
)
def test_rates_of_none_and_all_have_a_reason(at, words):
    found = carry_over(table(A), table(B, model="b"), at, seed=0)[0]
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert words in found.reason
    assert found.rate_from == (0.0 if at > 0.5 else 1.0)
    assert found.to_dict()["value"] is None


@pytest.mark.parametrize("at", [0.05, -0.2, -1.0])
def test_where_every_pair_passes_every_rate_says_so_and_none_has_a_value(at):
    """In A the lowest pair is .1 and the lowest expected one .3; in B .55 and .75."""
    found = by_name(carry_over(table(A, E), table(B, E, "b"), at, seed=0))
    said = "every {} of a reaches it, the lowest is {}: any cut-off up to {} does the same"
    assert found["pass rate"].reason == found["precision"].reason == said.format("pair", "0.1", "0.55")
    assert found["recall"].reason == said.format("expected pair", "0.3", "0.75")
    for each in found.values():
        assert np.isnan([each.value, each.low, each.high, each.rate_to]).all()
    assert [found[by].rate_from for by in ("pass rate", "precision", "recall")] == [1.0, 2 / 6, 1.0]


def test_every_pair_passes_among_bins_too():
    x, y = vectors(300, seed=1), vectors(300, seed=2, shift=0.7)
    wanted = [np.array([200])] * 80
    a, b = (gathered(each[:80], each, kept=20, expected=wanted, model=name) for name, each in (("a", x), ("b", y)))
    assert a.binned.any()
    found = by_name(carry_over(a, b, -1.0, seed=0))
    for by in ("pass rate", "precision", "recall"):
        assert math.isnan(found[by].value), by
        assert found[by].reason.startswith("every "), by


def many(queries=30, passing=6, expected=True):
    """Each query: one document at .9, its expected one at .8 (``passing`` of them) or .2, and two below."""
    values = np.tile([0.9, 0.2, 0.1, 0.05], (queries, 1)) + np.arange(queries)[:, None] / 1e4
    values[:passing, 1] += 0.6
    wanted = np.zeros(values.shape, dtype=bool)
    wanted[:, 1] = expected
    return table(values, wanted)


@pytest.mark.parametrize(
    ("passing", "said"),
    [(1, "no interval"), (4, "no interval"), (6, "the interval is rough"), (9, "the interval is rough")],
)
def test_the_remark_counts_queries_whose_expected_pair_passes(passing, said):
    """All 30 have a passing pair; the cut-off lies between the last expected pair that passes and the next."""
    a = many(passing=passing)
    found = by_name(carry_over(a, a, 0.5, seed=0))
    assert found["pass rate"].reason is None
    words = f"only {passing} of 30 queries have a passing expected pair: "
    assert found["recall"].reason.startswith(words + said)
    assert np.isnan([found["recall"].low, found["recall"].high]).all() == (said == "no interval")
    assert words + "the interval is rough" in found["precision"].reason


@pytest.mark.parametrize(
    ("failing", "said"), [(1, "no interval"), (4, "no interval"), (7, "the interval is rough"), (15, None)]
)
def test_a_recall_hangs_on_those_that_do_not_pass_as_well(failing, said):
    a = many(passing=30 - failing)
    found = by_name(carry_over(a, a, 0.5, seed=0))["recall"]
    assert found.value == pytest.approx(0.5)
    assert found.reason == (said and f"only {failing} of 30 queries have an expected pair that does not pass: {said}")
    assert math.isfinite(found.low) == math.isfinite(found.high) == (said != "no interval")


@pytest.mark.parametrize(("queries", "there"), [(2, False), (3, False), (9, False), (10, True)])
def test_no_interval_for_fewer_than_ten_queries(queries, there):
    a = many(queries, passing=queries // 2)
    for each in carry_over(a, a, 0.5, seed=0):
        assert each.value == pytest.approx(0.5)
        assert (each.reason == "no interval for fewer than 10 queries") != there
        assert np.isfinite([each.low, each.high]).any() == there


def test_precision_that_cannot_be_had():
    good = table([[0.9, 0.5, 0.1], [0.8, 0.4, 0.2]], [[1, 0, 0], [1, 0, 0]])
    bad = table([[0.1, 0.5, 0.9], [0.2, 0.4, 0.8]], [[1, 0, 0], [1, 0, 0]], "b")
    found = by_name(carry_over(good, bad, 0.7, seed=0))["precision"]
    assert math.isnan(found.value)
    assert found.reason == "the precision of b is below that at every cut-off"
    assert found.rate_from == 1.0
    none = by_name(carry_over(bad, good, 0.7, seed=0))
    assert "no expected pair of b reaches it: there is no precision to keep" in none["precision"].reason
    assert "no expected pair of b reaches it, the highest is 0.2" in none["recall"].reason
    over = by_name(carry_over(bad, good, 0.95, seed=0))["precision"]
    assert "no pair of b reaches it" in over.reason


def test_refusals():
    with pytest.raises(ParameterError, match=r"number between -1 and 1\. Got 1\.7\. Write for example 0\.7"):
        carry_over(table(A), table(B), 1.7, seed=0)
    with pytest.raises(ParameterError, match="Got nan"):
        carry_over(table(A), table(B), math.nan, seed=0)
    with pytest.raises(ShapeError, match="asked the same queries"):
        carry_over(table(A), table(B[:1]), 0.5, seed=0)


def test_bins_change_nothing_in_the_tail_and_little_below():
    x, y = vectors(300, seed=1), vectors(300, seed=2, shift=0.7)
    whole = [gathered(each[:80], each, kept=1_000, model=name) for name, each in (("a", x), ("b", y))]
    binned = [gathered(each[:80], each, kept=20, model=name) for name, each in (("a", x), ("b", y))]
    assert not whole[0].binned.any()
    assert binned[0].binned.any()
    assert [each.count.sum() for each in binned] == [80 * 299, 80 * 299]
    for at in (0.85, 0.9):  # above every query's twentieth
        exact, near = (carry_over(*pair, at, seed=0)[0] for pair in (whole, binned))
        assert near.value == exact.value
        assert near.passing == exact.passing
    for at in (-0.5, 0.1, 0.4):
        exact, near = (carry_over(*pair, at, seed=0)[0] for pair in (whole, binned))
        assert near.value == pytest.approx(exact.value, abs=1 / 1024)
        assert near.rate_from == pytest.approx(exact.rate_from, abs=2e-4)
        assert (near.low, near.high) == pytest.approx((exact.low, exact.high), abs=2e-3)


def test_gathered_similarities_are_the_right_ones(monkeypatch):
    monkeypatch.setattr(similarities_module, "_BLOCK", 7)
    monkeypatch.setattr(similarities_module, "_HELD", 200)
    x = vectors(50)
    wanted = [np.array([40, 41]) if row % 3 else np.zeros(0, dtype=np.int64) for row in range(20)]
    found = gathered(x[:20], x, kept=5, expected=wanted)
    want = cosines(x, 20)
    for query in range(20):
        lines = found.place == query
        assert found.count[lines].sum() == 49
        single = lines & ~found.binned
        others = np.delete(want[query], query)
        assert set(np.float32(want[query][wanted[query]])) <= set(found.similarity[lines & found.expected])
        assert (found.expected[lines]).sum() == len(wanted[query])
        top = found.similarity[single & ~found.expected]
        assert top == pytest.approx(
            np.sort(np.delete(want[query], [query, *wanted[query]]))[::-1][: len(top)], abs=1e-7
        )
        for edge in (-0.25, 0.0, 0.5):  # edges of bins
            reached = found.count[lines & (found.similarity >= edge)].sum()
            assert reached == (others >= edge).sum()


def test_distributions():
    x = vectors(40)
    wanted = [np.array([30])] * 10 + [np.zeros(0, dtype=np.int64)] * 5
    found = gathered(x[:15], x, kept=3, expected=wanted)
    described = {each.population: each for each in describe(found, x, 3, seed=0)}
    want = cosines(x, 40)
    others = want[:15].copy()
    np.fill_diagonal(others, -2)
    ordered = np.sort(others, axis=1)[:, ::-1]
    for name, values in {
        "unrelated pairs": want[np.triu_indices(40, 1)],
        "nearest neighbour": ordered[:, 0],
        "neighbour 3": ordered[:, 2],
        "expected pairs": want[:10, 30],
    }.items():
        assert described[name].n == len(values)
        found = list(described[name].quantiles.values())
        assert found == pytest.approx(np.quantile(values, similarities_module.LEVELS), abs=1e-6)
    assert reader(Distribution).validate_python(described["expected pairs"].to_dict()) == described["expected pairs"]


def test_unrelated_pairs_are_sampled(monkeypatch):
    monkeypatch.setattr(similarities_module, "UNRELATED", 100)
    x = vectors(60)
    values = unrelated(x, seed=3)
    assert len(values) == 100
    assert values == pytest.approx(unrelated(x, seed=3))
    assert len(np.unique(values)) == 100


def test_the_same_seed_gives_the_same_interval():
    x, y = cosines(vectors(), 60), cosines(vectors(seed=5, shift=0.5), 60)
    first, again, other = (carry_over(table(x), table(y), 0.5, seed=seed)[0] for seed in (1, 1, 2))
    assert first == again
    assert first.low != other.low


@pytest.mark.slow
def test_intervals_cover():
    """A fixed corpus, 200 queries drawn 400 times: the interval holds the cut-off of all queries 95 times in 100."""
    rng = np.random.default_rng(42)
    documents, queries = rng.standard_normal((120, 12)), rng.standard_normal((6_000, 12))
    topics = rng.standard_normal((8, 12))
    queries += topics[rng.integers(0, 8, 6_000)]
    documents += topics[rng.integers(0, 8, 120)]

    def model(noise, shift):
        q, d = (
            np.c_[each + noise * rng.standard_normal(each.shape), np.full(len(each), shift)]
            for each in (queries, documents)
        )
        q, d = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (q, d))
        return q @ d.T

    a, b = model(0.0, 0.0), model(0.5, 2.5)
    truth = carry_over(table(a), table(b), 0.55, seed=0)[0].value
    held = 0
    for repeat in range(400):
        rows = np.random.default_rng([1, repeat]).choice(6_000, 200)
        found = carry_over(table(a[rows]), table(b[rows]), 0.55, seed=repeat)[0]
        held += found.low <= truth <= found.high
    assert 0.925 <= held / 400 <= 0.975
    assert thresholds.RESAMPLES == 2_000
