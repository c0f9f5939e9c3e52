"""The exact answer against plain float64 brute force, above all where rows tie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from repeated_rows import repeated_rows

from embdiff import exact
from embdiff.errors import ParameterError, ShapeError
from embdiff.exact import _knn, _ranks
from embdiff.exact._rows import rough_squares
from embdiff.exact._surrogate import Prepared

METRICS = ("cosine", "ip", "l2")


def brute(queries, vectors, metric, leave_out=None):
    """All similarities (q, n), 12 digits of them, and the full order of rows, in plain float64, one pair at a time."""
    q, v = queries.astype(np.float64), vectors.astype(np.float64)
    if metric == "l2":
        full = -np.array([[((a - b) ** 2).sum() for b in v] for a in q])
    else:
        full = np.array([[(a * b).sum() for b in v] for a in q])
    if metric == "cosine":
        full = full / np.array([[np.sqrt((a * a).sum()) * np.sqrt((b * b).sum()) for b in v] for a in q])
    fraction, exponent = np.frexp(full.reshape(len(q), len(v)))
    full = np.ldexp(np.round(fraction * 2.0**40) / 2.0**40, exponent)
    order = []
    for at, line in enumerate(full):
        rows = [row for row in range(len(v)) if leave_out is None or row != leave_out[at]]
        order.append(sorted(rows, key=lambda row: (-line[row], row)))
    return full, order


def check(queries, vectors, k, metric, leave_out=None):
    full, order = brute(queries, vectors, metric, leave_out)
    found = exact.search(queries, vectors, k, metric, leave_out=leave_out)
    np.testing.assert_array_equal(found.rows, [line[:k] for line in order])
    expected = np.take_along_axis(full, found.rows, axis=1)
    np.testing.assert_allclose(found.similarity, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(found.similarity, exact.similarity(queries, vectors, found.rows, metric))
    every = np.tile(np.arange(len(vectors)), (len(queries), 1))
    ranks = exact.ranks(queries, vectors, every, metric, leave_out=leave_out)
    for line, got in zip(order, ranks, strict=True):
        assert [got[row] for row in line] == list(range(1, len(line) + 1))
        assert all(got[row] == -1 for row in set(range(len(vectors))) - set(line))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("left_out", [False, True])
def test_random_vectors_against_brute_force(metric, left_out):
    vectors = np.random.default_rng(3).standard_normal((150, 24)).astype(np.float32)
    check(vectors, vectors, 10, metric, np.arange(150) if left_out else None)


@pytest.mark.parametrize("metric", METRICS)
def test_duplicates_and_whole_numbers_against_brute_force(metric):
    rng = np.random.default_rng(5)
    grid = rng.integers(-1, 2, (40, 3)).astype(np.float32) * 2
    grid[~grid.any(axis=1)] = (2, 0, 0)
    check(grid, grid[rng.integers(0, 40, 120)], 7, metric)
    check(grid, grid, 39, metric, np.arange(40))


# Whole numbers tie exactly in many ways; small enough that sums are exact whatever the order of summation.
tables = st.integers(1, 4).flatmap(
    lambda d: st.tuples(
        hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(d)), elements=st.integers(-3, 3).map(float)),
        hnp.arrays(np.float32, st.tuples(st.integers(2, 30), st.just(d)), elements=st.integers(-3, 3).map(float)),
    )
)


@settings(max_examples=150, deadline=None)
@given(tables, st.sampled_from(("ip", "l2")), st.data())
def test_any_table_with_ties_against_brute_force(pair, metric, data):
    queries, vectors = pair
    left_out = data.draw(
        st.none() | hnp.arrays(np.int64, len(queries), elements=st.integers(-1, len(vectors) - 1)), label="leave_out"
    )
    k = data.draw(st.integers(1, len(vectors) - (left_out is not None)), label="k")
    check(queries, vectors, k, metric, left_out)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(METRICS), st.floats(-30, 30), st.floats(-5, 5))
def test_any_scale_and_offset_keeps_search_and_ranks_in_step(seed, metric, exponent, offset):
    """Near ties, tiny and huge vectors: rank of the first k is 1..k, whatever float32 makes of the products."""
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((20, 8)) * 10.0 ** rng.integers(-4, 1) + offset
    vectors = (base[rng.integers(0, 20, 60)] * (1 + 1e-7 * rng.integers(0, 3, (60, 8)))).astype(np.float32)
    vectors = (vectors * 10.0 ** (exponent / 2)).astype(np.float32)
    own = np.arange(60)
    found = exact.search(vectors, vectors, 25, metric, leave_out=own)
    for row, order in enumerate(brute(vectors, vectors, metric, own)[1]):
        assert list(found.rows[row]) == order[:25]
    ranks = exact.ranks(vectors, vectors, found.rows, metric, leave_out=own)
    np.testing.assert_array_equal(ranks, np.tile(np.arange(1, 26), (60, 1)))


@pytest.mark.parametrize("metric", METRICS)
def test_thousands_of_identical_rows_return_the_lowest(metric):
    rng = np.random.default_rng(1)
    others, one = rng.standard_normal((50, 16)), rng.standard_normal(16)
    shuffled = rng.permutation(5_050)
    vectors = np.concatenate([others, np.tile(2 * one, (5_000, 1))])[shuffled].astype(np.float32)
    same = np.flatnonzero(shuffled >= 50)
    own = same[[0, 5, 2_000]]
    found = exact.search(vectors[own], vectors, 10, metric, leave_out=own)
    for query, rows in zip(own, found.rows, strict=True):
        assert list(rows) == [row for row in same[:11] if row != query][:10]
    ranks = exact.ranks(vectors[own], vectors, found.rows, metric, leave_out=own)
    np.testing.assert_array_equal(ranks, np.tile(np.arange(1, 11), (3, 1)))
    assert exact.ranks(vectors[own], vectors, np.tile(same[-1:], (3, 1)), metric).tolist() == [[5_000]] * 3


def test_ties_between_different_vectors_straddle_the_last_place():
    """Query (1, 0): 200 different vectors with inner product 0, one with 1."""
    vectors = np.array([[0, n] for n in range(1, 201)] + [[1, 5]], dtype=np.float32)
    found = exact.search(np.array([[1, 0]], dtype=np.float32), vectors, 4, "ip")
    assert found.rows.tolist() == [[200, 0, 1, 2]]
    assert found.similarity.tolist() == [[1, 0, 0, 0]]
    ranks = exact.ranks(np.array([[1, 0]], dtype=np.float32), vectors, np.array([[199, 200, 0, -1]]), "ip")
    assert ranks.tolist() == [[201, 1, 2, -1]]


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_ranks_of_some_rows_of_some_queries_are_those_of_all(metric, repeated):
    """Deep ranks and first ones side by side, queries that ask for one row, and for none."""
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((300, 6)).astype(np.float32)
    if repeated:
        vectors[200:] = vectors[:100]
    whole = exact.ranks(vectors[:40], vectors, np.tile(np.arange(300), (40, 1)), metric)
    rows = rng.integers(0, 300, (40, 9))
    rows[rng.random(rows.shape) < 0.5] = -1
    rows[::4] = -1
    rows[1, 0] = whole[1].argmax()  # the last of all
    wanted = np.where(rows < 0, -1, np.take_along_axis(whole, np.maximum(rows, 0), axis=1))
    np.testing.assert_array_equal(exact.ranks(vectors[:40], vectors, rows, metric), wanted)
    np.testing.assert_array_equal(exact.ranks(vectors[:40:4], vectors, rows[::4], metric), np.full((10, 9), -1))


def test_values_by_hand():
    queries = np.array([[1, 0]], dtype=np.float32)
    vectors = np.array([[3, 4], [-2, 0], [0, 0.5], [1, 0]], dtype=np.float32)
    cosine = exact.search(queries, vectors, 4, "cosine")
    assert cosine.rows.tolist() == [[3, 0, 2, 1]]
    np.testing.assert_allclose(cosine.similarity, [[1, 0.6, 0, -1]], rtol=1e-7)
    l2 = exact.search(queries, vectors, 4, "l2")
    assert l2.rows.tolist() == [[3, 2, 1, 0]]
    assert l2.similarity.tolist() == [[0, -1.25, -9, -20]]
    assert l2.distance.tolist() == [[0, 1.25, 9, 20]]
    assert (l2.metric, l2.index, l2.k) == ("l2", "exact", 4)
    some = exact.similarity(queries, vectors, np.array([[2, -1, 0]]), "ip")
    np.testing.assert_array_equal(some, np.array([[0, np.nan, 3]], dtype=np.float32))


@pytest.mark.parametrize("metric", METRICS)
def test_blocks_do_not_show(metric, monkeypatch):
    vectors = np.random.default_rng(8).standard_normal((130, 6)).astype(np.float32).round(0) + 0.5
    own = np.arange(130)
    whole = exact.search(vectors, vectors, 9, metric, leave_out=own)
    ranks = exact.ranks(vectors, vectors, whole.rows[:, ::-1], metric, leave_out=own)
    for module, name, small in (
        (_knn, "_BLOCK", 16),
        (_knn, "_MARGIN", 1),
        (_knn, "_SCAN_NUMBERS", 200),
        (_knn, "_EXPANDED", 50),
        (_ranks, "_NUMBERS", 300),
    ):
        monkeypatch.setattr(module, name, small)
    parts = exact.search(vectors, vectors, 9, metric, leave_out=own)
    np.testing.assert_array_equal(parts.rows, whole.rows)
    np.testing.assert_array_equal(parts.similarity, whole.similarity)
    np.testing.assert_array_equal(exact.ranks(vectors, vectors, whole.rows[:, ::-1], metric, leave_out=own), ranks)


def test_l2_far_from_the_origin_and_far_queries():
    """|v|^2 is 10^8 times the distances: the difference of squares would lose them in float32."""
    rng = np.random.default_rng(2)
    vectors = (rng.standard_normal((300, 12)) * 0.01 + 100).astype(np.float32)
    check(vectors[:20], vectors, 10, "l2", np.arange(20))
    check((vectors[:5] * 50).astype(np.float32), vectors, 10, "l2")
    assert exact.search(vectors, vectors, 1, "l2").similarity.max() == 0.0


def test_a_vector_is_its_own_nearest_with_similarity_one():
    vectors = np.random.default_rng(4).standard_normal((500, 64)).astype(np.float32)
    found = exact.search(vectors, vectors, 1, "cosine")
    assert found.rows[:, 0].tolist() == list(range(500))
    assert (found.similarity == 1).all()


def test_k_out_of_range():
    vectors = np.eye(50, dtype=np.float32)
    for k in (0, 50):
        with pytest.raises(ParameterError) as caught:
            exact.search(vectors, vectors, k, "cosine", leave_out=np.arange(50))
        assert str(caught.value) == (
            f"k must be between 1 and 49 (50 rows, the query's own row left out). Got {k}. Lower k or add rows."
        )
    with pytest.raises(
        ParameterError, match=r"^k must be between 1 and 50 \(50 rows\)\. Got 51\. Lower k or add rows\.$"
    ):
        exact.search(vectors, vectors, 51, "cosine")


def test_unusable_vectors():
    vectors = np.eye(4, dtype=np.float32)
    zero = vectors.copy()
    zero[2] = 0
    with pytest.raises(ParameterError, match=r"zero vector in row 2 \(1 in all\)"):
        exact.search(vectors, zero, 1, "cosine")
    with pytest.raises(ParameterError, match="zero vector in query 2"):
        exact.similarity(zero, vectors, np.zeros((4, 1), dtype=np.int64), "cosine")
    assert exact.search(zero, zero, 1, "l2").rows.shape == (4, 1)
    assert exact.search(zero, zero, 1, "ip").rows[2, 0] == 0
    broken = vectors.copy()
    broken[3, 0] = np.nan
    with pytest.raises(ParameterError, match="length nan in row 3"):
        exact.ranks(vectors, broken, np.zeros((4, 1), dtype=np.int64), "ip")
    with pytest.raises(ParameterError, match="length inf in row 1"):
        exact.search(vectors, np.array([[1, 0, 0, 0], [np.inf, 0, 0, 0]], dtype=np.float32), 1, "l2")


def test_shapes_and_rows_that_do_not_fit():
    vectors = np.eye(4, dtype=np.float32)
    with pytest.raises(ShapeError, match=r"Got \(4, 4\) and \(4, 3\)"):
        exact.search(vectors, vectors[:, :3], 1, "ip")
    with pytest.raises(ShapeError, match=r"leave_out must be integers of shape \(4\)"):
        exact.search(vectors, vectors, 1, "ip", leave_out=np.arange(3))
    with pytest.raises(ShapeError, match=r"rows must be integers of shape \(4, m\)"):
        exact.similarity(vectors, vectors, np.zeros((4, 1)), "ip")
    with pytest.raises(ParameterError, match="rows must hold rows 0 to 3, or -1 for none"):
        exact.ranks(vectors, vectors, np.array([[0], [1], [2], [4]]), "ip")


def test_no_queries_and_no_rows_asked_for():
    vectors = np.eye(3, dtype=np.float32)
    none = np.zeros((0, 3), dtype=np.float32)
    assert exact.search(none, vectors, 2, "cosine").rows.shape == (0, 2)
    assert exact.ranks(vectors, vectors, np.zeros((3, 0), dtype=np.int64), "ip").shape == (3, 0)
    assert exact.similarity(none, vectors, np.zeros((0, 2), dtype=np.int64), "ip").shape == (0, 2)


@settings(max_examples=60, deadline=None)
@given(vectors=repeated_rows(), asked=st.integers(0, 2**32 - 1), metric=st.sampled_from(METRICS))
def test_no_product_is_off_by_more_than_the_slack(vectors, asked, metric):
    vectors = np.unique(vectors, axis=0)
    queries = vectors[np.random.default_rng(asked).integers(0, len(vectors), 25)]
    prepared = Prepared(vectors, metric, rough_squares(vectors))
    for left, task in ((queries, prepared.asked(queries)), (vectors, prepared.by_itself())):
        wanted = exact.similarity(left, vectors, np.tile(np.arange(len(vectors)), (len(left), 1)), metric)
        middle = task.scale[:, None] * wanted.astype(np.float64) + task.shift[:, None]
        assert np.all(np.abs(task.left @ task.right.T - middle) <= task.slack[:, None])
