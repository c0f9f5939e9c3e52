"""Pairs whose scores are labels (entailment): against scikit-learn, and what is refused."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the oracle")
from sklearn.metrics import roc_auc_score

import embdiff as ed
from embdiff.errors import ParameterError

WORDS = ["boat", "house", "stone", "bird", "lamp", "tree", "road", "cloud", "door", "river"]
LABELS = ("entailment", "neutral", "contradiction")


@pytest.fixture
def pairs(tmp_path) -> Path:
    """Premises and hypotheses; the more of the words stay, the more they mean alike."""
    draw, path = random.Random(1), tmp_path / "pairs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("premise", "hypothesis", "gold_label", "lang"))
        for at in range(90):
            words = draw.sample(WORDS, 5)
            left = words[: 4 - at % 3] + draw.sample(WORDS, 1 + at % 3)
            writer.writerow((" ".join(words), " ".join(left), LABELS[at % 3], "de" if at % 2 else "en"))
    return path


def cosines(path: Path, model: str) -> tuple[np.ndarray, list[dict[str, str]]]:
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    encoder = ed.get_encoder(model)
    left, right = (encoder.encode([row[name] for row in rows]).astype(float) for name in ("premise", "hypothesis"))
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return ((left * right).sum(axis=1) / norms).round(9), rows  # equal but for rounding is equal


@pytest.mark.parametrize("positive", [("entailment",), ("entailment", "neutral")])
def test_auc_of_the_positive_labels_is_that_of_scikit_learn(pairs, positive):
    result = ed.evaluate(pairs, ["toy:64", "toy:16"], positive=positive)
    assert result.task == "pairs"
    for model in ("toy:64", "toy:16"):
        similar, rows = cosines(pairs, model)
        truth = np.array([row["gold_label"] in positive for row in rows])
        score = result.score("auc", model)
        assert score.value == pytest.approx(roc_auc_score(truth, similar), abs=1e-6)
        assert score.low < score.value < score.high
        assert (score.n, score.chance) == (90, 0.5)
    assert "Labels of the pairs: entailment 30 (positive), neutral 30" in " ".join(result.outcome.notes)


def test_each_other_label_is_held_against_the_positive_one(pairs):
    result = ed.evaluate(pairs, ["toy:64"], positive=["entailment"])
    similar, rows = cosines(pairs, "toy:64")
    labels = np.array([row["gold_label"] for row in rows])
    assert list(result.outcome.by_group) == ["against contradiction", "against neutral"]
    for name in ("contradiction", "neutral"):
        some = np.isin(labels, ["entailment", name])
        found = next(
            each
            for each in result.outcome.by_group[f"against {name}"]
            if each.measure == "auc" and "toy" in each.models[0]
        )
        assert found.value == pytest.approx(roc_auc_score(labels[some] == "entailment", similar[some]), abs=1e-6)
        assert found.n == 60
    by = ed.evaluate(pairs, ["toy:64"], positive=["entailment"], by="lang")
    assert list(by.outcome.by_group) == ["de", "en"]
    assert ed.evaluate(pairs, ["toy:64"], positive=["entailment", "neutral"]).outcome.by_group == {}


def test_labels_of_pairs_through_the_command(pairs, command):
    code, out, err = command("evaluate", str(pairs), "-m", "toy:64", "--positive", "entailment", "--json")
    assert code == 0, err
    assert {each["measure"] for each in json.loads(out)["scores"]} == {"auc", "spearman", "pearson"}
    code, out, err = command("evaluate", str(pairs), "-m", "toy:64", "--positive", "entailment")
    assert code == 0, err
    assert "against neutral" in out
    assert len(out.splitlines()) <= 40


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"The score of a pair must be a number.*--positive"),
        (
            {"positive": ["entails"]},
            r"Got 'entails', which is none of them.*The labels are 'contradiction', 'entailment'",
        ),
        ({"positive": list(LABELS)}, r"and leave others\. Got all of them"),
        ({"positive": ["entailment"], "task": "classes"}, r"--positive names labels of the task pairs\. Got classes"),
        ({"outside": ["neutral"], "task": "pairs"}, r"--outside names labels of the task scope\. Got pairs"),
    ],
)
def test_what_is_refused(pairs, given, message):
    with pytest.raises(Exception, match=message) as caught:
        ed.evaluate(pairs, ["toy:8"], **given)
    assert isinstance(caught.value, ed.errors.EmbdiffError | ParameterError)
    assert len(str(caught.value)) < 600
