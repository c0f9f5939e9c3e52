"""A first look in bfloat16: the bound holds, and the answer is the one that float32 gives, to the last bit."""

import sys
import types

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repeated_rows import ROWS, repeated_rows

from embdiff import exact
from embdiff.exact import _brief, _few, _file, _index, _knn, _reaching, _symmetric
from embdiff.exact._surrogate import Prepared

METRICS = ("cosine", "ip", "l2")
ANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def everywhere(monkeypatch):
    """Look in bfloat16 first whatever the processor and the size, in tiles of 16 rows; count the looks."""
    monkeypatch.setattr(_brief, "available", lambda: True)
    monkeypatch.setattr(_few, "pays", lambda queries, dim, rows: False)
    for name, value in {
        "_FEWEST": 1, "_NARROWEST": 1, "_NARROWEST_OF_PAIRS": 1, "_LEAST_ROWS": 1, "_LEAST_NUMBERS": 1, "_MOST_WANTED": 1_000,
        "TILE": 16, "_ASKED": 8, "_TIMES": 2,
    }.items():  # fmt: skip
        monkeypatch.setattr(_brief, name, value)
    monkeypatch.setattr(_file, "_LEAST_ROWS", 1)
    for name, value in {"_TILE": 16, "_SAMPLE": 8, "_LEAST_ROWS": 2, "_MOST_WANTED": 1_000}.items():
        monkeypatch.setattr(_symmetric, name, value)
    looks = []
    multiplied = _brief.multiplied
    monkeypatch.setattr(_brief, "multiplied", lambda *given: looks.append(1) or multiplied(*given))
    yield looks
    assert looks  # else the tests below would not test what they say


def same_as_in_float32(queries, vectors, k, metric, leave_out=None):
    found = exact.search(queries, vectors, k, metric, leave_out=leave_out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_brief, "available", lambda: False)
        expected = exact.search(queries, vectors, k, metric, leave_out=leave_out)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.similarity, expected.similarity)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rows", [8, 17, 200, 1_003])
@pytest.mark.parametrize("queries", [1, 20, 33])
@pytest.mark.parametrize("dim", [1, 12, 65])
def test_any_number_of_tiles(everywhere, metric, rows, queries, dim):
    rng = np.random.default_rng(rows)
    vectors = rng.standard_normal((rows, dim)).astype(np.float32)
    asked = rng.standard_normal((queries, dim)).astype(np.float32)
    same_as_in_float32(asked, vectors, 5, metric, np.arange(queries) % rows)
    same_as_in_float32(asked, vectors, rows, metric)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rows", [16, 17, 100, 160])
@pytest.mark.parametrize("unit", [False, True])
def test_all_pairs(everywhere, metric, rows, unit):
    vectors = np.random.default_rng(rows).standard_normal((rows, 12)).astype(np.float32)
    if unit:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    same_as_in_float32(vectors, vectors, 5, metric, np.arange(rows))
    same_as_in_float32(vectors, vectors, rows, metric)


@ANY
@given(vectors=repeated_rows(), asked=st.integers(0, 2**32 - 1), metric=st.sampled_from(METRICS), k=st.integers(1, 30))
def test_duplicates_ties_and_norms_to_ten_thousand(everywhere, vectors, asked, metric, k):
    queries = vectors[np.random.default_rng(asked).integers(0, ROWS, 25)]
    same_as_in_float32(queries, vectors, k, metric)
    same_as_in_float32(vectors, vectors, k, metric, np.arange(ROWS))


def every_product(task):
    """Return the rounded products of all queries and rows, and the surrogate with their slack."""
    left, right = _brief.rounded(task.left), _brief.rounded(task.right)
    out = np.empty((len(task.left), len(task.right)), dtype=np.float32)
    return _brief.multiplied(left, _brief.pack(right), out), _brief.with_slack(
        task, _brief.rounded_away(task.left, left), float(_brief.rounded_away(task.right, right).max())
    )


