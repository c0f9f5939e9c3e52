"""Why neighbours changed, in words and tables: the likely causes of every two models, examples, slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from embdiff._plain import plain
from embdiff.causes import CAUSES, KNOCK_ON, Cause, Why
from embdiff.causes.records import ALPHA
from embdiff.records import Answer
from embdiff.runs import Run
from embdiff.views.answer import LINES, WIDTH
from embdiff.views.facts import Facts
from embdiff.views.table import Line, Part, Table, one_line, plain_text
from embdiff.views.words import by_reason, number

_FEWER = ((3, 6, 1), (2, 4, 1), (1, 3, 1), (1, 2, 0), (0, 0, 0))  # pairs with tables, slices, examples of each cause
_TEXT, _SLICES, _NAMED = 30, 12, 3
_NOTE = (
    "Likely: surely more frequent among changed neighbours than among those that both models return (queries "
    "resampled, p below .05 after Holm over the causes), at twice the odds. A neighbour may have several causes, and "
    "one that it has need not be what moved it."
)
KNOCKED = f"{KNOCK_ON}: without a cause of its own; rows with one came or went, and it moved across the end of a list."


def why_of(run: Run, a: Answer, b: Answer) -> Why | None:
    """Return why two lists of a run differ, whichever is named first; None for what was not compared."""
    models = {a.model, b.model}
    same = (each for each in run.why if set(each.models) == models)
    return next((each for each in same if each.query_model in (None, a.query_model)), None)


def sentence(found: Why) -> str:
    """Say of two models how many of their changed neighbours have which likely causes."""
    first, second = found.models
    asked = f", asked with {found.query_model}" if found.query_model else ""
    every = found.lost + found.gained
    if not every:
        return f"{first} and {second}{asked}: no neighbour changed."
    counts = f"{every:,} neighbours changed ({found.lost:,} only in {first}, {found.gained:,} only in {second})"
    if not found.counted:
        return f"{first} and {second}{asked}: {counts}; of the causes looked for none is likely."
    named = "; ".join(
        f"{CAUSES[each.name][0]} {_percent(each.found.share)} (of those both return {_percent(each.found.other)})"
        for each in found.counted
        if each.found
    )
    also = f"; {KNOCK_ON} {_percent(found.knock_on)}" if found.knock_on > 0 else ""
    within = f" [{_percent(found.low)}, {_percent(found.high)}]" if math.isfinite(found.low) else ""
    likely = f"{_percent(found.explained)}{within} have a likely cause: {named}{also}"
    return f"{first} and {second}{asked}: {counts}; {likely}."


def findings(run: Run) -> Iterator[str]:
    """Yield the sentences of the pairs that have likely causes, of many the first."""
    yield from [sentence(each) for each in run.why if each.counted][:_NAMED]


def screen(facts: Facts) -> list[Part]:
    """Return what fits on one screen of 80 columns, 40 lines at most: fewer pairs, slices, examples where it must."""
    for fewer in _FEWER:
        found = list(_screen(facts, *fewer))
        if plain_text(found, WIDTH).count("\n") < LINES:
            break
    return found


def everything(facts: Facts) -> Iterator[Part]:
    """Yield all of every pair."""
    for each in facts.run.why:
        yield Line(sentence(each), "bold")
        yield from _pair(facts.run, each, _SLICES, _NAMED)


def _screen(facts: Facts, pairs: int, slices: int, shown: int) -> Iterator[Part]:
    every = sorted(facts.run.why, key=lambda each: -len(each.counted))
    if not every:
        yield Line("There are no two lists to compare.")
        return
    for at, each in enumerate(every[: max(pairs, _NAMED)]):
        yield Line(sentence(each), "bold")
        if at < pairs:
            yield from _pair(facts.run, each, slices, shown)
    hidden = len(every) - max(pairs, _NAMED)
    if hidden > 0:
        yield Line(f"{hidden:,} more pairs of models: --all, or --json (why)", "dim")


def _pair(run: Run, found: Why, slices: int, most: int) -> Iterator[Part]:
    yield from tables(found, slices)
    yield from (Line(each, "dim") for each in examples(run, found, most))


def examples(run: Run, found: Why, most: int = _NAMED) -> Iterator[str]:
    """Yield examples of each likely cause."""
    for each in found.counted:
        for example in each.examples[:most]:
            yield _example(run, each, example.query, example.row, example.model, example.instead)


def _example(run: Run, cause: Cause, query: int, row: int, model: str, instead: int | None) -> str:
    def told(which: str, text: str) -> str:
        return f"{which} “{one_line(text, _TEXT)}”"

    other = "" if instead is None else f"; in its place {told(run.corpus.ids[instead], run.corpus.items[instead])}"
    asked, there = (
        told(run.queries.ids[query], run.queries.items[query]),
        told(run.corpus.ids[row], run.corpus.items[row]),
    )
    return f"{CAUSES[cause.name][0]}: query {asked} finds {there} only in {model}{other}"


def tables(found: Why, slices: int = _SLICES) -> Iterator[Table]:
    """Yield the causes of one pair, and the slices of the queries in which more changed than elsewhere."""
    first, second = found.models
    looked = [each for each in found.causes if each.found is not None]
    if looked and found.lost + found.gained:
        head = ("cause", "only first", "only second", "both", "more [95 %]", "p")
        rows = tuple(_row(each) for each in looked if each.counts)
        remarks = tuple(_remarks(found, looked))
        yield Table(f"Why: {first} (first) and {second} (second)", head, rows or (("none", *5 * ("",)),), remarks)
    sure = [each for each in found.slices if each.p_adjusted < ALPHA][:slices]
    if sure:
        rows = tuple(
            (
                f"{each.by}: {one_line(each.value, _TEXT)}",
                f"{each.n:,}",
                f"{_percent(each.changed)} [{_percent(each.low)}, {_percent(each.high)}]",
                _percent(each.elsewhere),
                number(each.p_adjusted, 4),
            )
            for each in sure
        )
        remark = (
            f"Of {len(found.slices):,} slices of the queries those where surely more changed (permutation test, false "
            "discovery rate of Benjamini and Hochberg)."
        )
        yield Table("Where more changed than elsewhere", ("queries", "n", "changed", "else", "p"), rows, (remark,))


def _row(cause: Cause) -> tuple[str, ...]:
    each = cause.found
    assert each is not None
    return (
        CAUSES[cause.name][0],
        _percent(cause.lost),
        _percent(cause.gained),
        _percent(each.other),
        f"{_points(each.difference)} [{_points(each.difference_low)}, {_points(each.difference_high)}]",
        "< .001" if cause.p_adjusted < 0.001 else number(cause.p_adjusted, 3),
    )


def _remarks(found: Why, looked: Sequence[Cause]) -> Iterator[str]:
    for each in found.counted:
        yield f"{CAUSES[each.name][0]}: {CAUSES[each.name][1]}" + (f" ({each.reason})." if each.reason else ".")
    if found.knock_on > 0:
        yield KNOCKED
    others = [
        f"{CAUSES[each.name][0]} {_percent(each.found.share)} ({_percent(each.found.other)})"
        for each in looked
        if each.found and not each.counts
    ]
    if others:
        yield f"Not likely, with how often among changed (both): {', '.join(others)}."
    missing = by_reason((each.reason, CAUSES[each.name][0]) for each in found.causes if each.found is None)
    if missing:
        yield f"Not looked for: {'; '.join(missing)}."
    few = (
        f" {found.queries:,} of {found.of:,} queries were looked at, drawn at random."
        if found.queries < found.of
        else ""
    )
    yield _NOTE + few


def _percent(share: float) -> str:
    if not math.isfinite(share):
        return "n/a"
    return f"{100 * share:.0f} %" if share >= 0.0995 or share == 0 else f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return "n/a" if not math.isfinite(share) else f"{100 * share:+.1f}"


def told(run: Run) -> list[dict[str, Any]]:
    """Return all that was found, JSON-able, with ids in place of numbers of rows; not the causes of each neighbour."""
    found = []
    for each in run.why:
        whole = plain({**vars(each), "query": (), "row": (), "bits": ()})
        for key in ("query", "row", "bits"):
            del whole[key]
        for cause in whole["causes"]:
            cause["about"] = CAUSES[cause["name"]][1]
            for example in cause["examples"]:
                example["query"] = run.queries.ids[example["query"]]
                example["row"] = run.corpus.ids[example["row"]]
                example["instead"] = None if example["instead"] is None else run.corpus.ids[example["instead"]]
        found.append({**whole, "sentence": sentence(each)})
    return found
