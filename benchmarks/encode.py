"""Encoding 2,000 texts with all-MiniLM-L6-v2, against sentence-transformers' own default, in one run.

The texts are drawn by a fixed seed, 500 each from Cranfield, TIME, STSb and Banking77: abstracts and articles (many
longer than the 256 tokens that the model sees), sentences, and short questions. Loading is not measured, tokenising
is. One call per sentence, as the tutorial did, is measured on every seventh text and scaled to all of them.
"""

from __future__ import annotations

import csv
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import embdiff as ed
from benchmarks.report import Figure
from benchmarks.tutorial import plain_model
from embdiff import exact
from embdiff._optional import is_installed
from embdiff._progress import silent
from embdiff.errors import EmbdiffError
from embdiff.measures.overlap import overlap
from embdiff.records import FloatArray

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
EACH, ONE_BY_ONE_STEP, K = 500, 7, 10
SAME_COSINE, SAME_OVERLAP = 0.99999, 0.99
BOUNDS = {"encode_torch": 1.2, "encode_ov_fp32": 1.7, "encode_bf16": 2.8, "encode_vs_one_by_one": 3.0}
UNIT = "times faster"


def texts() -> list[str]:
    """Return the 2,000 texts, in a drawn order."""
    pools = [_beir("cranfield"), _beir("time"), _stsb(), _banking()]
    draw = random.Random(0)
    drawn = [text for pool in pools for text in draw.sample(pool, EACH)]
    draw.shuffle(drawn)
    return drawn


def _beir(name: str) -> list[str]:
    rows = [
        json.loads(line)
        for file in ("corpus.jsonl", "queries.jsonl")
        for line in (DATA / name / file).read_text(encoding="utf-8").splitlines()
    ]
    return [f"{row.get('title', '')} {row['text']}".strip() for row in rows]


def _stsb() -> list[str]:
    with (DATA / "stsb" / "stsb-en-dev.csv").open(encoding="utf-8", newline="") as file:
        return [text for row in csv.reader(file) for text in row[:2]]


def _banking() -> list[str]:
    with (DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def ours(model: str, items: list[str]) -> Callable[[], FloatArray]:
    """Load a model and return what encodes the texts with it."""
    encoder = ed.get_encoder(model)

    def encode() -> FloatArray:
        with silent():
            return encoder.encode(items)

    return encode


def timed(way: Callable[[], FloatArray]) -> tuple[float, FloatArray]:
    """Return the seconds and the vectors."""
    start = time.perf_counter()
    vectors = way()
    return time.perf_counter() - start, vectors


def one_by_one(model: Any, items: Sequence[str]) -> float:
    """Return the seconds that one call per sentence would take for all texts, from every seventh."""
    some = items[::ONE_BY_ONE_STEP]
    start = time.perf_counter()
    for text in some:
        model.encode([text], show_progress_bar=False)
    return (time.perf_counter() - start) * len(items) / len(some)


def fidelity(vectors: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """Return the lowest cosine to the peer's vectors, and the mean overlap of ten neighbours with them."""
    a, b = vectors.astype(np.float64), truth.astype(np.float64)
    lowest = float(np.min(np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))))
    own = np.arange(len(truth), dtype=np.int64)
    found = [exact.search(each, each, K, "cosine", leave_out=own) for each in (vectors, truth)]
    return lowest, float(np.mean(overlap(*found)))


def main(repeats: int = 2, count: int | None = None) -> list[Figure]:
    """Measure every way in turn, ``repeats`` times, and print a figure for each bound."""
    if not DATA.is_dir():
        return _shown([_absent(name, "the data sets are not beside this checkout") for name in BOUNDS])
    items = texts()[:count]
    plain = plain_model("minilm")
    specs = {"encode_torch": "minilm", **_engines()}
    absent: dict[str, str] = {}
    ways: dict[str, Callable[[], FloatArray]] = {}
    for name, spec in specs.items():
        try:
            ways[name] = ours(spec, items)
        except EmbdiffError as error:  # no bfloat16 instructions here
            absent[name] = str(error)
    plain.encode(items[:64], show_progress_bar=False)  # the first call pays for threads and allocations
    seconds: dict[str, list[float]] = {name: [] for name in ("sentence_transformers", "one_by_one", *ways)}
    facts: dict[str, tuple[float, float]] = {}
    for _ in range(repeats):
        spent, truth = timed(lambda: plain.encode(items, show_progress_bar=False))
        seconds["sentence_transformers"].append(spent)
        seconds["one_by_one"].append(one_by_one(plain, items))
        for name, way in ways.items():
            spent, vectors = timed(way)
            seconds[name].append(spent)
            facts[name] = fidelity(vectors, truth)
    return _shown(_figures(seconds, facts, absent))


def _engines() -> dict[str, str]:
    return {
        f"encode_{label}": f"minilm?backend={backend}&precision={precision}"
        for label, backend, precision in (
            ("ort_fp32", "onnx", "float32"), ("ov_fp32", "openvino", "float32"), ("bf16", "openvino", "bfloat16"),
        )
        if is_installed({"onnx": "onnxruntime"}.get(backend, backend))
    }  # fmt: skip


def _figures(
    seconds: dict[str, list[float]], facts: dict[str, tuple[float, float]], absent: dict[str, str]
) -> list[Figure]:
    def against(peer: str, name: str, way: str) -> Figure:
        timings = {peer: seconds[peer], way: seconds[way]}
        cosine, shared = facts[way]
        kept = shared >= SAME_OVERLAP if way == "encode_bf16" else cosine >= SAME_COSINE
        words = f"lowest cosine {cosine:.6f}, overlap@{K} {shared:.4f} with {peer}"
        print(f"{way}: {words}", flush=True)
        # Vectors that are not those of the model make no figure: 0 keeps no bound.
        ratio = median(seconds[peer]) / median(seconds[way]) if kept else 0.0
        return Figure(name, ratio, BOUNDS[name], UNIT, timings, why=words)

    default = "sentence_transformers"
    float32 = [name for name in ("encode_torch", "encode_ort_fp32", "encode_ov_fp32") if name in seconds]
    engines = [name for name in float32 if name != "encode_torch"]
    fastest = min(float32, key=lambda name: median(seconds[name]))
    figures = [against(default, "encode_torch", "encode_torch")]
    if engines:
        figures.append(against(default, "encode_ov_fp32", min(engines, key=lambda name: median(seconds[name]))))
    else:
        figures.append(_absent("encode_ov_fp32", "neither onnxruntime nor openvino is installed"))
    if "encode_bf16" in seconds:
        figures.append(against(default, "encode_bf16", "encode_bf16"))
    else:
        figures.append(_absent("encode_bf16", absent.get("encode_bf16", "openvino is not installed")))
    figures.append(against("one_by_one", "encode_vs_one_by_one", fastest))
    return figures


def _absent(name: str, why: str) -> Figure:
    return Figure(name, math.nan, BOUNDS[name], UNIT, {}, why=why)


def _shown(figures: list[Figure]) -> list[Figure]:
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


if __name__ == "__main__":
    main()