@ANY
@given(vectors=repeated_rows(), asked=st.integers(0, 2**32 - 1), metric=st.sampled_from(METRICS))
def test_no_rounded_product_is_off_by_more_than_the_slack(everywhere, vectors, asked, metric):
    vectors = np.unique(vectors, axis=0)
    queries = vectors[np.random.default_rng(asked).integers(0, len(vectors), 25)]
    prepared = Prepared(vectors, metric)
    for left, task in ((queries, prepared.asked(queries)), (vectors, prepared.by_itself())):
        products, coarse = every_product(task)
        wanted = exact.similarity(left, vectors, np.tile(np.arange(len(vectors)), (len(left), 1)), metric)
        middle = coarse.scale[:, None] * wanted.astype(np.float64) + coarse.shift[:, None]
        assert np.all(np.abs(products - middle) <= coarse.slack[:, None])


def test_the_bound_is_reached():
    """Numbers that lie half-way between two of bfloat16, once of length 1: the slack is not simply generous."""
    vectors = np.ones((2, 254), dtype=np.float32)
    products, coarse = every_product(Prepared(vectors, "cosine").asked(vectors[:1]))
    assert 0.97 * coarse.slack[0] < abs(products[0, 0] - 1.0) <= coarse.slack[0]


def test_rounding_is_to_the_nearest():
    values = np.array([[1.0, -1.0, 1 + 2.0**-8 - 2.0**-20, 1 + 2.0**-8 + 2.0**-20, 0.0, 1e-40, 3e18]], dtype=np.float32)
    bits = _brief.rounded(values)
    off = _brief.rounded_away(values, bits)
    back = (bits.astype(np.uint32) << 16).view(np.float32)
    assert np.all(np.abs(back - values) <= np.abs(values) * 2.0**-8 + 1e-40)
    assert np.array_equal(back[0, :5], [1.0, -1.0, 1.0, 1 + 2.0**-7, 0.0])
    lengths = np.sqrt(np.sum((back.astype(np.float64) - values) ** 2, axis=1))
    assert np.all(lengths <= off)
    np.testing.assert_allclose(off, lengths, rtol=2e-3)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e15])
@pytest.mark.parametrize("metric", METRICS)
def test_very_long_and_very_short_vectors(everywhere, metric, scale):
    vectors = (np.random.default_rng(0).standard_normal((200, 20)) * scale).astype(np.float32)
    same_as_in_float32(vectors[:30], vectors, 5, metric)
    same_as_in_float32(vectors, vectors, 5, metric, np.arange(200))


def test_rows_that_bfloat16_cannot_tell_apart_are_asked_in_float32(everywhere, monkeypatch):
    rng = np.random.default_rng(0)
    cone = (rng.standard_normal((3_000, 24)) + 200 * rng.standard_normal(24)).astype(np.float32)
    in_float32 = []
    through = _knn._nearest_in_float32
    monkeypatch.setattr(_knn, "_nearest_in_float32", lambda task: in_float32.append(len(task.queries)) or through(task))
    same_as_in_float32(cone[:100], cone, 5, "cosine")
    assert in_float32 == [100, 100]  # the doubtful ones, which are all, then what they are compared with
    in_float32.clear()
    same_as_in_float32(cone[:2_500], cone, 5, "cosine")
    assert in_float32 == [2_500, 2_500]  # a pilot has shown it: nothing is asked twice


def test_sorted_rows(everywhere):
    """The best come last: every tile passes something."""
    angles = np.sort(np.random.default_rng(3).uniform(0, 1.5, 700))
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    same_as_in_float32(np.repeat([[0.0, 1.0]], 21, axis=0).astype(np.float32), vectors, 6, "cosine")
    same_as_in_float32(vectors, vectors, 6, "cosine", np.arange(700))


def in_blocks(path, vectors, rows):
    """The same rows in a file, of which ``rows`` fit in memory at a time."""
    np.save(path, vectors)
    stored = exact.FileVectors(path, 4 * 4 * vectors.shape[1] * rows)
    assert stored.block_rows == rows
    return stored


@pytest.fixture
def asked_of_blocks(monkeypatch):
    """What the blocks after the first gave: lines of rows, or None where they were searched by themselves."""
    given = []
    through = _index.reaching
    monkeypatch.setattr(_index, "reaching", lambda *asked: given.append(through(*asked)) or given[-1])
    return given


