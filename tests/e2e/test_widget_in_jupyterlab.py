"""The widget in JupyterLab, in a real browser: it draws itself, selection goes both ways, and text stays text."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import embdiff as ed
from embdiff.views import report
from hostile_items import SEEDS, hostile, stayed_text, watched

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
HOSTILE_CODE = [
    'import embdiff as ed\nresult = ed.load("run")\nview = result.to_widget()\nprint("loaded")',
    "view",
    "result",
]
OUTPUT = ".jp-Notebook .jp-OutputArea-output"


def _write_notebook(path: Path, code: list[str]) -> None:
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None, "id": f"c{at}"}
             for at, source in enumerate(code)]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Callable[[list[str]], str]]:
    """JupyterLab on loopback, in the test's folder: gets the cells of a notebook, returns its address."""
    pytest.importorskip("jupyterlab", reason="needs the package jupyterlab")
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

    def address(code: list[str]) -> str:
        _write_notebook(tmp_path / "view.ipynb", code)
        for _ in range(240):
            found = re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)", (tmp_path / "lab.log").read_text())
            if found:
                return f"{found[1]}/lab/tree/view.ipynb?token={found[2]}"
            time.sleep(0.5)
        raise AssertionError((tmp_path / "lab.log").read_text()[-2_000:])

    try:
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _run_cell(page: Any, place: int) -> None:
    page.locator(".jp-Notebook .jp-CodeCell").nth(place).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def _open(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    page.wait_for_selector("text=/Python 3.*Idle/i", timeout=90_000)


def test_the_widget_draws_itself_and_selection_goes_both_ways(lab, browser, tmp_path):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    _open(page, lab(CODE))
    for place in range(2):
        _run_cell(page, place)
    page.wait_for_selector(".embdiff-widget .maps[data-ready]", timeout=90_000)
    _run_cell(page, 2)
    page.wait_for_selector("text=python chose 7", timeout=60_000)
    page.wait_for_function(
        "document.querySelector('.embdiff-widget .diff .query-line').innerText.startsWith('harbour-08')"
    )
    assert page.locator(".embdiff-widget h1").is_visible()
    assert (
        page.evaluate("(view => view.scrollWidth - view.clientWidth)(document.querySelector('.embdiff-widget'))") <= 0
    )
    page.locator(".embdiff-widget input[type=search]").fill("cup-02")
    page.locator('.embdiff-widget .queries button:text-is("cup-02")').click()
    page.wait_for_function("document.querySelector('.embdiff-widget .diff .query-line').innerText.startsWith('cup-02')")
    page.wait_for_timeout(500)
    _run_cell(page, 3)
    page.wait_for_selector("text=/browser chose \\d+/", timeout=60_000)
    said = re.search(r"browser chose (\d+)", page.inner_text(".jp-Notebook"))
    assert said is not None
    assert ed.read_corpus("sample").ids[int(said[1])] == "cup-02"
    page.screenshot(path=tmp_path / "widget.png")


def test_no_item_acts_in_a_notebook(lab, browser, tmp_path):
    texts = hostile(2_000)
    groups = [SEEDS[row % len(SEEDS)] for row in range(len(texts))]
    ed.compare(texts, ["toy:16", "toy:64"], k=5, store="memory:", groups=groups, out=tmp_path / "run")
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    noticed = watched(page)
    _open(page, lab(HOSTILE_CODE))
    _run_cell(page, 0)
    page.wait_for_selector("text=loaded", timeout=90_000)
    before = list(noticed)  # JupyterLab has words of its own for the console while it starts
    _run_cell(page, 1)
    page.wait_for_selector(".embdiff-widget .maps[data-ready]", timeout=180_000)
    _run_cell(page, 2)
    page.wait_for_selector(f"{OUTPUT} .embdiff >> nth=0", state="attached", timeout=90_000)
    assert page.locator(f'{OUTPUT}[data-mime-type="text/html"]').count() == 1  # not its text, printed, besides
    for _ in range(4):
        page.locator(".embdiff-widget").get_by_role("button", name="next", exact=True).click()
        page.locator(".embdiff-widget .queries button.link").first.click()
    stayed_text(page, ".embdiff-widget")
    stayed_text(page, f'{OUTPUT}[data-mime-type="text/html"]')
    # anywidget complains of a machine too busy to start a module within two seconds; it was drawn nevertheless.
    assert [words for words in noticed[len(before) :] if "Failed to initialize model" not in words] == []
