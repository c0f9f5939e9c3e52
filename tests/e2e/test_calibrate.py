"""Calibration against shuffled rows in a comparison: the fast forms are the measures, p-values are adjusted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.cells import cell_len

import embdiff as ed
from embdiff._plain import reader
from embdiff.measures import calibration
from embdiff.measures.base import MeasureSpec, get_measure
from embdiff.measures.calibration import Calibration, calibrate_pair, calibrated_measures, over_pairs
from embdiff.measures.cca import procrustes, pwcca, shape_angle, svcca
from embdiff.measures.cka import cka
from embdiff.measures.overlap import jaccard, overlap
from embdiff.measures.rank import kendall_tau, rank_similarity
from embdiff.measures.rbo import rbo
from embdiff.measures.rsa import rsa
from embdiff.measures.spaces import OneSpace, TwoSpaces
from embdiff.measures.spread import second_order_cosine
from embdiff.measures.statistics.quantiles import holm
from embdiff.records import Neighbors, Space, Stamp

TEXTS = [f"text number {row} of {row * row}" for row in range(30)]


def space(vectors, model):
    vectors = np.asarray(vectors, dtype=np.float32)
    return Space(model, tuple(map(str, range(len(vectors)))), vectors, Stamp(model, "1", vectors.shape[1]))


def neighbors(vectors, k=3):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = unit @ unit.T
    np.fill_diagonal(near, -2)
    rows = np.argsort(-near, axis=1, kind="stable")[:, :k].astype(np.int64)
    return Neighbors(rows, np.take_along_axis(near, rows, axis=1).astype(np.float32), "cosine")


def pair(n=40, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 5))
    y = np.c_[x + noise * rng.standard_normal((n, 5)), rng.standard_normal((n, 2))]
    return x.astype(np.float32), y.astype(np.float32)


def calibrated_pair(x, y, **settings):
    note = settings.pop("note", None)
    k = settings.pop("k", 3)
    two = TwoSpaces(*(OneSpace(space(v, m), neighbors(v, k), note=note) for v, m in ((x, "a"), (y, "b"))))
    found = calibrate_pair(calibrated_measures(), two, **{"permutations": 19, "seed": 1, **settings})
    return {each.measure: each for each in found}


def test_fast_forms_are_the_measures_in_every_order():
    x, y = pair()
    found = calibrated_pair(x, y)
    rng = np.random.default_rng(1)
    orders = [rng.permutation(40) for _ in range(19)]
    spaces = {"cka": cka, "rsa": rsa, "procrustes": procrustes, "shape_angle": shape_angle}
    for name, function in {**spaces, "svcca(variance=0.99)": svcca, "pwcca": pwcca}.items():
        assert found[name].observed == pytest.approx(function(x, y), abs=1e-6), name
        shuffled = [function(x, y[order]) for order in orders]
        assert found[name].null_mean == pytest.approx(np.mean(shuffled), abs=1e-6), name
        assert found[name].null_sd == pytest.approx(np.std(shuffled, ddof=1), abs=1e-6), name
    lists = {"overlap@3": overlap, "jaccard@3": jaccard, "rbo(p=0.9)@3": rbo, "kendall_tau@3": kendall_tau}
    for name, function in {**lists, "rank_similarity@3": rank_similarity}.items():
        assert found[name].observed == pytest.approx(np.nanmean(function(neighbors(x), neighbors(y)))), name
        shuffled = [function(neighbors(x), neighbors(y[order])) for order in orders]
        known = [values[~np.isnan(values)].mean() for values in shuffled if not np.isnan(values).all()]
        assert found[name].null_mean == pytest.approx(np.mean(known)), name
        assert found[name].permutations == len(known), name
    profiles = [second_order_cosine(neighbors(x), neighbors(z), (x, z), (x, z)).mean() for z in (y[o] for o in orders)]
    assert found["second_order_cosine@3"].null_mean == pytest.approx(np.mean(profiles), abs=1e-6)
    assert found["overlap@3"].p == found["cka"].p == found["procrustes"].p == 1 / 20
    assert 0 < found["cka"].calibrated < found["cka"].observed


def test_plain_functions_are_called_in_every_order():
    """Measures without a scorer of their own, as another package registers them."""
    x, y = pair()
    two = TwoSpaces(*(OneSpace(space(v, m), neighbors(v)) for v, m in ((x, "a"), (y, "b"))))
    names = ("cka", "procrustes", "overlap", "second_order_cosine")
    measures = [get_measure(name).measure for name in names]
    plain = [MeasureSpec(replace(each, name=f"my_{each.name}", scorer=None)) for each in measures]
    found = calibrate_pair([*names, *plain], two, permutations=19, seed=1)
    for one, other in zip(found[:4], found[4:], strict=True):
        assert other.measure == f"my_{one.measure}"
        assert other.observed == pytest.approx(one.observed, abs=1e-9)
        assert other.null_mean == pytest.approx(one.null_mean, abs=1e-9)
        assert other.p == one.p


def test_unrelated_models_are_not_told_from_shuffled_ones():
    rng = np.random.default_rng(5)
    x, y = (rng.standard_normal((60, 8)).astype(np.float32) for _ in range(2))
    found = calibrated_pair(x, y, permutations=99)
    assert all(each.p_holm > 0.05 for each in over_pairs([replace(each, measure="any") for each in found.values()]))
    assert not any(each.calibrated > 0.1 for each in found.values())
    assert found["procrustes"].threshold < found["procrustes"].observed  # a distance: low is agreement


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_rows_have_a_reason(n):
    x, y = pair(n)
    found = calibrated_pair(x, y, k=1, permutations=5, seed=0)
    if n < 4:
        assert found["cka"].reason == "the observed value is undefined"
        assert found["cka"].to_dict()["p"] is None
    assert found["overlap@1"].permutations == 5


def test_equal_rows_have_a_reason():
    same = np.ones((8, 3), dtype=np.float32)
    found = calibrated_pair(same, pair(8)[1])
    for name in ("cka", "rsa", "procrustes", "shape_angle", "svcca(variance=0.99)", "pwcca"):
        assert "undefined" in found[name].reason, name


def test_many_rows_are_sampled(monkeypatch):
    monkeypatch.setattr(calibration, "ROWS", 25)
    x, y = pair()
    found = calibrated_pair(x, y, note="10 of 40 rows were sampled, neighbours among these")
    assert found["cka"].reason == found["procrustes"].reason == "25 of 40 rows were sampled"
    assert found["overlap@3"].reason == "10 of 40 rows were sampled, neighbours among these"


def test_holm_over_the_pairs():
    made = [
        Calibration(measure, ("a", "b"), 0.5, 0.1, p, 0.4, 0.0, 0.1, 1.0, 99)
        for measure, p in (("cka", 0.01), ("rsa", 0.03), ("cka", 0.04), ("rsa", float("nan")))
    ]
    adjusted = [each.p_holm for each in over_pairs(made)]
    assert adjusted[:3] == pytest.approx([*holm([0.01, 0.04])[:1], 0.03, holm([0.01, 0.04])[1]])
    assert np.isnan(adjusted[3])
    again = reader(Calibration).validate_python(over_pairs(made)[0].to_dict())
    assert again == over_pairs(made)[0]


def test_command_line_python_and_folder(embdiff, sentences):
    common = ("compare", str(sentences), "-m", "toy:4", "-m", "toy:8", "-m", "toy:16", "-k", "2", "--store", "memory:")
    done = embdiff(*common, "--all", "--calibrate", "19", "--out", "run")
    assert done.code == 0, done.err
    assert "Against shuffled rows, 19 random orders" in done.out
    assert max(cell_len(line) for line in done.out.splitlines()) <= 80
    result = ed.compare(str(sentences), ["toy:4", "toy:8", "toy:16"], k=2, store="memory:", calibrate=19, out="again")
    assert ed.load("again") == result
    saved = ed.load("run").to_dict()["calibrations"]
    assert saved == result.to_dict()["calibrations"]
    assert len(result.run.calibrations) == 3 * 12
    for each in result.run.calibrations:
        assert each.p_holm >= each.p or np.isnan(each.p)
    payload = json.loads(embdiff("show", "run", "--json").out)
    assert [each["measure"] for each in payload["calibrations"][:12]] == [
        *("overlap@2", "jaccard@2", "rbo(p=0.9)@2", "rank_similarity@2", "kendall_tau@2", "second_order_cosine@2"),
        *("cka", "rsa", "procrustes", "shape_angle", "svcca(variance=0.99)", "pwcca"),
    ]
    plain = ed.compare(str(sentences), ["toy:4", "toy:8"], k=2, store="memory:", out="plain")
    assert plain.run.calibrations == ()
    assert "shuffled rows" not in repr(plain)


def test_refusals(embdiff, sentences):
    done = embdiff("compare", "--all", str(sentences), "-m", "toy:4", "--calibrate", "-1", "--store", "memory:")
    assert done.code == 2
    assert "calibrate" in done.err
