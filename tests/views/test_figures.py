"""What the page draws beyond scores: cut-offs as `thresholds` gives them, groups as the run holds them."""

from __future__ import annotations

import pytest

import embdiff as ed
from embdiff.views import figures


@pytest.fixture(scope="module")
def result() -> ed.Comparison:
    return ed.compare("sample", [f"toy:{dim}" for dim in (8, 16, 32, 64, 128)], k=4, store="memory:")


def test_cutoffs_are_those_of_the_table_of_thresholds(result):
    drawn = figures.cutoffs(result.run)
    assert (drawn["from"], drawn["to"], drawn["more"]) == ("toy:8", ["toy:16", "toy:32", "toy:64"], 1)
    assert 2 <= len(drawn["rows"]) <= figures.CUTOFFS
    for row in drawn["rows"]:
        for other, cell in zip(drawn["to"], row["cells"], strict=True):
            carried = result.thresholds("toy:8", other, at=row["at"]).to_dict()["carried"][0]
            assert (carried["rate_from"], carried["n"]) == (row["rate"], drawn["queries"])
            assert cell == {key: carried[key] for key in ("value", "low", "high")}


def test_one_model_has_nowhere_to_carry_a_cutoff():
    assert figures.cutoffs(ed.compare("sample", ["toy:8"], k=4, store="memory:").run) is None


def test_matrices_of_groups_are_limited_and_the_rest_is_counted(result):
    drawn = figures.mixing(result.run)
    assert [each["model"] for each in drawn["models"]] == ["toy:8", "toy:16", "toy:32", "toy:64"]
    assert drawn["more"] == 1
    first = drawn["models"][0]
    assert first["share"] == result.run.mixings["toy:8"].to_dict()["share"]
    assert [sum(line) for line in first["share"]] == pytest.approx([1.0] * 4)


def test_without_groups_there_is_no_matrix_and_of_many_the_smallest_stand_together():
    texts = [f"text {row}" for row in range(60)]
    assert figures.mixing(ed.compare(texts, ["toy:8"], k=2, store="memory:").run) is None
    for count in (10, 24, 30):
        many = [f"group {row % count}" for row in range(60)]
        (drawn,) = figures.mixing(ed.compare(texts, ["toy:8"], k=2, store="memory:", groups=many).run)["models"]
        assert len(drawn["groups"]) == min(count, figures.WIDEST_MATRIX)
        assert (drawn["groups"][-1] == "7 other groups") == (count == 30)
        assert [sum(line) for line in drawn["share"]] == pytest.approx([1.0] * len(drawn["groups"]))
        assert [sum(line) for line in drawn["chance"]] == pytest.approx([1.0] * len(drawn["groups"]))
