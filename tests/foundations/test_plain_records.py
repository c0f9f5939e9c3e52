"""Records as JSON-able values and back: undefined numbers, nested records, arrays put aside."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest

from embdiff._plain import Number, Record, plain, reader
from embdiff.records import FloatArray, IntArray, Neighbors, Score


@dataclass(frozen=True)
class Inner(Record):
    value: Number
    names: tuple[str, ...]


@dataclass(frozen=True)
class Outer(Record):
    inner: tuple[Inner, ...]
    by_name: dict[str, Inner]
    count: int
    reason: str | None = None


def test_undefined_numbers_are_null_and_nan_again():
    made = Outer((Inner(math.nan, ("a",)), Inner(0.5, ())), {"b": Inner(math.inf, ("c", "d"))}, 3)
    raw = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert raw == {
        "inner": [{"value": None, "names": ["a"]}, {"value": 0.5, "names": []}],
        "by_name": {"b": {"value": None, "names": ["c", "d"]}},
        "count": 3,
        "reason": None,
    }
    again = reader(Outer).validate_python(raw)
    assert math.isnan(again.inner[0].value)
    assert (again.inner[1], again.by_name["b"].names, again.count) == (made.inner[1], ("c", "d"), 3)


def test_a_score_keeps_its_order_and_leaves_out_the_values_behind_it():
    score = Score("overlap@2", ("a", "b"), 0.5, 0.25, 0.75, math.nan, 2, "a", "wilson", None, (0.25, 0.75))
    assert list(score.to_dict())[:3] == ["measure", "models", "query_model"]
    assert "per_query" not in score.to_dict()
    assert str(reader(Score).validate_python(score.to_dict())) == str(score)  # == knows no NaN


def test_arrays_are_put_aside_and_found_again():
    rows, similarity = np.arange(6).reshape(2, 3), np.array([[1, 0.5, np.nan]] * 2, dtype=np.float32)
    arrays: dict[str, np.ndarray] = {}
    raw = json.loads(json.dumps(plain([Neighbors(rows, similarity, "cosine")], arrays)))
    assert raw[0]["rows"] == {"array": "0", "shape": [2, 3]}
    kept = {name: array.reshape(-1) for name, array in arrays.items()}
    (again,) = reader(tuple[Neighbors, ...]).validate_python(raw, context=kept)
    assert np.array_equal(again.rows, rows)
    assert np.array_equal(again.similarity, similarity, equal_nan=True)
    assert plain({"a": rows, "b": np.float32(0.5), "c": similarity})["c"] == [[1.0, 0.5, None]] * 2


@pytest.mark.parametrize("kind", [FloatArray, IntArray])
def test_an_array_that_is_not_there_is_an_error(kind):
    with pytest.raises(KeyError):
        reader(kind).validate_python({"array": "7", "shape": [1]}, context={})
