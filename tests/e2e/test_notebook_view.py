"""The notebook view in a real browser: seen as people see it, and text stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import embdiff as ed

pytestmark = pytest.mark.browser


def _open(browser: Any, fragment: str, folder: Path) -> tuple[Any, list[str]]:
    page = browser.new_page(viewport={"width": 1024, "height": 768}, offline=True)
    noticed: list[str] = []
    page.on("console", lambda message: noticed.append(message.text))
    page.on("dialog", lambda dialog: (noticed.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: noticed.append(request.url) if not request.url.startswith("file:") else None)
    path = folder / "view.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>view</title>{fragment}", encoding="utf-8")
    page.goto(path.as_uri())
    return page, noticed


def test_neighbours_stand_side_by_side(browser, tmp_path):
    result = ed.compare("sample", ["toy:16", "toy:64"], k=3, store="memory:")
    page, noticed = _open(browser, result._repr_html_(), tmp_path)
    first = page.locator("table:has(th)").first
    assert first.locator("th").all_inner_texts() == ["#", "toy:16", "toy:64"]
    shown = [row.locator("td").nth(1).locator("strong").inner_text() for row in first.locator("tbody tr").all()]
    frame = result.to_frame()
    rows = frame[(frame.query_id == "harbour-01") & (frame.model == "toy:16")].sort_values("rank")
    assert shown == [f"{similarity:.3f} {name}" for name, similarity in zip(rows.id, rows.similarity, strict=True)]
    assert "Neighbours in common" in page.inner_text("body")
    assert "overlap@3" in page.text_content("body")  # to be unfolded
    page.screenshot(path=tmp_path / "view.png", full_page=True)
    assert noticed == []


def test_hostile_text_stays_text(browser, tmp_path):
    texts = [
        "<script>console.log('ran')</script>",
        "<img src=x onerror=alert(1)>",
        "</table><b>bold</b>",
        "plain & simple",
    ]
    result = ed.compare(texts, ["toy:8", "toy:16"], k=2, store="memory:", groups=["<i>g</i>", "h"] * 2)
    page, noticed = _open(browser, result._repr_html_() + result.diff(0)._repr_html_(), tmp_path)
    assert noticed == []
    assert page.locator("script, img, b, i").count() == 0
    for text in texts:
        assert text in page.inner_text("body")
