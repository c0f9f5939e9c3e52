"""Out of scope: auc against scikit-learn, the cut-off against plain counting, its interval against samples."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the oracle")
pytest.importorskip("scipy", reason="the oracle")
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

import embdiff as ed
from embdiff.errors import EmbdiffError
from embdiff.measures.scope import cut_off, quantile_places

KNOWN = {
    "water": ["river", "boat", "rain", "lake", "wave", "tide"],
    "home": ["door", "roof", "lamp", "chair", "floor", "wall"],
}
OTHERS = ["engine", "ticket", "violin", "copper", "lemon", "planet", "door", "boat"]


@pytest.fixture
def labelled(tmp_path) -> Path:
    """A folder: what is to be learned, and texts of which some are of no known class."""
    draw, folder = random.Random(3), tmp_path / "intents"
    folder.mkdir()
    for part, size in (("train", 40), ("test", 60)):
        rows = [
            {
                "text": f"the {' '.join(draw.sample(KNOWN[label] + OTHERS[:3], 3))} {at % 9}",
                "label": label,
                "lang": "de" if at % 2 else "en",
            }
            for label in KNOWN
            for at in range(size)
        ]
        rows += [
            {
                "text": f"the {' '.join(draw.sample(OTHERS + KNOWN['water'][:4], 3))} {at % 9}",
                "label": "oos",
                "lang": "de" if at % 2 else "en",
            }
            for at in range(10 if part == "train" else 50)
        ]
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def read(folder: Path, part: str) -> tuple[list[str], list[str]]:
    rows = [json.loads(line) for line in (folder / f"{part}.jsonl").open()]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def unit(model: str, texts: list[str]) -> np.ndarray:
    vectors = ed.get_encoder(model).encode(texts).astype(float)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [None, 3])
def test_auc_and_cut_off_of_each_model(labelled, k):
    result = ed.evaluate(labelled, ["toy:64", "toy:16"], outside=["oos"], k=k)
    assert result.task == "scope"
    texts, labels = read(labelled, "train")
    tests, truth = read(labelled, "test")
    train = [text for text, label in zip(texts, labels, strict=True) if label != "oos"]
    known = np.array([label != "oos" for label in truth])
    for model in ("toy:64", "toy:16"):
        nearest = -np.sort(-(unit(model, tests) @ unit(model, train).T), axis=1)[:, (k or 1) - 1]
        score = result.score("auc", model)
        assert score.value == pytest.approx(roc_auc_score(known, nearest.round(6)), abs=1e-3)
        assert score.low < score.value < score.high
        assert (score.n, score.chance) == (170, 0.5)
        cut = next(each for each in result.outcome.cuts if each.model == model)
        inside = np.sort(nearest[known])
        assert (cut.n, cut.others) == (120, 50)
        assert cut.value == pytest.approx(inside[6], abs=1e-6)  # 114 of 120 reach it: 95 %
        assert (cut.kept, cut.passed) == pytest.approx((0.95, np.mean(nearest[~known] >= inside[6] - 1e-6)), abs=0.02)
        assert cut.low < cut.value < cut.high
        assert cut.passed_low < cut.passed < cut.passed_high
    words = result.score("auc", "bm25")
    assert 0.5 < words.value <= 1.0  # texts that share no word have the score 0, and are not left out
    assert words.n == 170
    assert "10 training texts of no known class are left out" in " ".join(result.outcome.notes)


def test_by_language_one_file_and_the_command(labelled, tmp_path, command):
    result = ed.evaluate(labelled, ["toy:64"], outside=["oos"], by="lang", baseline=False)
    assert list(result.outcome.by_group) == ["de", "en"]
    assert sum(scores[0].n for scores in result.outcome.by_group.values()) == 170
    whole = tmp_path / "all.jsonl"
    whole.write_text((labelled / "train.jsonl").read_text() + (labelled / "test.jsonl").read_text())
    code, out, err = command("evaluate", str(whole), "-m", "toy:64", "--outside", "oos", "--out", "found")
    assert code == 0, err
    assert "others that pass" in out
    assert len(out.splitlines()) <= 40
    told = json.loads(Path("found/evaluation.json").read_text())
    assert [cut["model"] for cut in told["cuts"]] == ["bm25", "toy:64"]
    assert told["task"] == "scope"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"task": "scope"}, r"--outside must name the label of texts.*Got none"),
        ({"outside": ["none"]}, r"Got 'none', which is none of them.*The labels are 'home', 'oos', 'water'"),
        ({"outside": ["home", "water", "oos"]}, r"test texts both of known classes and of others\. Got 0, 0 and 170"),
        ({"outside": ["oos"], "k": 81}, r"-k must be at most the number of training texts, 80\. Got 81"),
        ({"outside": ["oos"], "task": "classes"}, r"--outside names labels of the task scope"),
        ({"outside": ["oos"], "measures": ["silhouette"]}, r"A measure of the task scope must be of pairs"),
        ({"outside": "oos"}, r"The outside must be a list"),
    ],
)
def test_what_is_refused(labelled, given, message):
    with pytest.raises(EmbdiffError, match=message) as caught:
        ed.evaluate(labelled, ["toy:8"], **given)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("n", [1, 5, 60, 72, 200, 1_000])
def test_places_around_a_quantile_are_those_of_the_binomial_law(n):
    low, high = quantile_places(n, 0.05)
    assert low == max((at for at in range(n) if binom.cdf(at, n, 0.05) <= 0.025), default=-1)
    assert high == min((at for at in range(n) if binom.cdf(at, n, 0.05) >= 0.975), default=n)


@pytest.mark.parametrize("n", [100, 400])
def test_the_interval_of_a_cut_off_holds(n):
    rng, known, held = np.random.default_rng(7), np.arange(n + 20) < n, 0
    for _ in range(1_000):
        cut = cut_off("m", rng.normal(size=n + 20), known)
        held += cut.low <= -1.6448536 <= cut.high
    assert held >= 935  # 95 % and more by its law; a standard error of 1,000 samples is .7 %


def test_without_a_kind_or_with_few_texts_nothing_is_made_up():
    assert cut_off("m", np.array([0.1, np.nan]), np.array([True, False])) is None
    few = cut_off("m", np.array([0.5, 0.7, 0.2]), np.array([True, True, False]))
    assert (few.value, few.kept, few.passed) == (0.5, 1.0, 0.0)
    assert np.isnan(few.low)
