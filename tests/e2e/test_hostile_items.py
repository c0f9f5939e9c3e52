"""Two thousand hostile items: text in the report and the exports, never code."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

import embdiff as ed
from embdiff.views import report

pytestmark = pytest.mark.browser
SEEDS = [
    "<script>window.hit = 1</script>",
    '<img src=x onerror="window.hit = 1">',
    "</script><script>window.hit = 1</script>",
    "<svg onload=window.hit=1>",
    "javascript:window.hit=1",
    "<style>body{display:none}</style>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "\u202eevil\u202c \u2066x\u2069 \x1b[31m \x07 \x7f",
    '=HYPERLINK("http://x","y")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "${7*7} {{7*7}} %s %n",
    "-->]]></textarea></title>",
    "\ud7ff\u0000".replace("\u0000", "\u0001") + "\ufeff\u200b",
]


def hostile(count: int) -> list[str]:
    draw = random.Random(4)
    texts = [" ".join(draw.choices(SEEDS, k=draw.randint(1, 3))) + f" {row}" for row in range(count - 1)]
    return [*texts, "<b>" * 350_000]  # one of a megabyte


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
    noticed: list[str] = []
    page.on("console", lambda message: noticed.append(message.text) if "GL Driver" not in message.text else None)
    page.on("pageerror", lambda error: noticed.append(str(error)))
    page.on("dialog", lambda dialog: (noticed.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: noticed.append(request.url) if not request.url.startswith("file:") else None)
    page.goto((run / "report.html").as_uri())
    page.wait_for_selector(".maps[data-ready]")
    for each in page.locator("details").all():
        each.evaluate("each => { each.open = true; }")
    for _ in range(4):
        page.get_by_role("button", name="next").click()
        page.locator(".queries button.link").first.click()
    assert page.evaluate("window.hit") is None
    assert noticed == []
    assert page.locator("main").locator("script, img, iframe, style, textarea, title:not(svg title)").count() == 0
    shown = page.locator("main").inner_text()
    assert "<script>window.hit = 1</script>" in shown
    assert "\u202e" not in shown
    page.get_by_role("searchbox").fill("<b><b><b>")
    assert "(1,050,000 characters)" in page.locator(".queries").inner_text()


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
