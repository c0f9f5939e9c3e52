"""The headline: a ladder that never claims more than is known, and the answer on one screen of 80 columns."""

from __future__ import annotations

import html
import json
import math

import numpy as np
import pytest

import embdiff as ed
from embdiff.headline import Remark, Shared, by_agreement, by_labels, part_words
from embdiff.measures.differences import between_models
from embdiff.records import Score
from embdiff.views import terminal
from embdiff.views.answer import LINES

TEXTS = [f"{word} number {at}" for word in ("apple", "river", "engine") for at in range(10)]
GROUPS = [word for word in ("apple", "river", "engine") for _ in range(10)]
BETTER = ("better", "best", "worse", "winner")


def compared(**more):
    given = {"models": ["toy:64", "toy:8"], "k": 5, "store": "memory:", "layout": "none", **more}
    return ed.compare(TEXTS, **given)


def labelled(measure: str, values: dict[str, list[float]]):
    scores = [
        Score(measure, (model,), sum(each) / len(each), 0.1, 0.9, 0.05, len(each), per_query=tuple(each))
        for model, each in values.items()
    ]
    found = between_models(scores, seed=0)
    return by_labels(scores, found[0] if found else None, units="judged queries")


def test_without_labels_nothing_is_better():
    found = compared().run.headline
    assert (found.basis, found.measure, found.standings) == ("agreement", None, ())
    said = " ".join((found.sentence, *found.more)).lower()
    assert "of 5 neighbours" in found.sentence
    assert "does not say which one to prefer" in said
    assert not [word for word in BETTER if word in said]


def test_groups_are_weak_labels():
    found = compared(groups=GROUPS).run.headline
    assert (found.basis, found.measure) == ("groups", "same_group@5")
    assert any("weak labels" in each for each in found.more)
    assert not [word for word in BETTER if word in " ".join((found.sentence, *found.more)).lower()]


def test_judgements_come_before_groups():
    expected = {str(row): [str(row + 1)] for row in range(0, 30, 2)}
    found = compared(groups=GROUPS, expected=expected).run.headline
    assert (found.basis, found.measure) == ("judgements", "ndcg@5")
    assert "judged queries" in found.more[0]


def test_the_notes_know_what_the_data_say_of_better():
    wanted = {str(at): [str(at + 1)] for at in range(9)}
    for more, word in (
        ({}, "labels or expected results are needed"),
        ({"groups": GROUPS}, "of that groups say a little"),
        ({"groups": GROUPS, "expected": wanted}, "that is what the expected results say"),
    ):
        notes = [note for note in compared(**more).to_dict()["notes"] if note.startswith("Agreement says")]
        assert len(notes) == 1
        assert word in notes[0]


def test_bm25_that_nobody_named_is_in_no_headline():
    pytest.importorskip("bm25s")
    expected = {str(row): [str(row + 1)] for row in range(0, 30, 2)}
    for more in ({}, {"groups": GROUPS}, {"expected": expected}):
        beside = compared(baseline=True, **more)
        assert beside.run.baseline is not None
        assert "bm25" not in json.dumps(beside.run.headline.to_dict())
        named = compared(models=["toy:64", "toy:8", "bm25"], **more)
        assert "bm25" in json.dumps(named.run.headline.agreement[0].to_dict() | named.run.headline.to_dict())


def test_what_cannot_be_told_apart_is_not_ranked():
    equal = labelled("ndcg@10", {"a": [0.2, 0.4, 0.6, 0.8] * 5, "b": [0.4, 0.2, 0.8, 0.6] * 5})
    assert equal.sentence.startswith("The models cannot be told apart by ndcg@10")
    assert "No difference is beyond chance" in equal.more[0]
    assert "would usually be detected" in equal.more[1]
    apart = labelled("ndcg@10", {"a": [0.2, 0.25, 0.3, 0.35] * 5, "b": [0.8, 0.85, 0.9, 0.95] * 5})
    assert apart.sentence == "b ranks best by ndcg@10: b 0.875, a 0.275."
    assert apart.more[0].startswith("The difference is beyond chance (paired randomisation test over 20 judged")
    three = labelled("ndcg@10", {"a": [0.8, 0.9] * 10, "b": [0.9, 0.8] * 10, "c": [0.1, 0.15] * 10})
    assert three.ties == (("b", "a"), ("c",))
    assert three.sentence.startswith("b and a lead and cannot be told apart by ndcg@10")


def test_the_test_that_was_made_is_the_one_named():
    """Of two kinds of pairs the test is Student's, each kind with a variance of its own."""
    rng = np.random.default_rng(0)
    values = {"a": rng.random(60).tolist(), "b": rng.random(60).tolist()}
    scores = [
        Score("auc", (model,), float(np.mean(each)), 0.1, 0.9, 0.5, 60, per_query=tuple(each))
        for model, each in values.items()
    ]
    for kinds, named in ((None, "paired randomisation test"), (np.arange(60) % 2 == 0, "paired Student's test")):
        found = by_labels(scores, between_models(scores, seed=0, kinds=kinds)[0], units="pairs")
        assert named in found.more[0]


def test_undefined_is_said():
    nothing = [Score("ndcg@10", ("a",), math.nan, math.nan, math.nan, math.nan, 0)]
    assert by_labels(nothing, None, units="judged queries").sentence == "ndcg@10 is undefined for every model."
    assert by_agreement([], math.nan).sentence.startswith("There is only one collection")


def test_what_is_no_more_than_chance_is_said():
    shared = Shared(("a", "b"), 10, 0.4, 0.1, 0.7, 0.3, 50)
    found = by_agreement([shared], 9.98)
    assert "cannot be told from chance" in " ".join(found.more)
    assert "at least 9.98 of 10" in " ".join(found.more)


