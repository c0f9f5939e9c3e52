"""The report of 50,000 rows and two models: size, time until it can be used, and time from pointer to text.

Bounds are aims for two cores with software drawing; figures are printed, and never asserted in a test. With ``--full``
also 100,000 rows, at twice the size, and no slower. Most of the time makes the runs, whose every row is asked, and is
not measured: of one calm core two minutes, with ``--full`` six; of a busy machine several times as much.
"""

from __future__ import annotations

import math
import random
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import embdiff as ed
from benchmarks.report import Figure
from embdiff._optional import is_installed
from embdiff._progress import silent

COUNT, MANY = 50_000, 100_000
REPEATS, MOVES = 20, 20
MEGABYTE = 1e6
BOUNDS = {"size": (12.0, "MB"), "interactive": (4.0, "s"), "pointer": (100.0, "ms")}  # of 50,000 rows
ROWS = {
    "report_50k_size": "report of 50,000 rows and two models, k = 10: size of the file",
    "report_50k_interactive": "the same: from opening the file to drawn maps (software drawing)",
    "report_50k_pointer": "the same: from the pointer's move to text and highlight",
    "report_100k_size": "report of 100,000 rows and two models, k = 10: size of the file",
    "report_100k_interactive": "the same: from opening the file to drawn maps (software drawing)",
    "report_100k_pointer": "the same: from the pointer's move to text and highlight",
}


def texts(rows: int) -> list[str]:
    """Return sentences of ordinary length, by a fixed seed."""
    draw = random.Random(0)
    words = sorted({word for text in ed.read_corpus("sample").items for word in text.split()})
    return [" ".join(draw.choices(words, k=draw.randint(6, 20))) for _ in range(rows)]


def opened(browser: Any, path: Path) -> tuple[Any, float]:
    """Open the report and return the page with the seconds until its maps are drawn and its list is there."""
    page = browser.new_page(viewport={"width": 1400, "height": 900}, offline=True)
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector(".maps[data-ready]", timeout=120_000)
    return page, time.perf_counter() - start


# From the time the browser gives a pointer's move to the first moment after the frame that shows its effect.
_WATCH = """() => {
  window.spent = [];
  let moved = 0;
  addEventListener('pointermove', (event) => { moved = event.timeStamp; }, true);
  const painted = (from) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.spent.push(performance.now() - from);
    channel.port2.postMessage(null);
  };
  const told = new MutationObserver(() => { const from = moved; requestAnimationFrame(() => painted(from)); });
  told.observe(document.querySelector('.hover-line'), {childList: true, characterData: true, subtree: true});
}"""
_RINGS = "[...document.querySelectorAll('.map-ring')].filter((ring) => ring.style.display !== 'none').length"


def pointed(page: Any) -> list[float]:
    """Return the seconds from a pointer's move to the drawn text and highlight in both maps, move by move."""
    canvas = page.locator(".map-frame canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.evaluate(_WATCH)
    draw = random.Random(1)
    for _ in range(400):
        x, y = (draw.uniform(0.3, 0.7) for _ in range(2))
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(100)
        if page.evaluate(_RINGS) not in (0, 2):
            raise RuntimeError("the row pointed at must be marked in both maps")
        if page.evaluate("window.spent.length") >= MOVES:
            break
    return [spent / 1000 for spent in page.evaluate("window.spent")[:MOVES]]


def measure(rows: int) -> list[Figure]:
    """Make a report and open it."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        with silent():
            ed.compare(texts(rows), ["toy:64", "toy:32"], k=10, sample="all", store="memory:", cache="off",
                       measures=["overlap"], baseline=False, out=Path(folder) / "run")  # fmt: skip
        path = Path(folder) / "run" / "report.html"
        size = path.stat().st_size / MEGABYTE
        with driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser:
            spent = []
            for _ in range(REPEATS):
                page, seconds = opened(browser, path)
                spent.append(seconds)
                if len(spent) < REPEATS:
                    page.close()
            moves = pointed(page)
    return [
        _figure(rows, "size", size, {}),
        _figure(rows, "interactive", median(spent), {"open": spent}),
        _figure(rows, "pointer", median(moves) * 1000, {"move": moves}),
    ]


def _figure(rows: int, what: str, value: float, timings: dict[str, list[float]], why: str = "") -> Figure:
    bound, unit = BOUNDS[what]
    bound *= rows / COUNT if what == "size" else 1
    return Figure(f"report_{rows // 1000}k_{what}", value, bound, unit, timings, at_most=True, why=why)


def _missing() -> str:
    """Return what a page cannot be opened without here, or nothing."""
    if shutil.which("chromium") is None:
        return "no chromium on the PATH"
    return "" if is_installed("playwright") else "playwright is not installed (pip install 'embdiff[test-all]')"


def main(*, full: bool = False) -> list[Figure]:
    """Measure 50,000 rows, with ``full`` 100,000 too, and say why not where there is no browser."""
    sizes = (COUNT, MANY) if full else (COUNT,)
    if why := _missing():
        figures = [_figure(rows, what, math.nan, {}, why) for rows in sizes for what in BOUNDS]
    else:
        figures = []
        for rows in sizes:
            print(f"views: a run of {rows:,} rows is made, then its report is opened {REPEATS} times", flush=True)
            figures += measure(rows)
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


if __name__ == "__main__":
    main()
