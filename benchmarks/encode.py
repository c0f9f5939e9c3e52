"""Encoding 2,000 texts with all-MiniLM-L6-v2, against sentence-transformers' own default, in one run.

The texts are drawn by a fixed seed, 500 each from Cranfield, TIME, STSb and Banking77: abstracts and articles (many
longer than the 256 tokens that the model sees), sentences, and short questions. Loading is not measured, tokenising
is, and every way runs in a process of its own. One call per sentence, as the tutorial did, is measured on every seventh
text and scaled to all of them. Of ONNX Runtime and OpenVINO in float32, the faster on every seventh text is measured on
all of them.
"""

from __future__ import annotations

import csv
import json
import math
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import embdiff as ed
from benchmarks.apart import Apart, Way
from benchmarks.report import ENOUGH, Figure, clocked, in_turn
from benchmarks.tutorial import plain_model
from embdiff import exact
from embdiff._optional import is_installed
from embdiff._progress import silent
from embdiff.errors import EmbdiffError
from embdiff.measures.overlap import overlap
from embdiff.records import FloatArray

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
EACH, ONE_BY_ONE_STEP, K = 500, 7, 10
_PRODUCTS = 50  # bare ones at a time: threads that wake up for a single one take as long as it does
SAME_COSINE, SAME_OVERLAP = 0.99999, 0.99
BOUNDS = {"encode_torch": 1.2, "encode_ov_fp32": 1.7, "encode_bf16": 2.8, "encode_vs_one_by_one": 3.0}
UNIT = "times faster"
DEFAULT, ALONE = "sentence_transformers", "one_by_one"
ENGINES = {"encode_ort_fp32", "encode_ov_fp32"}  # in float32
ROWS = {
    "encode_torch": "2,000 texts (500 each of Cranfield, TIME, STSb, Banking77), all-MiniLM-L6-v2: "
    "sentence-transformers' default over embdiff with PyTorch, float32",
    "encode_ov_fp32": "the same: over the faster of ONNX Runtime and OpenVINO, float32",
    "encode_bf16": "the same: over OpenVINO, bfloat16",
    "encode_vs_one_by_one": f"the same: one call per sentence, every {ONE_BY_ONE_STEP}th text, scaled to all, over the "
    "fastest float32",
}


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


def ours(model: str) -> Way:
    """Load a model and return what encodes texts with it."""
    encoder = ed.get_encoder(model)

    def encode(items: Sequence[str]) -> FloatArray:
        with silent():
            return encoder.encode(list(items))

    return encode


def theirs(*, one_by_one: bool = False) -> Way:
    """Load MiniLM and return what encodes texts with sentence-transformers itself: in one call, or one per sentence."""
    model = plain_model("minilm")

    def encode(items: Sequence[str]) -> FloatArray:
        if not one_by_one:
            return np.asarray(model.encode(list(items), show_progress_bar=False))
        return np.concatenate([model.encode([text], show_progress_bar=False) for text in items])

    return encode


def fidelity(vectors: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """Return the lowest cosine to the peer's vectors, and the mean overlap of ten neighbours with them."""
    a, b = vectors.astype(np.float64), truth.astype(np.float64)
    lowest = float(np.min(np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))))
    own = np.arange(len(truth), dtype=np.int64)
    found = [exact.search(each, each, K, "cosine", leave_out=own) for each in (vectors, truth)]
    return lowest, float(np.mean(overlap(*found)))


def limit(model: Any, items: Sequence[str]) -> float:
    """Return the seconds that the model's products alone would take in float32, at the rate of a bare product here.

    Real tokens only: twice the weights of the linear layers for each, and ``4 d L^2`` for the attention of a layer.
    """
    tokens = np.array(
        [len(ids) for ids in model.tokenizer(items, truncation=True, max_length=model.max_seq_length)["input_ids"]],
        dtype=np.float64,
    )
    network = model[0].auto_model
    weights = sum(layer.weight.numel() for layer in network.encoder.modules() if type(layer).__name__ == "Linear")
    layers, width = network.config.num_hidden_layers, network.config.hidden_size
    operations = 2 * weights * tokens.sum() + 4 * layers * width * (tokens**2).sum()
    return float(operations / _float32_rate(width))


def _float32_rate(width: int) -> float:
    """Return operations per second of a bare float32 product, by the faster of NumPy and PyTorch on this processor."""
    import torch

    left, right = (np.ones(shape, dtype=np.float32) for shape in ((2_048, width), (width, 4 * width)))
    out = np.empty((len(left), right.shape[1]), dtype=np.float32)
    tensors = [torch.from_numpy(array) for array in (left, right)]
    ways = (partial(np.matmul, left, right, out=out), partial(torch.mm, *tensors, out=torch.from_numpy(out)))

    def often(product: Callable[[], Any]) -> None:
        for _ in range(_PRODUCTS):
            product()

    spent = min(median(clocked(partial(often, way))[0] for _ in range(ENOUGH)) for way in ways)
    return _PRODUCTS * 2 * out.size * width / spent


