"""The report in a real browser, with the network cut: linked, exact, searchable, and without a word on the console."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embdiff as ed
from embdiff.views import report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)"),
]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    out = tmp_path_factory.mktemp("report") / "run"
    return ed.compare("sample", ["toy:16", "toy:64"], k=4, store="memory:", out=out)


class Page:
    """The report opened, and everything that should not have happened on it."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.view = browser.new_page(**{"viewport": {"width": 1400, "height": 900}, **options}, offline=True)
        self.noticed: list[str] = []
        self.view.on("console", self._heard)
        self.view.on("pageerror", lambda error: self.noticed.append(str(error)))
        self.view.on("dialog", lambda dialog: (self.noticed.append(dialog.message), dialog.dismiss()))
        self.view.on("request", lambda request: self._asked(request.url))
        self.view.goto(path.as_uri())
        self.view.wait_for_selector("[data-mounted]")
        self.view.wait_for_selector(".maps[data-ready]")

    def _heard(self, message: Any) -> None:
        # Software drawing tells of its own slowness; that is Chromium's word, not the page's.
        if "GL Driver Message" not in message.text:
            self.noticed.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith("file:"):
            self.noticed.append(url)

    def block(self, name: str) -> dict[int, tuple[int, int]]:
        """Rows of a block of the diff (both, a or b), each with its ranks in the two models."""
        found = self.view.locator(f'.diff-block[data-block="{name}"] .neighbour').all()
        return {
            int(each.get_attribute("data-row")): (int(each.get_attribute("data-a")), int(each.get_attribute("data-b")))
            for each in found
        }

    def search(self, words: str) -> None:
        """Type into the search field and wait until the list follows."""
        self.view.get_by_role("searchbox", name="Search the list").fill(words)
        self.view.wait_for_function(
            "w => document.querySelector('.list .count').innerText.includes(`“${w}”`)", arg=words
        )


@pytest.fixture
def page(browser: Any, result: ed.Comparison) -> Iterator[Page]:
    opened = Page(browser, result.path / "report.html")
    yield opened
    assert opened.noticed == []
    opened.view.close()


def test_a_query_chosen_shows_exactly_the_neighbours_of_the_file(page, result):
    import pandas as pd

    table = pd.read_parquet(result.path / "neighbors.parquet")
    row_of = {name: row for row, name in enumerate(result.run.corpus.ids)}
    for query in ("lanterns-05", "cup-02"):
        page.search(query)
        page.view.locator(f'.queries button:text-is("{query}")').click()
        assert query in page.view.locator(".diff .query-line").inner_text()
        ranks = []
        for model in result.run.config.models:
            part = table[(table.query_id == query) & (table.model == model)]
            ranks.append({row_of[name]: rank for name, rank in zip(part.id, part["rank"], strict=True)})
        a, b = ranks
        assert page.block("both") == {row: (a[row], b[row]) for row in a if row in b}
        lost, gained = page.block("a"), page.block("b")
        assert {row: both[0] for row, both in lost.items()} == {row: a[row] for row in a if row not in b}
        assert {row: both[1] for row, both in gained.items()} == {row: b[row] for row in b if row not in a}
        names = result.run.corpus.ids
        assert {names[row] for row in lost} == set(result.diff(query).ids("lost"))
        assert {names[row] for row in gained} == set(result.diff(query).ids("gained"))
        assert all(rank > 4 for _, rank in lost.values())  # its exact place in the other, beyond what that returned


def test_search_and_sort_work(page, result):
    assert "52 of 52 queries" in page.view.locator(".list .count").inner_text()
    page.search("HANGERS-1")
    ids = page.view.locator(".queries button.link").all_inner_texts()
    assert set(ids) == {"hangers-10", "hangers-11", "hangers-12", "hangers-13"}
    page.view.locator(".queries th button[data-key=id]").click()
    assert page.view.locator(".queries button.link").all_inner_texts() == sorted(ids)
    page.view.locator(".queries th button[data-key=id]").click()
    assert page.view.locator(".queries button.link").all_inner_texts() == sorted(ids, reverse=True)
    assert page.view.locator('.queries th[aria-sort="descending"]').count() == 1


