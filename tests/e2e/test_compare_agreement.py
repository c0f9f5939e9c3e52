"""Agreement in a comparison: chosen measures, curves, bm25 beside the models; files in, the same again from the run."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff import exact
from embdiff.comparison import beside as baseline_module
from embdiff.comparison.agreement import depths
from embdiff.measures.inputs import truncated
from embdiff.measures.rbo import rbo_with_tail
from embdiff.measures.spread import second_order_cosine, spread
from embdiff.sources import get_encoder

MODELS = ["toy:8", "toy:16"]
WORDS = ["red apple tree", "green apple", "blue sky", "red sky at night", "tree house", "night train"]

AGREEMENT = ["overlap", "jaccard", "rbo(p=0.9)", "rank_similarity", "kendall_tau", "spread", "second_order_cosine"]


def score_of(result, measure, models):
    found = [score for score in result.scores if score.measure == measure and score.models == models]
    assert len(found) == 1
    return found[0]


def test_every_measure_of_agreement_is_in_a_comparison(sentences, embdiff):
    done = embdiff("compare", str(sentences), "-m", "toy:8", "-m", "toy:16", "-k", "3", "--out", "run", "--json")
    payload = json.loads(done.out)
    assert payload["settings"]["measures"] == AGREEMENT
    scores = {score["measure"]: score for score in payload["scores"] if score["models"] == MODELS}
    wanted = {f"{text}@3" for text in AGREEMENT}
    assert wanted <= scores.keys()
    for measure in wanted:
        score = scores[measure]
        assert 0 < score["n"] <= 8
        assert score["low"] <= score["value"] <= score["high"]
        assert score["chance"] is not None
    shown = embdiff("show", "--all", "run").out
    assert "More about agreement" in shown
    assert "rank_similarity@3" in shown
    tail = payload["tails"][0]
    lines = shown.splitlines()
    below = lines[next(place for place, line in enumerate(lines) if "rbo(p=0.9)@3" in line) + 1]
    assert f"with any unseen tail {tail['low']:.2f} to {tail['high']:.2f}" in " ".join(below.split())
    again = embdiff("compare", "--all", "run/run.toml", "--out", "again")
    assert again.code == 0, again.err
    assert Path("run/agreement.json").read_text() == Path("again/agreement.json").read_text()
    assert Path("run/scores.json").read_text() == Path("again/scores.json").read_text()


def test_spread_and_second_order_are_those_of_the_vectors(sentences):
    texts = sentences.read_text().splitlines()
    result = ed.compare(texts, MODELS, k=3, store="memory:", measures=["spread", "second_order_cosine", "spread@2"])
    vectors = [get_encoder(model).encode(texts) for model in MODELS]
    own = np.arange(len(texts))
    lists = [exact.search(v, v, 3, "cosine", leave_out=own) for v in vectors]
    for here, there in ((0, 1), (1, 0)):
        ranks = exact.ranks(vectors[there], vectors[there], lists[here].rows, "cosine", leave_out=own)
        models = (MODELS[here], MODELS[there])
        assert score_of(result, "spread@3", models).value == pytest.approx(spread(ranks, 7).mean())
        assert score_of(result, "spread@2", models).value == pytest.approx(spread(ranks[:, :2], 7).mean())
    values = second_order_cosine(*lists, tuple(vectors), tuple(vectors))
    assert score_of(result, "second_order_cosine@3", tuple(MODELS)).value == pytest.approx(values.mean())


def test_spread_is_exact_where_an_index_loses_rows():
    texts = list(ed.read_corpus("sample").items)
    result = ed.compare(
        texts, ["toy:16", "toy:24"], k=5, index="ivf_flat(nlist=8,nprobe=1)", out="run", measures=["spread", "overlap"]
    )
    assert {"exact_overlap@5"} <= {score.measure for score in result.scores}
    vectors = [get_encoder(model).encode(texts) for model in ("toy:16", "toy:24")]
    own, (a, b) = np.arange(len(texts)), result.run.answers
    for here, there, space in ((a, b, vectors[1]), (b, a, vectors[0])):
        ranks = exact.ranks(space, space, here.returned.rows, "cosine", leave_out=own)
        models = (here.model, there.model)
        assert score_of(result, "spread@5", models).value == pytest.approx(np.nanmean(spread(ranks, 51)))


def test_a_zero_vector_leaves_second_order_undefined():
    class Flat:
        def encode(self, texts):
            return np.array([[len(text) % 3, 0.0] for text in texts], dtype=np.float32)

    result = ed.compare(["aaa", "b", "cc", "dddd"], [Flat(), "toy:8"], k=2, metric="l2", store="memory:")
    score = score_of(result, "second_order_cosine@2", ("object:Flat", "toy:8"))
    assert math.isnan(score.value)
    assert score.reason == "a vector is zero and has no direction"


def test_chosen_measures(embdiff, sentences):
    options = ("--measure", "rbo(p=0.8)@2", "--measure", "overlap@1", "--measure", "overlap", "--no-baseline")
    done = embdiff(
        "compare", "--all", str(sentences), "-m", "toy:8", "-m", "toy:16", "-k", "3", *options, "--out", "run"
    )
    assert done.code == 0, done.err
    result = ed.load("run")
    agreement = [score.measure for score in result.scores if score.models == tuple(MODELS)]
    assert agreement[:3] == ["rbo(p=0.8)@2", "overlap@1", "overlap@3"]
    assert not {"jaccard@3", "spread@3"} & set(agreement)
    assert 'measures = [\n    "rbo(p=0.8)@2",' in Path("run/run.toml").read_text()
    a, b = (truncated(answer.returned, 2) for answer in result.run.answers)
    tail = rbo_with_tail(a, b, 0.8)
    expected = {"measure": "rbo(p=0.8)@2", "models": MODELS, "query_model": None}
    assert result.to_dict()["tails"] == [{**expected, "low": tail.low.mean(), "high": tail.high.mean()}]
    first = [answer.returned.rows[:, 0] for answer in result.run.answers]
    assert score_of(result, "overlap@1", tuple(MODELS)).value == (first[0] == first[1]).mean()


@pytest.mark.parametrize(
    ("measures", "words"),
    [
        (["overlap@4"], r"^k of a measure must be at most the k of the run, 3\. Got overlap@4\. Raise the k"),
        (["ndcg@3"], r"Got ndcg@3, which needs neighbors \+ qrels\. Give expected results as well \(--expected\)"),
        (
            ["spearman"],
            r"Got spearman, which needs pairs \+ scores\. It belongs to labelled data: use 'embdiff evaluate'",
        ),
        (["knn_accuracy@2"], r"needs class labels\. It belongs to labelled data"),
        (["cka"], r"Got cka, which needs two spaces\. Leave it out: a comparison reports it by itself"),
        (["mixing"], "a comparison reports it by itself where the data allow it"),
        (["overlap", "overlap@3"], r"named once\. Got overlap@3 more than once"),
        ("overlap", r"must be a list\. Got the text 'overlap'\. Write \['overlap'\]"),
        (["overlp"], "Did you mean 'overlap'"),
    ],
)
def test_measures_that_cannot_be_had(measures, words):
    with pytest.raises(ed.EmbdiffError, match=words):
        ed.compare(["a", "b", "c", "d"], ["toy:8"], k=3, measures=measures, store="memory:")


def test_depths_of_a_curve():
    assert depths(1) == (1,)
    assert depths(3) == (1, 2, 3)
    assert depths(7) == (1, 2, 3, 5, 7)
    assert depths(100) == (1, 2, 3, 5, 10, 20, 50, 100)
    assert depths(1_200)[-4:] == (200, 500, 1_000, 1_200)


def test_curves(embdiff, sentences):
    result = ed.compare(str(sentences), MODELS, k=5, out="run", baseline=False)
    frame = result.curves_frame()
    assert list(frame.k.unique()) == [1, 2, 3, 5]
    for_every_query = {"overlap", "jaccard", "rbo(p=0.9)", "rank_similarity", "spread", "second_order_cosine"}
    assert set(frame.measure.str.partition("@")[0]) == {*for_every_query, "kendall_tau"}
    known = frame[~frame.measure.str.startswith("kendall_tau")]
    assert (known.low <= known.value).all()
    assert (known.value <= known.high).all()
    assert (known.n == 8).all()
    at = frame[frame.measure == "overlap@2"].iloc[0]
    rows = [answer.returned.rows[:, :2] for answer in result.run.answers]
    assert at.value == np.mean([len({*x} & {*y}) / 2 for x, y in zip(*rows, strict=True)])
    assert at.chance == pytest.approx(2 / 7)
    for measure in {score.measure for score in result.scores} & {*frame.measure}:
        score = score_of(result, measure, tuple(MODELS))
        here = frame[frame.measure == measure].iloc[0]
        assert (here.value, here.low, here.high, here.chance) == (score.value, score.low, score.high, score.chance)
    ranks = frame[frame.measure == "spread@3"]
    ranks = dict(zip(map(tuple, ranks.models), ranks.value, strict=True))
    vectors = [get_encoder(name).encode(sentences.read_text().splitlines()) for name in MODELS]
    for way in ((0, 1), (1, 0)):
        here, there = (vectors[at] / np.linalg.norm(vectors[at], axis=1, keepdims=True) for at in way)
        near = np.argsort(-(here @ here.T - 9 * np.eye(8)), axis=1)[:, :3]
        order = np.argsort(np.argsort(-(there @ there.T - 9 * np.eye(8)), axis=1), axis=1) + 1
        middle = np.median(np.take_along_axis(order, near, axis=1), axis=1)
        assert ranks[tuple(MODELS[at] for at in way)] == pytest.approx(middle.mean() / 7)
    assert ed.load("run") == result
    assert ed.load("run").curves_frame().equals(frame)
    assert "Overlap by depth" in embdiff("show", "--all", "run").out


def test_bm25_stands_beside_the_models(embdiff):
    pytest.importorskip("bm25s")
    result = ed.compare(WORDS, ["toy:8"], k=2, out="run")
    assert result.run.config.baseline == "beside"
    assert ed.load("run") == result
    found = {WORDS[int(query)]: [] for query in "012345"}
    frame = result.to_frame(baseline=True)
    for row in frame[frame.model == "bm25"].itertuples():
        found[WORDS[int(row.query_id)]].append(WORDS[int(row.id)])
    alone = {query: rows for query, rows in found.items() if len(rows) == 1}
    assert alone == {
        "green apple": ["red apple tree"],
        "blue sky": ["red sky at night"],
        "tree house": ["red apple tree"],
        "night train": ["red sky at night"],
    }
    assert set(found["red apple tree"]) == {"green apple", "tree house"}  # shorter than the row with "red"
    assert set(result.to_frame().model) == {"toy:8"}
    score = score_of(result, "overlap@2", ("toy:8", "bm25"))
    assert (score.n, score.low <= score.value <= score.high) == (6, True)
    # Four lists of one row: what two unrelated lists would share is 1 * 2 / 5 rows there, 2 * 2 / 5 in the other two.
    assert score.chance == pytest.approx((4 * 0.4 + 2 * 0.8) / 6 / 2)
    rows = [answer.returned.rows for answer in (*result.run.answers, result.run.baseline)]
    shared = [len(({*x} & {*y}) - {-1}) / 2 for x, y in zip(*rows, strict=True)]
    assert score.value == pytest.approx(np.mean(shared))
    vectors = score_of(result, "second_order_cosine@2", ("toy:8", "bm25"))
    assert (vectors.n, vectors.reason) == (0, "bm25 has no vectors")
    assert score_of(result, "spread@2", ("bm25", "toy:8")).n == 6
    assert score_of(result, "spread@2", ("toy:8", "bm25")).reason.startswith("bm25 ranks only rows that share a word")
    shown = " ".join(embdiff("show", "--all", "run").out.split())
    assert "For 4 of 6 queries fewer than k rows share a word" in shown
    payload = result.to_dict()
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload
    assert [entry["text"] for entry in payload["results"][2]["baseline"]["neighbors"]] == ["red sky at night"]
    assert [answer["model"] for answer in payload["results"][2]["answers"]] == ["toy:8"]


def test_bm25_in_a_diff(embdiff):
    pytest.importorskip("bm25s")
    result = ed.compare(WORDS, ["toy:8", "toy:16"], k=2, out="run")
    assert len(result.diff(1).pairs) == 1
    pairs = result.diff(1, baseline=True).pairs
    assert [pair["models"] for pair in pairs] == [["toy:8", "toy:16"], ["toy:8", "bm25"], ["toy:16", "bm25"]]
    assert pairs[1]["metrics"] == ["cosine", "bm25"]
    lost = [entry for entry in pairs[1]["entries"] if entry["status"] == "lost" and entry["text"] != "red apple tree"]
    assert lost
    assert all((entry["ranks"][1], entry["distances"][1]) == (None, None) for entry in lost)
    done = embdiff("diff", "run", "1", "--baseline", "--all")
    assert "BM25 score" in done.out
    assert "toy:8 → bm25" in done.out
    done = embdiff("diff", "run", "1", "--models", "bm25,toy:8")
    assert "bm25 and toy:8" in done.out
    assert "Only bm25" in done.out
    assert "BM25 score" in result.diff(1, baseline=True)._repr_html_()


def test_bm25_by_name_stands_among_the_models(embdiff):
    pytest.importorskip("bm25s")
    done = embdiff(
        "compare", "--all", "sample", "-m", "toy:8", "-m", "bm25", "-k", "2", "--out", "run", "--store", "memory:"
    )
    assert done.code == 0, done.err
    result = ed.load("run")
    assert result.run.config.models == ("toy:8",)
    assert set(result.to_frame().model) == {"toy:8", "bm25"}
    assert [answer["model"] for answer in result.to_dict(queries=1)["results"][0]["answers"]] == ["toy:8", "bm25"]
    assert len(result.diff(0).pairs) == 1
    assert embdiff("compare", "--all", "run/run.toml", "--out", "again").code == 0
    assert ed.load("again").run.config == result.run.config


def test_bm25_with_query_models_and_own_rows():
    pytest.importorskip("bm25s")
    result = ed.compare(
        WORDS, ["toy:8", "toy:8?"], query_models=["toy:8"], queries="first:2", k=3, store="memory:", metric="l2"
    )
    pairs = {(score.query_model, score.models) for score in result.scores if score.measure == "overlap@3"}
    assert pairs == {
        ("toy:8", pair) for pair in (*combinations(("toy:8", "toy:8?"), 2), ("toy:8", "bm25"), ("toy:8?", "bm25"))
    }
    own = result.run.baseline
    assert own.is_self[:, 0].all()
    assert own.returned.rows[:, 0].tolist() == [0, 1]
    assert (own.returned.distance[0, 0], own.returned.metric) == (own.returned.similarity[0, 0], "ip")
    dropped = ed.compare(WORDS, ["toy:8"], queries="first:2", k=3, store="memory:", self_matches="drop")
    assert not (dropped.run.baseline.returned.rows == np.arange(2)[:, None]).any()


def test_bm25_that_is_left_out_is_said(monkeypatch, embdiff):
    monkeypatch.setattr(baseline_module, "is_installed", lambda module: False)
    result = ed.compare(WORDS, ["toy:8"], k=2, out="run")
    assert result.run.baseline is None
    assert "bm25 is left out: it needs the package 'bm25s'" in " ".join(repr(result).split())
    assert ed.load("run") == result
    monkeypatch.undo()
    monkeypatch.setattr(baseline_module, "MOST_PAIRS", 35)
    large = ed.compare(WORDS, ["toy:8"], k=2, store="memory:")
    assert "bm25 is left out: 6 queries on 6 rows take it long. To have it: -m bm25" in repr(large)
    assert ed.compare(WORDS, ["toy:8", "bm25"], k=2, store="memory:").run.baseline is not None
    off = ed.compare(WORDS, ["toy:8"], k=2, store="memory:", baseline=False)
    assert (off.run.baseline, off.to_dict()["baseline"]) == (None, None)
    with pytest.raises(ed.EmbdiffError, match=r"needs a run in which it stood beside the models\. Got one without it"):
        off.diff(0, baseline=True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"models": ["toy:8", "bm25"], "baseline": False}, r"either among the models or left out\. Got both\."),
        ({"models": ["bm25"]}, r"at least one model\. Got none\."),
        ({"models": ["toy:8"], "query_models": ["bm25"]}, r"A query model must have vectors\. Got bm25"),
    ],
)
def test_bm25_where_it_cannot_be(given, words):
    with pytest.raises(ed.EmbdiffError, match=words):
        ed.compare(WORDS, k=2, store="memory:", **given)


def test_bm25_named_but_not_installed(monkeypatch):
    monkeypatch.setattr("embdiff._optional.is_installed", lambda module: module != "bm25s")
    with pytest.raises(
        ed.EmbdiffError, match=r"The model bm25 needs the package 'bm25s'.*pip install 'embdiff\[bm25\]'"
    ):
        ed.compare(WORDS, ["toy:8", "bm25"], k=2, store="memory:")