@ANY
@given(vectors=repeated_rows(), asked=st.integers(0, 2**32 - 1), metric=st.sampled_from(METRICS), k=st.integers(1, 20))
def test_rows_in_a_file(everywhere, asked_of_blocks, tmp_path, vectors, asked, metric, k):
    stored = in_blocks(tmp_path / "rows.npy", vectors, 25)
    queries = vectors[np.random.default_rng(asked).integers(0, ROWS, 25)]
    asked_of_blocks.clear()
    same_as_in_float32(queries, stored, k, metric)
    assert any(lines is not None for lines in asked_of_blocks)
    same_as_in_float32(vectors, stored, k, metric, np.arange(ROWS))


def test_thousands_of_equal_rows_in_a_file(everywhere, tmp_path):
    vectors = np.random.default_rng(0).standard_normal((3_000, 6)).astype(np.float32)
    vectors[np.arange(3_000) % 7 < 5] = vectors[0]
    stored = in_blocks(tmp_path / "rows.npy", vectors, 400)
    same_as_in_float32(vectors[:40], stored, 5, "cosine", np.arange(40))


def test_a_block_with_too_many_close_rows_is_searched_by_itself(everywhere, asked_of_blocks, monkeypatch, tmp_path):
    monkeypatch.setattr(_reaching, "_MOST_PER_QUERY", 1)
    rng = np.random.default_rng(0)
    cone = (rng.standard_normal((900, 24)) + 200 * rng.standard_normal(24)).astype(np.float32)
    same_as_in_float32(cone[:100], in_blocks(tmp_path / "rows.npy", cone, 200), 5, "cosine")
    assert asked_of_blocks[0] is None


def fake_numkong(monkeypatch, **capabilities):
    module = types.ModuleType("numkong")
    module.get_capabilities = lambda: capabilities
    monkeypatch.setitem(sys.modules, "numkong", module)
    monkeypatch.setattr(_brief, "is_installed", lambda name: True)


@pytest.fixture
def asked_anew():
    _brief.available.cache_clear()
    yield
    _brief.available.cache_clear()


def test_only_where_the_processor_has_matrices(asked_anew, monkeypatch):
    fake_numkong(monkeypatch, haswell=True, genoa=True, sapphireamx=False)
    assert not _brief.available()


def test_without_the_package(asked_anew, monkeypatch):
    monkeypatch.setattr(_brief, "is_installed", lambda name: False)
    assert not _brief.available()


@pytest.mark.parametrize(
    ("step", "wrong"),
    [
        ("multiplied", lambda left, packed, out: np.zeros_like(out)),
        ("rounded", lambda values: (values.view(np.uint32) >> 16).astype(np.uint16)),  # cut off, not rounded
    ],
)
def test_a_processor_that_computes_wrongly_is_not_used(asked_anew, monkeypatch, step, wrong):
    monkeypatch.setattr("numkong.get_capabilities", lambda: {"sapphireamx": True})
    assert _brief.available()
    _brief.available.cache_clear()
    monkeypatch.setattr(_brief, step, wrong)
    with pytest.warns(UserWarning, match="numkong computes wrongly on this processor"):
        assert not _brief.available()


def test_by_size(monkeypatch):
    monkeypatch.setattr(_brief, "available", lambda: True)
    assert _brief.pays(1_024, 384, 100_000, 10)
    assert not _brief.pays(511, 384, 100_000, 10)
    assert not _brief.pays(1_024, 127, 100_000, 10)
    assert not _brief.pays(1_024, 384, 19_999, 10)
    assert not _brief.pays(1_024, 128, 40_000, 10)
    assert not _brief.pays(1_024, 384, 100_000, 41)
    assert _brief.pays_for_all_pairs(64)
    assert not _brief.pays_for_all_pairs(63)


def test_real_size():
    """At this size the way is chosen by itself, where there is such a processor."""
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((50_000, 128)).astype(np.float32)
    same_as_in_float32(rng.standard_normal((600, 128)).astype(np.float32), vectors, 10, "cosine")
