"""Disputed queries one after another, and those of a kind at one click: right here and wrong there, lost by the index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from test_report_page import Page

import embdiff as ed
from embdiff.views import report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)"),
]
MODELS = ["toy:16", "toy:64"]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ed.Comparison:
    out = tmp_path_factory.mktemp("gallery") / "run"
    return ed.compare("sample", MODELS, k=4, store="memory:", out=out)


@pytest.fixture
def page(browser: Any, result: ed.Comparison) -> Iterator[Page]:
    opened = Page(browser, result.path / "report.html", viewport={"width": 1366, "height": 768})
    yield opened
    assert opened.noticed == []
    opened.view.close()


def firsts(result: ed.Comparison) -> dict[str, list[bool]]:
    """Whether the first row of each list is of the query's group; these rows ask, and are not in their own lists."""
    groups = result.run.corpus.groups
    return {
        answer.model: [groups[row] == groups[query] for query, row in enumerate(answer.returned.rows[:, 0])]
        for answer in result.run.answers
    }


def listed(page: Page) -> list[str]:
    return page.view.locator(".queries tbody button.link").all_inner_texts()


@pytest.mark.parametrize(("a", "b"), [MODELS, MODELS[::-1]])
def test_queries_that_one_model_gets_right_and_the_other_wrong(page, result, a, b):
    right = firsts(result)
    ids = result.run.corpus.ids
    wanted = {ids[query] for query in range(len(ids)) if right[a][query] and not right[b][query]}
    assert wanted
    button = page.view.locator(".presets button", has_text=f"own group: {a}, not {b}")
    assert button.locator("small").inner_text() == str(len(wanted))
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert set(listed(page)) == wanted
    assert page.view.locator(".diff .query-line strong").inner_text() in wanted
    assert f"{len(wanted)} queries (own group: {a}, not {b})" in page.view.locator(".query-steps").inner_text()
    seen = set()
    page.view.locator(".query-card").focus()
    for _ in wanted:
        seen.add(page.view.locator(".diff .query-line strong").inner_text())
        page.view.keyboard.press("ArrowRight")
    assert seen == wanted
    told = page.view.url
    page.view.go_back()
    again = Page(page.view.context.browser, result.path / "report.html")
    again.view.goto(told)
    again.view.reload()
    assert set(listed(again)) == wanted
    button.click()
    assert page.view.locator(".chip").count() == 0


def test_queries_that_nobody_gets_right(page, result):
    right = firsts(result)
    wanted = {
        name for query, name in enumerate(result.run.corpus.ids) if not any(right[model][query] for model in MODELS)
    }
    page.view.get_by_role("button", name="own group: none").click()
    assert page.view.locator(".list .count").inner_text().startswith(f"{len(wanted)} of 52 queries")
    assert len(listed(page)) == min(25, len(wanted))
    assert set(listed(page)) <= wanted
    assert page.view.locator("td.hits.right").count() == 0
    assert page.view.locator(".chip").all_inner_texts() == ["own group: none ×"]


def test_right_and_wrong_are_words_of_judgements(browser, tmp_path):
    """A neighbour of another group need not be wrong."""
    ids = ed.read_corpus("sample").ids
    expected = {name: {after: 1} for name, after in zip(ids, (*ids[1:], ids[0]), strict=True)}
    ed.compare("sample", MODELS, k=4, store="memory:", expected=expected, out=tmp_path / "run")
    opened = Page(browser, tmp_path / "run" / "report.html", viewport={"width": 1366, "height": 768})
    words = opened.view.locator(".presets").inner_text()
    assert "toy:16 right, toy:64 wrong" in words
    assert "nobody right" in words
    assert "own group" not in words


def test_the_list_tells_right_and_wrong_of_each_model_and_sorts_by_it(page, result):
    head = page.view.locator(".queries th").all_inner_texts()
    assert head[3:5] == MODELS
    groups = result.run.corpus.groups
    column = page.view.locator(".queries th button", has_text=MODELS[1])
    column.click()
    counts = [
        int(np.sum([groups[row] == groups[query] for row in result.run.answers[1].returned.rows[query]]))
        for query in range(len(groups))
    ]
    shown = page.view.locator(".queries td:nth-child(5)").all_inner_texts()
    assert [each.split()[1] for each in shown] == [f"{count}/4" for count in sorted(counts)[:25]]
    column.click()
    shown = page.view.locator(".queries td:nth-child(5)").all_inner_texts()
    assert [each.split()[1] for each in shown] == [f"{count}/4" for count in sorted(counts, reverse=True)[:25]]


def test_up_and_down_walk_through_the_list_over_its_pages(page):
    names = listed(page)
    page.view.locator(".queries tbody button.link").first.focus()
    for name in names[1:3]:
        page.view.keyboard.press("ArrowDown")
        assert page.view.locator(".diff .query-line strong").inner_text() == name
        assert page.view.evaluate("document.activeElement.innerText") == name
    page.view.keyboard.press("ArrowUp")
    assert page.view.locator(".diff .query-line strong").inner_text() == names[1]
    for _ in range(len(names)):
        page.view.keyboard.press("ArrowDown")
    assert "page 2 of 3" in page.view.locator(".pager").inner_text()


def test_only_what_the_run_knows_is_offered(browser, tmp_path):
    texts = [f"text {row} {'abcdefgh'[row % 8]}" for row in range(60)]
    ed.compare(texts, MODELS, k=4, store="memory:", out=tmp_path / "run")
    opened = Page(browser, tmp_path / "run" / "report.html")
    assert opened.view.locator(".presets button").count() == 0
    assert opened.view.locator(".queries th").all_inner_texts()[1:] == ["query", "text"]


def test_what_the_index_lost(browser, tmp_path):
    """One cell of eight is looked into: much of the exact answer is lost."""
    index = "ivf_flat(nlist=8,nprobe=1)"
    result = ed.compare("sample", MODELS, k=4, index=index, out=tmp_path / "run")
    groups, wanted = result.run.corpus.groups, set()
    for answer in result.run.answers:
        lists = zip(answer.returned.rows, answer.exact.rows, answer.exact.similarity, strict=True)
        for query, (returned, exact, similarity) in enumerate(lists):
            near = answer.returned.similarity[query] >= similarity[-1] - 1e-6
            missing = set(exact) - set(returned)
            if near.sum() < 4 and any(groups[row] == groups[query] for row in missing):
                wanted.add(result.run.corpus.ids[query])
    assert wanted
    opened = Page(browser, result.path / "report.html")
    opened.view.get_by_role("button", name="index lost it").click()
    assert opened.view.locator(".list .count").inner_text().startswith(f"{len(wanted)} of 52 queries")
    assert set(listed(opened)) <= wanted


def test_on_a_phone_the_list_keeps_its_text_and_the_buttons_their_line(browser, result):
    opened = Page(browser, result.path / "report.html", viewport={"width": 390, "height": 844})
    assert opened.view.locator(".queries td.hits").first.is_hidden()
    name = opened.view.locator(".queries tbody button.link").first
    assert name.bounding_box()["height"] < 60
    assert opened.view.locator(".queries td.text:not(.of-group)").first.bounding_box()["width"] > 100
    presets = opened.view.locator(".presets").bounding_box()
    assert presets["x"] >= 0
    assert presets["x"] + presets["width"] <= 390
    assert presets["y"] >= opened.view.locator(".query-steps button").first.bounding_box()["y"]
