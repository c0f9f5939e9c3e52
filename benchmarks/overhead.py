"""What a comparison costs beside what any comparison must do: reading, encoding and searching by the libraries alone.

3,080 questions of customers, two static models, every row asked for its ten nearest. Both ways are whole processes, run
in turn: starting Python and loading libraries counts in both. The libraries alone read the same file, encode with
WordLlama itself and search with faiss; all else that `embdiff compare` does (checks, chance levels, intervals, tests,
bm25, the run folder with its report) is what the ratio shows, once with vectors in memory, once in the default store.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.report import Figure, as_installed, in_turn
from benchmarks.warm import DATA

TEXTS = DATA / "banking77" / "test.csv"
MODELS = ("wordllama:256", "wordllama:64")
MEMORY, DEFAULT = "embdiff", "embdiff, default store"
BOUNDS = {"compare_overhead": (MEMORY, 5.0), "compare_overhead_milvus": (DEFAULT, 8.0)}
ROWS = {
    "compare_overhead": f"embdiff compare of 3,080 rows with {' and '.join(MODELS)}, --store memory:, no cache, over "
    "the same reading, encoding and search by wordllama and faiss alone; whole processes",
    "compare_overhead_milvus": "the same with the default store, a file of Milvus Lite in the run folder",
}

_ALONE = """
import csv, sys
from pathlib import Path
import faiss, numpy, wordllama

with open(sys.argv[1], encoding="utf-8", newline="") as handle:
    texts = [row["text"] for row in csv.DictReader(handle)]
for name in sys.argv[2:]:
    dim = int(name.partition(":")[2])
    folder = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(
        "l2_supercat", cache_dir=folder, dim=256, trunc_dim=dim if dim < 256 else None, disable_download=True
    )
    vectors = numpy.ascontiguousarray(model.embed(texts, norm=True), dtype=numpy.float32)
    similarity, rows = faiss.knn(vectors, vectors, 11, faiss.METRIC_INNER_PRODUCT)
    assert rows.shape == (len(texts), 11)
"""


def run(*arguments: str) -> None:
    """Run Python in a process of its own."""
    done = subprocess.run([sys.executable, *arguments], env=as_installed(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)


def compare(*options: str) -> None:
    """Run the comparison once, in a folder of its own."""
    models = [part for model in MODELS for part in ("-m", model)]
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "run")
        run("-m", "embdiff", "compare", str(TEXTS), *models, "--cache", "off", *options, "--out", out)


def main() -> list[Figure]:
    """Measure both stores against the same libraries alone."""
    spent: dict[str, list[float]] = {}
    if DATA.is_dir():
        ways = {
            "alone": lambda: run("-c", _ALONE, str(TEXTS), *MODELS),
            MEMORY: lambda: compare("--store", "memory:"),
            DEFAULT: compare,
        }
        spent = {way: [seconds for seconds, _ in runs] for way, runs in in_turn(ways).items()}
    figures = [_figure(name, way, bound, spent) for name, (way, bound) in BOUNDS.items()]
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


def _figure(name: str, way: str, bound: float, spent: dict[str, list[float]]) -> Figure:
    if not spent:
        why = "the data sets are not beside this checkout"
        return Figure(name, math.nan, bound, "", {}, at_most=True, why=why)
    ratio = median(spent[way]) / median(spent["alone"])
    timings = {each: spent[each] for each in ("alone", way)}
    return Figure(name, ratio, bound, "times the libraries alone", timings, at_most=True)


if __name__ == "__main__":
    main()
