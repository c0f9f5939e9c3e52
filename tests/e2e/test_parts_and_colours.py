"""Suggested clusters, outlines and colours on the page: one click limits every view, and an address brings it back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from test_accessibility import AXE, serious
from test_report_page import Page
from test_workspace import chips, count, drawn

import embdiff as ed
from embdiff.views import report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)"),
]
WORDS = ("the cat sleeps on a wall", "a train leaves at noon", "new bread is brown", "much rain falls today")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    import pandas as pd

    rows = range(120)
    data = pd.DataFrame(
        {
            "text": [f"{WORDS[row % 4]} {chr(97 + row % 26)}{chr(98 + row // 5 % 24)} {row}" for row in rows],
            "year": [2000 + row % 3 for row in rows],
            "code": [f"c{row // 2:02}" for row in rows],
        }
    )
    out = tmp_path_factory.mktemp("parts") / "run"
    return ed.compare(data, ["toy:16", "toy:64"], k=4, store="memory:", out=out)


@pytest.fixture
def page(browser: Any, result: ed.Comparison) -> Iterator[Page]:
    opened = Page(browser, result.path / "report.html", viewport={"width": 1366, "height": 768})
    yield opened
    assert opened.noticed == []
    opened.view.close()


def colour(page: Page, words: str) -> None:
    page.view.locator("label.choice", has_text="colour").locator("select").select_option(label=words)


def test_the_first_screen_says_on_which_clusters_they_share_fewest_and_a_click_leaves_one(page, result):
    part = result.headline.by_part[0]
    card = page.view.locator(".cards .card", has_text="Where they share fewest neighbours, of 4: suggested clusters")
    box = card.bounding_box()
    assert box["y"] + box["height"] < 768
    first = card.locator("tr").first
    assert part.part in first.inner_text()
    assert f"{part.value:.1f}" in first.inner_text()
    before = drawn(page, 0)
    first.get_by_role("button").click()
    assert chips(page) == [f"cluster {part.part} ×"]
    assert count(page) == part.n
    assert drawn(page, 0) != before
    assert first.get_by_role("button").get_attribute("aria-pressed") == "true"
    first.get_by_role("button").click()
    assert chips(page) == []


def test_clusters_stand_beside_the_histogram(page, result):
    page.view.get_by_role("button", name="suggested clusters", exact=True).click()
    names = page.view.locator(".parts-box th button").all_inner_texts()
    assert names == [part.part for part in result.headline.by_part]
    assert page.view.locator(".histogram-box").is_hidden()
    page.view.get_by_role("button", name="values", exact=True).click()
    assert page.view.locator(".histogram-box").is_visible()


def test_outlines_are_drawn_on_every_map_named_and_taken_away(page, result):
    outlines = page.view.locator(".map-hulls").first
    assert 0 < outlines.locator("polygon").count() <= 5
    assert page.view.locator(".map-hulls").nth(1).locator("polygon").count() == outlines.locator("polygon").count()
    name = result.headline.by_part[0].part
    label = outlines.locator("text.hull-name").first
    assert label.evaluate("each => each.firstChild.data") in name
    label.click()
    assert chips(page) == [f"cluster {name} ×"]
    page.view.get_by_role("button", name="outlines").click()
    assert page.view.locator(".map-hulls").first.is_hidden()
    assert "hulls=off" in page.view.url


def test_a_click_on_a_name_holds_while_the_map_is_marked_anew(page, result):
    """Between the press and its end the pointer may come upon another dot: the name must still be the same element."""
    label = page.view.locator(".map-hulls").first.locator("text.hull-name").first
    label.scroll_into_view_if_needed()
    box = label.bounding_box()
    page.view.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    star = page.view.locator(".map-star").first
    before = star.inner_html()
    page.view.mouse.down()
    query = result.run.queries.ids[50]
    page.view.evaluate("id => { location.hash = `q=${id}`; }", query)
    page.view.wait_for_function("was => document.querySelector('.map-star').innerHTML !== was", arg=before)
    page.view.mouse.up()
    assert chips(page) == [f"cluster {result.headline.by_part[0].part} ×"]


def test_no_name_of_an_outline_stands_over_another(page):
    for outlines in page.view.locator(".map-hulls").all():
        boxes = [label.bounding_box() for label in outlines.locator("text.hull-name").all()]
        frame = outlines.bounding_box()
        for at, one in enumerate(boxes):
            assert frame["y"] <= one["y"]
            assert one["y"] + one["height"] <= frame["y"] + frame["height"] + 1
            for other in boxes[:at]:
                apart = one["x"] >= other["x"] + other["width"] or other["x"] >= one["x"] + one["width"]
                assert apart or abs(one["y"] - other["y"]) >= 11


def test_an_outline_stays_with_its_dots_when_a_map_is_zoomed(page):
    corners = "each => each.querySelector('polygon').getAttribute('points')"
    outlines = page.view.locator(".map-hulls").first
    before = outlines.evaluate(corners)
    canvas = page.view.locator(".map-frame canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.view.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.view.keyboard.down("Control")
    page.view.mouse.wheel(0, -200)
    page.view.keyboard.up("Control")
    page.view.wait_for_function("was => document.querySelector('.map-hulls polygon').getAttribute('points') !== was", arg=before)  # fmt: skip
    page.view.get_by_role("button", name="reset zoom").click()
    page.view.wait_for_function("was => document.querySelector('.map-hulls polygon').getAttribute('points') === was", arg=before)  # fmt: skip


def test_names_of_cards_stand_beside_their_lines_and_not_over_them(browser, tmp_path):
    """Of three models each line says which two it is of, by their colours."""
    texts = [f"{WORDS[row % 4]} {chr(97 + row % 26)}{chr(98 + row // 5 % 24)} {row}" for row in range(120)]
    names = ["quite_a_long_name=toy:16", "another_long_name=toy:64", "a_third=toy:8"]
    result = ed.compare(texts, names, k=4, store="memory:", baseline=False, out=tmp_path / "run")
    for width in (1366, 390):
        opened = Page(browser, tmp_path / "run" / "report.html", viewport={"width": width, "height": 844})
        over = opened.view.evaluate("""() => [...document.querySelectorAll('.cards .dotted th')].filter((each) =>
          [...each.children].some((child) => child.getBoundingClientRect().right > each.getBoundingClientRect().right + 1)).length""")
        assert over == 0
        marks = opened.view.locator(".cards .parts .pair-mark").evaluate_all("all => all.map((each) => each.title)")
        first = list({each.part: " and ".join(each.models) for each in reversed(result.headline.by_part)}.items())[::-1]
        assert marks == [models for _, models in first][: len(marks)]
        assert len(marks) >= 2
        assert opened.noticed == []


def test_a_group_in_which_two_models_differ_is_left_alone_by_a_click(browser, tmp_path):
    """The card has each group once, with the pair that it is surest of; its name limits maps and list."""
    texts = [f"{word} number {at}" for word in ("apple", "river", "engine") for at in range(12)]
    groups = [word for word in ("apple", "river", "engine") for _ in range(12)]
    ed.compare(texts, ["toy:64", "toy:16", "toy:4"], k=5, groups=groups, store="memory:", out=tmp_path / "run")
    opened = Page(browser, tmp_path / "run" / "report.html", viewport={"width": 1366, "height": 768})
    buttons = opened.view.locator(".card", has_text="Where two models differ most").locator("th button")
    named = buttons.all_inner_texts()
    assert len(named) == len(set(named)) > 0
    buttons.first.click()
    assert chips(opened) == [f"group {named[0]} ×"]
    assert count(opened) == 12
    assert opened.noticed == []


def test_dots_are_coloured_by_any_column_and_a_name_of_the_legend_limits(page, browser, result):
    options = page.view.locator("label.choice", has_text="colour").locator("option").all_inner_texts()
    assert options == ["suggested cluster", "disagreement", "year", "code"]
    looks = {}
    for words in options:
        colour(page, words)
        looks[words] = drawn(page, 0)
    assert len(set(looks.values())) == 4
    legend = page.view.locator(".maps-section .legend")
    assert legend.locator("button").count() == 60  # every value of sixty has a colour and a name
    colour(page, "year")
    assert [each.strip() for each in legend.locator("button").all_inner_texts()] == ["2000", "2001", "2002"]
    legend.locator("button").nth(1).click()
    assert chips(page) == ["year 2001 ×"]
    assert count(page) == 40
    told = page.view.url
    assert "colour=column+year" in told
    again = Page(browser, result.path / "report.html", viewport={"width": 1366, "height": 768})
    again.view.goto(told)
    again.view.reload()
    again.view.wait_for_selector(".maps[data-ready]")
    assert count(again) == 40
    assert again.view.locator('.legend button[aria-pressed="true"]').inner_text().strip() == "2001"
    assert again.noticed == []


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core ('make frontend')")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_with_everything_open(browser, result, scheme):
    opened = Page(browser, result.path / "report.html", color_scheme=scheme)
    opened.view.get_by_role("button", name="suggested clusters", exact=True).click()
    for each in opened.view.locator("details").all():
        each.evaluate("each => { each.open = true; }")
    assert serious(opened.view) == []


def test_a_slider_carries_a_cut_off_through_all_models(page, result):
    for each in page.view.locator("details.fold").all():
        each.evaluate("each => { each.open = true; }")
    slider = page.view.get_by_label("Share of pairs that pass")
    said = page.view.locator(".cutoffs output")
    before, corners = said.inner_text(), page.view.locator(".cutoffs polyline").get_attribute("points")
    slider.focus()
    for _ in range(12):
        page.view.keyboard.press("ArrowLeft")
    assert said.inner_text() != before
    assert page.view.locator(".cutoffs polyline").get_attribute("points") != corners
    cuts = [float(each) for each in re.findall(r"(\d\.\d+) in toy", said.inner_text())]
    [rate] = re.findall(r"one of ([\d,]+) pairs|([\d.]+) % of", said.inner_text())
    share = 1 / int(rate[0].replace(",", "")) if rate[0] else float(rate[1]) / 100
    for cut, each in zip(cuts, result.run.similarities, strict=True):
        passing = each.count[each.similarity >= cut - 1e-3].sum() / each.count.sum()
        assert passing == pytest.approx(share, rel=0.3)


def test_many_groups_are_dots_in_order_and_few_a_matrix(browser, tmp_path):
    texts = [f"{WORDS[row % 4]} {row}" for row in range(80)]
    groups = [f"g{row % 16:02}" for row in range(80)]
    ed.compare(texts, ["toy:8", "toy:16"], k=3, store="memory:", groups=groups, out=tmp_path / "run")
    opened = Page(browser, tmp_path / "run" / "report.html")
    for each in opened.view.locator("details.fold").all():
        each.evaluate("each => { each.open = true; }")
    rows = opened.view.locator(".own-shares tbody tr")
    assert rows.count() == 16
    means = [sum(map(float, each.split())) for each in opened.view.locator(".own-shares .value").all_inner_texts()]
    assert means == sorted(means)
    assert opened.view.locator("table.heat", has_text="from ↓ to →").count() == 0
    assert opened.noticed == []


def test_the_index_is_a_dumbbell_a_model_and_the_cost_says_what_was_cached(browser, tmp_path):
    models = ["toy:16", "wordllama:64"]
    for name in ("warm", "run"):
        result = ed.compare("sample", models, k=4, index="ivf_flat(nlist=8,nprobe=1)", cache=tmp_path / "kept", out=tmp_path / name)  # fmt: skip
    opened = Page(browser, tmp_path / "run" / "report.html")
    for each in opened.view.locator("details.fold").all():
        each.evaluate("each => { each.open = true; }")
    rows = opened.view.locator(".dumbbells tbody tr")
    assert [each.get_attribute("data-model") for each in rows.all()] == models
    recall = {each.models[0]: each.value for each in result.run.scores if each.measure.startswith("index_recall@")}
    for model in models:
        row = opened.view.locator(f'.dumbbells tr[data-model="{model}"]')
        assert row.locator("g.hollow").count() == 2
        assert f"{recall[model]:.2f}" in row.inner_text()
    cost = opened.view.locator("figure", has_text="What each model costs.")
    assert "wordllama:64 (cached)" in cost.inner_text()
    assert "bytes per vector" in cost.inner_text()  # where nothing was timed, size tells them apart
    assert opened.noticed == []
