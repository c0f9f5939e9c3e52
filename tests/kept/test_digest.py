"""Digests: equal for equal inputs, different whenever anything differs, and none where nothing can vouch."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from embdiff.kept import _values as room
from embdiff.kept._values import CannotKeep
from embdiff.measures.overlap import jaccard, overlap
from embdiff.records import Neighbors, Space, Stamp


def digest(value: Any) -> str:
    return room.Digester()(value)


LARGE = np.arange(40_000, dtype=np.float32).reshape(200, 200)


def neighbors(**more: Any) -> Neighbors:
    return Neighbors(**{"rows": np.array([[1, 2]]), "similarity": np.ones((1, 2), np.float32), "metric": "ip"} | more)


def changed(array: np.ndarray, place: tuple[int, ...]) -> np.ndarray:
    copy = array.copy()
    copy[place] = np.nextafter(copy[place], np.inf, dtype=copy.dtype)
    return copy


VALUES = [
    None, True, 1, 1.0, 0.0, -0.0, math.nan, "1", "", b"1", (), [], {}, ("a", "b"), ["a", "b"], ("ab",), ("a", ("b",)),
    {"a": 1}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, (1, 2), (12,), ("1", "2"), np.float32(1), np.int64(1),
    np.arange(4), np.arange(4, dtype=np.int32), np.arange(4).reshape(2, 2), np.arange(4, dtype=np.float32), np.zeros(0),
    LARGE, changed(LARGE, (7, 9)), LARGE[::-1], LARGE.T, LARGE[:-1], overlap, jaccard, neighbors(),
    neighbors(metric="l2"), neighbors(index="flat"), neighbors(rows=np.array([[2, 1]])), Stamp("m", "1", 2),
    Stamp("m", "1", 2, prompt="a"), Space("m", ("0", "1"), LARGE[:2], Stamp("m", "1", 200)),
    Space("m", ("0", "2"), LARGE[:2], Stamp("m", "1", 200)), "\ud800", ("\ud800", "a"),
]  # fmt: skip


def test_different_inputs_have_different_digests():
    for (i, one), (j, other) in combinations(enumerate(map(digest, VALUES)), 2):
        assert one != other, (VALUES[i], VALUES[j])


def test_equal_inputs_have_equal_digests():
    tell = room.Digester()
    for value in VALUES:
        again = value.copy() if isinstance(value, np.ndarray) else value
        assert tell(value) == tell(again) == digest(value)
    assert digest(LARGE[:, ::2]) == digest(np.ascontiguousarray(LARGE[:, ::2]))


def test_another_array_at_the_same_address_is_seen():
    tell, seen = room.Digester(), set()
    for number in range(20):  # freed and made again, mostly in the same place
        seen.add(tell(np.full(100_000, number, dtype=np.float32)))
    assert len(seen) == 20


@pytest.mark.parametrize("value", [object(), lambda: 0, {1, 2}, np.array([object()]), np.sum, int, math.sqrt])
def test_what_nothing_vouches_for_has_none(value: object):
    with pytest.raises(CannotKeep):
        digest((1, value))


def test_functions_of_others_have_none():
    def inner() -> None: ...

    for function in (inner, pytest.importorskip):
        with pytest.raises(CannotKeep):
            digest(function)


def test_code_and_libraries_count(monkeypatch: pytest.MonkeyPatch):
    before = room.surroundings.__wrapped__()
    assert before == room.surroundings.__wrapped__()
    monkeypatch.setattr(room, "versions", lambda packages: dict.fromkeys(packages, "0.0.0"))
    assert room.surroundings.__wrapped__() != before