def main(count: int | None = None) -> list[Figure]:
    """Measure every way in turn, on the first ``count`` texts, and print a figure for each bound."""
    if not DATA.is_dir():
        return _shown([_absent(name, "the data sets are not beside this checkout") for name in BOUNDS])
    items = texts()[:count]
    absent: dict[str, str] = {}
    with ExitStack() as processes:

        def apart(make: Callable[[], Way]) -> Way:
            return processes.enter_context(closing(Apart(make)))

        ways = {DEFAULT: apart(theirs), ALONE: apart(partial(theirs, one_by_one=True))}
        for name, spec in {"encode_torch": "minilm", **_engines()}.items():
            try:
                ways[name] = apart(partial(ours, spec))
            except EmbdiffError as error:  # no bfloat16 instructions here
                absent[name] = str(error)
        return _shown(_measured(ways, items, absent))


def _measured(ways: dict[str, Way], items: list[str], absent: dict[str, str]) -> list[Figure]:
    some = items[::ONE_BY_ONE_STEP]
    for way in ways.values():
        way(some[::4])  # the first call pays for threads, allocations and what an engine compiles
    trial = {name: clocked(partial(ways[name], some))[0] for name in ENGINES & ways.keys()}
    slower = sorted(trial, key=trial.__getitem__)[1:]
    for name in slower:
        print(f"{name}: {trial[name]:.2f} s on {len(some)} texts, the slower engine: not measured further", flush=True)
    measured = in_turn(
        {name: partial(way, some if name == ALONE else items) for name, way in ways.items() if name not in slower}
    )
    seconds = {name: [spent for spent, _ in runs] for name, runs in measured.items()}
    seconds[ALONE] = [spent * len(items) / len(some) for spent in seconds[ALONE]]
    truth = measured[DEFAULT][-1][1]
    facts = {name: fidelity(runs[-1][1], truth) for name, runs in measured.items() if name not in (DEFAULT, ALONE)}
    return _figures(seconds, facts, absent, limit(plain_model("minilm"), items))


def _engines() -> dict[str, str]:
    return {
        f"encode_{label}": f"minilm?backend={backend}&precision={precision}"
        for label, backend, precision in (
            ("ort_fp32", "onnx", "float32"), ("ov_fp32", "openvino", "float32"), ("bf16", "openvino", "bfloat16"),
        )
        if is_installed({"onnx": "onnxruntime"}.get(backend, backend))
    }  # fmt: skip


def _figures(
    seconds: dict[str, list[float]], facts: dict[str, tuple[float, float]], absent: dict[str, str], least: float
) -> list[Figure]:
    def against(peer: str, name: str, way: str) -> Figure:
        timings = {peer: seconds[peer], way: seconds[way]}
        cosine, shared = facts[way]
        kept = shared >= SAME_OVERLAP if way == "encode_bf16" else cosine >= SAME_COSINE
        words = f"lowest cosine {cosine:.6f}, overlap@{K} {shared:.4f} with {DEFAULT}"
        if way != "encode_bf16":
            most = median(seconds[peer]) / least
            words += f"; the float32 products alone take {least:.3g} s here: at most {most:.3g} times"
        print(f"{way}: {words}", flush=True)
        # Vectors that are not those of the model make no figure: 0 keeps no bound.
        ratio = median(seconds[peer]) / median(seconds[way]) if kept else 0.0
        return Figure(name, ratio, BOUNDS[name], UNIT, timings, why=words)

    engines = ENGINES & seconds.keys()
    fastest = min({"encode_torch", *engines}, key=lambda name: median(seconds[name]))
    figures = [against(DEFAULT, "encode_torch", "encode_torch")]
    if engines:
        figures.append(against(DEFAULT, "encode_ov_fp32", *engines))
    else:
        figures.append(_absent("encode_ov_fp32", "neither onnxruntime nor openvino is installed"))
    if "encode_bf16" in seconds:
        figures.append(against(DEFAULT, "encode_bf16", "encode_bf16"))
    else:
        figures.append(_absent("encode_bf16", absent.get("encode_bf16", "openvino is not installed")))
    figures.append(against(ALONE, "encode_vs_one_by_one", fastest))
    return figures


def _absent(name: str, why: str) -> Figure:
    return Figure(name, math.nan, BOUNDS[name], UNIT, {}, why=why)


def _shown(figures: list[Figure]) -> list[Figure]:
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


if __name__ == "__main__":
    main()
