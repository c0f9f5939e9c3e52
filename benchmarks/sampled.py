"""Comparing two models by a sample of the rows, against asking every row: time, and whether the interval covers."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import embdiff as ed
from benchmarks.exact import K, seconds_of, unit_rows
from benchmarks.report import Figure, repeats_for
from embdiff import exact
from embdiff._progress import silent
from embdiff.measures.overlap import overlap
from embdiff.records import FloatArray

COUNT, DIM, HALF_WIDTH = 200_000, 256, 0.01
SMALLER = (12_500, 25_000)  # rows of the comparisons that the time of all rows is extrapolated from

ROWS = {
    "sampled_vs_full": f"compare {COUNT:,} rows, 2 models, sampled to +-{HALF_WIDTH:g}, over the same with every row "
    f"asked; make bench extrapolates that from {SMALLER[0]:,} and {SMALLER[1]:,} rows with the growth between these, "
    "which is less than the growth beyond; make bench-full measures it, once",
    "sampled_covers": "how far that sample's overlap is from that of all rows, over its half-width",
}


def main(full: bool = False, rows: int = COUNT, smaller: tuple[int, int] = SMALLER) -> list[Figure]:
    """Compare two models by a sample and by every row: the time of both, and what the sample should have said.

    Parameters
    ----------
    full : bool
        Measure the comparison by every row; else its time is extrapolated, and its overlap searched for directly.
    rows : int
    smaller : tuple of int
        Two sizes to extrapolate from.
    """
    some: list[float] = []
    both = _two_spaces(rows)
    with _comparing(both) as ask:
        start = time.perf_counter()
        result = ask(half_width=HALF_WIDTH)
        some.append(time.perf_counter() - start)
        some += [seconds_of(lambda: ask(half_width=HALF_WIDTH)) for _ in range(repeats_for(some[0]) - 1)]
        if full:
            start = time.perf_counter()
            answers = ask(sample="all").run.answers
            spent = {f"every row of {rows:,}": [time.perf_counter() - start]}
            every, true = spent[f"every row of {rows:,}"][0], float(overlap(*(a.returned for a in answers)).mean())
    if not full:
        every, spent = _extrapolated(rows, smaller)
        own = np.arange(rows)
        true = float(overlap(*(exact.search(v, v, K, "cosine", leave_out=own) for v in both)).mean())
    pair = result.run.manifest["sample"]["pairs"][0]
    away = abs(pair["value"] - true) / pair["half_width"]
    print(f"sampled {pair['value']:.4f} +- {pair['half_width']:.4f}, all rows {true:.4f}")
    timings = {"sampled": some, **spent}
    figures = [
        Figure("sampled_vs_full", median(some) / every, 0.05, "of every row", timings, at_most=True),
        Figure("sampled_covers", away, 1.0, "half-widths away", {"sampled": some}, at_most=True),
    ]
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


def _extrapolated(rows: int, smaller: tuple[int, int]) -> tuple[float, dict[str, list[float]]]:
    """Return the seconds that comparing by every row would take at least, and what that was measured by.

    Costs that are fixed, grow with the rows and grow with their square make up the time, so that its exponent rises
    with the rows: to go on with the one between two small sizes is to say too little.
    """
    spent: dict[str, list[float]] = {f"every row of {count:,}": [] for count in smaller}
    for _ in range(2):
        for name, count in zip(spent, smaller, strict=True):
            with _comparing(_two_spaces(count)) as ask:
                spent[name].append(seconds_of(lambda ask=ask: ask(sample="all")))  # type: ignore[misc]
    small, large = (median(seconds) for seconds in spent.values())
    exponent = min(2.0, math.log(large / small) / math.log(smaller[1] / smaller[0]))
    every = large * (rows / smaller[1]) ** exponent
    print(f"every row: grows with rows ** {exponent:.2f}, so {every:.0f} s for {rows:,} rows at least")
    return every, {**spent, f"every row of {rows:,}, extrapolated": [every]}


def _two_spaces(rows: int) -> tuple[FloatArray, FloatArray]:
    """Return the vectors of two models that agree in part."""
    first = unit_rows(rows, DIM, 7)
    noise = np.random.default_rng(6).standard_normal(first.shape, dtype=np.float32)
    return first, first + 0.5 * noise / np.sqrt(np.float32(DIM))


@contextmanager
def _comparing(spaces: tuple[FloatArray, FloatArray]) -> Iterator[Callable[..., ed.Comparison]]:
    """Give what compares the two, in the exact store, as the options say."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}.npy" for name in ("a", "b")]
        for path, vectors in zip(paths, spaces, strict=True):
            np.save(path, vectors)
        texts = [f"row {row}" for row in range(len(spaces[0]))]

        def ask(**options: Any) -> ed.Comparison:
            with silent():
                return ed.compare(texts, [f"vectors:{path}" for path in paths], store="memory:", **options)

        yield ask


if __name__ == "__main__":
    main()
