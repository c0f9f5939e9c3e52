"""The widget in JupyterLab, in a real browser: it draws itself, and selection goes both ways."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embdiff.views import report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)"),
]

CODE = [
    'import embdiff as ed\nresult = ed.compare("sample", ["toy:16", "toy:64"], k=3, store="memory:")\nview = result.to_widget()',
    "view",
    'view.selection = 7\nprint("python chose", view.selection)',
    'print("browser chose", view.selection)',
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """JupyterLab on loopback, in an empty folder with one notebook."""
    pytest.importorskip("jupyterlab", reason="needs the package jupyterlab")
    cells = [{"cell_type": "code", "source": code, "metadata": {}, "outputs": [], "execution_count": None, "id": f"c{at}"}
             for at, code in enumerate(CODE)]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "view.ipynb").write_text(json.dumps(notebook))
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--port=0", "--allow-root",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={tmp_path}", "--LabApp.news_url=",
    ]  # fmt: skip
    log = (tmp_path / "lab.log").open("w+")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        address = None
        for _ in range(240):
            found = re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)", (tmp_path / "lab.log").read_text())
            if found:
                address = f"{found[1]}/lab/tree/view.ipynb?token={found[2]}"
                break
            time.sleep(0.5)
        assert address, (tmp_path / "lab.log").read_text()[-2_000:]
        yield address, tmp_path
    finally:
        process.terminate()
        process.wait(20)


def _run_cell(page: Any, place: int) -> None:
    page.locator(".jp-Notebook .jp-CodeCell").nth(place).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def test_the_widget_draws_itself_and_selection_goes_both_ways(lab, browser):
    address, folder = lab
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    page.wait_for_selector("text=/Python 3.*Idle/i", timeout=90_000)
    for place in range(2):
        _run_cell(page, place)
    page.wait_for_selector(".embdiff-widget .maps[data-ready]", timeout=90_000)
    _run_cell(page, 2)
    page.wait_for_selector("text=python chose 7", timeout=60_000)
    page.wait_for_function("document.querySelector('.embdiff-widget .query-line').innerText.startsWith('harbour-08')")
    page.locator(".embdiff-widget input[type=search]").fill("cup-02")
    page.locator('.embdiff-widget .queries button:text-is("cup-02")').click()
    page.wait_for_function("document.querySelector('.embdiff-widget .query-line').innerText.startsWith('cup-02')")
    page.wait_for_timeout(500)
    _run_cell(page, 3)
    page.wait_for_selector("text=/browser chose \\d+/", timeout=60_000)
    said = re.search(r"browser chose (\d+)", page.inner_text(".jp-Notebook"))
    import embdiff as ed

    assert said is not None
    assert ed.read_corpus("sample").ids[int(said[1])] == "cup-02"
    page.screenshot(path=folder / "widget.png")
