"""How time and memory of a whole comparison grow with the rows: with every row asked, and with sampled queries.

Every comparison runs in a process of its own, on ready vectors of two models, so that encoding plays no part. Writes a
table (``growth.md``) and, where matplotlib is installed, a plot (``growth.svg``) beside the results.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.report import Figure, in_turn, shown

DIM = 64
EVERY, SAMPLED = (1_000, 10_000, 100_000), (100_000, 300_000, 1_000_000)
LINEAR, QUADRATIC = 1.1, 2.1
WORDS = {True: "every row asked", False: "2,000 queries sampled"}
ROWS = {
    "growth": "a compare of two models with 2,000 queries sampled, time against rows: exponent of a power law (1 is "
    "linear); table and plot are written to benchmarks/growth.md and growth.svg",
    "growth_memory": "the same: peak memory of the whole process against rows",
    "growth_all_pairs": "the same with every row asked, time (2 is quadratic)",
    "growth_memory_all_pairs": "the same with every row asked: peak memory",
}

_ASIDE = """
import sys
from pathlib import Path
from embdiff.__main__ import main
peak = sys.argv.pop(1)
try:
    main()
finally:
    status = Path("/proc/self/status").read_text()
    Path(peak).write_text(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


@dataclass(frozen=True)
class Size:
    """One comparison: rows, whether every row asked, and of every run wall seconds and peak memory in GiB."""

    rows: int
    every: bool
    seconds: Sequence[float]
    gib: Sequence[float]


def run_aside(arguments: Sequence[str]) -> tuple[float, float]:
    """Run embdiff in a process of its own; return its wall seconds and the most memory it held at once, in GiB."""
    with tempfile.TemporaryDirectory() as folder:
        peak = Path(folder) / "peak"
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", _ASIDE, str(peak), *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"embdiff {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}")
        return time.perf_counter() - start, int(peak.read_text()) / 2**20


def compared(rows: int, *, every: bool) -> Size:
    """Compare two models of ``rows`` ready vectors."""
    with tempfile.TemporaryDirectory() as folder:
        texts, paths = Path(folder) / "rows.txt", [Path(folder) / f"{name}.npy" for name in "ab"]
        texts.write_text("".join(f"row {row}\n" for row in range(rows)), encoding="utf-8")
        rng = np.random.default_rng(0)
        first = rng.standard_normal((rows, DIM), dtype=np.float32)
        np.save(paths[0], first)
        np.save(paths[1], first + rng.standard_normal((rows, DIM), dtype=np.float32) / 2)
        models = [word for path in paths for word in ("-m", f"vectors:{path}")]
        out = ["--store", "memory:", "--out", str(Path(folder) / "run"), "--sample", "all" if every else "2000"]
        runs = in_turn({"compare": lambda: run_aside(["compare", str(texts), *models, *out])})["compare"]
        return Size(rows, every, [spent for _, (spent, _) in runs], [gib for _, (_, gib) in runs])


def exponent(rows: Sequence[int], values: Sequence[float]) -> float:
    """Return the slope of log value over log rows, by least squares."""
    return float(np.polyfit(np.log(rows), np.log(values), 1)[0])


def _grown(sizes: Sequence[Size]) -> tuple[float, float]:
    """Return the exponents of time and of memory, each size by its median."""
    rows = [size.rows for size in sizes]
    measured = zip(*((median(size.seconds), median(size.gib)) for size in sizes), strict=True)
    seconds, gib = (exponent(rows, values) for values in measured)
    return seconds, gib


def _figures(ending: str, bound: float, sizes: Sequence[Size]) -> list[Figure]:
    spent = {f"{size.rows:,} rows": list(size.seconds) for size in sizes}
    held = {f"{size.rows:,} rows": list(size.gib) for size in sizes}
    time_grows, memory_grows = _grown(sizes)
    return [
        Figure(f"growth{ending}", time_grows, bound, "exponent", spent, at_most=True),
        Figure(f"growth_memory{ending}", memory_grows, LINEAR, "exponent", held, at_most=True, measured_in="GiB"),
    ]


def main() -> list[Figure]:
    """Measure all sizes, write table and plot, and return the exponents."""
    every = [compared(rows, every=True) for rows in EVERY]
    sampled = [compared(rows, every=False) for rows in SAMPLED]
    _write([every, sampled], Path(__file__).parent)
    figures = [*_figures("", LINEAR, sampled), *_figures("_all_pairs", QUADRATIC, every)]
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


def _write(series: Sequence[Sequence[Size]], folder: Path) -> None:
    lines = ["| rows | queries | seconds | peak GiB |", "|---|---|---|---|"]
    lines += [
        f"| {size.rows:,} | {WORDS[size.every]} | {shown(size.seconds)} | {shown(size.gib)} |"
        for sizes in series
        for size in sizes
    ]
    lines += ["", "The median of five runs, or both of two. Memory is that of the whole process, Python and all.", ""]
    for sizes in series:
        spent, held = _grown(sizes)
        lines.append(f"With {WORDS[sizes[0].every]}, time grows as rows ^ {spent:.2f}, memory as rows ^ {held:.2f}.\n")
    (folder / "growth.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines), flush=True)
    _plot(series, folder / "growth.svg")


def _plot(series: Sequence[Sequence[Size]], path: Path) -> None:
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed (pip install 'embdiff[test-all]')", flush=True)
        return
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 4))
    for sizes in series:
        rows, (spent, held) = [size.rows for size in sizes], _grown(sizes)
        label = WORDS[sizes[0].every]
        left.loglog(rows, [median(size.seconds) for size in sizes], "o-", label=f"{label}: rows ^ {spent:.2f}")
        right.loglog(rows, [median(size.gib) for size in sizes], "o-", label=f"{label}: rows ^ {held:.2f}")
    for axes, words in ((left, "seconds"), (right, "peak memory, GiB")):
        axes.set(xlabel="rows", ylabel=words)
        axes.legend()
    figure.savefig(path, bbox_inches="tight")


if __name__ == "__main__":
    main()
