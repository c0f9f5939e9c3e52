"""axe-core finds no serious fault on the report and the live page, in light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

import embdiff as ed
from embdiff.views import report
from live_server import Served

AXE = Path(__file__).resolve().parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not report.is_built() or not AXE.is_file(), reason="needs the page and axe-core ('make frontend')"
    ),
]


def serious(page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:120]} {each['nodes'][0].get('failureSummary', '')[:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_has_no_serious_fault(browser, tmp_path, scheme):
    ed.compare("sample", ["toy:16", "toy:64", "toy:8"], k=4, store="memory:", out=tmp_path / "run")
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme, offline=True)
    page.goto((tmp_path / "run" / "report.html").as_uri())
    page.wait_for_selector("[data-mounted]")
    page.wait_for_selector(".maps[data-ready]")
    for each in page.locator("details").all():
        each.evaluate("each => { each.open = true; }")
    assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_live_page_has_no_serious_fault(browser, tmp_path, scheme):
    ed.compare("sample", ["toy:16", "toy:64", "toy:8"], k=4, store="memory:", out=tmp_path / "run")
    with Served(tmp_path / "run") as served:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        page.goto(served.address)
        page.wait_for_selector(".maps[data-ready]")
        assert serious(page) == []
        page.get_by_label("Query", exact=True).fill("the rain")
        page.get_by_role("button", name="ask", exact=True).click()
        page.wait_for_function("document.querySelector('.told').innerText.includes('3 models')")
        assert serious(page) == []


@pytest.mark.parametrize("width", [1024, 1920])
def test_nothing_is_wider_than_the_page_and_nothing_jumps(browser, tmp_path, width):
    ed.compare("sample", ["toy:16", "toy:64", "toy:8"], k=4, store="memory:", out=tmp_path / "run")
    page = browser.new_page(viewport={"width": width, "height": 900}, offline=True)
    page.goto((tmp_path / "run" / "report.html").as_uri())
    page.wait_for_selector(".maps[data-ready]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    row = page.locator(".queries tbody tr").nth(3)
    row.scroll_into_view_if_needed()
    before = page.locator(".workspace").bounding_box()
    row.hover()
    assert page.locator(".workspace").bounding_box() == before
    page.emulate_media(media="print")
    assert page.locator(".controls").first.is_hidden()
    assert page.locator("h1").is_visible()
