"""The report of 50,000 rows and two models: size, time until it can be used, and time from pointer to text.

Bounds are aims for two cores with software drawing; figures are printed, and never asserted in a test.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import embdiff as ed
from benchmarks.report import Figure
from embdiff._progress import silent

COUNT, REPEATS, MOVES = 50_000, 5, 20
MEGABYTE = 1e6
ROWS = {
    "report_50k_size": "report of 50,000 rows and two models, k = 10: size of the file",
    "report_50k_interactive": "the same: from opening the file to drawn maps (software drawing)",
    "report_50k_pointer": "the same: from the pointer's move to text and highlight",
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


_MOVE = """async ([x, y]) => {
  const canvas = document.querySelector('.map-frame canvas'), box = canvas.getBoundingClientRect();
  const line = document.querySelector('.hover-line'), before = line.textContent;
  const start = performance.now();
  const told = new Promise((done) => {
    const drawn = () => done(performance.now() - start);
    const watch = new MutationObserver(() => { watch.disconnect(); requestAnimationFrame(drawn); });
    watch.observe(line, {childList: true, characterData: true, subtree: true});
    setTimeout(() => { watch.disconnect(); done(null); }, 1000);
  });
  const event = {clientX: box.x + x * box.width, clientY: box.y + y * box.height, bubbles: true, view: window};
  canvas.dispatchEvent(new MouseEvent('mouseenter', event));
  canvas.dispatchEvent(new MouseEvent('mousemove', event));
  window.dispatchEvent(new MouseEvent('mousemove', event));
  return await told;
}"""


def pointed(page: Any) -> list[float]:
    """Return the seconds from a pointer's move over a dot to the text and the drawn highlight, move by move."""
    page.locator(".map-frame canvas").first.scroll_into_view_if_needed()
    draw, found = random.Random(1), []
    for _ in range(400):
        spent = page.evaluate(_MOVE, [draw.uniform(0.3, 0.7), draw.uniform(0.3, 0.7)])
        if spent is not None:
            found.append(spent / 1000)
        if len(found) == MOVES:
            break
    return found


def measure(rows: int) -> list[Figure]:
    """Make a report and open it."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        with silent():
            ed.compare(texts(rows), ["toy:64", "toy:32"], k=10, sample="all", store="memory:", cache="off",
                       out=Path(folder) / "run")  # fmt: skip
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
    name = f"report_{rows // 1000}k"
    return [
        Figure(f"{name}_size", size, 12.0, "MB", {}, at_most=True),
        Figure(f"{name}_interactive", median(spent), 4.0, "s", {"open": spent}, at_most=True),
        Figure(f"{name}_pointer", median(moves) * 1000, 100.0, "ms", {"move": moves}, at_most=True),
    ]


def main() -> list[Figure]:
    """Measure 50,000 rows, and say why not where there is no browser."""
    if shutil.which("chromium") is None:
        figures = [Figure("report_50k_size", float("nan"), 12.0, "MB", {}, at_most=True, why="no chromium here")]
    else:
        figures = measure(COUNT)
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


if __name__ == "__main__":
    main()