def test_rows_are_listed_by_disagreement_and_lead_to_the_queries_that_find_them(page, result):
    page.view.get_by_role("button", name="rows", exact=True).click()
    assert page.view.locator(".list .count").inner_text() == "52 of 52 rows"
    first = page.view.locator(".queries tbody tr").first
    expected = result.disagreement().items.iloc[0]
    place = result.run.corpus.ids.index(expected["id"])
    assert first.locator("button.link").inner_text() == expected["id"]
    assert float(first.locator("td.number").inner_text()) == pytest.approx(expected["disagreement"], abs=5.1e-4)
    first.locator("button.link").click()
    lists = [answer.returned.rows for answer in result.run.answers]
    finding = {int(query) for rows in lists for query in np.argwhere(rows == place)[:, 0]}
    said = page.view.locator(".list .count").inner_text()
    assert said == f"{len(finding)} of 52 queries, to which a model returns {expected['id']}"
    names = {result.run.queries.ids[query] for query in finding}
    assert set(page.view.locator(".queries button.link").all_inner_texts()) == names or len(names) > 25
    page.view.get_by_role("button", name="show all").click()
    assert page.view.locator(".list .count").inner_text() == "52 of 52 queries"


def test_the_histogram_limits_the_list(page):
    bar = page.view.locator('.histogram .bar[tabindex="0"]').last
    bar.focus()
    page.view.keyboard.press("Enter")
    words = bar.get_attribute("aria-label")
    assert words is not None
    assert page.view.locator(".list .count").inner_text().startswith(f"{words.split()[0]} of 52 queries")
    page.view.get_by_role("button", name="show all").click()
    assert page.view.locator(".list .count").inner_text() == "52 of 52 queries"


def _hover_any(page: Page, place: int) -> str:
    """Move over a map until a dot is hit; return what the line below says."""
    canvas = page.view.locator(".map-frame canvas").nth(place)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    line = page.view.locator(".hover-line")
    page.view.mouse.move(1, 1)
    for across in range(1, 40):
        for down in range(1, 30):
            page.view.mouse.move(box["x"] + box["width"] * across / 40, box["y"] + box["height"] * down / 30)
            if line.is_visible():
                return line.inner_text()
    raise AssertionError("no dot was hit")


def _ring(page: Page, place: int) -> tuple[float, float] | None:
    """Return where the ring of a map stands on the screen, None where there is none."""
    page.view.wait_for_timeout(100)
    found = page.view.locator(".map-ring").nth(place).locator("rect").last.bounding_box()
    return None if found is None else (found["x"] + found["width"] / 2, found["y"] + found["height"] / 2)


def test_a_row_under_the_pointer_is_marked_in_every_map_and_in_the_diff(page, result):
    assert _ring(page, 1) is None
    said = _hover_any(page, 0)
    assert any(said.startswith(name) for name in result.run.corpus.ids)
    assert _ring(page, 0) is not None
    row = page.view.locator(".neighbour").first
    row.hover()
    name = row.locator("b").inner_text()
    assert page.view.locator(".hover-line b").inner_text() == name
    assert page.view.locator(".neighbour.hot b").all_inner_texts() == [name]
    assert _ring(page, 0) is not None
    assert _ring(page, 1) is not None


def test_the_ring_stays_on_its_dot_when_a_map_is_zoomed_dragged_or_resized(page, result):
    """Where the ring of the second map stands, the pointer finds the same row there."""
    view, line = page.view, page.view.locator(".hover-line")

    def agrees() -> None:
        row = view.locator('.queries button.link:text-is("cup-02")')
        page.search("cup-02")
        row.scroll_into_view_if_needed()
        row.hover()
        view.wait_for_function("document.querySelector('.hover-line').innerText.startsWith('cup-02')")
        view.locator(".map-frame").nth(1).scroll_into_view_if_needed()
        spot = _ring(page, 1)
        assert spot is not None
        view.mouse.move(spot[0] + 1, spot[1])
        view.mouse.move(*spot)
        view.wait_for_timeout(100)
        assert line.inner_text().startswith("cup-02")
        assert _ring(page, 1) == pytest.approx(spot, abs=0.2)

    agrees()
    view.keyboard.down("Control")
    view.mouse.wheel(0, -150)
    view.keyboard.up("Control")
    view.wait_for_timeout(500)
    agrees()
    box = view.locator(".map-frame").nth(1).bounding_box()
    assert box is not None
    view.mouse.move(box["x"] + 8, box["y"] + 8)
    view.mouse.down()
    view.mouse.move(box["x"] + 48, box["y"] + 33, steps=4)
    view.mouse.up()
    view.wait_for_timeout(500)
    agrees()
    view.set_viewport_size({"width": 1100, "height": 900})
    view.wait_for_timeout(1_000)
    agrees()