def test_who_agrees_most_is_said_only_where_intervals_part():
    def shared(models: str, value: float) -> Shared:
        return Shared((models[0], models[1]), 10, value, value - 0.3, value + 0.3, 0.1, 50)

    apart = by_agreement([shared("ab", 4.0), shared("ac", 5.0), shared("bc", 4.5)], math.nan)
    assert apart.sentence.startswith("a and c agree most, 5.0 of 10 neighbours")
    alike = by_agreement([shared("ab", 4.0), shared("ac", 4.4), shared("bc", 4.2)], math.nan)
    assert alike.sentence == (
        "No two models surely agree more than others: a and c have 4.4 of 10 neighbours (95 % 4.1 to 4.7, chance 0.1) "
        "in common, a and b 4.0 (3.7 to 4.3)."
    )
    assert {each.about for each in by_agreement([shared("ab", 4.0)], 10.0).remarks} == {"noise", "next"}


def test_it_is_the_same_in_every_view_and_after_reading(tmp_path):
    result = compared(groups=GROUPS, out=tmp_path / "run")
    again = ed.load(tmp_path / "run")
    assert again.run.headline.to_dict() == result.run.headline.to_dict()
    assert again.to_dict()["headline"] == result.run.headline.to_dict()
    assert json.loads((tmp_path / "run" / "headline.json").read_text())["headline"] == result.run.headline.to_dict()
    for shown in (str(result), result._repr_html_()):
        assert result.run.headline.sentence.partition(":")[0] in html.unescape(" ".join(shown.split()))


@pytest.mark.parametrize("count", [1, 2, 5, pytest.param(12, marks=pytest.mark.slow)])
@pytest.mark.parametrize("labels", ["none", "groups", "expected"])
def test_the_answer_is_on_one_screen(count, labels):
    long = "a sentence that goes on and on about nothing in particular, " * 8
    texts = [f"{text} {long}" for text in TEXTS]
    more = {
        "none": {},
        "groups": {"groups": [f"a group with quite a long name, the one of {group}" for group in GROUPS]},
        "expected": {"expected": {str(row): [str(row + 1)] for row in range(0, 30, 2)}},
    }[labels]
    models = [f"toy:{8 + at}" for at in range(count)]
    result = ed.compare(texts, models, k=3, store="memory:", layout="none", **more)
    shown = terminal.text(result.facts(terminal.QUERIES_SHOWN), 80)
    assert len(shown.splitlines()) <= LINES
    assert max(map(len, shown.splitlines())) <= 80
    assert " ".join(shown.split()).endswith(
        " ".join(" ".join((result.run.headline.sentence, *result.run.headline.more[:3])).split())
    )


def test_the_group_on_which_they_share_fewest_is_named_only_where_that_is_sure():
    every = [Shared(("a", "b"), 10, 5.0, 4.0, 6.0, 0.1, 90)]
    low, open_ = (Shared(("a", "b"), 10, 2.0, 1.0, high, 0.1, 30, part="fees") for high in (3.0, 5.5))
    (told,) = part_words(every, [low], "groups")
    assert told == Remark("where", "a and b share fewest on 'fees' (30 queries): 2.0 of 10 (1.0 to 3.0).")
    assert part_words(every, [open_], "groups") == ()


HOSTILE = (
    "[x](http://e.org) <img src=x onerror=alert(1)>", "a|b", "`code` *em* __strong__ ~~gone~~", "<!-- x -->", "&lt;b&gt; $x$",
    "@somebody #12 www.e.org", "back\\slash \\| end\\\\",
)  # fmt: skip


def test_markdown_says_what_the_record_says_and_no_text_of_the_users_acts_in_it():
    from markdown_it import MarkdownIt

    groups = [HOSTILE[at % len(HOSTILE)] for at in range(len(TEXTS) * 2)]
    models = ["toy:64", "toy:8", "x_y_z=toy:16"]
    result = ed.compare(
        [*TEXTS, *(f"{text} again" for text in TEXTS)], models, groups=groups, k=5, store="memory:", layout="none"
    )
    parsed = MarkdownIt("commonmark").enable("table").parse(result.to_markdown())
    inline = [token for token in parsed if token.type == "inline"]
    kinds = {child.type for token in inline for child in token.children or ()}
    assert kinds <= {"text", "text_special", "strong_open", "strong_close"}
    assert "html_block" not in {token.type for token in parsed}
    said = ["".join(child.content for child in token.children or ()) for token in inline]
    assert result.headline.sentence in said
    assert set(result.headline.more) <= set(said)
    named = {*(each.group for each in result.headline.where[:5]), *(each.part for each in result.headline.by_part[:5])}
    assert named <= set(HOSTILE)
    assert len(named) >= 3
    assert named <= set(said)
    for each in result.headline.standings:
        assert {each.model, f"{100 * each.value:.0f} %"} <= set(said)
    assert "www.e.org" not in result.to_markdown()  # GitHub would link it


def test_a_summary_and_one_query_as_small_frames():
    plain, grouped = compared(), compared(groups=GROUPS)
    assert plain.summary().models.tolist() == ["toy:64 | toy:8"]
    assert grouped.summary()[["measure", "value"]].values.tolist() == [
        ["same_group@5", each.value] for each in grouped.headline.standings
    ]
    side = plain.query("3")
    assert side.columns.tolist() == ["toy:64", "toy:8"]
    assert side.index.tolist() == [1, 2, 3, 4, 5]
    assert side["toy:8"].tolist() == [plain.run.corpus.ids[row] for row in plain.run.answers[1].returned.rows[3]]
