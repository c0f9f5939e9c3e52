"""What the same model again changes of a labelled measure: nothing for models that never change, else what it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rich.cells import cell_len

import embdiff as ed
from embdiff.measures.pairs import ScoredPairs
from embdiff.measures.row_pairs import pair_similarity
from embdiff.measures.score import score as score_of
from embdiff.views.table import plain_text


class Wobbly:
    """Vectors of a text, another way when it is encoded alone."""

    def __init__(self, size=0.0, scale=1.0):
        self.size, self.scale = size, scale

    def vector(self, text, alone):
        rng = np.random.default_rng([len(text), *text.encode()])
        vector = rng.standard_normal(8) + 1
        return self.scale * (vector + self.size * alone * rng.standard_normal(8))

    def encode(self, texts):
        return np.stack([self.vector(text, len(texts) == 1) for text in texts]).astype(np.float32)


def noise(result):
    return {(each["model"], each["how"]): each for each in result.to_dict()["noise"]}


def test_retrieval(beir, command):
    result = ed.evaluate(beir, ["toy:16", Wobbly(size=5.0)], baseline=False)
    found = noise(result)
    for how in ("float16", "batch"):
        same = found["toy:16", how]
        assert same["measure"] == "ndcg@10"
        assert (same["difference"], same["low"], same["high"], same["changed"]) == (0.0, 0.0, 0.0, 0)
        assert same["n"] == 2
    model = "object:Wobbly"
    assert found[model, "batch"]["changed"] > 0
    assert found[model, "batch"]["difference"] == pytest.approx(
        found[model, "batch"]["again"] - found[model, "batch"]["value"]
    )
    assert found[model, "float16"]["value"] == pytest.approx(result.score("ndcg@10", model).value)
    code, out, _ = command("evaluate", str(beir), "-m", "toy:16", "--all")
    assert code == 0
    assert "The same model again: change of ndcg@10" in out
    assert max(cell_len(line) for line in out.splitlines()) <= 80


def test_pairs(tmp_path, monkeypatch):
    monkeypatch.setattr("embdiff.evaluation.task.BATCH", 40)
    monkeypatch.setattr("embdiff.measures.noise.SHARE", 1e9)
    rng = np.random.default_rng(0)
    rows = [(f"text {row} one", f"text {row} two", float(score)) for row, score in enumerate(rng.uniform(0, 5, 50))]
    (tmp_path / "pairs.csv").write_text("".join(f"{a},{b},{score}\n" for a, b, score in rows))
    model = Wobbly(size=0.5)
    result = ed.evaluate(tmp_path / "pairs.csv", [model, "toy:16"])
    batch = noise(result)["object:Wobbly", "batch"]
    assert batch["measure"] == "spearman"
    assert batch["n"] == 20
    assert batch["reason"] == "20 of 50 pairs were sampled"
    few = np.sort(np.random.default_rng(0).permutation(50)[:20])
    for key, alone in (("value", False), ("again", True)):
        left, right = (
            np.stack([model.vector(rows[row][side], alone) for row in few]).astype(np.float32) for side in (0, 1)
        )
        scores = np.array([rows[row][2] for row in few])
        want = score_of("spearman", ScoredPairs(pair_similarity(left, right, "cosine"), scores, ("m",))).value
        assert batch[key] == pytest.approx(want, abs=1e-9)
    assert batch["low"] <= batch["difference"] <= batch["high"]
    assert noise(result)["toy:16", "batch"]["difference"] == 0.0
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["noise"] == result.to_dict()["noise"]


def test_pairs_without_a_direction_do_not_count_as_changed(tmp_path):
    rows = [("a cat", "a cat sits", 1), ("a cat sat", "cat", 2), ("cat sits", "a sat", 3), ("sat", "a cat", 1.5)]
    rows += [("a cat", word, 2.5) for word in ("xylophone", "quartz")]
    (tmp_path / "pairs.csv").write_text("".join(f"{a},{b},{score}\n" for a, b, score in rows))

    class Sparse:
        def encode(self, texts):
            return np.array([[text.count("cat"), text.count("a "), text.count("s")] for text in texts], np.float32)

    found = noise(ed.evaluate(tmp_path / "pairs.csv", [Sparse()]))
    for how in ("float16", "batch"):
        each = found["object:Sparse", how]
        assert (each["changed"], each["n"], each["difference"]) == (0, 4, 0.0)
        assert (each["low"], each["high"]) == (0.0, 0.0)


def test_classes(tmp_path):
    texts = [f"{word} {row},{word}" for row in range(12) for word in ("cat", "train", "bread")]
    (tmp_path / "classes.csv").write_text("text,label\n" + "\n".join(texts) + "\n")
    result = ed.evaluate(tmp_path / "classes.csv", ["toy:16", Wobbly(size=5.0)], draws=1, baseline=False)
    found = noise(result)
    assert found["toy:16", "batch"]["measure"] == "knn_accuracy@5"
    assert found["toy:16", "batch"]["difference"] == 0.0
    assert found["object:Wobbly", "batch"]["changed"] > 0
    assert found["toy:16", "float16"]["value"] == result.score("knn_accuracy@5", "toy:16").value
    assert "texts one by one" in plain_text(result.drawn(everything=True), width=80)


def test_what_half_precision_cannot_hold(beir):
    found = noise(ed.evaluate(beir, [Wobbly(scale=1e6)], baseline=False))["object:Wobbly", "float16"]
    assert found["difference"] is None
    assert found["reason"] == "float16 cannot hold numbers beyond 65,504"
