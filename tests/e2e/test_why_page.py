"""Why in a real browser: likely causes beside the neighbours, their meaning at the pointer, and a section to open."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import embdiff as ed
from embdiff.views import report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)"),
]
TEXTS = [f"row number {at} of a made-up list" for at in range(120)]


class Made:
    """Vectors by row; the second model returns one row to nearly everybody."""

    def __init__(self, hub: int | None) -> None:
        rng = np.random.default_rng(8)
        vectors = rng.normal(size=(len(TEXTS), 24)) + 0.6
        if hub is not None:
            vectors[hub] = 1.0
        self._of = dict(zip(TEXTS, vectors.astype(np.float32), strict=True))

    def encode(self, texts):
        return np.stack([self._of[text] for text in texts])


def test_causes_stand_beside_neighbours_and_in_a_section(browser: Any, tmp_path):
    result = ed.compare(TEXTS, [Made(None), Made(7)], k=5, store="memory:", layout="none", baseline=False)
    found = result.run.why[0]
    assert [each.name for each in found.counted] == ["hub"]
    query = int(found.query[found.row == 7][0])
    page = browser.new_page(viewport={"width": 1366, "height": 768}, offline=True)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(result.to_html(tmp_path / "page.html").as_uri() + f"#q={query}")
    page.wait_for_selector("[data-mounted]")
    beside = page.locator('.diff-block[data-block="b"] .neighbour[data-row="7"] .cause')
    assert beside.inner_text() == "hub"
    assert "very many queries" in str(beside.get_attribute("title"))
    summary = page.locator("summary", has_text="Why neighbours changed")
    summary.click()
    section = page.locator("section.why")
    assert "have a likely cause: hub" in section.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    assert not errors
