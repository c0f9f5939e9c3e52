"""Zero vectors with cosine: refused with the model and the rows named, before slow models begin; or left out."""

from __future__ import annotations

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import ParameterError
from embdiff.views import terminal

TEXTS = [
    f"{a} {b} {c}" for a in ("ferry", "lamp", "pier", "home") for b in ("late", "red") for c in ("the", "of", "at")
]
UNKNOWN = ["xyzzy quux", "late ferry", "plugh", "red lamp"]


class Model:
    """Counts letters; what holds a given word has a zero vector."""

    def __init__(self, word: str, seed: int = 0) -> None:
        self.word, self.seed, self.asked = word, seed, 0

    def encode(self, texts):
        self.asked += len(texts)
        turn = np.random.default_rng(self.seed).standard_normal((26, 6))
        counts = np.array([[text.count(chr(97 + letter)) for letter in range(26)] for text in texts])
        found = counts @ turn + 3.0
        found[[self.word in text for text in texts]] = 0.0
        return found


def scores(result):
    return {(s.measure, s.models): s.value for s in result.scores if s.measure.startswith(("overlap", "rbo", "noise"))}


def test_lsa_is_refused_before_another_model_encodes():
    slow = Model("nothing")
    with pytest.raises(ParameterError) as caught:
        ed.compare(TEXTS, [slow, "lsa:4"], k=3, store="memory:", queries=UNKNOWN, cache="off")
    said = str(caught.value)
    assert "Got zero vectors of lsa:4 for 2 of 4 queries (ids '0', '2')" in said
    assert "--zero drop" in said
    assert "--metric l2" in said
    assert slow.asked == 0


def test_every_row_is_counted_and_the_message_stays_short():
    with pytest.raises(ParameterError) as caught:
        ed.compare(TEXTS, [Model("late"), "toy:8"], k=3, store="memory:", cache="off", baseline=False)
    said = str(caught.value)
    assert "object:Model for 12 of 24 rows (ids '0', '1', '2', '6' and 8 more) and 12 of 24 queries" in said
    assert len(said) < 600


@pytest.mark.parametrize("store", ["memory:", None])
def test_left_out_rows_are_left_out_for_all(store, tmp_path):
    models = [Model("lamp"), Model("home red", seed=1), "toy:16"]
    found = ed.compare(
        TEXTS, models, k=3, store=store, cache="off", zero="drop", baseline=False, out=tmp_path / "run",
        groups=["a", "b"] * 12,
    )  # fmt: skip
    kept = [row for row, text in enumerate(TEXTS) if "lamp" not in text and "home red" not in text]
    assert found.run.corpus.ids == tuple(map(str, kept))
    assert found.run.corpus.groups == tuple("ab"[row % 2] for row in kept)
    other = ed.compare(
        [TEXTS[row] for row in kept], models, k=3, store="memory:", cache="off", baseline=False,
        groups=["ab"[row % 2] for row in kept],
    )  # fmt: skip
    assert {k: v for k, v in scores(found).items() if not k[0].startswith("noise_batch")} == pytest.approx(
        {k: v for k, v in scores(other).items() if not k[0].startswith("noise_batch")}, nan_ok=True
    )
    told = " ".join(terminal.text(found.facts(queries=0), width=4000, everything=True).split())
    assert "9 of 24 rows and 9 of 24 queries" in told
    assert "object:Model: 6 of 24 rows (ids '6', '7', '8', '9', '10', '11')" in told
    assert ed.load(tmp_path / "run") == found


def test_queries_of_their_own_are_left_out(tmp_path):
    expected = {"0": ["0"], "1": ["0", "1"], "3": ["7"]}
    found = ed.compare(
        TEXTS, ["lsa:4", "toy:16"], k=3, store="memory:", queries=UNKNOWN, cache="off", zero="drop", expected=expected
    )
    assert found.run.queries.ids == ("1", "3")
    assert len(found.run.corpus) == len(TEXTS)
    assert set(found.run.expected.judgements) == {"1", "3"}
    assert all(np.isfinite(s.value) for s in found.scores if s.measure == "overlap@3")


def test_nothing_happens_where_zero_has_a_place():
    found = ed.compare(TEXTS, [Model("lamp"), "toy:16"], k=3, store="memory:", cache="off", metric="l2", zero="drop")
    assert len(found.run.corpus) == len(TEXTS)


def test_too_little_left_is_refused():
    with pytest.raises(ParameterError, match=r"Two rows and a query must be left\. Got 0 and 0"):
        ed.compare(TEXTS, [Model(" "), "toy:16"], k=3, store="memory:", cache="off", zero="drop")
    with pytest.raises(ParameterError, match="k must be between 1 and 11"):
        ed.compare(TEXTS, [Model("late"), "toy:16"], k=15, store="memory:", cache="off", zero="drop")


@pytest.mark.parametrize("store", ["memory:", None])
def test_kept_zeros_tie_with_every_row(store, tmp_path):
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((2, 24, 6)).astype(np.float32)
    one[[3, 20]] = 0.0
    for name, vectors in (("one", one), ("two", two)):
        np.save(f"{name}.npy", vectors)
    models = ["vectors:one.npy", "vectors:two.npy"]
    found = ed.compare(
        TEXTS, models, k=3, store=store, cache="off", zero="keep", baseline=False, out=tmp_path / "run", measures=["overlap"]
    )  # fmt: skip
    assert len(found.run.corpus) == len(TEXTS)
    score = next(s for s in found.scores if s.measure == "overlap@3")
    assert np.array(score.per_query)[[3, 20]] == pytest.approx(np.full(2, 3 / 23), abs=1e-9)
    assert "2 of 24 queries have a tie across place 3" in score.reason
    told = " ".join(terminal.text(found.facts(queries=0), width=4000, everything=True).split())
    assert "vectors:one.npy: 2 of 24 rows (ids '3', '20') and 2 of 24 queries (ids '3', '20')" in told
    # The others are listed as without them, unless fewer than k have a cosine above 0.
    exact = found.run.answers[0].exact
    unit = one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-30)
    for query in range(24):
        cosines = np.delete(unit @ unit[query], query)
        if query not in (3, 20) and np.sort(cosines)[-3] > 0:
            wanted = sorted(range(24), key=lambda row, q=query: -(unit[row] @ unit[q]) if row != q else 2.0)[:3]
            assert exact.rows[query].tolist() == wanted
    assert ed.load(tmp_path / "run") == found


def test_kept_zeros_where_models_ask_each_other():
    found = ed.compare(
        TEXTS, [Model("lamp"), "toy:6"], k=3, store="memory:", cache="off", zero="keep", query_models="all",
        baseline=False,
    )  # fmt: skip
    asked = [s for s in found.scores if s.measure == "overlap@3"]
    assert asked
    assert all(np.isfinite(s.value) for s in asked)


def test_a_model_that_learns_learns_from_what_is_left(tmp_path):
    texts = [*TEXTS, "a b", "? !"]  # no word that lsa knows
    found = ed.compare(texts, ["lsa:4", "toy:16"], k=3, cache="off", zero="drop", baseline=False, out=tmp_path / "run")
    other = ed.compare(TEXTS, ["lsa:4", "toy:16"], k=3, cache="off", baseline=False, store="memory:")
    assert len(found.run.corpus) == len(TEXTS)
    assert {s.measure: s.value for s in found.scores} == pytest.approx(
        {s.measure: s.value for s in other.scores}, nan_ok=True
    )
    found.to_projector(tmp_path / "projector")
    assert len(list((tmp_path / "projector").iterdir())) == 3
