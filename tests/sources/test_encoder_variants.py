"""A model in lower precision never goes unsaid: how far it is from float32 is measured wherever it encodes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff import variants
from embdiff.bulk import encode_corpus
from embdiff.bulk import line as bulk_line
from embdiff.bulk import report as bulk_report
from embdiff.errors import StoreError
from embdiff.evaluation import evaluate
from embdiff.kept import VectorCache
from embdiff.sources import get_encoder
from embdiff.stores import get_store
from embdiff.stores.milvus.store import MilvusStore
from embdiff.variants import measure_variant
from embdiff.views import terminal
from embdiff.views.table import plain_text
from shown import everything

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

WORDS = ("ferry", "lamp", "pier", "query", "was", "home", "late", "on")
TEXTS = [f"the {a} {b} {c}" for a in WORDS for b in WORDS for c in ("a", "the")]
INT8 = "?backend=onnx&precision=int8"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 20 rows be as many as are drawn."""
    for module in (variants, bulk_line):
        monkeypatch.setattr(module, "ROWS", 20)


def plain(text: str) -> str:
    return " ".join(text.split())


def overlap(first: np.ndarray, second: np.ndarray, rows: np.ndarray, k: int) -> float:
    """Shared share of the k nearest of each of these rows, itself left out, straight from all cosines."""
    nearest = []
    for vectors in (first, second):
        unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        similar = unit[rows] @ unit.T
        similar[np.arange(len(rows)), rows] = -2
        nearest.append(np.argsort(-similar, axis=1, kind="stable")[:, :k])
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*nearest, strict=True)]))


@pytest.mark.usefixtures("few")
def test_float32_vectors_at_hand_are_searched_whole(tiny: Callable[..., Path], tmp_path: Path):
    folder = tiny()
    name, twin, cache = f"st:{folder}{INT8}", f"st:{folder}", VectorCache.at(tmp_path / "kept")
    lower = get_encoder(name).encode(TEXTS)
    alone = measure_variant(name, twin, TEXTS, lower, cache, 0)
    assert (alone["rows"], alone["among"], alone["whole"], alone["corpus_rows"]) == (20, 20, False, len(TEXTS))
    float32 = get_encoder(twin).encode(TEXTS, cache=cache)
    whole = measure_variant(name, twin, TEXTS, lower, cache, 0)
    assert (whole["rows"], whole["among"], whole["whole"]) == (20, len(TEXTS), True)
    assert whole["cosine_mean"] == pytest.approx(alone["cosine_mean"], abs=1e-6)
    drawn = np.sort(np.random.default_rng(0).permutation(len(TEXTS))[:20])
    assert whole["overlap"]["value"] == pytest.approx(overlap(float32, lower, drawn, 10), abs=1e-9)
    assert whole["overlap"]["value"] < alone["overlap"]["value"]
    given = measure_variant(name, twin, TEXTS, lower, VectorCache.at("off"), 0, float32=float32)
    assert given == whole


@pytest.mark.usefixtures("few")
def test_a_run_says_which_rows_were_searched(tiny: Callable[..., Path]):
    folder = tiny()
    alone = ed.compare(TEXTS, [f"st:{folder}{INT8}", "toy:8"], k=2, store="memory:", cache="off")
    assert "20 of 128 rows" in plain(terminal.text(alone.facts(), 400, everything=True))
    assert "which is higher than in the whole corpus" in plain(terminal.text(alone.facts(), 400, everything=True))
    both = ed.compare(TEXTS, [f"st:{folder}{INT8}", f"st:{folder}"], k=2, store="memory:", cache="off")
    assert both.run.manifest["models"][0]["encoding"]["variant"]["whole"]
    assert "variant" not in both.run.manifest["models"][1]["encoding"]
    assert "among all 128 different texts" in plain(terminal.text(both.facts(), 400, everything=True))


def test_a_variant_that_only_queries_is_measured_on_the_queries(tiny: Callable[..., Path]):
    folder = tiny({"query": "query: "})
    name = f"st:{folder}{INT8}"
    result = ed.compare(TEXTS, [f"st:{folder}"], query_models=[name], queries=TEXTS[:14], k=2, store="memory:")
    (found,) = [each for each in result.run.manifest["models"] if each["model"] == name]
    variant = found["encoding"]["variant"]
    assert (variant["role"], variant["rows"], variant["corpus_rows"]) == ("query", 14, 14)
    lower, float32 = (get_encoder(each).encode(TEXTS[:14], role="query") for each in (name, f"st:{folder}"))
    cosines = np.sum(lower * float32, axis=1) / np.linalg.norm(lower, axis=1) / np.linalg.norm(float32, axis=1)
    assert variant["cosine_mean"] == pytest.approx(cosines.mean(), abs=1e-6)
    assert "on 14 of 14 queries" in plain(terminal.text(result.facts(), 400, everything=True))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("kind", ["out.parquet", "out"])