def test_a_click_on_a_dot_opens_its_neighbours(page, result):
    said = _hover_any(page, 1)
    page.view.mouse.down()
    page.view.mouse.up()
    name = max((each for each in result.run.corpus.ids if said.startswith(each)), key=len)
    page.view.wait_for_function("n => document.querySelector('.diff .query-line')?.innerText.startsWith(n)", arg=name)
    ranks = [rank for block in ("both", "a") for rank, _ in page.block(block).values()]
    assert sorted(ranks) == [1, 2, 3, 4]


@pytest.mark.parametrize("width", [1024, 1920])
def test_every_dot_is_on_its_map_at_first(browser, result, width):
    opened = Page(browser, result.path / "report.html", viewport={"width": width, "height": 900})
    for box in (each.bounding_box() for each in opened.view.locator(".map-frame").all()):
        assert box["height"] > 150
        assert box["width"] >= box["height"] - 1  # the scatterplot shows -1..1 upwards, and sideways only if as wide


def test_each_figure_says_how_to_read_it(page):
    told = dict(
        page.view.evaluate("""() => [...document.querySelectorAll('.fold figure')].map((each) => {
      const caption = each.querySelector('figcaption'), title = caption.querySelector('strong').textContent;
      return [title, caption.textContent.slice(title.length).trim()];
    })""")
    )
    assert list(told) == [
        "Agreement of all models, overlap@4.",
        "Agreement at every depth.",
        "The index or the model?",
        "Which groups find which.",
        "What a cut-off becomes in another model.",
        "What each model costs.",
    ]
    assert all(words.endswith(".") and len(words) > 40 for words in told.values())
    page.view.get_by_text("How to read this").click()
    assert "Disagreement is 1 minus" in page.view.locator(".help").inner_text()


def test_everything_is_reached_with_the_keyboard(page):
    page.view.get_by_role("searchbox", name="Search the list").focus()
    for _ in range(60):
        page.view.keyboard.press("Tab")
        focused = page.view.evaluate("document.activeElement.closest('.queries td') !== null")
        if focused:
            break
    page.view.keyboard.press("Enter")
    name = page.view.evaluate("document.activeElement.innerText || document.querySelector('.chosen button').innerText")
    assert page.view.locator(".diff .query-line").inner_text().startswith(name)


def test_hostile_text_is_text(browser, tmp_path):
    texts = ["<script>console.log('ran')</script>", "<img src=x onerror=alert(1)>", "</script><b>bold</b>", "a & b"]
    ed.compare(texts, ["toy:8", "toy:16"], k=2, store="memory:", groups=["<i>g</i>", "h"] * 2, out=tmp_path / "run")
    opened = Page(browser, tmp_path / "run" / "report.html")
    assert opened.view.locator("main img, main script, main i:not(.swatch, .mark)").count() == 0
    shown = opened.view.locator("main").inner_text()
    assert "<img src=x onerror=alert(1)>" in shown
    assert "<i>g</i>" in shown
    assert opened.noticed == []


@pytest.mark.parametrize("models", [["toy:4"], [f"toy:{dim}" for dim in range(2, 18)]], ids=["one", "sixteen"])
def test_few_and_many_models(browser, tmp_path, models):
    texts = ["one", "two"] if len(models) == 1 else [f"text {row} {'abcdefgh'[row % 8]}" for row in range(12)]
    ed.compare(texts, models, k=1, store="memory:", out=tmp_path / "run")
    opened = Page(browser, tmp_path / "run" / "report.html", viewport={"width": 1024, "height": 700})
    wide = opened.view.evaluate("document.documentElement.scrollWidth")
    assert wide <= 1024
    assert opened.noticed == []


def test_without_webgl_the_words_remain(browser, result):
    """A page whose maps cannot be drawn still shows the lists."""
    view = browser.new_page(offline=True)
    view.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    view.goto((result.path / "report.html").as_uri())
    view.wait_for_selector("[data-mounted]")
    assert "52 of 52 queries" in view.locator(".list .count").inner_text()
    assert "could not be drawn" in view.locator(".maps").inner_text()
