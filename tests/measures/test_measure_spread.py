"""Spread by hand and against a loop, second-order cosine against its formula, and the scores of both."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neighbor_lists import listed, scored

from embdiff import exact
from embdiff._plain import reader
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures import get_measure
from embdiff.measures import rank as blocks_module
from embdiff.measures.spread import chance_of_second_order, median_rank, second_order_cosine, spread
from embdiff.records import Score


def test_by_hand():
    ranks = np.array([[3, 1, 2], [9, 1, 4], [5, 2, -1], [-1, 8, -1], [-1, -1, -1]])
    np.testing.assert_array_equal(median_rank(ranks), [2, 4, 3.5, 8, math.nan])
    np.testing.assert_array_equal(spread(ranks, 10), [0.2, 0.4, 0.35, 0.8, math.nan])
    np.testing.assert_array_equal(spread(ranks, np.array([10, 10, 10, 8, 10])), [0.2, 0.4, 0.35, 1.0, math.nan])


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 6))
def test_against_numpy(seed, k, q):
    rng = np.random.default_rng(seed)
    ranks = rng.permuted(np.tile(np.arange(1, 13), (q, 1)), axis=1)[:, :k]
    ranks[rng.random(ranks.shape) < 0.3] = -1
    for line, middle in zip(ranks, median_rank(ranks), strict=True):
        known = line[line > 0]
        assert middle == np.median(known) if known.size else math.isnan(middle)
    np.testing.assert_array_equal(median_rank(ranks[:, ::-1]), median_rank(ranks))


def ranked(ranks, **more):
    """The score of ranks; what the lists hold does not matter."""
    lists = listed(np.where(ranks > 0, np.arange(ranks.shape[1]), -1))
    return scored("spread", lists, lists, ("x", "y"), ranks=ranks, **more)


def test_the_same_and_unrelated_spaces():
    rng = np.random.default_rng(0)
    space, other = (rng.standard_normal((400, dim)).astype(np.float32) for dim in (16, 24))
    turned = (space @ np.linalg.qr(rng.standard_normal((16, 16)))[0] * 2).astype(np.float32)
    own = np.arange(400)
    found = exact.search(space, space, 9, "cosine", leave_out=own)
    same = exact.ranks(turned, turned, found.rows, "cosine", leave_out=own)
    np.testing.assert_array_equal(spread(same, 399), np.full(400, 5 / 399))
    far = exact.ranks(other, other, found.rows, "cosine", leave_out=own)
    score = ranked(far, candidates=399)
    assert score.chance == pytest.approx(400 / 2 / 399)
    assert score.low <= score.chance <= score.high
    assert (score.measure, score.interval, score.n) == ("spread@9", "bootstrap-t", 400)


def test_spread_score():
    score = ranked(np.array([[1, 2], [-1, -1]]), query_model="x", candidates=5)
    assert (score.value, score.n, score.chance) == (0.3, 1, 0.6)
    assert score.reason == "1 of 2 queries have no ranks and are left out"
    assert reader(Score).validate_python(json.loads(json.dumps(score.to_dict(), allow_nan=False))) == score
    fixed = ranked(np.array([[1, 4, 9]]), candidates=9, own=np.array([[True, False, False]]))
    assert fixed.chance == pytest.approx((1 + 9 / 3) / 9)  # the first of 2 ranks drawn from 2..9
    none = ranked(np.zeros((0, 2), dtype=np.int64), candidates=5)
    assert (none.n, none.reason) == (0, "there are no queries")
    assert str(get_measure("spread@10")) == "spread@10"


def test_ranks_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"Got \(3,\)\. Pass one line of ranks per query\."):
        median_rank(np.array([1, 2, 3]))
    with pytest.raises(ShapeError, match="k at least 1"):
        median_rank(np.zeros((2, 0)))
    with pytest.raises(ParameterError, match=r"Got 0\. Count the nearest row as rank 1\."):
        median_rank(np.array([[0, 1]]))
    with pytest.raises(ParameterError, match="Got rank 6 and 5 candidates for query 1"):
        spread(np.array([[1, 2], [6, 2]]), 5)


def profiles_by_loop(a, b, spaces):
    values = []
    for i, (left, right) in enumerate(zip(a.rows, b.rows, strict=True)):
        union = sorted({*left.tolist(), *right.tolist()} - {-1})
        x, y = (
            np.array([v[i] @ v[j] / (np.linalg.norm(v[i]) * np.linalg.norm(v[j])) for j in union])
            for v in (space.astype(np.float64) for space in spaces)
        )
        values.append(x @ y / np.sqrt(x @ x * (y @ y)) if union else math.nan)
    return np.array(values)


@pytest.mark.parametrize("chunk", [2**17, 30])
def test_second_order_cosine_against_a_loop(chunk, monkeypatch):
    monkeypatch.setattr(blocks_module, "_CHUNK", chunk)
    rng = np.random.default_rng(1)
    spaces = [rng.standard_normal((60, dim)).astype(np.float32) for dim in (5, 8)]
    a, b = (exact.search(space, space, 6, "cosine", leave_out=np.arange(60)) for space in spaces)
    a.rows[3, 4:] = -1
    a.rows[5] = b.rows[5] = -1
    values = second_order_cosine(a, b, spaces, spaces)
    np.testing.assert_allclose(values, profiles_by_loop(a, b, spaces), atol=1e-6)
    assert (values[~np.isnan(values)] <= 1).all()
    np.testing.assert_allclose(second_order_cosine(b, a, spaces[::-1], spaces[::-1]), values, atol=1e-12)
    turned = (spaces[0] @ np.linalg.qr(rng.standard_normal((5, 5)))[0] * 3).astype(np.float32)
    np.testing.assert_allclose(second_order_cosine(a, b, (turned, spaces[1]), (turned, spaces[1])), values, atol=1e-5)
    mirrored = listed(a.rows[:, ::-1])
    np.testing.assert_allclose(second_order_cosine(mirrored, b, spaces, spaces), values, atol=1e-12)


def test_second_order_cosine_of_a_space_and_itself():
    space = np.random.default_rng(2).standard_normal((40, 6)).astype(np.float32)
    found = exact.search(space, space, 5, "cosine", leave_out=np.arange(40))
    np.testing.assert_allclose(second_order_cosine(found, found, (space, space), (space, space)), 1.0, atol=1e-12)
    score = scored("second_order_cosine", found, found, vectors=((space, space), (space, space)))
    assert (score.measure, score.value) == ("second_order_cosine@5", pytest.approx(1))
    assert -1 < score.chance < 0.9
    # One direction and one across: a profile of 0.
    flat = np.array([[1, 0], [0, 1], [0, 2]], dtype=np.float32)
    lists = listed([[1, 2], [-1, -1], [1, 0]])
    score = scored("second_order_cosine", lists, lists, vectors=((flat, flat), (flat, flat)))
    assert score.n == 1
    assert score.reason == "2 of 3 queries have no neighbours, or no similarity other than 0, and are left out"


@pytest.mark.parametrize("asked", ["every row", "some rows", "others"])
def test_chance_of_second_order_cosine_is_what_unrelated_spaces_reach(asked):
    rng = np.random.default_rng(5)
    base = rng.standard_normal((300, 4)) + 1.0
    rows = {"every row": np.arange(300), "some rows": np.arange(0, 300, 3), "others": None}[asked]

    def found(space, texts):
        if rows is None:
            return exact.search(texts, space, 5, "cosine")
        return exact.search(texts, space, 5, "cosine", leave_out=rows)

    related = [(base @ rng.standard_normal((4, d)) + 0.1).astype(np.float32) for d in (5, 9)]
    texts = [space[:80] + np.float32(0.5) if rows is None else space[rows] for space in related]
    a, b = (found(space, text) for space, text in zip(related, texts, strict=True))
    chance = chance_of_second_order(a, b, tuple(texts), tuple(related), rows=rows, seed=0)
    values, unrelated = second_order_cosine(a, b, texts, related).mean(), []
    for seed in range(40):  # the same spaces, the rows of the second in another order, searched anew
        order = np.random.default_rng(seed).permutation(300)
        other = np.random.default_rng(seed).permutation(len(texts[1]))
        shuffled = related[1][order]
        again = texts[1][other] if rows is None else shuffled[rows]
        unrelated.append(
            second_order_cosine(a, found(shuffled, again), (texts[0], again), (related[0], shuffled)).mean()
        )
    assert chance == pytest.approx(
        np.mean(unrelated), abs=4 * np.std(unrelated) * math.sqrt(len(texts[0]) / 1_000 + 0.03)
    )
    assert values > chance + 0.05
    assert chance == chance_of_second_order(a, b, tuple(texts), tuple(related), rows=rows, seed=0)


def test_spaces_that_do_not_fit():
    one, two = (np.ones((n, 2), dtype=np.float32) for n in (3, 4))
    lists = listed([[1, 2]] * 3)
    with pytest.raises(ShapeError, match=r"Got 3 and 4\. Encode one corpus with both models\."):
        second_order_cosine(lists, lists, (one, one), (one, two))