def test_encoded_files_carry_it_and_a_comparison_shows_it(tiny: Callable[..., Path], tmp_path: Path, kind: str):
    folder, out = tiny(), tmp_path / kind
    name = f"st:{folder}{INT8}"
    done = encode_corpus(TEXTS, name, out, part_rows=50, cache="off")
    assert (done.variant["of"], done.variant["rows"], done.variant["corpus_rows"]) == (f"st:{folder}", 20, 128)
    assert done.variant["whole"] is False
    rows = np.sort(np.random.default_rng(0).choice(128, 20, replace=False))
    lower, float32 = (get_encoder(each).encode([TEXTS[row] for row in rows]) for each in (name, f"st:{folder}"))
    cosines = np.sum(lower * float32, axis=1) / np.linalg.norm(lower, axis=1) / np.linalg.norm(float32, axis=1)
    assert done.variant["cosine_lowest"] == pytest.approx(cosines.min(), abs=1e-5)
    label = (
        json.loads((out / "_embdiff.json").read_text())
        if kind == "out"
        else json.loads(pq.read_schema(out).metadata[b"embdiff"])
    )
    assert label["variant"] == done.variant
    assert encode_corpus(TEXTS, name, out, part_rows=50, cache="off").variant == done.variant
    compared = ed.compare(TEXTS, [f"vectors:{out}", "toy:8"], k=2, store="memory:")
    assert compared.run.manifest["models"][0]["encoding"]["variant"] == done.variant
    said = plain(terminal.text(compared.facts(), 400, everything=True))
    assert f"vectors:{out} is a variant of st:{folder} in lower precision: on 20 of 128 rows" in said


def test_vectors_of_a_variant_that_was_not_measured_are_said_to_be(tiny: Callable[..., Path], tmp_path: Path):
    out = tmp_path / "out.parquet"
    encode_corpus(TEXTS[:20], f"st:{tiny()}{INT8}", out, cache="off")
    table = pq.read_table(out)
    label = json.loads(table.schema.metadata[b"embdiff"])
    del label["variant"]
    pq.write_table(table.replace_schema_metadata({b"embdiff": json.dumps(label).encode()}), out)
    assert pa.types.is_fixed_size_list(pq.read_schema(out).field("vector").type)
    said = plain(
        terminal.text(ed.compare(TEXTS[:20], [f"vectors:{out}"], k=2, store="memory:").facts(), 400, everything=True)
    )
    assert "is in lower precision (int8); how far it is from float32 was not measured" in said


def test_float32_is_encoded_without_a_word(tiny: Callable[..., Path], tmp_path: Path):
    done = encode_corpus(TEXTS[:20], f"st:{tiny()}?backend=onnx", tmp_path / "out.parquet", cache="off")
    assert done.variant is None
    assert "variant" not in json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"embdiff"])


def test_what_encoding_cost_is_told_by_every_command(tiny: Callable[..., Path], tmp_path: Path, monkeypatch, capsys):
    texts = [*TEXTS[:9], "the " * 200]
    done = encode_corpus(texts, f"st:{tiny()}", tmp_path / "out.parquet", part_rows=4, cache="off")
    told = json.loads(json.dumps(done.to_dict()))["encoding"]
    assert (told["texts"], told["truncated"], told["truncated_share"], told["bytes_per_vector"]) == (10, 1, 0.1, 64)
    assert told["bytes_kept"] is None
    assert told["padded_per_token"] >= 1
    assert told["tokens_per_second"] > told["texts_per_second"] > 0
    assert told["peak_memory_bytes"] > 2**20
    monkeypatch.setenv("COLUMNS", "200")
    bulk_report.show(done)
    shown = plain(capsys.readouterr().out)
    assert "tokens/s padded/token truncated bytes/vector peak MiB" in shown
    assert "1 (10.0 %) 64" in shown
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("one,two,score\n" + "".join(f"{text},{text} late,{i % 3}\n" for i, text in enumerate(TEXTS[:12])))
    shown = plain(everything(evaluate(pairs, [f"st:{tiny()}"], cache="off"), 200))
    assert "tokens/s padded/token truncated bytes/vector peak MiB" in shown
    assert "0 (0.0 %) 64" in shown


def test_a_store_keeps_it_also_when_interrupted(
    tiny: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    uri, name = f"milvus:{tmp_path / 'x.db'}", f"st:{tiny()}{INT8}"
    measurements: list[str] = []

    def counted(*given, **more):
        measurements.append(given[0])
        return measure_variant(*given, **more)

    def full(self, *_):
        raise StoreError("The disk must have room. Got none. Make room.")

    monkeypatch.setattr(bulk_line, "measure_variant", counted)
    with monkeypatch.context() as patched:
        patched.setattr(MilvusStore, "build", full)
        with pytest.raises(StoreError, match="must have room"):
            encode_corpus(TEXTS[:30], name, uri, part_rows=10, cache="off")
    done = encode_corpus(TEXTS[:30], name, uri, part_rows=10, cache="off")
    assert (measurements, done.variant["rows"], done.variant["whole"]) == ([name], 30, True)
    with get_store(uri) as store:
        assert store.stamp(done.collection)["source"]["variant"] == done.variant
    again = encode_corpus(TEXTS[:30], name, uri, part_rows=10, cache="off")
    assert (again.reused, again.variant) == (True, done.variant)
    compared = ed.compare(TEXTS[:30], [done.as_model], k=2, baseline=False)
    assert compared.run.manifest["models"][0]["encoding"]["variant"] == done.variant
    assert "in lower precision: on 30 of 30 rows" in plain(terminal.text(compared.facts(1), 400, everything=True))


def test_an_evaluation_says_it(tiny: Callable[..., Path], tmp_path: Path):
    pairs = tmp_path / "pairs.csv"
    rows = [f"{a},{b},{i % 5}" for i, (a, b) in enumerate(zip(TEXTS[:30], TEXTS[40:70], strict=True))]
    pairs.write_text("\n".join(["one,two,score", *rows]) + "\n", encoding="utf-8")
    found = evaluate(pairs, [f"st:{tiny()}{INT8}"], baseline=False, cache="off")
    assert found.to_dict()["models"][0]["encoding"]["variant"]["whole"]
    assert "is a variant of st:" in plain(plain_text(found.drawn(), 300))
