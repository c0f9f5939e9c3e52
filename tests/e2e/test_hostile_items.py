"""Two thousand hostile items: text in the report and the exports, never code."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import embdiff as ed
from embdiff.views import report
from hostile_items import SEEDS, hostile, stayed_text, watched
from live_server import Served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = hostile(2_000)
    groups = [SEEDS[row % len(SEEDS)] for row in range(len(texts))]
    out = tmp_path_factory.mktemp("hostile") / "run"
    ed.compare(texts, ["toy:16", "toy:64"], k=5, store="memory:", groups=groups, out=out)
    return out


@pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")
def test_no_item_acts_on_the_report(run, browser):
    page = browser.new_page(offline=True)
    noticed = watched(page)
    page.goto((run / "report.html").as_uri())
    page.wait_for_selector(".maps[data-ready]")
    for each in page.locator("details").all():
        each.evaluate("each => { each.open = true; }")
    for _ in range(4):
        page.get_by_role("button", name="next", exact=True).click()
        page.locator(".queries button.link").first.click()
    stayed_text(page, "main")
    assert noticed == []
    page.get_by_role("searchbox", name="Search the list").fill("<b><b><b>")
    page.wait_for_selector('.chip[data-kind="search"]')
    assert "(1,050,000 characters)" in page.locator(".queries").inner_text()


@pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")
def test_no_item_acts_on_the_live_page(run, browser):
    with Served(run) as served:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        noticed = watched(page)
        page.goto(served.address)
        page.wait_for_selector(".maps[data-ready]")
        for text in (*SEEDS, "<b>" * 3_000):
            page.get_by_label("Query", exact=True).fill(text)
            page.get_by_role("button", name="ask", exact=True).click()
            page.wait_for_function("document.querySelector('.told').innerText.includes('2 models')")
            assert page.locator(".diff .neighbour").count() >= 5
            page.evaluate("document.querySelector('.told').replaceChildren()")
        page.get_by_label("Query", exact=True).fill(SEEDS[0])
        page.get_by_role("button", name="judge this query later").click()
        page.wait_for_function("document.querySelector('.told').innerText.includes('Kept for judging: 1')")
        page.get_by_role("button", name="next", exact=True).click()
        page.locator(".queries button.link").first.click()
        stayed_text(page, "main")
        assert noticed == []


def test_no_item_is_a_formula_or_breaks_a_line_in_exports(run, tmp_path):
    folder = ed.load(run).to_projector(tmp_path / "projector")
    csv.field_size_limit(2_000_000)
    with (folder / "metadata.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 2_001
    assert {len(row) for row in rows} == {3}
    cells = [cell for row in rows[1:] for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in ("=", "+", "-", "@")]
    assert not [cell for cell in cells if any(ord(c) < 32 for c in cell)]
