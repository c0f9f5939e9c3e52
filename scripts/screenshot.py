"""Take docs/images/report.png: the first screen of a report of the gallery, in headless Chromium.

Used by 'make picture'. It needs Chromium on the PATH and the extra ``test-all`` (playwright, and pillow, which makes
the picture small). ``screenshot.py FOLDER REPORT...`` takes the first screen of any reports instead, at three sizes,
light and dark, to be looked at; a report is a file, or a folder of a run.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gallery import ROOT, make_report

TARGET = ROOT / "docs" / "images" / "report.png"
REPORT = "choose-a-model"
SIZES = ((1366, 768), (1920, 1080), (390, 844))


@contextmanager
def chromium() -> Iterator[Any]:
    """Open a browser."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or sys.exit("Chromium must be on the PATH. Got none. Install chromium.")
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver, driver.chromium.launch(executable_path=program, args=flags) as browser:
        yield browser


def first_screen(browser: Any, page: Path, size: tuple[int, int] = SIZES[0], scheme: str = "light") -> bytes:
    """Return what a browser of this width and height shows of ``page`` at first, as PNG."""
    tab = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    tab.goto(page.as_uri())
    tab.wait_for_selector(".maps[data-ready], .pane .empty", state="attached", timeout=120_000)
    shown = tab.screenshot(animations="disabled")
    tab.close()
    return bytes(shown)


def matrix(folder: Path, reports: list[Path]) -> None:
    """Write the first screen of each report at every size, light and dark."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for report in reports:
            page = report / "report.html" if report.is_dir() else report
            for size in SIZES:
                for scheme in ("light", "dark"):
                    name = folder / f"{report.stem}-{size[0]}x{size[1]}-{scheme}.png"
                    name.write_bytes(first_screen(browser, page.resolve(), size, scheme))
                    print(name)


def main() -> None:
    """Make the report, open it and keep the picture in 256 colours."""
    from PIL import Image

    with TemporaryDirectory() as folder, chromium() as browser:
        page = Path(folder) / "report.html"
        make_report(REPORT, page)
        shown = first_screen(browser, page)
    few = Image.open(BytesIO(shown)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(TARGET, optimize=True)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size // 1000} kB")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        matrix(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]])
    else:
        main()
