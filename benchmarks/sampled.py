"""Comparing two models by a sample of the rows, against asking every row: time, and whether the interval covers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import embdiff as ed
from benchmarks.exact import K, unit_rows
from benchmarks.report import Figure, clocked, in_turn
from embdiff import exact
from embdiff._progress import silent
from embdiff.measures.overlap import overlap
from embdiff.records import FloatArray, Neighbors
from embdiff.search import rows_only_elsewhere

COUNT, DIM, HALF_WIDTH = 200_000, 256, 0.01
PLACED = 1_000  # queries that placing is measured on; its time grows with them evenly
_SEARCHED, _PLACED = "search of all pairs, each model", f"places of {PLACED:,} queries, each model"

ROWS = {
    "sampled_vs_full": f"compare {COUNT:,} rows, 2 models, sampled to +-{HALF_WIDTH:g}, over the same with every row "
    "asked. make bench-full measures that; make bench counts of it only searching all pairs (measured for each model, "
    f"and taken twice as compare does) and placing what the other model returned (measured on {PLACED:,} queries)",
    "sampled_covers": "how far that sample's overlap is from that of all rows, over its half-width",
}


def main(full: bool = False, rows: int = COUNT) -> list[Figure]:
    """Compare two models by a sample and by every row: the time of both, and what the sample should have said.

    Parameters
    ----------
    full : bool
        Measure the whole comparison by every row; else only the parts of it that grow with the square of the rows.
    rows : int
    """
    both = _two_spaces(rows)
    with _comparing(both) as ask:
        runs = in_turn({"sampled": partial(ask, half_width=HALF_WIDTH)})["sampled"]
        some, result = [spent for spent, _ in runs], runs[-1][1]
        if full:
            asked = in_turn({"all": partial(ask, sample="all")})["all"]
            lists = [answer.returned for answer in asked[-1][1].run.answers]
            spent = {f"every row of {rows:,}": [seconds for seconds, _ in asked]}
            every = median(spent[f"every row of {rows:,}"])
    if not full:
        with silent():
            lists, spent = _parts(both)
        # Two models; compare asks the store and, for the exact answer, searches once more.
        every = 4.0 * median(spent[_SEARCHED]) + 2.0 * median(spent[_PLACED]) * rows / min(rows, PLACED)
    true = float(overlap(*lists).mean())
    pair = result.run.manifest["sample"]["pairs"][0]
    away = abs(pair["value"] - true) / pair["half_width"]
    print(
        f"sampled {pair['value']:.4f} +- {pair['half_width']:.4f}, every row {true:.4f}; every row takes {every:.0f} s"
    )
    timings = {"sampled": some, **spent}
    figures = [
        Figure("sampled_vs_full", median(some) / every, 0.05, "of every row", timings, at_most=True),
        Figure("sampled_covers", away, 1.0, "half-widths away", {"sampled": some}, at_most=True),
    ]
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


def _parts(both: tuple[FloatArray, FloatArray]) -> tuple[list[Neighbors], dict[str, list[float]]]:
    """Return the lists of every row by both models, and the seconds of searching them and of placing some, by model."""
    own = np.arange(len(both[0]))
    lists, searched = [], []
    for vectors in both:  # of one shape, so that each is a measurement of the same work
        seconds, found = clocked(partial(exact.search, vectors, vectors, K, "cosine", leave_out=own))
        lists.append(found)
        searched.append(seconds)
    asked = np.sort(np.random.default_rng(0).permutation(len(own))[:PLACED])
    placed = []
    for vectors, here, there in zip(both, lists, lists[::-1], strict=True):
        index = exact.Index(vectors, "cosine")
        index.ranks(vectors[asked[:1]], here.rows[asked[:1]])  # what is prepared once is not counted as often
        rows = rows_only_elsewhere(here.rows[asked], [there.rows[asked]])
        place = partial(index.ranks, vectors[asked], rows, leave_out=own[asked])
        placed += [seconds for seconds, _ in in_turn({"place": place})["place"]]
    return lists, {_SEARCHED: searched, _PLACED: placed}


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
