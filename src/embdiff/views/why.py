"""Why neighbours changed, in words and tables: the causes for every two models, examples, slices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from embdiff._plain import plain
from embdiff.causes import CAUSES, KNOCK_ON, Cause, Why
from embdiff.causes.records import ALPHA
from embdiff.records import Answer
from embdiff.runs import Run
from embdiff.views.answer import LINES, WIDTH
from embdiff.views.facts import Facts
from embdiff.views.numbers import number
from embdiff.views.table import Line, Part, Table, one_line, plain_text
from embdiff.views.words import by_reason

# Pairs with tables, slices, examples of each cause, and whether all remarks are made.
_FEWER = (
    (3, 6, 1, True),
    (2, 4, 1, True),
    (1, 3, 1, True),
    (1, 2, 0, True),
    (2, 2, 1, False),
    (1, 2, 1, False),
    (1, 1, 0, False),
    (0, 0, 0, False),
)
_TEXT, _SLICES, _NAMED = 30, 12, 3
_NOTE = (
    "more: how much more frequent among the changed than among neighbours that both models return, in points, queries "
    "resampled; shown where p, after Holm over all causes, is below .05. Likely: at three times the odds or more; a "
    "cause below that explains a part of the changes, but not which."
)
MOVED = "without a cause of its own; rows with one came or went, and it moved across the end of a list"


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
    more = [_shares(each) for each in found.causes if each.more and not each.counts]
    partly = f" More frequent than among those both return: {', '.join(more)}." if more else ""
    if not found.counted:
        return f"{first} and {second}{asked}: {counts}; of the causes looked for none is likely.{partly}"
    return f"{first} and {second}{asked}: {counts}; {likely(found)}.{partly}"


def likely(found: Why) -> str:
    """Say which share of the changed neighbours has a likely cause, and which; there must be one."""
    named = ", ".join(map(_shares, found.counted))
    also = f"; {KNOCK_ON} {_percent(found.knock_on)}" if found.knock_on > 0 else ""
    return f"{_within(found.explained, found.low, found.high)} have a likely cause: {named}{also}"


def _shares(cause: Cause) -> str:
    """Return a cause with its share among the changed and, in brackets, among those that both models return."""
    each = cause.found
    assert each is not None
    share = _within(each.share, each.low, each.high)
    return f"{CAUSES[cause.name][0]} {share} ({_percent(each.other)} of those both return)"


def _within(share: float, low: float, high: float) -> str:
    return _percent(share) + (f" [{_percent(low)}, {_percent(high)}]" if math.isfinite(low) else "")


def meanings(shown: Iterable[str]) -> Iterator[str]:
    """Yield what causes say, of those that are shown in short."""
    said = dict(CAUSES.values()) | {KNOCK_ON: MOVED}
    for short in dict.fromkeys(shown):
        yield f"{short}: {said[short]}."


def findings(run: Run) -> Iterator[str]:
    """Yield the sentences of the pairs that have causes, of many the first."""
    yield from [sentence(each) for each in run.why if any(cause.more for cause in each.causes)][:_NAMED]


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


def _screen(facts: Facts, pairs: int, slices: int, shown: int, whole: bool) -> Iterator[Part]:
    every = sorted(facts.run.why, key=lambda each: -len(each.counted))
    if not every:
        yield Line("There are no two lists to compare.")
        return
    for at, each in enumerate(every[: max(pairs, _NAMED)]):
        yield Line(sentence(each), "bold")
        if at < pairs:
            yield from _pair(facts.run, each, slices, shown, whole)
    hidden = len(every) - max(pairs, _NAMED)
    more = f"{hidden:,} more pairs of models, all" if hidden > 0 else "All"
    yield Line(f"{more} tables, slices and examples: --all, or --json (why)", "dim")


def _pair(run: Run, found: Why, slices: int, most: int, whole: bool = True) -> Iterator[Part]:
    yield from tables(found, slices, whole=whole)
    yield from (Line(each, "dim") for each in examples(run, found, most))


def examples(run: Run, found: Why, most: int = _NAMED) -> Iterator[str]:
    """Yield examples of each cause that is more frequent."""
    for each in found.causes:
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


def tables(found: Why, slices: int = _SLICES, *, whole: bool = True) -> Iterator[Table]:
    """Yield the causes of one pair, and the slices of the queries in which more changed than elsewhere."""
    first, second = found.models
    looked = [each for each in found.causes if each.found is not None]
    if looked and found.lost + found.gained:
        head = ("cause", "first", "second", "both", "more [95 %]", "odds", "p")
        rows = tuple(_row(each) for each in looked if each.more)
        remarks = tuple(_remarks(found, looked) if whole else _meanings(found))
        yield Table(
            f"Neighbours only in {first} (first), only in {second} (second), in both",
            head,
            rows or (("none", *6 * ("",)),),
            remarks,
        )
    sure = [each for each in found.slices if each.p_adjusted < ALPHA][:slices]
    if sure:
        rows = tuple(
            (
                f"{each.by}: {one_line(each.value, _TEXT)}",
                f"{each.n:,}",
                _within(each.changed, each.low, each.high),
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
        CAUSES[cause.name][0] + (", likely" if cause.counts else ""),
        _percent(cause.lost),
        _percent(cause.gained),
        _percent(each.other),
        f"{_points(each.difference)} [{_points(each.difference_low)}, {_points(each.difference_high)}]",
        f"{each.odds:.1f}",
        "< .001" if cause.p_adjusted < 0.001 else number(cause.p_adjusted, 3),
    )


def _meanings(found: Why) -> Iterator[str]:
    for each in (each for each in found.causes if each.more):
        yield f"{CAUSES[each.name][0]}: {CAUSES[each.name][1]}" + (f" ({each.reason})." if each.reason else ".")
    if found.knock_on > 0:
        yield from meanings([KNOCK_ON])


def _remarks(found: Why, looked: Sequence[Cause]) -> Iterator[str]:
    yield from _meanings(found)
    others = [
        f"{CAUSES[each.name][0]} {_percent(each.found.share)} ({_percent(each.found.other)})"
        for each in looked
        if each.found and not each.more
    ]
    if others:
        yield f"Not more frequent, with how often among changed (both): {', '.join(others)}."
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
    return "n/a" if not math.isfinite(share) else f"{100 * share:.1f}"


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
