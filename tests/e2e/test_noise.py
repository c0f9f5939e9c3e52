"""The noise floor: the same model again, with another precision, batch size and index."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from rich.cells import cell_len

import embdiff as ed
from embdiff.comparison import noise
from embdiff.errors import EncoderError
from embdiff.measures.noise import change, drawn, drawn_again, half_precision
from embdiff.records import Score
from embdiff.sources import get_encoder
from embdiff.views import terminal

TEXTS = [f"text number {row}" for row in range(40)]
NAMES = ("noise_index@3", "noise_float16@3", "noise_batch@3")


def lists(vectors, k=3):
    x = np.asarray(vectors, dtype=float)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    near = unit @ unit.T
    np.fill_diagonal(near, -2)
    return np.argsort(-near, axis=1, kind="stable")[:, :k]


def shared(a, b):
    return float(np.mean([len(set(x) & set(y)) / len(x) for x, y in zip(a, b, strict=True)]))


class Model:
    """Looks vectors up; what is encoded alone comes out another way."""

    def __init__(self, seed=0, alone=0.0, scale=1.0):
        rng = np.random.default_rng(seed)
        self.vectors = (scale * (rng.standard_normal((40, 6)) + 3)).astype(np.float32)
        self.alone = (self.vectors + alone * rng.standard_normal((40, 6))).astype(np.float32)
        self.calls = []

    def encode(self, texts):
        self.calls.append(len(texts))
        rows = [TEXTS.index(text) if text in TEXTS else 0 for text in texts]
        return (self.alone if len(texts) == 1 else self.vectors)[rows]


def found(result):
    return {score.measure: score for score in result.scores if score.measure in NAMES}


def test_a_model_that_never_changes_has_no_noise(embdiff, sentences):
    done = embdiff("compare", str(sentences), "-m", "toy:8", "-m", "toy:16", "-k", "3", "--out", "run", "--json")
    scores = [score for score in json.loads(done.out)["scores"] if score["measure"] in NAMES]
    assert [score["measure"] for score in scores if score["models"] == ["toy:8"]] == list(NAMES)
    assert all(score["value"] == 1.0 and score["n"] == 8 for score in scores if "float16" not in score["measure"])
    assert all(score["chance"] == pytest.approx(3 / 7) for score in scores)
    shown = embdiff("show", "--all", "run").out
    assert "The same model again: overlap@3 [95 %]" in shown
    assert shown.index("Agreement of neighbours") < shown.index("The same model again") < shown.index("Geometry")
    assert max(cell_len(line) for line in shown.splitlines()) <= 80


def test_another_batch_size_is_seen(monkeypatch):
    monkeypatch.setattr("embdiff.measures.noise.SHARE", 1e9)  # of a small corpus few would be encoded again
    model = Model(alone=0.3)
    result = ed.compare(TEXTS, [model], k=3, store="memory:")
    score = found(result)["noise_batch@3"]
    unit = [
        v / np.linalg.norm(v, axis=1, keepdims=True) for v in (model.alone.astype(float), model.vectors.astype(float))
    ]
    near = unit[0] @ unit[1].T
    np.fill_diagonal(near, -2)
    again = np.argsort(-near, axis=1, kind="stable")[:, :3]
    assert score.value == pytest.approx(shared(again, lists(model.vectors)))
    assert score.value < 0.95
    assert score.low < score.value < score.high
    assert found(result)["noise_index@3"].value == 1.0
    assert model.calls.count(1) == 40 + model.calls[:1].count(1)  # each text once more; a first probe of the dimension


def test_half_precision_is_seen():
    model = Model()
    # Differences near the spacing of float16 at 1.
    model.vectors = model.alone = (1 + 0.003 * (model.vectors - 3)).astype(np.float32)
    score = found(ed.compare(TEXTS, [model], k=3, store="memory:"))["noise_float16@3"]
    rounded = model.vectors.astype(np.float16)
    assert score.value == pytest.approx(shared(lists(rounded), lists(model.vectors)), abs=0.05)
    assert 0.3 < score.value < 1.0


def test_half_precision_that_cannot_be():
    result = ed.compare(TEXTS, [Model(scale=1e5), Model(scale=1e-9)], k=3, metric="l2", store="memory:", out="run")
    reasons = [score.reason for score in result.scores if score.measure == "noise_float16@3"]
    assert reasons == [
        "undefined: float16 cannot hold numbers beyond 65,504",
        "undefined: vectors become zero in float16",
    ]
    assert ed.load("run") == result
    assert "n/a" in terminal.text(result.facts(queries=0), width=80, everything=True)


def test_an_index_that_loses_is_seen():
    rng = np.random.default_rng(0)
    texts = [f"{rng.integers(0, 10**9)} row {row}" for row in range(200)]
    result = ed.compare(texts, ["toy:16"], k=3, index="ivf_flat(nlist=16,nprobe=1)")
    score = found(result)["noise_index@3"]
    assert score.value < 1.0
    frame = result.to_frame()
    returned = [set(frame.id[frame.query_id == str(row)].astype(int)) for row in range(200)]
    exact = [set(map(int, rows)) for rows in result.run.answers[0].exact.rows]
    assert score.value == pytest.approx(np.mean([len(a & b) / 3 for a, b in zip(returned, exact, strict=True)]))


def test_samples_are_said_and_repeat(monkeypatch):
    monkeypatch.setattr(noise, "FLOAT16", 20)
    monkeypatch.setattr("embdiff.encoding.BATCH", 10)
    once, again = (ed.compare(TEXTS, ["toy:8"], k=3, store="memory:", seed=4) for _ in range(2))
    scores = found(once)
    assert scores["noise_float16@3"].reason == "20 of 40 queries were sampled"
    assert scores["noise_batch@3"].reason == "10 of 40 queries were sampled"
    assert (scores["noise_float16@3"].n, scores["noise_batch@3"].n) == (20, 10)
    assert [score.to_dict() for score in once.scores] == [score.to_dict() for score in again.scores]
    assert list(drawn(3, 9, seed=0)) == [0, 1, 2]


def test_crossed_searches_and_kept_own_rows():
    result = ed.compare(
        TEXTS, ["toy:8"], query_models=["toy:8?", "toy:8"], queries="first:4", k=3, metric="l2", store="memory:"
    )
    scores = [score for score in result.scores if score.measure in NAMES]
    assert [score.query_model for score in scores if score.measure == "noise_batch@3"] == ["toy:8?", "toy:8"]
    # One place of three is the query itself, found for certain; the two others have 39 rows to be drawn from.
    assert scores[0].chance == pytest.approx((1 + 2 * 2 / 39) / 3)
    assert "asked with" in terminal.text(result.facts(queries=0), width=80, everything=True)


def test_encoding_singly_takes_no_cache_and_refuses_as_usual():
    encoder = get_encoder("toy:8")
    assert np.array_equal(encoder.encode_singly(["a", "b", "a"]), encoder.encode(["a", "b", "a"]))
    with pytest.raises(ed.EmbdiffError, match="At least one text"):
        encoder.encode_singly([])
    model = Model(alone=0.5)
    for _ in range(2):
        assert found(ed.compare(TEXTS, [model], k=3, store="memory:"))["noise_batch@3"].value < 1.0


def test_half_precision_of_vectors():
    x = np.array([[1.0, 1 / 3], [0.0, 0.0]], dtype=np.float32)
    rounded, reason = half_precision(x)
    assert reason is None
    assert rounded.dtype == np.float32
    assert rounded[0, 1] == np.float32(np.float16(1 / 3))


def test_change_of_a_labelled_measure():
    def score(values, reason=None):
        value = float(np.mean(values)) if values else math.nan
        return Score("ndcg@10", ("a",), value, 0.0, 1.0, 0.0, len(values), reason=reason, per_query=tuple(values))

    first = [0.0, 0.5, 1.0, 0.5] * 20
    same = change(score(first), score(first), "float16", seed=0)
    assert (same.difference, same.low, same.high, same.changed, same.n) == (0.0, 0.0, 0.0, 0, 80)
    other = change(score(first), score([0.25, *first[1:]]), "batch", seed=0, note="80 of 90 queries were sampled")
    assert other.difference == pytest.approx(0.25 / 80)
    assert other.low <= other.difference <= other.high
    assert (other.changed, other.reason) == (1, "80 of 90 queries were sampled")
    none = change(score([], "there are no queries"), score([], "there are no queries"), "batch", seed=0)
    assert none.to_dict()["difference"] is None
    assert none.reason == "there are no queries"


class Together:
    """Encodes texts together; what it makes of one alone is for a subclass."""

    def encode(self, texts):
        found = np.array([[text.count(letter) + 1.0 for letter in "aeiourstn0123"] for text in texts], dtype=np.float32)
        return found if len(texts) > 1 else self.alone(found)

    def alone(self, found):
        raise ValueError("Expected more than 1 value per channel")


@pytest.mark.parametrize(
    ("alone", "told"),
    [
        (lambda found: found - found, "alone, the model returns a zero vector for "),
        (lambda found: found * 1e20, "alone, the model returns a vector of length "),
        (lambda found: found * np.nan, ", encoded alone"),
        (lambda found: found[0], "encoded alone"),
        (lambda found: found[:, :3], "encoded alone"),
        (None, "Expected more than 1 value per channel at the text "),
    ],
)
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_a_model_that_cannot_encode_one_text_alone_keeps_its_run(alone, told, metric):
    model = Together()
    if alone is not None:
        model.alone = alone
    result = ed.compare(TEXTS, [model, "toy:8"], k=3, store="memory:", cache="off", metric=metric)
    scores = [score for score in result.scores if score.measure == "noise_batch@3"]
    assert np.isnan(scores[0].value)
    assert scores[0].reason.startswith("undefined: ")
    assert told in scores[0].reason
    assert scores[1].value == 1.0
    assert np.isfinite(next(s for s in result.scores if s.measure.startswith("overlap")).value)


@pytest.mark.parametrize("role", [False, True])
def test_a_model_is_never_asked_for_texts_that_nobody_gave(role):
    asked = []

    def encode(texts, **_):
        asked.extend(texts)
        return np.array([[len(text), text.count("a") + 1.0] for text in texts])

    model = encode if not role else lambda texts, role: encode(texts)
    ed.compare(TEXTS, [model], k=3, store="memory:", queries=["one more", "and another"])
    assert set(asked) <= {*TEXTS, "one more", "and another"}
    ed.compare(TEXTS, [model], k=3, store="memory:", query_models="all")
    assert set(asked) <= {*TEXTS, "one more", "and another"}


def test_one_trial_text_is_said_to_be_ours():
    def encode(texts):
        raise FileNotFoundError("no such picture")

    with pytest.raises(EncoderError, match=r"embdiff's own trial text 'dimension'.*no such picture"):
        _ = get_encoder(encode).stamp


def test_the_repeat_is_a_small_part_of_encoding():
    few, many = (drawn_again(np.full(count, 400), 400 * count, 128, seed=3) for count in (500, 100_000))
    assert len(few) == int(0.05 * 400 * 500 / (2 * 400 + 192))
    assert len(many) == 128
    assert set(few) <= set(drawn(500, 128, seed=3))
    assert len(drawn_again(np.full(52, 40), 52 * 40, 128, seed=3)) == 10
    assert list(drawn_again(np.full(4, 40), 160, 128, seed=3)) == [0, 1, 2, 3]
