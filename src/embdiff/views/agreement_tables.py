"""Tables of neighbours' scores. Which table a score stands in follows from what its measure needs, whoever made it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from embdiff.errors import UnknownNameError
from embdiff.measures import MeasureSpec, get_measure
from embdiff.measures.rbo import Tail
from embdiff.records import Score
from embdiff.views.facts import Facts
from embdiff.views.table import Table
from embdiff.views.words import between, counted, number

Key = TypeVar("Key")

JUDGED = "neighbors + qrels"
_GRIDS = {
    "neighbors + own rows": "Does a query find itself? Share of queries whose own row comes first",
    "returned + exact neighbors": "What the index lost: share of the exact neighbours that it returned",
    "neighbors + expected rows": "Expected results: share of queries with one among their neighbours",
}
_SETS, _OTHERS = "two neighbors", ("two ordered neighbors", "ranks in the other space", "two spaces + neighbors")
_SAME_AGAIN = "the same model again"
_EXACT, _AGAIN = "exact_", "noise_"
_ACROSS, _MOST_ROWS, _MORE_ROWS, _MOST_DEPTHS, _FEW = 2, 60, 24, 4, 3
_READ = (
    "kendall_tau: order of the common rows alone, from -1 to 1. spread: how far the first model's neighbours went "
    "in the second, as a share of all rows: small means near."
)
_READ_AGAIN = (
    "Overlap of a model's neighbours with its own. index: returned against exact; float16: vectors in half precision; "
    "batch: queries encoded again one by one. What two models do not share says something only beyond this."
)


def spec_of(score: Score) -> MeasureSpec | None:
    """Return the measure of a score; None where it is of a package that is not installed here."""
    try:
        return get_measure(score.measure)
    except UnknownNameError:
        return None


def needing(scores: Iterable[Score], *needs: str) -> list[Score]:
    """Return the scores whose measure needs one of these."""
    return [score for score in scores if (spec := spec_of(score)) and spec.measure.needs in needs]


def is_again(score: Score) -> bool:
    """Return whether a score is of a model compared with itself."""
    return bool(needing([score], _SAME_AGAIN))


def agreement_tables(facts: Facts) -> Iterator[Table]:
    """Yield the tables of agreement: sets of neighbours pair by pair, all other measures, the curve over k."""
    sets = needing(facts.run.scores, _SETS)
    for exactly, how in ((False, ""), (True, ", without the index (exact neighbours)")):
        yield from _side_by_side([score for score in sets if score.measure.startswith(_EXACT) == exactly], how)
    strangers = [score for score in facts.run.scores if len(score.models) == 2 and spec_of(score) is None]
    yield from _more([*needing(facts.run.scores, *_OTHERS), *strangers], facts.run.tails)
    yield from _curve(facts)


def noise_tables(scores: Iterable[Score]) -> Iterator[Table]:
    """Yield the noise floor: the same model again, beside what two models share."""
    again = [score for score in scores if is_again(score)]
    if not again:
        return
    lines: dict[tuple[str, str | None], dict[str, Score]] = {}
    for score in again:
        lines.setdefault((score.models[0], score.query_model), {})[_how(score)] = score
    ways = list(dict.fromkeys(map(_how, again)))
    rows = tuple(
        (model if asks == model else f"{model}, asked with {asks}", *(_again_cell(found.get(way)) for way in ways))
        for (model, asks), found in lines.items()
    )
    most = {way: max(score.n for score in again if _how(score) == way) for way in ways}
    head = ("collection", *(f"{way}, n = {most[way]:,}" for way in ways))
    notes = dict.fromkeys(f"{_how(score)}: {score.reason}" for score in again if score.reason)
    k = again[0].measure.partition("@")[2]
    yield Table(f"The same model again: overlap@{k} [95 %]", head, rows, (_READ_AGAIN, *notes))


def grid_tables(facts: Facts) -> Iterator[Table]:
    """Yield tables of one measure each: query models down, collections across."""
    for needs, words in _GRIDS.items():
        columns = _by(needing(facts.run.scores, needs), lambda score: score.measure)
        for place, (measure, column) in enumerate(columns.items()):
            yield _grid(facts, column, words if place == 0 else get_measure(measure).measure.summary)


def _grid(facts: Facts, scores: Sequence[Score], words: str) -> Table:
    collections = list(dict.fromkeys(score.models[0] for score in scores))
    lines: dict[str, dict[str, str]] = {}
    for score in scores:
        by = score.query_model if facts.crossed and score.query_model else "its own model"
        lines.setdefault(by, {})[score.models[0]] = _cell(score)
    rows = tuple((by, *(cells.get(model, "") for model in collections)) for by, cells in lines.items())
    title = f"{words}; {scores[0].measure} [95 %] chance, {counted([score.n for score in scores])}"
    return Table(title, ("asked with", *collections), rows, _reasons(scores))


def _how(score: Score) -> str:
    return score.measure.partition("@")[0].removeprefix(_AGAIN)


def _again_cell(score: Score | None) -> str:
    if score is None or not math.isfinite(score.value):
        return "n/a"
    return f"{number(score.value)} {between(score.low, score.high, 2)}"


def _cell(score: Score) -> str:
    """Return value, interval and chance in one cell; the reason when there is no value."""
    return _value(score) if math.isfinite(score.value) else f"n/a ({score.reason})"


def _value(score: Score) -> str:
    return f"{number(score.value, 2)} {between(score.low, score.high, 2)} {number(score.chance, 2)}"


def _reasons(scores: Iterable[Score]) -> tuple[str, ...]:
    """Return each reason once, with the measure that it speaks of."""
    return tuple(dict.fromkeys(f"{score.measure}: {score.reason}" for score in scores if score.reason))


def _by(scores: Iterable[Score], key: Callable[[Score], Key]) -> dict[Key, list[Score]]:
    found: dict[Key, list[Score]] = {}
    for score in scores:
        found.setdefault(key(score), []).append(score)
    return found


def _lines(columns: Sequence[Sequence[Score]]) -> tuple[tuple[str, ...], ...]:
    """Return a row for each pair of collections, under who asked."""
    rows, asked = [], None
    for line in zip(*columns, strict=True):
        by = line[0].query_model
        if by != asked:
            rows.append((f"asked with {by}", *("" for _ in line)))
            asked = by
        rows.append((" | ".join(line[0].models), *map(_cell, line)))
    return tuple(rows)


def _side_by_side(scores: Iterable[Score], how: str) -> Iterator[Table]:
    columns = list(_by(scores, lambda score: score.measure).values())
    for start in range(0, len(columns), _ACROSS):
        shown = columns[start : start + _ACROSS]
        title = f"Agreement of neighbours between collections{how}; {counted([score.n for score in shown[0]])}"
        head = ("collections", *(f"{column[0].measure} [95 %] chance" for column in shown))
        yield Table(title, head, _lines(shown), _reasons(score for column in shown for score in column))


def _more(scores: Sequence[Score], tails: Iterable[Tail]) -> Iterator[Table]:
    """Measures down, pairs within each: every number has its own n, as not every query has every measure."""
    if not scores:
        return
    pairs = list(_by(scores, lambda score: (score.query_model, frozenset(score.models))).values())
    count = max(1, _MORE_ROWS // len(pairs[0]))
    first = {id(score) for pair in pairs[:count] for score in pair}
    shown, hidden = [score for score in scores if id(score) in first], max(0, len(pairs) - count)
    open_ends: dict[tuple[str, tuple[str, ...], str | None], Tail] = {
        (tail.measure, tail.models, tail.query_model): tail for tail in tails
    }
    rows: list[tuple[str, ...]] = []
    for measure, column in _by(shown, lambda score: score.measure).items():
        for score in column:
            named = measure if score is column[0] else ""
            by = f" (asked with {score.query_model})" if score.query_model else ""
            known = math.isfinite(score.value)
            value, n = (_value(score), f"{score.n:,}") if known else ("n/a", "")
            rows.append((named, " | ".join(score.models) + by, value, n))
            rows += _tail_row(open_ends.get((score.measure, score.models, score.query_model)))
    said = (f"{hidden:,} more pairs are in scores.json.",) if hidden else ()
    remarks = (*said, _READ, *_reasons_by_pair(shown))
    yield Table("More about agreement", ("measure", "collections", "value [95 %] chance", "n"), tuple(rows), remarks)


def _tail_row(tail: Tail | None) -> list[tuple[str, ...]]:
    """Say below an rbo what it can be, whatever stands beyond the last place of the lists."""
    if tail is None or math.isnan(tail.low):
        return []
    return [("", "  with any unseen tail", f"{number(tail.low, 2)} to {number(tail.high, 2)}", "")]


def _reasons_by_pair(scores: Iterable[Score]) -> list[str]:
    listed = []
    told = (score for score in scores if score.reason)
    for (measure, reason), group in _by(told, lambda score: (score.measure, score.reason)).items():
        distinct = list(dict.fromkeys(" | ".join(score.models) for score in group))
        more = f" and {len(distinct) - _FEW:,} more" if len(distinct) > _FEW else ""
        listed.append(f"{measure} of {', '.join(distinct[:_FEW])}{more}: {reason}")
    return listed


def _curve(facts: Facts) -> Iterator[Table]:
    """Overlap at smaller depths; the other curves are in the payload."""
    points = [score for score in facts.run.curves if score.measure.startswith("overlap@")]
    columns = _by(points, lambda score: score.measure)
    columns.pop(f"overlap@{facts.run.config.k}", None)
    if not columns:
        return
    shown = list(columns)[-_MOST_DEPTHS:]
    rows = _lines([columns[measure] for measure in shown])
    remark = "Each interval holds by itself. The other measures by depth: --json (curves), or curves_frame()."
    title = f"Overlap by depth; {counted([score.n for score in points])}"
    head = ("value [95 %] chance", *(measure.removeprefix("overlap") for measure in shown))
    yield Table(title, head, rows[:_MOST_ROWS], (remark,))
