"""Vectors in a file, read in blocks: the answers of memory, to the last bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embdiff import exact
from embdiff.errors import DataError, ParameterError, ShapeError
from embdiff.exact import _file
from embdiff.exact._file import FileVectors

METRICS = ("cosine", "ip", "l2")


@pytest.fixture
def tiny_blocks(monkeypatch):
    monkeypatch.setattr(_file, "_LEAST_ROWS", 1)


def on_disk(folder, vectors, block_rows):
    path = folder / "vectors.npy"
    np.save(path, vectors)
    return FileVectors(path, 4 * 4 * vectors.shape[1] * block_rows)


def same_answers(queries, vectors, stored, k, metric, leave_out=None):
    here = exact.search(queries, vectors, k, metric, leave_out=leave_out)
    there = exact.search(queries, stored, k, metric, leave_out=leave_out)
    np.testing.assert_array_equal(there.rows, here.rows)
    np.testing.assert_array_equal(there.similarity, here.similarity)
    some = np.concatenate([here.rows, here.rows[::-1], np.full((len(queries), 1), -1)], axis=1)
    for question in (exact.similarity, exact.ranks):
        np.testing.assert_array_equal(question(queries, stored, some, metric), question(queries, vectors, some, metric))
    np.testing.assert_array_equal(
        exact.ranks(queries, stored, some, metric, leave_out=leave_out),
        exact.ranks(queries, vectors, some, metric, leave_out=leave_out),
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    metric=st.sampled_from(METRICS),
    block_rows=st.integers(1, 70),
    kinds=st.integers(2, 60),
    exponent=st.integers(-4, 4),
    k=st.integers(1, 20),
    left_out=st.booleans(),
)
def test_any_blocks_with_duplicates_and_ties(
    tiny_blocks, tmp_path, seed, metric, block_rows, kinds, exponent, k, left_out
):
    rng = np.random.default_rng(seed)
    base = rng.integers(-2, 3, (kinds, 5)) * 10.0**exponent
    base[~base.any(axis=1), 0] = 1.0
    vectors = base[rng.integers(0, kinds, 60)].astype(np.float32)
    own = rng.permutation(60)[:11]
    stored = on_disk(tmp_path, vectors, block_rows)
    assert sum(len(block) for _, block in stored.blocks()) == 60
    same_answers(vectors[own], vectors, stored, k, metric, own if left_out else None)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_other_kinds_of_numbers_become_float32(tiny_blocks, tmp_path, kind):
    vectors = np.random.default_rng(0).standard_normal((40, 6)).astype(kind)
    stored = on_disk(tmp_path, vectors, 7)
    same_answers(vectors[:5].astype(np.float32), vectors.astype(np.float32), stored, 4, "cosine")


def test_what_is_read(tiny_blocks, tmp_path):
    vectors = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    stored = on_disk(tmp_path, vectors, 16)
    assert (len(stored), stored.shape, stored.ndim, stored.dtype, stored.nbytes) == (40, (40, 3), 2, np.float32, 480)
    assert [start for start, _ in stored.blocks()] == [0, 16, 32]
    np.testing.assert_array_equal(np.asarray(stored), vectors)
    for key in (slice(3, 9), slice(None, None, 7), slice(9, 3), [4, 4, 0, 39], np.array([], dtype=np.int64)):
        np.testing.assert_array_equal(stored[key], vectors[key])
    with pytest.raises(IndexError, match="0 to 39"):
        stored[[40]]


def test_a_row_that_cannot_be_searched_is_named_by_its_number_in_the_file(tiny_blocks, tmp_path):
    vectors = np.ones((30, 3), dtype=np.float32)
    vectors[21] = 0
    stored = on_disk(tmp_path, vectors, 8)
    with pytest.raises(ParameterError, match=r"zero vector in row 21 \(1 in all\)"):
        exact.search(vectors[:2], stored, 2, "cosine")
    assert exact.search(vectors[:2], stored, 2, "ip").rows.tolist() == [[0, 1], [0, 1]]


def test_thousands_of_equal_rows(tiny_blocks, tmp_path):
    vectors = np.random.default_rng(0).standard_normal((3_000, 6)).astype(np.float32)
    vectors[np.arange(3_000) % 7 < 5] = vectors[0]
    stored = on_disk(tmp_path, vectors, 400)
    same_answers(vectors[:40], vectors, stored, 5, "cosine", np.arange(40))


def test_a_query_that_cannot_be_searched_with_is_refused_before_anything_is_read(tiny_blocks, tmp_path):
    vectors = np.ones((30, 3), dtype=np.float32)
    stored = on_disk(tmp_path, vectors, 8)
    stored.path.unlink()
    zero, rows = np.zeros((1, 3), dtype=np.float32), np.zeros((1, 1), dtype=np.int64)
    for question in (exact.similarity, exact.ranks):
        with pytest.raises(ParameterError, match=r"zero vector in query 0 \(1 in all\)"):
            question(zero, stored, rows, "cosine")
    with pytest.raises(ParameterError, match=r"zero vector in query 0 \(1 in all\)"):
        exact.search(zero, stored, 2, "cosine")


def test_questions_that_do_not_fit(tiny_blocks, tmp_path):
    vectors = np.eye(4, dtype=np.float32)
    stored = on_disk(tmp_path, vectors, 3)
    with pytest.raises(ShapeError, match="tables of one width"):
        exact.search(vectors[:, :3], stored, 1, "ip")
    with pytest.raises(ParameterError, match=r"k must be between 1 and 4 \(4 rows\)"):
        exact.search(vectors, stored, 5, "ip")


def test_files_that_are_refused(tmp_path):
    path = tmp_path / "x.npy"
    with pytest.raises(DataError, match=r"must be there and readable\. Got .*x\.npy: No such file"):
        FileVectors(path, 2**30)
    path.write_bytes(b"not numpy at all")
    with pytest.raises(DataError, match=r"must be a \.npy file of numbers\. Got x\.npy"):
        FileVectors(path, 2**30)
    for wrong in (np.zeros(5, np.float32), np.zeros((5, 2), np.int32), np.zeros((0, 2), np.float32)):
        np.save(path, wrong)
        with pytest.raises(
            DataError, match=r"must be a table \(n, d\) of float32, float16, float64, int8 or uint8 in row order"
        ):
            FileVectors(path, 2**30)
    np.save(path, np.asfortranarray(np.ones((5, 2), np.float32)))
    with pytest.raises(DataError, match="in column order"):
        FileVectors(path, 2**30)
    np.save(path, np.ones((5, 2), np.float32))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=r"must be whole\. Got x\.npy, which ends early"):
        FileVectors(path, 2**30)
    np.save(path, np.ones((5, 384), np.float32))
    with pytest.raises(ParameterError, match=r"at least 6MiB for 384 dimensions\. Got 10B\. Give more\."):
        FileVectors(path, 10)


def test_a_file_cut_short_while_it_is_read(tiny_blocks, tmp_path):
    vectors = np.ones((30, 3), dtype=np.float32)
    stored = on_disk(tmp_path, vectors, 8)
    stored.path.write_bytes(stored.path.read_bytes()[:-20])
    with pytest.raises(
        DataError, match=r"must stay whole while it is used\. Got the end of vectors\.npy at row 28 of 30"
    ):
        exact.search(vectors[:2], stored, 2, "ip")
