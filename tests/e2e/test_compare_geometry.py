"""Geometry in every comparison: the right numbers, reasons where there are none, readable, the same for a seed."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from rich.cells import cell_len

import embdiff as ed
from embdiff.comparison import every_row
from embdiff.views import terminal
from shown import everything

PAIRED = ["cka", "cknna@3", "rsa(pairs=100000)", "procrustes", "shape_angle", "svcca(variance=0.99)", "pwcca"]
ALONE = [
    "anisotropy", "first_component", "norm_spread", "uniformity(pairs=100000)", "hubness@3", "orphans@3",
    "intrinsic_dimension",
]  # fmt: skip


class Table:
    """A model that looks its vectors up, so that a test knows them."""

    def __init__(self, vectors, name):
        self.vectors = dict(zip([f"row {row}" for row in range(len(vectors))], vectors, strict=True))
        self.__class__ = type(name, (Table,), {})

    def encode(self, texts):
        return np.stack([self.vectors.get(text, self.vectors["row 0"]) for text in texts]).astype(np.float32)


def spaces(n, dims=(5, 7), *, unit=True, seed=3):
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, max(dims)))
    out = []
    for dim in dims:
        vectors = common[:, :dim] + 0.5 * rng.standard_normal((n, dim))
        out.append((vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if unit else vectors).astype(np.float32))
    return out


def compared(vectors, **settings):
    texts = [f"row {row}" for row in range(len(vectors[0]))]
    models = [Table(each, f"Model{place}") for place, each in enumerate(vectors)]
    return ed.compare(texts, models, store="memory:", **{"k": 3, **settings})


def by_measure(result, models=2):
    return {score.measure: score for score in result.scores if len(score.models) == models}


def unbiased_cka(x, y):
    """The n x n form, with loops over matrices as in Song et al. 2012."""

    def hsic(k, l):  # noqa: E741
        n, one = len(k), np.ones(len(k))
        return (
            np.trace(k @ l)
            + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
            - 2 * (one @ k @ l @ one) / (n - 2)
        ) / (n * (n - 3))

    k, l = (each.astype(float) @ each.astype(float).T for each in (x, y))  # noqa: E741
    for each in (k, l):
        np.fill_diagonal(each, 0.0)
    return hsic(k, l) / math.sqrt(hsic(k, k) * hsic(l, l))


def test_every_pair_and_every_space_is_described():
    x, y = spaces(60)
    result = compared([x, y])
    pairs, alone = by_measure(result), [score for score in result.scores if len(score.models) == 1]
    assert [name for name in pairs if name in PAIRED] == PAIRED
    for model in result.run.config.models:
        assert [score.measure for score in alone if score.models == (model,) and score.measure in ALONE] == ALONE
    for name in PAIRED:
        score = pairs[name]
        assert score.n == 60
        assert score.low <= score.value <= score.high
        assert math.isfinite(score.chance)
    assert pairs["cka"].value == pytest.approx(unbiased_cka(x, y), abs=1e-9)
    assert pairs["cka"].chance == 0.0
    centred = [each.astype(float) - each.astype(float).mean(axis=0) for each in (x, y)]
    a, b = (each / np.linalg.norm(each) for each in centred)
    nuclear = np.linalg.svd(a.T @ b, compute_uv=False).sum()
    assert pairs["procrustes"].value == pytest.approx(math.sqrt(2 - 2 * nuclear), abs=1e-9)
    assert pairs["shape_angle"].value == pytest.approx(math.acos(nuclear), abs=1e-9)
    cosines = x.astype(float) @ x.astype(float).T
    mine = next(score for score in alone if score.measure == "anisotropy")
    assert mine.value == pytest.approx((cosines.sum() - 60) / (60 * 59), abs=1e-6)


def test_a_model_and_its_rotation_have_one_geometry():
    x = spaces(80)[1]
    turned = x @ np.linalg.qr(np.random.default_rng(0).standard_normal((7, 7)))[0]
    found = by_measure(compared([x, turned]))
    for name in PAIRED:
        assert found[name].value == pytest.approx(0.0 if name in ("procrustes", "shape_angle") else 1.0, abs=1e-3), name


@pytest.mark.parametrize("n", [2, 3, 4, 5, 9])
@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_few_rows_have_a_reason_and_never_crash(n, metric):
    result = compared(spaces(n), metric=metric, k=min(3, n - 1))
    for score in result.scores:
        if not math.isfinite(score.value):
            assert score.reason, score.measure
    if n < 4:
        found = by_measure(result)["cka"]
        assert found.reason == f"there must be at least 4 rows, there are {n}"
    text = terminal.text(result.facts(), width=80, everything=True)
    assert "Geometry" in text
    assert "Each space alone" in text


def test_equal_rows_have_a_reason():
    same = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (8, 1))
    found = by_measure(compared([same, spaces(8)[0]]))
    assert found["cka"].reason == "the rows of a space are all equal, or all equally far apart"
    assert math.isnan(found["procrustes"].value)


def test_metrics_that_a_measure_cannot_take():
    x, y = spaces(40, unit=False)
    longer = compared([x, y], metric="l2")
    assert "by l2 must be of length 1" in by_measure(longer)["cknna@3"].reason
    assert "no distance" in by_measure(compared([x, y], metric="ip"), 1)["intrinsic_dimension"].reason
    unit = spaces(40)
    want = by_measure(compared(unit))["cknna@3"].value
    assert by_measure(compared(unit, metric="l2"))["cknna@3"].value == pytest.approx(want, abs=1e-5)
    by_ip = by_measure(compared(unit, metric="ip"), 1)["intrinsic_dimension"].value
    assert by_ip == pytest.approx(by_measure(compared(unit), 1)["intrinsic_dimension"].value, rel=1e-3)
    assert "k is 1" in by_measure(compared(unit, k=1), 1)["intrinsic_dimension"].reason


def test_many_rows_are_sampled_and_said(monkeypatch):
    monkeypatch.setattr(every_row, "MOST", 50)
    x, y = spaces(80)
    sampled = compared([x, y], queries="first:4")
    note = "50 of 80 rows were sampled, neighbours among these"
    for name, models in (("cknna@3", 2), ("hubness@3", 1), ("orphans@3", 1), ("intrinsic_dimension", 1)):
        score = by_measure(sampled, models)[name]
        assert (score.n, score.reason) == (50, note), name
    assert note in " ".join(everything(sampled).split())
    asked = compared([x, y])  # every row is searched anyway
    assert by_measure(asked)["cknna@3"].n == 80
    assert by_measure(asked)["cknna@3"].reason is None
    again = compared([x, y], queries="first:4")
    assert [score.to_dict() for score in again.scores] == [score.to_dict() for score in sampled.scores]


def test_tables_fit_and_sum_up():
    few = compared(spaces(30, dims=(3, 4, 5, 6, 7, 8)))
    text = terminal.text(few.facts(queries=0), width=80, everything=True)
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert "The first 12 of 15 pairs; all of them are in scores.json." in text
    assert "1 means the same geometry" in text


def test_command_line_and_file(embdiff, sentences):
    done = embdiff("compare", str(sentences), "-m", "toy:4", "-m", "toy:6", "-k", "3", "--out", "run", "--json")
    found = {score["measure"]: score for score in json.loads(done.out)["scores"] if len(score["models"]) == 2}
    assert set(PAIRED) <= set(found)
    assert found["svcca(variance=0.99)"]["value"] is not None
    shown = embdiff("show", "--all", "run").out
    assert "Each space alone; n = 8 rows" in shown
    assert "shape_angle" in shown
