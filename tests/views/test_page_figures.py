"""What the page draws beyond scores: costs of what was really encoded, the same cut-off in every model, own groups."""

from __future__ import annotations

import numpy as np
import pytest

import embdiff as ed
from embdiff.measures.thresholds import carry_over, cuts_at
from embdiff.views import figures
from embdiff.views.costs import costs


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[ed.Comparison, ed.Comparison]:
    """The same comparison, everything encoded and everything from the cache."""
    cache = tmp_path_factory.mktemp("cache")
    models = ["lsa:8", "wordllama:64"]
    first, again = (ed.compare("sample", models, k=4, store="memory:", cache=cache, baseline=False) for _ in range(2))
    return first, again


def test_costs_are_of_what_was_encoded_and_never_of_the_cache(kept):
    first, again = (costs(result.facts()) for result in kept)
    told = {each.model: each for each in kept[0].facts().manifest.models}
    for cost in first["costs"]:
        assert cost["encoded"] == told[cost["model"]].encoding.encoded > 0
        assert cost["seconds"] == pytest.approx(1 / told[cost["model"]].encoding.texts_per_second)
        assert cost["why"] is None
    wordllama = again["costs"][1]
    assert (wordllama["seconds"], wordllama["why"], wordllama["encoded"]) == (None, "cached", 0)


def test_costs_stand_beside_the_measure_of_the_headline(kept):
    found = costs(kept[0].facts())
    assert found["quality"] == kept[0].run.headline.measure == "same_group@4"
    for cost, standing in zip(found["costs"], kept[0].run.headline.standings, strict=True):
        assert (cost["value"], cost["low"], cost["high"]) == (standing.value, standing.low, standing.high)


def test_cut_offs_at_one_rate_are_what_one_becomes_in_the_other(kept):
    a, b = kept[0].run.similarities
    rates = [0.002, 0.05, 0.4]
    for here, there in zip(cuts_at(a, rates), cuts_at(b, rates), strict=True):
        assert carry_over(a, b, here, seed=0)[0].value == pytest.approx(there, abs=2e-3)
    found = figures.cutoffs(kept[0].run)
    assert [line["model"] for line in found["lines"]] == ["lsa:8", "wordllama:64"]
    for line in found["lines"]:
        assert (np.diff(line["cuts"]) <= 0).all()


def test_of_every_group_its_own_share(kept):
    own = figures.mixing(kept[0].run)["own"]
    for each in own:
        mixing = kept[0].run.mixings[each["model"]]
        assert each["groups"] == mixing.groups
        assert each["share"] == [mixing.share[at][at] for at in range(len(mixing.groups))]
        assert each["chance"] == [mixing.chance[at][at] for at in range(len(mixing.groups))]
