"""Everything that a measure declares about itself, for every registered measure: registering one brings it here."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from measure_worlds import CHANGES, TAKEN, UNDEFINED, clear, values, world

from embdiff.measures import get_measure, list_measures

MEASURES = list_measures()
TWO_MODELS = {
    "two neighbors",
    "the same model again",
    "two ordered neighbors",
    "ranks in the other space",
    "two spaces + neighbors",
    "two spaces",
    "two neighbors of every row",
}
# Nothing is left out of a probe's test: what it needs to be undefined is a missing package (tests/evaluation).
NO_UNDEFINED = {"probe_accuracy"}
every = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def near(measure):
    """Lists are found again as float32 after a change, and distances ranked again."""
    return 1e-7 if measure.needs in ("two spaces", "one space") and measure.name != "rsa" else 1e-4


@every
def test_it_can_be_exercised(measure):
    """What is declared must be known here, or nothing below verifies it."""
    assert measure.needs in TAKEN, f"say in measure_worlds.TAKEN how to take a measure that needs {measure.needs!r}"
    unknown = set(measure.invariances) - set(CHANGES)
    assert not unknown, f"say in measure_worlds.CHANGES what these change: {unknown}"
    assert measure.name in UNDEFINED or measure.name in NO_UNDEFINED, (
        "say in measure_worlds.UNDEFINED what makes it NaN"
    )


@pytest.mark.parametrize(
    ("measure", "invariance"),
    [(measure, invariance) for measure in MEASURES for invariance in measure.invariances],
    ids=lambda value: getattr(value, "name", value),
)
@quick
@given(seeds, st.sampled_from(["cosine", "l2"]))
def test_declared_invariances(measure, invariance, seed, metric):
    # With l2 the lists of some measures are refused, and lengths of rows count.
    plain = "(l2)" not in invariance or measure.needs == "class labels"
    drawn = world(seed, metric="cosine" if plain else metric)
    assume(clear(drawn))
    changed = CHANGES[invariance](drawn, np.random.default_rng(seed))
    before, after = values(measure, drawn), values(measure, changed)
    if changed.order and len(before) == len(drawn.asked):
        before = before[list(changed.order)]
    np.testing.assert_allclose(after, before, atol=near(measure), rtol=0, equal_nan=True)


@every
@quick
@given(seeds, st.integers(0, 6))
def test_range_with_repeated_rows(measure, seed, repeated):
    found = values(measure, world(seed, repeated=repeated))
    known = found[~np.isnan(found)]
    assert ((known >= measure.range[0] - 1e-9) & (known <= measure.range[1] + 1e-9)).all()
    assert not np.isinf(known).any()


@every
@quick
@given(seeds)
def test_symmetry(measure, seed):
    """Declared: exchanging the inputs changes nothing. Not declared: it does, in at least one of twenty worlds."""
    if measure.needs not in {*TWO_MODELS, "pairs + scores", "parallel texts"} or measure.name == "auc":
        return
    drawn = world(seed)
    if measure.symmetric:
        exchanged = values(measure, replace(drawn, swapped=True))
        np.testing.assert_allclose(exchanged, values(measure, drawn), atol=1e-7, rtol=0, equal_nan=True)
        return
    worlds = [world((seed, at)) for at in range(20)]
    assert any(abs(np.nanmean(values(measure, w) - values(measure, replace(w, swapped=True)))) > 1e-6 for w in worlds)


def alike(measure, w):
    """Return the value of two models that agree fully."""
    if measure.name in ("procrustes", "shape_angle"):
        return 0.0
    return (w.k + 1) / 2 / (len(w.x) - 1) if measure.name == "spread" else 1.0


@pytest.mark.parametrize("measure", [m for m in MEASURES if m.needs in TWO_MODELS], ids=lambda measure: measure.name)
@quick
@given(seeds)
def test_a_model_and_itself(measure, seed):
    drawn = world(seed)
    found = values(measure, replace(drawn, y=drawn.x))
    assume(measure.name != "cknna" or math.isfinite(found[0]))
    # The root of a rounding error near 1e-16, for distances.
    np.testing.assert_allclose(found, alike(measure, drawn), atol=1e-5, rtol=0)


@every
@quick
@given(seeds)
def test_every_other_row_as_a_neighbour(measure, seed):
    """k = n - 1: both lists hold every other row, whatever the models; nothing breaks."""
    drawn = world(seed, n=12, k=11)
    if measure.needs == "returned + exact neighbors":
        return  # an index cannot return others than these: test_measure_properties.py
    found = values(measure, drawn)
    if measure.needs == "two neighbors":
        assert (found == 1.0).all()
    known = found[~np.isnan(found)]
    assert ((known >= measure.range[0] - 1e-9) & (known <= measure.range[1] + 1e-9)).all()


@pytest.mark.parametrize("measure", [m for m in MEASURES if m.name in UNDEFINED], ids=lambda measure: measure.name)
def test_undefined_is_nan_and_warns_of_nothing(measure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = UNDEFINED[measure.name](measure, world(3))
    assert np.isnan(np.asarray(found, dtype=np.float64)).all()


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_tied_rows_are_equally_right(metric):
    """Two copies of every row: an index that returns the other copy has lost nothing."""
    measure = get_measure("index_recall").measure
    from embdiff import exact
    from embdiff.records import Neighbors

    rng = np.random.default_rng(0)
    rows, asked = rng.standard_normal((2, 20, 4)).astype(np.float32)
    double = np.concatenate([rows, rows])
    best = exact.search(asked, double, 6, metric)
    other = (best.rows + 20) % 40
    found = Neighbors(other, exact.similarity(asked, double, other, metric), metric)
    assert (measure.function(found, best, found.similarity) == 1.0).all()


@every
def test_text_forms_round_trip(measure):
    texts = [measure.name]
    for name, parameter in measure.parameters.items():
        middle = (parameter.low + min(parameter.high, 100.0)) / 2
        texts += [f"{measure.name}({name}={value:.15g})" for value in (parameter.low, parameter.default, middle)]
    if measure.cutoff:
        texts += [f"{text}@{k}" for text in tuple(texts) for k in (1, 10, 1_000)]
    for text in texts:
        spec = get_measure(text)
        assert get_measure(str(spec)) == spec
        assert spec.measure is measure
        if "(" in text or not measure.parameters:
            assert str(spec) == text


FALSE = [
    ("norm_spread", "shift"),
    ("norm_spread", "scaling of single rows"),
    ("anisotropy", "shift"),
    ("pwcca", "rotation"),
    ("cka", "any invertible linear map of the second space"),
    ("rbo", "order of the neighbours within a list"),
    ("cknna", "shift"),
    ("pearson", "any rising change of similarities or scores"),
    ("intrinsic_dimension", "shift"),
    ("second_order_cosine", "shift"),
    ("overlap", "scaling of single rows"),
    ("knn_accuracy", "shift"),
    ("hubness", "repeated rows, when lists are long enough"),
]


@pytest.mark.parametrize(("name", "invariance"), FALSE)
def test_a_false_declaration_is_found(name, invariance):
    """The changes really change: what a measure does not declare here is seen not to hold."""
    measure = get_measure(name).measure
    assert invariance not in measure.invariances
    for seed in range(10):
        drawn = world(seed, metric="l2" if name in ("overlap", "knn_accuracy") and "single" in invariance else "cosine")
        changed = CHANGES[invariance](drawn, np.random.default_rng(seed))
        before, after = values(measure, drawn), values(measure, changed)
        if before.shape != after.shape or not np.allclose(before, after, atol=near(measure), rtol=0, equal_nan=True):
            return
    pytest.fail(f"{invariance} changes nothing in {name}")
