"""Sizes in bytes: read as people write them, written so that they are read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embdiff._sizes import read_size, written_size
from embdiff.errors import ParameterError


@pytest.mark.parametrize(
    ("text", "size"), [("512MiB", 2**29), ("4GiB", 2**32), ("1.5 gb", 1_500_000_000), ("20KB", 20_000), ("7B", 7)]
)
def test_sizes_are_read_with_their_unit(text: str, size: int) -> None:
    assert read_size(text) == size


def test_less_than_the_least_is_no_size() -> None:
    assert read_size("0B", least=0) == 0
    with pytest.raises(ParameterError, match=r"A size must be a number with a unit.*Got '0B'\. Write 4GiB\."):
        read_size("0B")


@pytest.mark.parametrize("text", ["9" * 400 + "GiB", "8388608TiB", "1" + "0" * 20 + "B", "nanB", "infGB", "1e9B", ""])
def test_a_size_that_no_machine_has_is_none(text: str) -> None:
    with pytest.raises(ParameterError, match="A size must be a number with a unit"):
        read_size(text)


@pytest.mark.parametrize(
    ("size", "nearest", "enough"),
    [
        (0, "0B", "0B"),
        (10, "10B", "10B"),
        (1023, "1023B", "1023B"),
        (1024, "1KiB", "1KiB"),
        (9600, "9.38KiB", "9.38KiB"),
        (6 * 2**20, "6MiB", "6MiB"),
        (12 * 2**20 + 1, "12MiB", "12.1MiB"),
        (100 * 2**20, "100MiB", "100MiB"),
        (100 * 2**20 + 1, "100MiB", "101MiB"),
        (1_536_000_000, "1.43GiB", "1.44GiB"),
        (5000 * 2**40, "5000TiB", "5000TiB"),
    ],
)
def test_sizes_are_written_in_the_unit_that_fits(size: int, nearest: str, enough: str) -> None:
    assert written_size(size) == nearest
    assert written_size(size, at_least=True) == enough


@given(st.one_of(st.integers(0, 2**20), st.integers(0, 2**50)))
def test_what_is_written_is_read_again(size: int) -> None:
    assert read_size(written_size(size), least=0) == pytest.approx(size, rel=0.006)
    assert size <= read_size(written_size(size, at_least=True), least=0) <= 1.011 * size
