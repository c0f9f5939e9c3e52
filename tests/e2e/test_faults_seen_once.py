"""Faults that people saw on earlier pages, each held away by a test of its own where no other test does."""

from __future__ import annotations

from typing import Any

import pytest
from test_report_page import Page

import embdiff as ed
from embdiff.views import report

TEXTS = [f"text {row} {'abcdefgh'[row % 8]} {chr(97 + row % 26)}" for row in range(154)]


def test_ids_that_coincide_mark_no_row_as_the_query(tmp_path):
    """Queries and documents are often both numbered from 1."""
    import pandas as pd

    corpus = pd.DataFrame({"id": range(1, 31), "text": TEXTS[:30]})
    queries = tmp_path / "queries.csv"
    pd.DataFrame({"id": range(1, 4), "text": ["who sings", "what rings", TEXTS[7]]}).to_csv(queries, index=False)
    result = ed.compare(corpus, ["toy:8", "toy:16"], queries=queries, k=30, store="memory:", baseline=False)
    marked = [(query, row) for query, row in zip(*result.run.answers[0].is_self.nonzero(), strict=True)]
    rows = result.run.answers[0].returned.rows
    assert [(query, rows[query, place]) for query, place in marked] == [(2, 7)]


def test_empty_documents_are_no_dead_end(tmp_path):
    """Dropped where nobody judged them; where somebody did, that is said, with both ways out."""
    import pandas as pd

    corpus = pd.DataFrame({"id": [f"d{row}" for row in range(30)], "text": ["", *TEXTS[1:30]]})
    queries = tmp_path / "queries.csv"
    queries.write_text(f"id,text\nq,{TEXTS[4]} again\n")
    asked = {"models": ["toy:8", "toy:16"], "queries": queries, "k": 3, "store": "memory:", "baseline": False}
    result = ed.compare(corpus, **asked, expected={"q": {"d4": 1}}, empty="drop")
    assert result.run.corpus.dropped == ("d0",)
    with pytest.raises(ed.EmbdiffError, match="left out because it is empty: delete this line, or choose --empty keep"):
        ed.compare(corpus, **asked, expected={"q": {"d0": 1}}, empty="drop")
    kept = ed.compare(corpus, **asked, expected={"q": {"d0": 1}}, empty="keep", zero="keep")
    assert len(kept.run.corpus) == 30


def test_a_result_shows_itself_once_in_a_notebook(capsys):
    from IPython.core.formatters import DisplayFormatter

    result = ed.compare("sample", ["toy:8", "toy:16"], k=3, store="memory:", baseline=False)
    capsys.readouterr()
    formats, _ = DisplayFormatter().format(result)
    assert capsys.readouterr().out == ""
    assert "text/html" in formats
    assert "neighbours" in str(result)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    groups = [f"intent_{row % 77:02}" for row in range(154)]
    out = tmp_path_factory.mktemp("many") / "run"
    return ed.compare(TEXTS, ["toy:8", "toy:16"], k=3, store="memory:", groups=groups, out=out)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    out = tmp_path_factory.mktemp("few") / "run"
    groups = [("apples", "pears", "quinces and medlars")[row % 3] for row in range(60)]
    return ed.compare(TEXTS[:60], ["toy:8", "toy:16"], k=3, store="memory:", groups=groups, out=out)


@pytest.mark.browser
@pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")
class TestPage:
    def test_each_of_many_groups_has_a_colour_of_its_own(self, browser: Any, many: ed.Comparison) -> None:
        opened = Page(browser, many.path / "report.html")
        swatches = opened.view.locator(".maps-section .legend button .swatch")
        colours = swatches.evaluate_all("all => all.map((each) => getComputedStyle(each).backgroundColor)")
        assert len(colours) == len(set(colours)) == 77

    def test_one_query_is_one_query(self, browser: Any, many: ed.Comparison) -> None:
        opened = Page(browser, many.path / "report.html")
        told = opened.view.locator(".histogram .bar").evaluate_all("all => all.map((each) => each.ariaLabel)")
        assert not any(each.startswith("1 queries") for each in told)

    def test_the_list_is_few_stops_of_the_keyboard_away(self, browser: Any, many: ed.Comparison) -> None:
        """Once it took 28 stops; the legend, however many names it has, is not passed before the search."""
        opened = Page(browser, many.path / "report.html")
        opened.view.get_by_role("searchbox", name="Search the list").focus()
        stops, there = 0, "document.activeElement.closest('.queries td') !== null"
        while stops < 12 and not opened.view.evaluate(there):
            opened.view.keyboard.press("Tab")
            stops += 1
        assert stops < 12

    def test_a_wide_screen_is_used_to_its_right_edge(self, browser: Any, many: ed.Comparison) -> None:
        opened = Page(browser, many.path / "report.html", viewport={"width": 1920, "height": 1080})
        for part in (".cards", ".query-card", ".pane-diff", ".pane-list"):
            box = opened.view.locator(part).bounding_box()
            assert box["x"] + box["width"] > 1780, part

    def test_a_matrix_of_groups_keeps_its_words_whole_on_a_phone(self, browser: Any, few: ed.Comparison) -> None:
        """Once their names stood one letter a line; wide tables are moved by themselves, not the page."""
        opened = Page(browser, few.path / "report.html", viewport={"width": 390, "height": 844})
        for fold in opened.view.locator("details.fold").all():
            fold.evaluate("each => { each.open = true; }")
        heads = opened.view.locator(".heat th").evaluate_all(
            """all => all.filter((each) => each.innerText.trim()).map((each) => [each.innerText.trim(),
               each.clientHeight / parseFloat(getComputedStyle(each).lineHeight)])"""
        )
        assert {"apples", "pears"} <= {name for name, _ in heads}
        assert [each for each in heads if each[1] > 5] == []
        assert opened.view.evaluate("document.documentElement.scrollWidth") <= 390

    def test_print_begins_with_the_answer_and_not_with_hashes(self, browser: Any, few: ed.Comparison) -> None:
        opened = Page(browser, few.path / "report.html", viewport={"width": 720, "height": 1000})
        opened.view.emulate_media(media="print")
        answer = opened.view.locator("h1").bounding_box()
        assert answer["y"] + answer["height"] < 200
        assert opened.view.locator(".facts").first.is_hidden()
