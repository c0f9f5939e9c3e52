"""The score of a map: on rows that no fit saw, against chance, and refused where it could mean nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest

import embdiff as ed
import embdiff.alignment.fitted as fitted
from embdiff.alignment import METHODS, reach
from embdiff.errors import EmbdiffError, ParameterError, ShapeError, UnknownNameError

RNG = np.random.default_rng(11)
X = RNG.normal(size=(120, 8)).astype(np.float32)
Y = (X @ RNG.normal(size=(8, 6)) + 0.3 * RNG.normal(size=(120, 6))).astype(np.float32)


def _top(queries: np.ndarray, documents: np.ndarray, rows: np.ndarray, k: int) -> list[set[int]]:
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (queries, documents)]
    cosines = unit[0].astype(np.float64) @ unit[1].T
    cosines[np.arange(len(rows)), rows] = -2
    return [set(np.argsort(-line)[:k].tolist()) for line in cosines]


@pytest.mark.parametrize("method", METHODS)
def test_recovery_is_that_of_maps_that_did_not_see_the_row(method, monkeypatch):
    """By hand: each row mapped by a map fitted on the others' parts, its lists in NumPy."""
    seen = []
    original = fitted.fit

    def spy(source, target, *args, **options):
        seen.append({tuple(row) for row in source.tolist()})
        return original(source, target, *args, **options)

    monkeypatch.setattr(fitted, "fit", spy)
    found = ed.align(X, Y, method, k=7)
    whole, *parts = seen
    assert len(whole) == 120
    assert len(parts) == 5
    for row, vector in enumerate(X.tolist()):
        part = found.fold[row]
        assert tuple(vector) not in parts[part]
        assert sum(tuple(vector) in each for each in parts) == 4
    rows = np.arange(120)
    mapped = np.stack([found.parts[found.fold[row]](X[row : row + 1])[0] for row in rows])
    np.testing.assert_array_equal(found.map(X, rows), mapped)
    native, ours = _top(Y, Y, rows, 7), _top(mapped, Y, rows, 7)
    by_hand = np.mean([len(a & b) / 7 for a, b in zip(native, ours, strict=True)])
    assert found.reach.recovery.value == pytest.approx(by_hand, abs=1e-12)
    assert found.reach.recovery.chance == pytest.approx(7 / 119)
    assert found.reach.recovery.n == 120
    assert found.reach.recovery.low < by_hand < found.reach.recovery.high
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (mapped, Y)]
    itself = ((unit[0].astype(np.float64) @ unit[1].T).argmax(axis=1) == rows).mean()
    assert found.reach.self_retrieval.value == pytest.approx(itself)


def test_rows_that_are_equal_are_seen_together_or_not_at_all():
    """Else a row would be scored by a map that has seen its twin."""
    source, target = np.repeat(X[:30], 2, axis=0), np.repeat(Y[:30], 2, axis=0)
    found = ed.align(source, target, metric="l2")
    assert (found.fold[::2] == found.fold[1::2]).all()
    assert set(found.fold.tolist()) == {0, 1, 2, 3, 4}


def test_of_many_rows_some_are_drawn_and_the_others_are_seen_by_none(monkeypatch):
    monkeypatch.setattr(fitted, "MOST_ROWS", 50)
    monkeypatch.setattr(fitted, "ASKED", 20)
    found = ed.align(X, Y)
    assert (found.fold >= 0).sum() == found.reach.rows == 50
    assert found.reach.recovery.n == 20
    unseen = np.flatnonzero(found.fold < 0)
    np.testing.assert_array_equal(found.map(X[unseen], unseen), found.whole(X[unseen]))


def test_queries_that_are_no_rows_are_mapped_by_the_map_of_all_rows():
    found, new = ed.align(X, Y), RNG.normal(size=(9, 8)).astype(np.float32)
    np.testing.assert_array_equal(found.map(new), found.whole(new))
    np.testing.assert_array_equal(found.map(new, np.full(9, -1)), found.whole(new))


def test_unrelated_spaces_are_said_to_be():
    other = RNG.normal(size=(120, 8)).astype(np.float32)
    rows = np.arange(120)
    told = reach(other, X, rows, metric="cosine", k=10, seed=0, models=("a", "b"))
    assert told.verdict == "none"
    assert told.recovery.low <= told.bar
    assert told.method is None
    assert ed.align(other, X).reach.verdict == "none"


