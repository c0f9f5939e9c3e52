"""What the first screen of a report answers without scrolling, by what is known: judgements, groups, or neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_report_page import Page

import embdiff as ed
from embdiff.views import report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)"),
]
HELPDESK = Path(__file__).resolve().parents[2] / "examples" / "helpdesk"
PROOF, AGREES, NOISE, WHERE, NEXT = "Is it proven?", "Who agrees?", "How much is noise?", "Where?", "What next?"
MODELS = ["toy:16", "toy:64", "lsa:32"]


def questions(view: Any) -> dict[str, str]:
    names, said = (view.locator(f".questions {part}").all_inner_texts() for part in ("dt", "dd"))
    return dict(zip(names, said, strict=True))


@pytest.mark.parametrize("known", ["judgements", "groups", "neither"])
@pytest.mark.parametrize(("width", "height", "scheme"), [(1366, 768, "light"), (1920, 1080, "dark")])
def test_five_questions_are_answered_without_scrolling(browser, tmp_path, known, width, height, scheme):
    given: dict[str, dict[str, Any]] = {
        "judgements": {"queries": HELPDESK / "questions.csv", "expected": HELPDESK / "expected.csv"},
        "groups": {"group_column": "topic"},
        "neither": {},
    }
    corpus = {
        "judgements": HELPDESK / "answers.csv",
        "groups": HELPDESK / "questions.csv",
        "neither": [f"{'abcdefgh'[row % 8]} text about matter {row}" for row in range(80)],
    }[known]
    index = "ivf_flat(nlist=4,nprobe=2)"
    ed.compare(corpus, MODELS, k=5, index=index, out=tmp_path / "run", **given[known])
    opened = Page(
        browser, tmp_path / "run" / "report.html", viewport={"width": width, "height": height}, color_scheme=scheme
    )
    told = questions(opened.view)
    assert told[NOISE].startswith("The same model again shares")
    assert "The index (ivf_flat" in told[NOISE]
    if known == "neither":
        assert "agree" in opened.view.locator("h1").inner_text()
        assert "does not say which one to prefer" in told[NEXT]
        assert PROOF not in told
    else:
        assert "randomisation test" in told[PROOF]
        assert "in common" in told[AGREES]
    if known == "groups":
        assert "weak labels" in told[PROOF]
        assert WHERE in told
    seen = opened.view.locator(".questions, .cards .card, .query-card .query-columns h3").all()
    assert len(seen) >= 6
    for each in seen:
        box = each.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
    assert "Look here first" in opened.view.locator(".query-steps").inner_text()
    assert opened.view.evaluate("scrollY") == 0
    assert opened.noticed == []


def test_the_triangle_says_which_model_each_column_is(browser, tmp_path):
    result = ed.compare("sample", MODELS, k=4, store="memory:", baseline=False, out=tmp_path / "run")
    opened = Page(browser, result.path / "report.html", viewport={"width": 1366, "height": 768})
    named = "all => all.map((each) => [each.title, getComputedStyle(each).color])"
    columns = opened.view.locator('.triangle th[scope="col"]').evaluate_all(named)
    rows = opened.view.locator('.triangle th[scope="row"]')
    told = "all => all.map((each) => [each.innerText.trim(), getComputedStyle(each).color])"
    assert columns == rows.evaluate_all(told)[:-1]
    shared = {each.models: f"{each.value:.1f}" for each in result.run.headline.agreement}
    second = opened.view.locator(".triangle tr").nth(1)
    assert second.locator("td").first.inner_text() in shared.values()


def test_intervals_colours_and_groups_are_read_on_it(browser, tmp_path):
    models = [*MODELS, "bm25"]
    result = ed.compare(HELPDESK / "questions.csv", models, k=5, group_column="topic", store="memory:",
                        out=tmp_path / "run")  # fmt: skip
    opened = Page(browser, result.path / "report.html", viewport={"width": 1366, "height": 768})
    view = opened.view
    standings = result.run.headline.standings
    told = view.locator(".standings .value small").all_inner_texts()
    assert told == [f"[{100 * each.low:.0f}, {100 * each.high:.0f}]" for each in standings]
    colour = "each => getComputedStyle(each).color"
    for each in standings:
        cell = view.locator(".standings th", has_text=each.model).first
        assert view.locator("h1 span", has_text=each.model).first.evaluate(colour) == cell.evaluate(colour)
    for name in view.locator(".results .of").all():
        assert name.evaluate("each => each.scrollWidth <= each.clientWidth")
        assert name.inner_text() in result.run.corpus.groups

    def carded() -> list[str]:
        return [each.split()[0] for each in view.locator(".query-columns h3").all_inner_texts()]

    assert carded() == MODELS
    assert "1 more model: choose below" in view.locator(".query-card").inner_text()
    view.locator("label.choice", has_text="compare").locator("select").select_option("bm25")
    assert carded() == ["toy:16", "toy:64", "bm25"]
    assert opened.noticed == []
