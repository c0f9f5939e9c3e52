"""What people see: readable at 80 columns, escaped, honest, and whole at the edges."""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.cells import cell_len

import embdiff as ed
from embdiff.measures import base, get_measure
from embdiff.records import Score
from embdiff.views import terminal, words
from embdiff.views.facts import Facts
from embdiff.views.table import plain_text
from embdiff.views.tables import summary_tables

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    "\x1b[31mred\x1b[0m and \x1b]0;title\x07",
    "\u202egnihton\u202c looks reversed",
    '=HYPERLINK("http://x")',
    "[bold]not markup[/bold]",
    "tab\tand\u2028separator",
    "&amp; already escaped",
]


@pytest.fixture(scope="module")
def hostile() -> ed.Comparison:
    groups = ["<b>one</b>", "[red]two[/red]"] * 4
    return ed.compare(HOSTILE, ["toy:8", "toy:16"], k=2, store="memory:", groups=groups)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("what", ["comparison", "diff"])
def test_user_text_is_text_in_html(hostile, what):
    shown = hostile if what == "comparison" else hostile.diff(0)
    page = _Tags()
    page.feed(shown._repr_html_())
    assert page.tags <= {
        "div",
        "p",
        "strong",
        "small",
        "code",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "em",
        "br",
        "span",
    }
    assert "<script>alert(1)</script>" in "".join(page.text)


def test_user_text_cannot_act_on_a_terminal(hostile):
    shown = repr(hostile) + "".join(repr(hostile.diff(row)) for row in range(8))
    assert not [c for c in shown if (ord(c) < 32 and c != "\n") or c in "\x7f\x9b\u202e\u202c"]
    assert "[bold]not markup[/bold]" in shown


def test_nothing_is_wider_than_the_terminal(hostile):
    facts, diff = hostile.facts(), hostile.diff(0)
    for text in (terminal.text(facts, width=80), plain_text(diff.drawn(), width=80)):
        assert max(cell_len(line) for line in text.splitlines()) <= 80


def test_label_free_output_takes_no_side(hostile):
    shown = (repr(hostile) + hostile._repr_html_() + json.dumps(hostile.to_dict()["notes"])).lower()
    for word in ("better", "worse", "best", "winner", "superior"):
        assert word not in shown
    assert "not which one to prefer" in shown


def test_payload_is_strict_json(hostile):
    assert json.loads(json.dumps(hostile.to_dict(), allow_nan=False)) == hostile.to_dict()


def test_smallest_and_widest_cases():
    small = ed.compare(["one", "two"], ["toy:4"], queries="first:1", k=1, store="memory:", baseline=False)
    assert "overlap" not in [score.measure.partition("@")[0] for score in small.scores]
    assert "n = 1" in repr(small)
    many = ed.compare(HOSTILE, [f"toy:{dim}" for dim in range(2, 26)], k=2, store="memory:", baseline=False)
    assert len([score for score in many.scores if score.measure == "overlap@2"]) == 24 * 23 // 2
    assert max(cell_len(line) for line in terminal.text(many.facts(queries=2), width=80).splitlines()) <= 80


def test_many_groups_are_summed_up_and_said():
    texts = [f"text number {row} about {row % 12}" for row in range(48)]
    result = ed.compare(
        texts, ["toy:8", "toy:16", "toy:32"], k=2, store="memory:", groups=[str(row % 12) for row in range(48)]
    )
    shown = repr(result)
    assert "The 24 with the smallest p of 36" in shown
    assert "matrix of groups is not shown" in shown


def test_own_rows_that_stay_are_said(hostile):
    kept = ed.compare(HOSTILE, ["toy:8"], queries="first:2", k=2, store="memory:")
    assert "--self drop" in repr(kept)
    assert "--self drop" not in repr(hostile)
    dropped = ed.compare(HOSTILE, ["toy:8"], queries="first:2", k=2, store="memory:", self_matches="drop")
    assert not dropped.to_frame()["self"].any()


def test_long_text_is_shortened_with_its_length():
    assert words.shortened("short", 10) == "short"
    assert words.shortened("a" * 1_000, 10) == "aaaaaaaaa… (1,000 characters)"
    assert words.visible("a\nb\x00\x1b") == "a b\ufffd\ufffd"


