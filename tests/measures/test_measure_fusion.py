"""Two lists together: unions by hand, fusion by hand and against ranx."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.judged import Judged, grade
from embdiff.measures.places import fused_rows, fused_sums, name_ranks, union_rows
from embdiff.measures.ranking import recall_of_first


def rows(*lists):
    return np.array(lists, dtype=np.int64)


def test_union_by_hand():
    a, b = rows([3, 1, 2], [5, -1, -1]), rows([1, 9, 3], [-1, -1, -1])
    found = [sorted(line[line >= 0].tolist()) for line in union_rows(a, b, 2)]
    assert found == [[1, 3, 9], [5]]
    assert [sorted(line[line >= 0].tolist()) for line in union_rows(a, b, 3)] == [[1, 2, 3, 9], [5]]


def test_fusion_by_hand():
    a, b = rows([0, 1, 2]), rows([2, 0, -1])
    found, sums = fused_sums(a, b)
    held = {int(row): value for row, value in zip(found[0], sums[0], strict=True) if row >= 0}
    assert held == {0: 1 / 61 + 1 / 62, 1: 1 / 62, 2: 1 / 63 + 1 / 61}
    assert fused_rows(a, b, np.arange(3)).tolist() == [[0, 2, 1, -1, -1, -1]]
    assert fused_rows(a, b, np.arange(3), k=0).tolist() == [[0, 2, 1, -1, -1, -1]]  # 1.5, 1.33, .5


def test_equal_sums_stand_by_id_descending_whichever_list_is_first():
    a, b = rows([0, 1]), rows([2, 3])
    names = name_ranks(["a", "b", "c", "d"])
    assert fused_rows(a, b, names).tolist() == [[2, 0, 3, 1]]
    assert fused_rows(b, a, names).tolist() == [[2, 0, 3, 1]]


def test_fusion_of_a_list_with_itself_is_that_list():
    rng = np.random.default_rng(0)
    a = np.stack([rng.permutation(50)[:20] for _ in range(30)])
    assert np.array_equal(fused_rows(a, a, np.arange(50))[:, :20], a)


@pytest.mark.slow
def test_fusion_agrees_with_ranx():
    ranx = pytest.importorskip("ranx", reason="the reference is a test dependency")
    rng = np.random.default_rng(1)
    a, b = (np.stack([rng.permutation(60)[:25] for _ in range(40)]) for _ in range(2))
    runs = [
        ranx.Run(
            {f"q{q}": {f"d{row}": 100.0 - place for place, row in enumerate(line)} for q, line in enumerate(table)}
        )
        for table in (a, b)
    ]
    theirs = ranx.fuse(runs=runs, method="rrf", params={"k": 60})
    found, sums = fused_sums(a, b)
    ordered = fused_rows(a, b, np.arange(60))
    for q in range(40):
        expected = {name: float(value) for name, value in dict(theirs.run[f"q{q}"]).items()}
        ours = {f"d{row}": value for row, value in zip(found[q], sums[q], strict=True) if row >= 0}
        assert ours == pytest.approx(expected, abs=1e-12)
        scores = [expected[f"d{row}"] for row in ordered[q] if row >= 0]
        assert len(scores) == len(expected)
        assert all(x >= y - 1e-8 for x, y in itertools.pairwise(scores))


def test_recall_of_as_many_by_hand():
    judged = Judged.from_qrels(
        {"x": {"0": 1, "1": 2}, "y": {"2": 1}, "z": {"3": 0}}, "xyz", {str(i): i for i in range(9)}
    )
    graded = grade(rows([0, 5, 1], [6, 7, 2], [3, 4, 5]), judged)
    assert recall_of_first(graded, np.array([2, 3, 3])).tolist() == [0.5, 1.0, 0.0]
    assert recall_of_first(graded, np.array([3, 2, 0])).tolist() == [1.0, 0.0, 0.0]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"Two ranked lists must have shape \(q, depth\).* Got \(1, 2\) and \(2, 2\)"):
        union_rows(rows([0, 1]), rows([0, 1], [1, 0]), 2)
    with pytest.raises(ShapeError, match=r"Got \(1, 2\) and \(2, 2\)"):
        fused_rows(rows([0, 1]), rows([0, 1], [1, 0]), np.arange(2))
    with pytest.raises(ParameterError, match=r"k of a union must be at least 1. Got 0"):
        union_rows(rows([0]), rows([0]), 0)
    with pytest.raises(ParameterError, match=r"k of reciprocal rank fusion must be at least 0. Got -1"):
        fused_rows(rows([0]), rows([0]), np.arange(1), k=-1)
