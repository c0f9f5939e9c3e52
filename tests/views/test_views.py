"""What people see: readable at 80 columns, escaped, honest, and whole at the edges."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.cells import cell_len

import embdiff as ed
from embdiff._visible import visible, visible_on_a_page
from embdiff.measures import GroupTest, base, get_measure
from embdiff.records import Score
from embdiff.views import story, terminal, words
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
        "details",
        "div",
        "p",
        "strong",
        "summary",
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


def everything(result) -> str:
    return terminal.text(result.facts(terminal.QUERIES_SHOWN), 100, everything=True)


def test_user_text_cannot_act_on_a_terminal(hostile):
    shown = everything(hostile) + "".join(repr(hostile.diff(row)) for row in range(8))
    assert not [c for c in shown if (ord(c) < 32 and c != "\n") or c in "\x7f\x9b\u202e\u202c"]
    assert "[bold]not markup[/bold]" in shown


def test_nothing_is_wider_than_the_terminal(hostile):
    facts, diff = hostile.facts(), hostile.diff(0)
    for text in (
        terminal.text(facts, 80),
        terminal.text(facts, 80, everything=True),
        plain_text(diff.drawn(), width=80),
    ):
        assert max(cell_len(line) for line in text.splitlines()) <= 80


def test_label_free_output_takes_no_side(hostile):
    shown = (
        everything(hostile) + repr(hostile) + hostile._repr_html_() + json.dumps(hostile.to_dict()["notes"])
    ).lower()
    for word in ("better", "worse", "best", "winner", "superior"):
        assert word not in shown
    assert "not which one to prefer" in shown


def test_payload_is_strict_json(hostile):
    assert json.loads(json.dumps(hostile.to_dict(), allow_nan=False)) == hostile.to_dict()


@pytest.mark.slow
def test_smallest_and_widest_cases():
    small = ed.compare(["one", "two"], ["toy:4"], queries="first:1", k=1, store="memory:", baseline=False)
    assert "overlap" not in [score.measure.partition("@")[0] for score in small.scores]
    assert "n = 1" in everything(small)
    many = ed.compare(HOSTILE, [f"toy:{dim}" for dim in range(2, 26)], k=2, store="memory:", baseline=False)
    assert len([score for score in many.scores if score.measure == "overlap@2"]) == 24 * 23 // 2
    assert max(cell_len(line) for line in terminal.text(many.facts(queries=2), 80, everything=True).splitlines()) <= 80


def test_many_groups_are_summed_up_and_said():
    texts = [f"text number {row} about {row % 12}" for row in range(48)]
    result = ed.compare(
        texts, ["toy:8", "toy:16", "toy:32"], k=2, store="memory:", groups=[str(row % 12) for row in range(48)]
    )
    shown = everything(result)
    assert "The 24 with the smallest p of 36" in shown
    assert "The 7 largest of 12 groups; all of them are in groups.json" in " ".join(shown.split())
    matrix = next(table for table in summary_tables(Facts(result.run)) if table.title.startswith("toy:8: groups"))
    assert matrix.head == ("group of the query", *map(str, range(7)), "5 other groups")
    assert len(matrix.rows) == 8


def test_of_more_groups_than_are_read_each_has_the_share_of_its_own():
    groups = [f"g{row % 30:02}" for row in range(120)]
    texts = [f"text number {row} about {groups[row]} and {groups[row]}" for row in range(120)]
    result = ed.compare(texts, ["toy:8", "lsa:16"], k=3, store="memory:", groups=groups)
    tables = [table for table in summary_tables(Facts(result.run)) if "same group" in table.title]
    assert [table.head for table in tables] == [("group", "toy:8", "lsa:16", "chance")]
    mixings = result.run.mixings.values()
    own = {name: [each.share[at][at] for each in mixings] for at, name in enumerate(sorted(set(groups)))}
    rows = {name: line for name, *line in tables[0].rows}
    assert all(line[:2] == [f"{share:.2f}" for share in own[name]] for name, line in rows.items())
    order = sorted(own, key=lambda name: sum(own[name]))
    assert [sum(own[name]) for name in rows] == [sum(own[name]) for name in order[:24]]
    assert "The 24 that find themselves least, of 30" in " ".join(everything(result).split())


def group_test(p: float, p_holm: float, *, ratio: float = 0.5, least: float = 1e-4, group: str = "g") -> GroupTest:
    return GroupTest(group, 20, 3.0, 0.1, 0.2, ratio, p, 9_999, p_holm=p_holm, p_least=least)


def group_story(result: ed.Comparison, *tests: GroupTest) -> str:
    run = replace(result.run, tests=tuple((f"m{at}", test) for at, test in enumerate(tests)))
    return " ".join(line for line in story.group_words(Facts(run)) if "group" in line)


def test_a_test_that_could_not_pass_is_not_said_to_have_found_nothing(hostile):
    """Of 604 tests with 9,999 permutations the lowest p is .0604 after Holm."""
    many = [group_test(1e-4, 0.0604), *(group_test(0.4, 1.0) for _ in range(603))]
    said = group_story(hostile, *many)
    assert "No group turns up too rarely" not in said
    assert said.startswith(
        "Whether 1 group with p up to .05 turn up too rarely cannot be decided with so many tests: p could not have "
        "been below 0.0001, 0.06 after Holm over 604."
    )
    nothing = group_story(hostile, group_test(0.3, 0.9, least=3e-5), group_test(0.04, 0.08, least=3e-5))
    assert nothing.startswith("No group turns up too rarely among the results of the others (of 2 tests")
    both = group_story(hostile, group_test(1e-5, 0.006, least=1e-5), *many)
    assert "beyond chance: g in m0 (p = 0.0060)." in both
    assert "cannot be decided" in both


def test_tests_of_equal_p_stand_by_their_effect(hostile):
    tests = [group_test(1e-4, 0.01, ratio=ratio, group=f"r{ratio}") for ratio in (0.6, 0.1, 0.4, 0.0)]
    unknown = group_test(math.nan, math.nan, ratio=math.nan, group="none")
    said = group_story(hostile, unknown, *tests)
    assert (
        "beyond chance: r0.0 in m4 (p = 0.0100); r0.1 in m2 (p = 0.0100); r0.4 in m3 (p = 0.0100), and 1 more" in said
    )
    ordered = [test.group for _, test in words.by_p([("m", test) for test in (unknown, group_test(0.2, 1.0), *tests)])]
    assert ordered == ["r0.0", "r0.1", "r0.4", "r0.6", "g", "none"]


def test_two_groups_are_said_to_have_no_test(hostile):
    shown = " ".join(everything(hostile).split())
    assert "there are only 2 groups: what either returns from outside itself is the other" in shown
    assert "No group turns up too rarely" not in " ".join(story.group_words(Facts(hostile.run)))


@pytest.mark.parametrize(("given", "drawn"), [(None, {9_999, 12_699}), (199, {199})])
def test_permutations_grow_with_the_number_of_tests_unless_they_were_chosen(given, drawn):
    """127 groups in two models make 254 tests; one group has texts that no other resembles."""
    texts = [f"{'zzzz qqqq' if row < 6 else 'plain words of all'} {row % 126}" for row in range(252)]
    groups = [f"g{row % 126}" if row >= 6 else "own" for row in range(252)]
    result = ed.compare(
        texts, ["toy:8", "toy:16"], k=5, store="memory:", groups=groups, layout="none", permutations=given,
        baseline=False,
    )  # fmt: skip
    assert len(result.run.tests) == 254
    assert {test.permutations for _, test in result.run.tests} == drawn
    shown = " ".join(everything(result).split())
    assert ("9,999 times, for rare groups 12,699" if given is None else "shuffled, 199 times") in shown


def test_own_rows_that_stay_are_said(hostile):
    kept = ed.compare(HOSTILE, ["toy:8"], queries="first:2", k=2, store="memory:")
    assert "--self drop" in everything(kept)
    assert "--self drop" not in everything(hostile)
    dropped = ed.compare(HOSTILE, ["toy:8"], queries="first:2", k=2, store="memory:", self_matches="drop")
    assert not dropped.to_frame()["self"].any()


def test_long_text_is_shortened_with_its_length():
    assert words.shortened("short", 10) == "short"
    assert words.shortened("a" * 1_000, 10) == "aaaaaaaaa… (1,000 characters)"
    assert visible("a\nb\x00\x1b\ud800") == r"a\nb\x00\x1b\ud800"
    assert visible_on_a_page("a\nb\x00") == r"a b\x00"


def test_of_all_characters_only_those_that_act_are_written_out():
    for character in map(chr, range(sys.maxunicode + 1)):
        acts = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        overrides = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        shown = visible(f"a{character}b")[1:-1]
        assert shown == (ascii(character)[1:-1] if acts or character in overrides else character)
        breaks = character in "\t\r\n\v\f\x85\u2028\u2029"
        assert visible_on_a_page(f"a{character}b")[1:-1] == (" " if breaks else shown)


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
    assert "overlap_again@2" in terminal.text(facts, width=100, everything=True)
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
        ({"overlap": "wilson"}, "Intervals are 95 %: Wilson's (shares, equal values, and fewer than 50 queries"),
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


def test_a_run_that_was_read_says_the_same_of_its_intervals(tmp_path):
    result = ed.compare("sample", ["toy:8", "toy:16"], k=3, store="memory:", out=tmp_path / "run", layout="none")
    read = ed.load(tmp_path / "run")
    assert words.notes(Facts(read.run)) == words.notes(Facts(result.run))
    assert any(note.startswith("Intervals are 95 %") for note in words.notes(Facts(read.run)))
    assert "orphans" not in " ".join(words.notes(Facts(result.run)))


@pytest.mark.parametrize("models", [["toy:8", "bm25"], ["bm25", "toy:8"], ["toy:8", "bm25", "toy:16"]])
def test_a_ranking_by_words_that_was_named_stands_on_the_first_screen(models):
    pytest.importorskip("bm25s", reason="bm25s is not installed")
    texts = [f"text {row} of {row % 5}" for row in range(20)]
    assert "bm25" in str(ed.compare(texts, models, k=2, store="memory:", layout="none"))
