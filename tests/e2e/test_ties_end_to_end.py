"""Rows that are equally near, in a whole comparison: their order in the file is no signal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from shown import everything


def compared(a: np.ndarray, b: np.ndarray, data, k: int = 5, **options):
    for name, vectors in (("a", a), ("b", b)):
        np.save(f"{name}.npy", vectors.astype(np.float32))
    models = ["vectors:a.npy", "vectors:b.npy"]
    return ed.compare(data, models, k=k, cache="off", baseline=False, layout="none", **{"store": "memory:", **options})


def score(result, measure: str, models: int = 2):
    return next(each for each in result.scores if each.measure.startswith(measure) and len(each.models) == models)


def texts(count: int) -> list[str]:
    return [f"text {row}" for row in range(count)]


def test_collapsed_models_agree_as_chance_says():
    result = compared(np.ones((60, 4)), 3 * np.ones((60, 9)), texts(60), calibrate=19)
    for measure in ("overlap", "jaccard", "rbo", "spread"):
        found = score(result, measure)
        assert found.value == pytest.approx(found.chance, abs=1e-9), measure
        assert "60 of 60 queries have a tie across place 5" in found.reason
    for measure in ("rank_similarity", "second_order_cosine"):
        found = score(result, measure)
        assert found.value == pytest.approx(found.chance, abs=0.02), measure
    assert all(each.p == 1.0 for each in result.run.calibrations if each.measure.startswith(("overlap", "rbo")))
    assert score(result, "noise_index", 1).value == 1.0
    assert score(result, "orphans", 1).value == pytest.approx(0.0, abs=0.01)
    assert "have a tie across place 5" in everything(result)
    assert "60 of 60 queries have a tie across place 5" in " ".join(str(result).split())


def test_texts_of_equal_words_agree_with_bm25_as_chance_says():
    pytest.importorskip("bm25s")
    ramp = np.column_stack([np.cos(np.arange(20) / 20), np.sin(np.arange(20) / 20)])  # neighbours are near in the file
    np.save("ramp.npy", ramp.astype(np.float32))
    texts = [f"red {letter}" for letter in "abcdefghijklmnopqrst"]
    options = {"k": 5, "cache": "off", "layout": "none", "store": "memory:"}
    result = ed.compare(texts, ["vectors:ramp.npy", "bm25"], **options)
    for measure in ("overlap", "jaccard", "rbo"):
        found = score(result, measure)
        assert found.value == pytest.approx(found.chance, abs=1e-9), measure
        assert "20 of 20 queries have a tie across place 5" in found.reason
    assert "have a tie" not in str(result)  # of two models there is none
    spread = next(each for each in result.scores if each.models == ("bm25", "vectors:ramp.npy"))
    assert spread.value == pytest.approx(spread.chance, abs=0.1)


def test_a_group_at_the_end_of_the_file_is_not_missing(tmp_path: Path):
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(6, 16))[rng.integers(0, 6, 120)]
    lines = ["id,text,group", *(f"{row},text {row},{'abc'[row // 40]}" for row in range(120))]
    (tmp_path / "corpus.csv").write_text("\n".join(lines))
    result = compared(coarse, rng.normal(size=(120, 8)), "corpus.csv")
    assert min(test.p for _, test in result.run.tests) > 0.005
    assert "of 120 queries have a tie across place 5" in " ".join(str(result).split())


def test_equal_texts_are_no_hubs_and_hide_nobody():
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=(2, 200, 12))
    one[:80], two[:80] = one[0], two[0]
    result = compared(one, two, ["thanks"] * 80 + texts(120), k=10)
    for model in ("a", "b"):
        found = next(
            s for s in result.scores if s.measure.startswith("hubness") and s.models == (f"vectors:{model}.npy",)
        )
        assert found.value < 1.0
    assert max(s.value for s in result.scores if s.measure.startswith("orphans")) < 0.02


@pytest.mark.slow
def test_a_database_and_memory_say_the_same_of_ties():
    rng = np.random.default_rng(2)
    signs = [np.sign(rng.normal(size=(150, 6))) for _ in range(2)]
    here, there = (compared(*signs, texts(150), store=store) for store in ("memory:", "milvus:vectors.db"))
    for measure in ("overlap", "jaccard", "rbo", "rank_similarity"):
        one, other = score(here, measure), score(there, measure)
        assert (one.value, one.low, one.high, one.reason) == (other.value, other.low, other.high, other.reason)
    assert all("of 150 queries have a tie across place 5" in " ".join(str(each).split()) for each in (here, there))


def test_a_database_does_not_untie_what_float32_confuses():
    words = [f"{a} {b}" for a in ("ferry", "lamp", "pier", "home", "sea", "sky") for b in ("late", "red", "green")]
    options = {"k": 3, "cache": "off", "baseline": False, "layout": "none"}
    here, there = (
        ed.compare(words, ["lsa:4", "toy:16"], store=store, **options) for store in ("memory:", "milvus:words.db")
    )
    for one, other in zip(here.run.answers, there.run.answers, strict=True):
        for name in ("before", "size", "query", "row"):
            assert np.array_equal(getattr(one.returned.ties, name), getattr(other.returned.ties, name))
    assert [s.value for s in here.scores] == pytest.approx([s.value for s in there.scores], nan_ok=True)


def test_a_run_folder_keeps_its_ties(tmp_path: Path):
    result = compared(np.ones((30, 4)), np.ones((30, 3)), texts(30), out=tmp_path / "run")
    again = ed.load(tmp_path / "run")
    assert again == result
    assert again.run.answers[0].exact.ties is not None
