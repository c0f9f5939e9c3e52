"""The same command again: a comparison that has been made once, made once more with everything kept.

Texts are real: sentences of the data sets beside the checkout, and variations of them (two sentences joined, a sentence
cut short) until there are enough. The command is ``embdiff compare FILE -m minilm -m wordllama:256``, with a sample of
1,000 queries against the whole corpus, a database named with ``--store`` (Milvus Lite) and a cache: the first run
encodes, stores, searches and measures everything; the second finds vectors and results in the cache and collections by
their stamps, and writes the run again. Each run is a process of its own: loading Python and libraries counts in both.
Cold runs begin each in an empty folder; the warm ones follow on the last of them.
"""

from __future__ import annotations

import csv
import json
import math
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Figure, as_installed, in_turn

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MODELS = ("minilm", "wordllama:256")
BOUND = 0.06
COUNT = 20_000
ROWS = {
    "warm_rerun": f"the same command again on {COUNT:,} rows, nothing encoded: time of the second run over the first",
}


def real_texts() -> list[str]:
    """Return different sentences of Banking77, STSb, Cranfield and TIME, in an order fixed by a seed."""
    found: list[str] = []
    for name in ("train", "test"):
        with (DATA / "banking77" / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
            found += [row["text"] for row in csv.DictReader(handle)]
    with (DATA / "stsb" / "stsb-en-dev.csv").open(encoding="utf-8", newline="") as handle:
        found += [text for row in csv.reader(handle) for text in row[:2]]
    for name in ("cranfield", "time"):
        with (DATA / name / "corpus.jsonl").open(encoding="utf-8") as handle:
            found += [sentence for line in handle for sentence in json.loads(line)["text"].split(" . ")]
    tidy = dict.fromkeys(" ".join(text.split()) for text in found)
    kept = [text for text in tidy if 10 <= len(text) <= 600]
    random.Random(0).shuffle(kept)
    return kept


def texts(count: int) -> list[str]:
    """Return ``count`` different texts: real ones, then variations of them, by a fixed seed."""
    real = real_texts()
    draw, chosen = random.Random(1), dict.fromkeys(real[:count])
    while len(chosen) < count:
        first, second = draw.sample(real, 2)
        words = first.split()
        chosen[draw.choice([f"{first} {second}", " ".join(words[: max(3, len(words) // 2)]) + f" {second}"])] = None
    return list(chosen)


def command(folder: Path, out: str) -> list[str]:
    """Return the command of both runs."""
    models = [part for model in MODELS for part in ("-m", model)]
    return [
        sys.executable, "-m", "embdiff", "compare", str(folder / "texts.txt"), *models, "--sample", "1000",
        "--store", f"milvus:{folder / 'vectors.db'}", "--cache", str(folder / "kept"), "--out", str(folder / out),
    ]  # fmt: skip


def run(folder: Path, out: str = "run") -> dict[str, Any]:
    """Run the command once and return the manifest."""
    done = subprocess.run(command(folder, out), env=as_installed(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    manifest: dict[str, Any] = json.loads((folder / out / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def measure(count: int) -> Figure:
    """Return the figure on ``count`` rows: the median of the warm runs over that of the cold ones."""
    lines = "\n".join(texts(count)) + "\n"
    with tempfile.TemporaryDirectory() as name:
        folders = []

        def cold() -> None:
            folders.append(Path(tempfile.mkdtemp(dir=name)))
            (folders[-1] / "texts.txt").write_text(lines, encoding="utf-8")
            encoded = [model["encoding"]["encoded"] for model in run(folders[-1])["models"]]
            assert encoded == [count] * len(MODELS), encoded

        def warm() -> None:
            models = run(folders[-1])["models"]
            assert [model["encoding"]["encoded"] for model in models] == [0] * len(MODELS)
            assert all(model["collection"]["reused"] for model in models)

        runs = {**in_turn({"cold": cold}), **in_turn({"warm": warm})}
    spent = {way: [seconds for seconds, _ in each] for way, each in runs.items()}
    ratio = median(spent["warm"]) / median(spent["cold"])
    return Figure("warm_rerun", ratio, BOUND, "of the cold run", spent, at_most=True)


def main() -> list[Figure]:
    """Measure the first run and the next."""
    if DATA.is_dir():
        figure = measure(COUNT)
    else:
        figure = Figure(
            "warm_rerun", math.nan, BOUND, "", {}, at_most=True, why="the data sets are not beside this checkout"
        )
    print(figure.line(), flush=True)
    return [figure]


if __name__ == "__main__":
    main()
