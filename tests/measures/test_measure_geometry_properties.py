"""What measures of spaces declare about themselves, tried on random ones: a new one is covered by registering it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embdiff import exact
from embdiff.measures import list_measures

TWO_SPACES, ONE_SPACE, EVERY_ROW = "two spaces", "one space", "neighbors of every row"
TWO_LISTS, SPACE_AND_LISTS = "two neighbors of every row", "one space + neighbors"
MEASURES = {measure.name: measure for measure in list_measures()}
OURS = (TWO_SPACES, ONE_SPACE, EVERY_ROW, TWO_LISTS, SPACE_AND_LISTS)
K = 8

every = pytest.mark.parametrize(
    "measure", [measure for measure in MEASURES.values() if measure.needs in OURS], ids=lambda measure: measure.name
)
of_two = pytest.mark.parametrize(
    "measure",
    [measure for measure in MEASURES.values() if measure.needs in (TWO_SPACES, TWO_LISTS)],
    ids=lambda measure: measure.name,
)


def lists(x, k=K):
    vectors = np.asarray(x, dtype=np.float32)
    return exact.search(vectors, vectors, min(k, len(x) - 1), "cosine", leave_out=np.arange(len(x)))


def value(measure, x, y):
    """The measure of what it needs, made from two spaces."""
    if measure.needs == TWO_SPACES:
        return measure.function(x, y)
    if measure.needs == TWO_LISTS:
        return measure.function(lists(x), lists(y))
    if measure.needs == SPACE_AND_LISTS:
        return measure.function(x, lists(x))
    return measure.function(x if measure.needs == ONE_SPACE else lists(x))


def in_float32(x):
    """Searches see float32: numbers that are such keep equal similarities equal."""
    return np.asarray(x, dtype=np.float32).astype(np.float64)


@st.composite
def spaces(draw):
    """Two spaces of the same rows, some rows repeated, related or not."""
    n, d1, d2 = draw(st.integers(30, 60)), draw(st.integers(2, 12)), draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((n, d1)) + draw(st.floats(0, 2))
    y = draw(st.floats(0, 2)) * x @ rng.standard_normal((d1, d2)) + rng.standard_normal((n, d2))
    repeated = draw(st.integers(0, 4))
    x[:repeated], y[:repeated] = x[n - repeated :][:repeated], y[n - repeated :][:repeated]
    return rng, in_float32(x), in_float32(y)


def turned(rng, x):
    return x @ np.linalg.qr(rng.standard_normal((x.shape[1], x.shape[1])))[0]


def near(measure):
    # Lists are found again after every change, and distances ranked again, as float32.
    return 1e-7 if measure.needs in (TWO_SPACES, ONE_SPACE) and measure.name != "rsa" else 1e-4


@every
@settings(max_examples=25, deadline=None)
@given(spaces())
def test_range_and_order_of_the_rows(measure, drawn):
    rng, x, y = drawn
    result = value(measure, x, y)
    assert isinstance(result, float)
    assert measure.range[0] - 1e-12 <= result <= measure.range[1] + 1e-12
    order = rng.permutation(len(x))
    assert "order of the rows" in measure.invariances
    # Repeated rows tie; which of them is listed goes by row number, so lists are tried without them.
    if measure.needs in (TWO_SPACES, ONE_SPACE):
        assert value(measure, x[order], y[order]) == pytest.approx(result, abs=1e-7)
    else:
        x, y = (v + 0.1 * rng.standard_normal(v.shape) for v in (x, y))
        assert value(measure, x[order], y[order]) == pytest.approx(value(measure, x, y), abs=1e-4)


@every
@settings(max_examples=20, deadline=None)
@given(spaces())
def test_declared_invariances(measure, drawn):
    rng, x, y = drawn
    if measure.needs not in (TWO_SPACES, ONE_SPACE):
        x, y = (v + 0.1 * rng.standard_normal(v.shape) for v in (x, y))
    changes = {
        "rotation": (turned(rng, x), turned(rng, y)),
        "scaling": (x * 3.5, y * 0.02),
        "shift": (x + rng.standard_normal(x.shape[1]), y - 7),
        "scaling of single rows": (x * rng.uniform(0.5, 2, (len(x), 1)), y),
        "any invertible linear map of the second space": (x, y @ _well_conditioned(rng, y.shape[1])),
    }
    result = value(measure, x, y)
    for name, changed in changes.items():
        if name in measure.invariances:
            assert value(measure, *changed) == pytest.approx(result, abs=near(measure)), name


def _well_conditioned(rng, d):
    return np.linalg.qr(rng.standard_normal((d, d)))[0] * rng.uniform(0.5, 2, d)


def test_what_is_not_declared_is_not_so():
    """PWCCA weighs by the axes of the first space: a rotation changes it, and so does an exchange."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 4)) * [5, 1, 1, 1], rng.standard_normal((50, 3))
    x[:, 0] += y[:, 0]
    pwcca = MEASURES["pwcca"]
    assert abs(pwcca.function(x, y) - pwcca.function(turned(rng, x), y)) > 1e-3
    assert abs(pwcca.function(x, y) - pwcca.function(y, x)) > 1e-3


@of_two
@settings(max_examples=20, deadline=None)
@given(spaces())
def test_symmetry_and_identity(measure, drawn):
    _, x, y = drawn
    if measure.symmetric:
        assert value(measure, x, y) == pytest.approx(value(measure, y, x), abs=1e-9)
    alike = value(measure, x, x.copy())
    distance = measure.name in ("procrustes", "shape_angle")
    if measure.needs == TWO_LISTS and math.isnan(alike):
        return
    # The root of a rounding error near 1e-16.
    assert alike == pytest.approx(0.0 if distance else 1.0, abs=1e-6)


@of_two
def test_spaces_of_very_different_dimensions(measure):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400, 64))
    wide = np.hstack([x, 0.01 * rng.standard_normal((400, 200))])
    distance = measure.name in ("procrustes", "shape_angle")
    assert value(measure, x, wide) == pytest.approx(0.0 if distance else 1.0, abs=0.35)


@pytest.mark.parametrize("name", ["procrustes", "shape_angle"])
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_distances_obey_the_triangle(name, seed):
    measure = MEASURES[name]
    rng = np.random.default_rng(seed)
    x, y, z = (rng.standard_normal((12, rng.integers(1, 6))) for _ in range(3))
    assert measure.function(x, z) <= measure.function(x, y) + measure.function(y, z) + 1e-9
