"""More rows than the page holds: it says so, shows every query and result, and finds the others in the live page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_report_page import Page

import embdiff as ed
from embdiff.views import report
from live_server import Served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)"),
]
ROWS = 120_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    first = draw.standard_normal((ROWS, 8), dtype=np.float32)
    np.save(folder / "a.npy", first)
    np.save(folder / "b.npy", first + 0.5 * draw.standard_normal((ROWS, 8), dtype=np.float32))
    names = [f"{name}=vectors:{folder / name}.npy" for name in ("a", "b")]
    texts, groups = [f"sentence number {row}" for row in range(ROWS)], [f"topic {row % 6}" for row in range(ROWS)]
    ed.compare(texts, names, groups=groups, k=5, sample="200", store="memory:", permutations=199, out=folder / "run")
    return folder / "run"


def test_the_report_says_which_rows_are_drawn(browser: Any, run: Path):
    page = Page(browser, run / "report.html", viewport={"width": 1366, "height": 768})
    assert "100,000 of 120,000 rows drawn" in page.view.locator(".toolbar").inner_text()
    assert "at random (seed 0)" in page.view.locator(".toolbar [role=note]").get_attribute("title")
    assert page.view.locator(".map .about").first.inner_text().startswith("100,000 of 120,000 rows drawn. PCA: ")
    assert page.view.locator(".neighbour").count() >= 5
    page.view.locator("[data-list=rows]").click()
    assert "of 100,000 rows drawn of 120,000" in page.view.locator(".list .count").inner_text()
    assert page.noticed == []


def test_every_row_is_found_in_the_live_page(browser: Any, run: Path):
    held = ed.load(run).run
    from embdiff.views.drawn import drawn_rows

    absent = sorted(set(range(ROWS)) - set(drawn_rows(held).rows.tolist()))[7]
    with Served(run, "--trust") as served:
        view = browser.new_page(viewport={"width": 1366, "height": 768})
        noticed: list[str] = []
        view.on("console", lambda message: "GL Driver" in message.text or noticed.append(message.text))
        view.on("pageerror", lambda error: noticed.append(str(error)))
        view.goto(served.address)
        view.wait_for_selector(".maps[data-ready]", timeout=120_000)
        view.get_by_label("Find a row").fill(f"number {absent}")
        view.get_by_role("button", name="find").click()
        name = held.corpus.ids[absent]
        view.locator(".found button", has_text=name).first.click()
        view.wait_for_function("document.querySelector('.diff').innerText.includes('your query')")
        text = view.locator(".diff").inner_text()
        assert f"sentence number {absent}" in text  # the row itself is its own first result, though no map has it
        view.locator(".neighbour .entry").first.hover()
        view.locator("[data-list=rows]").click()
        assert "100,000 of 100,000 rows drawn" in view.locator(".list .count").inner_text()
        assert noticed == []