def test_rows_that_everybody_finds_are_luck():
    """All queries at one place find the same hubs, as do many of the rows: more than chance, and still nothing."""
    documents = (RNG.normal(size=(200, 5)) + 2.0 * RNG.normal(size=5)).astype(np.float32)
    asking = (documents.mean(axis=0) + 1e-3 * RNG.normal(size=(200, 5))).astype(np.float32)
    told = reach(asking, documents, np.arange(200), metric="cosine", k=10, seed=0, models=("a", "b"))
    assert told.recovery.low > told.recovery.chance
    assert told.by_luck > told.recovery.chance
    assert told.verdict == "none"


def test_one_space_reaches_itself_wholly():
    told = reach(X, X, np.arange(120), metric="cosine", k=10, seed=0, models=("a", "b"))
    assert (told.recovery.value, told.self_retrieval.value, told.verdict) == (1.0, 1.0, "most")


def test_a_text_that_stands_twice_finds_itself_in_either():
    twice = np.concatenate([X, X[:40]])
    told = reach(twice, twice, np.arange(160), metric="ip", k=5, seed=0, models=("a", "b"))
    alone = reach(X, X, np.arange(120), metric="cosine", k=5, seed=0, models=("a", "b"))
    assert told.self_retrieval.value == pytest.approx(
        np.mean([(twice @ twice[row]).argmax() % 120 == row % 120 for row in range(160)])
    )
    assert alone.self_retrieval.value == 1.0


def test_the_same_seed_gives_the_same_map_and_score():
    one, other = ed.align(X, Y, "ridge", seed=4), ed.align(X, Y, "ridge", seed=4)
    np.testing.assert_array_equal(one.whole.matrix, other.whole.matrix)
    assert one.reach == other.reach


def test_it_says_what_it_is():
    assert re.fullmatch(
        r"Alignment\(ridge, 8 -> 6 dimensions, 120 rows: overlap@10 0\.\d{3}\)", repr(ed.align(X, Y, "ridge"))
    )


NAN = X.copy()
NAN[5, 2] = np.nan
ZERO = X.copy()
ZERO[3] = 0


@pytest.mark.parametrize(
    ("given", "kind", "say"),
    [
        ((X, Y, "rotate"), UnknownNameError, "procrustes, ridge, low-rank. Got 'rotate'"),
        ((X[:19], Y[:19]), ParameterError, "at least 20 different vectors"),
        ((np.repeat(X[:5], 10, axis=0), Y[:50]), ParameterError, "Got 5 in source"),
        ((X, Y[:50]), ShapeError, "of the target, which has 50. Got 120 vectors"),
        ((X[0], Y), ShapeError, "source must be a table of vectors"),
        ((X, Y[:, :0]), ShapeError, "target must be a table of vectors"),
        ((NAN, Y), ParameterError, "NaN or infinity in row 5 of source"),
        ((ZERO, Y), ParameterError, "zero vector of source for row 3"),
        ((Y, ZERO), ParameterError, "zero"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_fitted_is_refused(given, kind, say):
    with pytest.raises(kind) as refused:
        ed.align(*given)
    assert say in str(refused.value)
    assert len(str(refused.value)) < 600


def test_rows_and_widths_that_do_not_fit_are_refused():
    for rows in (np.zeros(120, dtype=int), np.arange(120) + 1, np.arange(119)):
        with pytest.raises(ShapeError):
            ed.align(X, Y, rows=rows)
    with pytest.raises(ShapeError, match="8 dimensions of the source"):
        ed.align(X, Y).map(Y)
    for wrong in ({"metric": "cosin"}, {"k": 0}, {"k": "x"}, {"k": 1.5}, {"seed": "x"}, {"method": 5}, {"rows": "x"}):
        with pytest.raises(EmbdiffError):
            ed.align(X, Y, **wrong)
    for vectors in (None, 5, "x", [["a"]], [[1.0], [1.0, 2.0]], [{}]):
        with pytest.raises(EmbdiffError):
            ed.align(vectors, Y)
