"""embdiff thresholds: from a run folder alone, with words for what cannot be."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len

import embdiff as ed
from embdiff.comparison import thresholds
from embdiff.measures.similarities import BINS_PER_UNIT
from embdiff.views import terminal


@pytest.fixture
def run(embdiff, tmp_path) -> Path:
    texts = [f"{word} {other} {row}" for row, (word, other) in enumerate(zip(WORDS, reversed(WORDS), strict=True))]
    Path("texts.txt").write_text("\n".join(texts) + "\n")
    Path("expected.csv").write_text("query_id,id\n" + "".join(f"{row},{row + 1}\n" for row in range(0, 24, 2)))
    common = ("-m", "toy:6", "-m", "toy:24", "-k", "3", "--store", "memory:", "--expected", "expected.csv")
    done = embdiff("compare", "--all", "texts.txt", *common, "--out", "run")
    assert done.code == 0, done.err
    assert "Similarities of each model (cosine)" in done.out
    return Path("run")


WORDS = [
    "harbour", "lantern", "kettle", "window", "gravel", "orchard", "saddle", "thunder", "velvet", "walnut", "copper",
    "meadow", "signal", "tunnel", "violin", "garden", "island", "jacket", "ladder", "mirror", "needle", "oyster",
    "pepper", "quarry",
]  # fmt: skip


def refused(done, *words):
    assert done.code == 2, done.out
    assert done.out == ""
    for word in words:
        assert word in done.err


def test_table_and_json_from_the_folder_alone(embdiff, run, monkeypatch):
    def no_model(*_):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("embdiff.sources.naming.get_encoder", no_model)
    done = embdiff("thresholds", str(run), "--from", "toy:6", "--to", "toy:24", "--at", "0.9", "--at", "0.95")
    assert done.code == 0, done.err
    assert "Cut-offs of toy:6 in toy:24; 24 queries, 552 pairs" in done.out
    assert max(cell_len(line) for line in done.out.splitlines()) <= 80
    found = json.loads(
        embdiff("thresholds", str(run), "--from", "toy:6", "--to", "toy:24", "--at", "0.9", "--json").out
    )
    assert (found["from"], found["to"]) == ("toy:6", "toy:24")
    assert [each["by"] for each in found["carried"]] == ["pass rate", "precision", "recall"]
    rate = found["carried"][0]
    assert rate["low"] <= rate["value"] <= rate["high"]
    assert rate["rate_from"] == pytest.approx(rate["rate_to"], abs=0.01)  # small counts tie
    assert {each["population"] for each in found["similarities"]} == {
        "unrelated pairs", "nearest neighbour", "neighbour 3", "expected pairs",
    }  # fmt: skip
    for word in ("better", "worse", "best"):
        assert word not in done.out.lower()


def test_pass_rates_are_those_of_all_pairs(run):
    result = ed.load(run)
    for model in ("toy:6", "toy:24"):
        vectors = ed.get_encoder(model).encode(list(result.run.corpus.items)).astype(float)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        pairs = (unit @ unit.T)[~np.eye(24, dtype=bool)]
        for at in (0.7, 0.85, 0.9):
            found = result.thresholds(model, model, at)
            assert found.carried[0].rate_from == (pairs.astype(np.float32) >= np.float32(at)).mean()
            assert found.carried[0].value == pytest.approx(at, abs=1e-7)
    unrelated = next(each for each in result.run.distributions if each.population == "unrelated pairs")
    assert unrelated.n == 24 * 23 // 2


def test_python_and_the_folder_agree(run):
    texts = list(ed.load(run).run.corpus.items)
    expected = {str(row): [str(row + 1)] for row in range(0, 24, 2)}
    result = ed.compare(texts, ["toy:6", "toy:24"], k=3, store="memory:", out="again", expected=expected)
    assert ed.load("again") == result
    once, more = result.thresholds(), ed.load(run).thresholds("toy:6")
    assert once.carried == more.carried
    assert len(once.carried) == 3 * len({each.at for each in once.carried})
    assert (more.to_model, ed.load(run).thresholds(to="toy:6").from_model) == ("toy:24", "toy:24")
    assert ed.load(run).thresholds(from_="toy:24").to_model == "toy:6"
    assert list(once.to_frame()["at"]) == [each.at for each in once.carried]
    assert "Cut-offs of toy:6 in toy:24" in repr(once)
    assert "Pass rate: of all pairs" in repr(once)


def test_the_table_of_similarities_holds_every_pair(run):
    table = pd.read_parquet(run / "similarities.parquet")
    assert list(table.columns) == ["model", "query_id", "similarity", "count", "binned", "expected"]
    assert table.groupby("model", observed=True)["count"].sum().to_dict() == {"toy:6": 552, "toy:24": 552}
    assert table.groupby("model", observed=True)["expected"].sum().to_dict() == {"toy:6": 12, "toy:24": 12}
    assert not table["binned"].any()


def test_large_runs_are_sampled_and_binned(monkeypatch):
    monkeypatch.setattr(thresholds, "QUERIES", 10)
    monkeypatch.setattr(thresholds, "NUMBERS", 50)
    texts = [f"{word} {row}" for row in range(4) for word in WORDS]
    expected = {str(row): [str(row + 24)] for row in range(40)}
    result = ed.compare(texts, ["toy:6", "toy:24"], k=3, store="memory:", out="run", expected=expected)
    assert ed.load("run") == result
    found = result.run.similarities[0]
    assert (found.sampled.sum(), found.judged.sum()) == (10, 10)
    assert found.binned.any()
    assert found.count.sum() == len(found.queries) * 95
    one = result.thresholds("toy:6", "toy:6", 0.4).carried
    assert [each.n for each in one] == [10, 10, 10]
    for each in one:
        assert each.value == pytest.approx(0.4, abs=1e-7) or math.isnan(each.value)
    again = ed.compare(texts, ["toy:6", "toy:24"], k=3, store="memory:", expected=expected)
    assert again.thresholds(at=0.9).carried == result.thresholds(at=0.9).carried
    assert BINS_PER_UNIT == 1_024


def test_refusals(embdiff, run):
    common = ("thresholds", str(run))
    refused(embdiff(*common, "--at", "1.5"), "number between -1 and 1. Got 1.5", "Write for example 0.7")
    refused(embdiff(*common, "--at", "nan"), "Got nan")
    refused(embdiff(*common, "--from", "toy:66"), "toy:6, toy:24. Got 'toy:66'", "Did you mean 'toy:6'")
    refused(embdiff(*common, "--to", "nobody"), "Got 'nobody'")
    refused(embdiff("thresholds", "nowhere"), "run.toml", "Got nowhere")
    assert embdiff(*common, "--at", "0.7x").code == 2


def test_models_must_be_named_unless_there_are_two(embdiff, sentences):
    common = ("--store", "memory:", "-k", "2", "--out")
    embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-m", "toy:16", "-m", "toy:32", *common, "three")
    refused(embdiff("thresholds", "three", "--from", "toy:8"), "unless the run has two", "Got a run of 3", "--to")
    assert embdiff("thresholds", "three", "--from", "toy:8", "--to", "toy:32").code == 0
    embdiff("compare", "--all", str(sentences), "-m", "toy:8", *common, "one")
    refused(embdiff("thresholds", "one"), "Got a run of 1")
    assert embdiff("thresholds", "one", "--from", "toy:8", "--to", "toy:8", "--at", "0.9").code == 0


@pytest.mark.parametrize("name", ["similarities.json", "arrays.parquet"])
def test_a_run_without_its_similarities_is_refused(embdiff, run, name):
    (run / name).unlink()
    refused(embdiff("thresholds", str(run)), "must be intact", name, "Run the comparison again")


class _Zero:
    def encode(self, texts):
        vectors = np.arange(3 * len(texts), dtype=np.float32).reshape(len(texts), 3) % 7
        vectors[0] = 0.0
        return vectors


def test_vectors_without_direction_have_no_cutoff():
    result = ed.compare(
        [f"text {row}" for row in range(9)], [_Zero(), "toy:8"], k=2, metric="l2", store="memory:", out="run"
    )
    assert ed.load("run") == result
    with pytest.raises(ed.EmbdiffError, match="1 documents and 1 queries have a zero vector") as caught:
        result.thresholds()
    assert "Leave these rows out" in str(caught.value)
    assert math.isfinite(result.thresholds("toy:8", "toy:8").carried[1].value)


def test_a_third_model_asks_where_there_is_no_other():
    result = ed.compare(
        ["aa", "ab", "bc", "cd", "de"], ["toy:8"], query_models=["toy:8?"], k=2, queries="first:3", store="memory:"
    )
    assert {each.query_model for each in result.run.similarities} == {"toy:8?"}
    assert "asked with" in terminal.text(result.facts(), width=80, everything=True)
    assert result.run.similarities[0].count.sum() == 3 * 4  # each query's own row is left out, though it is shown


def test_given_queries_leave_their_own_text_out():
    result = ed.compare(["aa", "aa", "bc", "cd"], ["toy:8"], queries=["aa", "zz"], k=2, store="memory:")
    assert np.bincount(result.run.similarities[0].place).tolist() == [2, 4]
