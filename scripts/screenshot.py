"""Take docs/images/report.png: the first screen of a report of the gallery, in headless Chromium.

Used by 'make picture'. It needs Chromium on the PATH and the extra ``test-all`` (playwright, and pillow, which makes
the picture small).
"""

from __future__ import annotations

import os
import shutil
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from gallery import ROOT, make_report

TARGET = ROOT / "docs" / "images" / "report.png"
REPORT = "choose-a-model"


def first_screen(page: Path, program: str) -> bytes:
    """Return what a browser 1366 wide and 768 high shows of ``page`` at first, as PNG."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        with driver.chromium.launch(executable_path=program, args=flags) as browser:
            tab = browser.new_page(viewport={"width": 1366, "height": 768}, color_scheme="light")
            tab.goto(page.as_uri())
            tab.wait_for_load_state("networkidle")
            return tab.screenshot(animations="disabled")


def main() -> None:
    """Make the report, open it and keep the picture in 256 colours."""
    from PIL import Image

    program = shutil.which("chromium") or sys.exit("Chromium must be on the PATH. Got none. Install chromium.")
    with TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        make_report(REPORT, page)
        shown = first_screen(page, program)
    few = Image.open(BytesIO(shown)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(TARGET, optimize=True)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
