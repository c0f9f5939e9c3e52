"""The workspace of the report in a real browser: what is limited in one place is limited everywhere, and can be shared."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    out = tmp_path_factory.mktemp("workspace") / "run"
    return ed.compare("sample", ["toy:16", "toy:64", "toy:8"], k=4, store="memory:", out=out)


@pytest.fixture
def page(browser: Any, result: ed.Comparison) -> Iterator[Page]:
    opened = Page(browser, result.path / "report.html", viewport={"width": 1366, "height": 768})
    yield opened
    assert opened.noticed == []
    opened.view.close()


def count(page: Page) -> int:
    return int(page.view.locator(".list .count").inner_text().split()[0].replace(",", ""))


def chips(page: Page) -> list[str]:
    return page.view.locator(".chip").all_inner_texts()


def drawn(page: Page, place: int) -> bytes:
    """What the dots of a map look like, without the marks above them."""
    page.view.mouse.move(2, 2)
    page.view.wait_for_timeout(300)
    return page.view.evaluate("at => document.querySelectorAll('.map-frame canvas')[at].toDataURL()", place).encode()


def lasso(page: Page) -> None:
    canvas = page.view.locator(".map-frame canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    page.view.keyboard.down("Shift")
    page.view.mouse.move(x + 5, y + 5)
    page.view.mouse.down()
    for across, down in ((0.5, 0.02), (0.5, 0.5), (0.5, 0.97), (0.02, 0.97), (0.02, 0.5), (0.02, 0.03)):
        page.view.mouse.move(x + width * across, y + height * down, steps=8)
    page.view.mouse.up()
    page.view.keyboard.up("Shift")
    page.view.wait_for_selector('.chip[data-kind="lasso"]')


def test_maps_diff_and_list_stand_in_one_screen_and_a_click_changes_what_is_seen(page):
    page.view.locator(".workspace").evaluate("each => each.scrollIntoView()")
    for part in (".maps", ".diff", ".list"):
        box = page.view.locator(part).bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 768, part
        assert box["height"] > 150, part
    before = page.view.locator(".diff").inner_text()
    at = page.view.evaluate("scrollY")
    page.view.locator(".queries button.link").nth(3).click()
    assert page.view.locator(".diff").inner_text() != before
    assert page.view.evaluate("scrollY") == at


def test_a_lasso_limits_the_list_and_every_map(page):
    before = [drawn(page, place) for place in range(2)]
    lasso(page)
    inside = count(page)
    assert 0 < inside < 52
    assert "inside the lasso" in page.view.locator(".list .count").inner_text()
    assert all(drawn(page, place) != before[place] for place in range(2))
    page.view.locator('.chip[data-kind="lasso"]').click()
    assert count(page) == 52
    assert [drawn(page, place) for place in range(2)] == before


def test_filters_of_all_kinds_intersect_and_are_taken_away_one_by_one(page, result):
    groups = result.run.corpus.groups
    lasso(page)
    inside = count(page)
    page.view.locator(".legend button").first.click()
    name = page.view.locator(".legend button").first.inner_text().strip()
    both = count(page)
    assert both <= min(inside, groups.count(name))
    bar = page.view.locator('.histogram .bar[tabindex="0"]').nth(2)
    bar.focus()
    page.view.keyboard.press("Enter")
    assert count(page) <= both
    page.search("the")
    assert len(chips(page)) == 4
    assert page.view.locator('.legend button[aria-pressed="true"]').count() == 1
    for kind in ("search", "disagreement"):
        page.view.locator(f'.chip[data-kind="{kind}"]').click()
    assert page.view.get_by_role("searchbox", name="Search the list").input_value() == ""
    assert count(page) == both
    page.view.locator('.chip[data-kind="lasso"]').click()
    assert count(page) == groups.count(name)
    page.view.get_by_role("button", name="rows", exact=True).click()
    assert count(page) == groups.count(name)
    page.view.get_by_role("button", name="show all").click()
    assert chips(page) == []


def test_the_star_of_a_map_is_what_its_model_returned(page, result):
    query = int(page.view.locator(".queries tr.chosen").get_attribute("data-query"))
    for model in ("toy:16", "toy:64"):
        own = page.view.locator(f'.map[data-model="{model}"] .map-star circle.own').all()
        wanted = {
            int(row) for answer in result.run.answers if answer.model == model for row in answer.returned.rows[query]
        }
        assert {int(each.get_attribute("data-row")) for each in own} == wanted - {query}
        assert page.view.locator(f'.map[data-model="{model}"] .map-star line').count() == len(own)


def test_one_colour_for_each_model(page):
    colour = "each => getComputedStyle(each).color"
    for model in ("toy:16", "toy:64"):
        title = page.view.locator(f'.map[data-model="{model}"] h4 span').evaluate(colour)
        head = page.view.locator(".diff-only h4 span", has_text=re.compile(f"^{model}$")).evaluate(colour)
        card = page.view.locator(".dotted th", has_text=re.compile(f"^{model}$")).first.evaluate(colour)
        star = page.view.locator(f'.map[data-model="{model}"] .map-star line').first.evaluate(
            "each => getComputedStyle(each).stroke"
        )
        assert title == head == card == star
        spot = page.view.locator(".spot", has=page.view.locator(f'title:text("{model}:")'))
        if spot.count():
            assert spot.evaluate("each => getComputedStyle(each).fill") == title


def _views(page: Page) -> list[str]:
    """Where two rows of each star stand: the same in both maps only when both look at the same part."""
    return page.view.locator(".map-box rect:last-child").evaluate_all(
        "all => all.map((each) => each.getAttribute('x'))"
    )


def test_the_wheel_turns_the_page_and_zooms_all_maps_with_ctrl(page):
    canvas = page.view.locator(".map-frame canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.view.mouse.move(box["x"] + 3, box["y"] + 3)
    places, at = _views(page), page.view.evaluate("scrollY")
    page.view.mouse.wheel(0, -200)
    page.view.wait_for_timeout(400)
    assert _views(page) == places
    assert page.view.evaluate("scrollY") < at
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.view.mouse.move(box["x"] + 3, box["y"] + 3)
    page.view.keyboard.down("Control")
    page.view.mouse.wheel(0, -200)
    page.view.keyboard.up("Control")
    page.view.wait_for_timeout(600)
    assert all(now != before for now, before in zip(_views(page), places, strict=True))
    page.view.get_by_role("button", name="reset zoom").click()
    page.view.wait_for_timeout(600)
    assert _views(page) == places


def test_the_address_tells_the_state_and_the_browser_goes_back_and_forward(page, browser, result):
    view = page.view
    view.locator(".queries button.link").nth(2).click()
    chosen = view.locator(".diff .query-line strong").inner_text()
    view.locator("label.choice", has_text="with").last.locator("select").select_option("toy:8")
    view.locator(".legend button").nth(1).click()
    view.locator("label.choice", has_text="colour").locator("select").select_option("disagreement")
    page.search("a")
    told, shown = view.url, view.locator(".list .count").inner_text()
    assert told.startswith("file:")
    again = Page(browser, result.path / "report.html")
    again.view.goto(told)
    again.view.reload()
    again.view.wait_for_selector(".maps[data-ready]")
    assert again.view.locator(".list .count").inner_text() == shown
    assert again.view.locator(".diff .query-line strong").inner_text() == chosen
    assert again.view.locator(".map").nth(1).get_attribute("data-model") == "toy:8"
    assert "nothing shared" in again.view.locator(".maps-section .legend").inner_text()
    assert again.noticed == []
    view.go_back()
    assert view.get_by_role("searchbox", name="Search the list").input_value() in ("", "a")
    for _ in range(4):
        view.go_back()
    assert chips(page) == []
    assert view.locator(".map").nth(1).get_attribute("data-model") == "toy:64"
    assert view.locator(".diff .query-line strong").inner_text() != chosen
    for _ in range(5):
        view.go_forward()
    assert view.url == told
    assert view.locator(".list .count").inner_text() == shown


def test_the_arrow_keys_step_through_the_disputed_queries(page):
    card = page.view.locator(".query-card")
    card.focus()
    first = card.locator(".query-line").inner_text()
    page.view.keyboard.press("ArrowRight")
    second = card.locator(".query-line").inner_text()
    assert second != first
    assert page.view.locator(".diff .query-line strong").inner_text() in page.view.url
    page.view.keyboard.press("ArrowLeft")
    assert card.locator(".query-line").inner_text() == first


def test_every_figure_and_the_query_card_become_pictures(page, browser, tmp_path):
    for each in page.view.locator("details.fold").all():
        each.evaluate("each => { each.open = true; }")
    buttons = page.view.get_by_role("button", name=re.compile("^save as SVG"))
    assert buttons.count() >= 10
    for at in range(buttons.count()):
        with page.view.expect_download() as got:
            buttons.nth(at).evaluate("each => each.click()")
        path = tmp_path / got.value.suggested_filename
        got.value.save_as(path)
        seen = browser.new_page()
        seen.goto(path.as_uri())
        assert seen.evaluate("document.documentElement.localName") == "svg"  # a file that is no XML shows an error
        assert seen.evaluate("document.documentElement.textContent.length") > 20
        if path.name == "embdiff-one-query.svg":  # what a style sheet alone would write is in no picture
            places = seen.locator("li").evaluate_all("all => all.map((each) => each.firstChild.textContent)")
            assert places == 3 * ["1", "2", "3", "4"]
        elif path.name.startswith("embdiff-what-a-cut-off"):
            cuts = seen.locator("svg svg text").last
            assert cuts.evaluate("each => getComputedStyle(each).paintOrder") == "stroke"  # else its ground covers it
        seen.close()


def test_a_picture_is_copied_or_saved_as_png(page, tmp_path):
    """From a file the browser lets no page write pictures to the clipboard unasked: then the picture is saved."""
    page.view.evaluate("() => { navigator.clipboard.write = () => Promise.reject(new Error('no')); }")
    with page.view.expect_download() as got:
        page.view.get_by_role("button", name="copy picture: one query").evaluate("each => each.click()")
    assert got.value.suggested_filename == "embdiff-one-query.png"
    got.value.save_as(tmp_path / "picture.png")
    raw = (tmp_path / "picture.png").read_bytes()
    assert raw.startswith(b"\x89PNG\r\n")
    colours = page.view.evaluate(
        """async (data) => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [image.width, image.height];
      const pen = canvas.getContext('2d');
      pen.drawImage(image, 0, 0);
      return new Set(new Uint32Array(pen.getImageData(0, 0, image.width, image.height).data.buffer)).size;
    }""",
        base64.b64encode(raw).decode(),
    )
    assert colours > 50  # text in several colours, not an empty sheet


def test_a_link_is_copied(browser, result):
    opened = Page(browser, result.path / "report.html")
    opened.view.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }")
    opened.view.locator(".queries button.link").nth(1).click()
    opened.view.get_by_role("button", name="copy link").click()
    assert opened.view.evaluate("window.copied") == opened.view.url
    opened.view.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    opened.view.wait_for_timeout(2_200)
    opened.view.get_by_role("button", name="copy link").click()
    assert opened.view.get_by_label("Link to what is shown").input_value() == opened.view.url


def test_every_pair_of_nine_models_is_reached(browser, tmp_path):
    models = [f"toy:{dim}" for dim in range(4, 13)]
    ed.compare("sample", models, k=3, store="memory:", out=tmp_path / "run")
    opened = Page(browser, tmp_path / "run" / "report.html", viewport={"width": 1366, "height": 768})
    sides = [opened.view.locator(".chosen-pair select").nth(at) for at in range(2)]
    assert [each for each in sides[0].locator("option").all_inner_texts() if each != "bm25"] == models
    for a, b in (("toy:4", "toy:12"), ("toy:11", "toy:12"), ("toy:11", "toy:5"), ("toy:9", "toy:9")):
        sides[0].select_option(a)
        sides[1].select_option(b)
        opened.view.wait_for_function("a => document.querySelector('.map h4').innerText === a", arg=a)
        said = [each for each in opened.view.locator(".diff-block h4 span").all_inner_texts() if each]
        assert said == ([a, b] if a != b else [a])
    assert opened.noticed == []


def test_of_many_groups_each_is_found_by_letters_of_its_name(browser, tmp_path):
    texts = [f"text {row} {'abcdefgh'[row % 8]}" for row in range(154)]
    groups = [f"intent_{row % 77:02}" for row in range(154)]
    ed.compare(texts, ["toy:8", "toy:16"], k=3, store="memory:", groups=groups, out=tmp_path / "run")
    opened = Page(browser, tmp_path / "run" / "report.html", viewport={"width": 1366, "height": 768})
    field = opened.view.get_by_label("Group", exact=True)
    assert field.get_attribute("placeholder") == "any of 77 groups"
    field.fill("T_76")
    field.press("Enter")
    assert count(opened) == 2
    assert chips(opened) == ["group intent_76 ×"]
    assert set(opened.view.locator(".queries td:nth-child(3)").all_inner_texts()) == {"intent_76"}
    assert opened.view.locator(".diff .neighbour .tag").count() > 0
    assert opened.noticed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_phone(browser, result, scheme):
    opened = Page(browser, result.path / "report.html", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert opened.view.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [each.bounding_box() for each in opened.view.locator(".card, .map-frame, .diff, .list").all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    cards = [each.bounding_box() for each in opened.view.locator(".cards .card").all()]
    assert all(above["y"] + above["height"] <= below["y"] for above, below in itertools.pairwise(cards))
    cut = opened.view.evaluate("""() => [...document.querySelectorAll('.results li, .dotted th, .queries td.text')]
      .filter((each) => each.offsetParent && each.scrollWidth > each.clientWidth + 1).length""")
    assert cut == 0


def test_the_print_begins_with_the_answer_and_has_at_most_six_pages(browser, result):
    opened = Page(browser, result.path / "report.html")
    raw = opened.view.pdf()
    assert 1 <= len(re.findall(rb"/Type\s*/Page[^s]", raw)) <= 6


def test_everything_else_is_folded_and_every_number_is_searched(page, result):
    assert page.view.locator("details.fold[open]").count() == 0
    page.view.get_by_text("Every number", exact=True).click()
    rows = page.view.locator("table.numbers tbody tr")
    page.view.get_by_role("searchbox", name="Search every number").fill("cka toy:64 toy:16")
    found = rows.all()
    score = next(
        each for each in result.run.scores if each.measure == "cka" and set(each.models) == {"toy:16", "toy:64"}
    )
    assert len(found) == 1
    said = found[0].inner_text()
    assert f"{score.value:.3f}" in said
    assert "-1 to 1" in said


def test_queries_that_are_no_rows_are_linked_too(browser, tmp_path):
    questions = ["where is the lamp", "a cup of tea", "hangers in the hall"]
    ed.compare("sample", ["toy:16", "toy:64"], queries=questions, k=4, store="memory:", out=tmp_path / "run")
    opened = Page(browser, tmp_path / "run" / "report.html")
    assert opened.view.locator(".map-star circle.own").count() == 8
    assert opened.view.locator(".map-star line").count() == 0  # a query that is no row has no place in a map
    opened.search("cup of tea")
    assert count(opened) == 1
    assert opened.view.locator("div.entry").count() > 0  # rows that did not ask are no dead buttons
    assert opened.noticed == []


def test_a_text_in_another_direction_is_read_so(browser, tmp_path):
    ed.compare(["שלום עולם", "hello world", "مرحبا بالعالم", "hello again"], ["toy:8", "toy:16"], k=2, store="memory:", out=tmp_path / "run")  # fmt: skip
    opened = Page(browser, Path(tmp_path / "run" / "report.html"))
    cell = opened.view.locator(".queries td.text", has_text="שלום")
    assert cell.evaluate("each => getComputedStyle(each).direction") == "rtl"