def test_of_all_characters_only_controls_breaks_and_overrides_change():
    for character in map(chr, range(sys.maxunicode + 1)):
        shown = words.visible(f"a{character}b")[1:-1]
        if character in "\t\r\n\v\f\x85\u2028\u2029":
            assert shown == " "
        elif (
            unicodedata.category(character) == "Cc"
            or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        ):
            assert shown == "\ufffd"
        else:
            assert shown == character


def test_unknown_queries_are_refused(hostile):
    with pytest.raises(ed.EmbdiffError, match="between 0 and 7"):
        hostile.diff(8)
    with pytest.raises(ed.EmbdiffError, match="one of the 8"):
        hostile.diff("nobody")
    with pytest.raises(ed.EmbdiffError, match="those that asked"):
        hostile.diff(0, query_model="nobody")
    assert hostile.diff(-1).query["row"] == 7


def test_a_measure_of_another_package_is_shown_where_built_in_ones_are(hostile, monkeypatch):
    added = {
        "overlap_again": replace(get_measure("overlap").measure, name="overlap_again"),
        "order_again": replace(get_measure("kendall_tau").measure, name="order_again"),
        "height": replace(get_measure("anisotropy").measure, name="height"),
        "found_again": replace(get_measure("hit").measure, name="found_again"),
    }
    for name, measure in added.items():
        monkeypatch.setitem(base._ADDED, name, measure)
    pair, alone = ("toy:8", "toy:16"), ("toy:8",)
    scores = [
        Score(text, models, 0.5, 0.25, 0.75, 0.125, 8)
        for text, models in (
            ("overlap_again@2", pair), ("order_again@2", pair), ("height", alone), ("found_again@2", alone),
            ("of_a_package_that_is_gone", pair),
        )
    ]  # fmt: skip
    facts = Facts(replace(hostile.run, scores=(*hostile.run.scores, *scores)), queries=0)
    shown = {table.title.partition(";")[0]: str((table.head, table.rows)) for table in summary_tables(facts)}
    assert "overlap_again@2" in terminal.text(facts, width=100)
    assert "order_again@2" in shown["More about agreement"]
    assert "of_a_package_that_is_gone" in shown["More about agreement"]
    assert "height" in shown["Each space alone"]
    assert "found_again@2" in shown["Expected results as judgements"]


def test_a_title_needs_nothing_but_the_run(hostile, monkeypatch):
    monkeypatch.setattr(Facts, "results", property(lambda _: pytest.fail("results were made for a title")))
    monkeypatch.setattr(Facts, "disagreement", property(lambda _: pytest.fail("disagreement was made for a title")))
    assert words.title(hostile.run) == "toy:8, toy:16 on list"


def _scored(**methods: str) -> list[Score]:
    return [
        Score(f"{name}@3", ("a", "b"), 0.5, 0.4, 0.6, 0.1, 3, interval=method.replace("_", "-"), per_query=(0.5,) * 3)
        for name, method in methods.items()
    ]


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        ({"overlap": "bca", "spread": "bootstrap_t"}, "Intervals are 95 %: queries resampled, each"),
        ({"overlap": "wilson"}, "Intervals are 95 %: Wilson's (shares, equal values, and fewer than 30 queries"),
        ({"overlap": "student"}, "Intervals are 95 %: Student's (fewer than 30 queries), each"),
        ({"overlap": "bca", "hit": "wilson"}, "held fixed: queries resampled for overlap@3; Wilson's (shares"),
        ({"overlap": "none"}, ""),
    ],
)
def test_the_method_told_is_the_one_that_made_the_intervals(methods, said):
    assert said in words._interval_words(_scored(**methods))
    if "bca" not in methods.values() and "bootstrap_t" not in methods.values():
        assert "queries resampled" not in words._interval_words(_scored(**methods))


def test_twenty_queries_are_not_said_to_be_resampled():
    result = ed.compare([f"text {at} of twenty" for at in range(20)], ["toy:8", "toy:16"], k=2, store="memory:")
    assert {score.interval for score in result.scores if score.measure == "overlap@2"} == {"wilson"}
    said = next(note for note in words.notes(Facts(result.run)) if note.startswith("Intervals"))
    assert said.startswith("Intervals are 95 %: Wilson's")
