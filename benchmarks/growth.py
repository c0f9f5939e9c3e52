"""How time and memory of a whole comparison grow with the rows: with every row asked, and with sampled queries.

Every size runs in a process of its own, on ready vectors of two models, so that encoding plays no part. Writes a table
(``growth.md``) and, where matplotlib is installed, a plot (``growth.svg``) beside the results.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import Figure

DIM = 64
EVERY, SAMPLED = (1_000, 10_000, 30_000), (30_000, 100_000, 300_000)
EVERY_FULL, SAMPLED_FULL = 100_000, 1_000_000  # only with --full
ROWS = {
    "growth": "a sampled compare of two models, time against rows: exponent of a power law, over 1 (linear)",
    "growth_all_pairs": "the same with every row asked, exponent over 2 (quadratic)",
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
    """One comparison: rows, whether every row asked, wall seconds, peak memory of its process in GiB."""

    rows: int
    every: bool
    seconds: float
    gib: float

    @property
    def name(self) -> str:
        """What it is called among the timings."""
        return f"{self.rows:,} rows, {'all' if self.every else 'sampled'}"


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
        return Size(rows, every, *run_aside(["compare", str(texts), *models, *out]))


def exponent(sizes: Sequence[Size]) -> float:
    """Return the slope of log time over log rows, by least squares."""
    return float(np.polyfit(np.log([size.rows for size in sizes]), np.log([size.seconds for size in sizes]), 1)[0])


def _figure(name: str, bound: float, sizes: Sequence[Size]) -> Figure:
    timings = {size.name: [size.seconds] for size in sizes} | {f"{size.name}, GiB": [size.gib] for size in sizes}
    return Figure(name, exponent(sizes), bound, "exponent", timings, at_most=True)


def main(full: bool = False) -> list[Figure]:
    """Measure all sizes, write table and plot, and return the exponents."""
    every = [compared(rows, every=True) for rows in (*EVERY, *((EVERY_FULL,) if full else ()))]
    sampled = [compared(rows, every=False) for rows in (*SAMPLED, *((SAMPLED_FULL,) if full else ()))]
    _write([*every, *sampled], Path(__file__).parent)
    figures = [_figure("growth", 1.1, sampled), _figure("growth_all_pairs", 2.1, every)]
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


def _write(sizes: Sequence[Size], folder: Path) -> None:
    lines = ["| rows | queries | seconds | peak GiB |", "|---|---|---|---|"]
    lines += [
        f"| {size.rows:,} | {'every row' if size.every else '2,000 sampled'} | {size.seconds:.2f} | {size.gib:.2f} |"
        for size in sizes
    ]
    for every, words in ((True, "every row asked"), (False, "2,000 queries sampled")):
        lines.append(f"\nTime grows as rows ^ {exponent([s for s in sizes if s.every is every]):.2f} with {words}.")
    (folder / "growth.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines), flush=True)
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed (pip install 'embdiff[test-all]')", flush=True)
        return
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 4))
    for every, words in ((True, "every row asked"), (False, "2,000 queries sampled")):
        some = [size for size in sizes if size.every is every]
        left.loglog([size.rows for size in some], [size.seconds for size in some], "o-", label=words)
        right.loglog([size.rows for size in some], [size.gib for size in some], "o-", label=words)
    for axes, words in ((left, "seconds"), (right, "peak memory, GiB")):
        axes.set(xlabel="rows", ylabel=words)
        axes.legend()
    figure.savefig(folder / "growth.svg", bbox_inches="tight")


if __name__ == "__main__":
    main()
