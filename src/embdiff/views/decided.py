"""Whether models keep to rules, and how far they are from an earlier run, for a terminal: on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from embdiff.decision import OUTCOMES, Change, Check, Decision, Drift, Ruling
from embdiff.views.answer import LINES, WIDTH
from embdiff.views.numbers import number
from embdiff.views.table import Cell, Line, Part, Table, named, one_line, plain_text

_SHOWN, _NAME, _NOTES, _DRIFTS = 10, 76, 2, 5
_BELOW = 3  # lines that the name of a page may take
_WORDS = {"pass": "kept", "fail": "broken", "inconclusive": "not told"}
_RULES_READ = (
    "Rules (a model is out where one is broken; the chance that any is called wrong is at most {error}):",
    "Rules (two models are the same where they are kept; the chance that any is called wrong is at most {error}):",
)
_STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def checked(found: Check, *, everything: bool = False) -> list[Part]:
    """Return what became of each rule, broken ones first, and the verdict; on one screen, or everything."""
    if everything:
        return list(_checked(found, len(found.rulings), len(found.notes), everything=True))
    return _fitting(partial(_checked, found), ((_SHOWN - less, max(0, _NOTES - less)) for less in range(_SHOWN)))


def _checked(found: Check, most: int, notes: int, *, everything: bool = False) -> Iterator[Part]:
    yield Line(found.about if everything else one_line(found.about, 2 * _NAME), "dim")
    yield Line("")
    yield from _ruled(found.rulings, most, everything)
    yield from (Line(f"* {note if everything else one_line(note, 3 * _NAME)}", "dim") for note in found.notes[:notes])
    if len(found.notes) > notes:
        yield Line(f"* {len(found.notes) - notes:,} {'more ' if notes else ''}notes: --all", "dim")
    yield Line("")
    yield Line(found.sentence, "bold")
    yield Line(found.surety)


def _fitting(make: Callable[..., Iterable[Part]], choices: Iterable[tuple[int, ...]]) -> list[Part]:
    """Return the first that leaves room on one screen for the name of a page; of all the last."""
    found: list[Part] = []
    for choice in choices:
        found = list(make(*choice))
        if plain_text(found, WIDTH).count("\n") < LINES - _BELOW:
            break
    return found


def _ruled(
    rulings: Sequence[Ruling], most: int, everything: bool, words: Mapping[str, str] | None = None
) -> Iterator[Part]:
    """Yield the first rulings as a table, those that are broken before the others."""
    ordered = sorted(rulings, key=lambda each: OUTCOMES.index(each.outcome))
    yield Table("", (), tuple(row for each in ordered[:most] for row in _rows(each, everything, words or {})))
    if len(ordered) > most:
        yield Line(f"{len(ordered) - most:,} more: --all", "dim")


def _rows(each: Ruling, everything: bool, words: Mapping[str, str]) -> Iterator[tuple[str | Cell, ...]]:
    about = each.about if everything else one_line(each.about, _NAME - 14)
    outcome = words.get(each.outcome, each.outcome)
    yield Cell(outcome, _STYLES[each.outcome]), f"{each.rule}: {each.found}, n = {each.n:,}"
    yield "", f"{about}{f'; {each.more}' if each.more else ''}"


def decided(found: Decision, *, everything: bool = False) -> list[Part]:
    """Return a decision: the rules, the queries that change for the worst, last the paragraph and what to do."""
    if everything:
        return list(_decided(found, len(found.rulings), len(found.rulings), everything=True))
    return _fitting(
        partial(_decided, found),
        ((5, 3, 18), (3, 3, 18), (2, 3, 18), (2, 1, 18), (1, 1, 18), (1, 0, 18), (1, 0, 12), (1, 0, 8)),
    )


def _decided(found: Decision, most: int, worst: int, lines: int = 0, *, everything: bool = False) -> Iterator[Part]:
    yield Line(_RULES_READ[found.basis == "agreement"].format(error=f"{100 * found.error:g} %"), "dim")
    yield from _ruled(found.rulings, most, everything, _WORDS)
    for each in found.changes if everything else found.changes[:1]:
        yield from _worst(found, each, None if everything else worst)
    yield Line("")
    told = found.paragraph.removeprefix(found.sentence).strip()
    yield Line(found.sentence if everything else one_line(found.sentence, 6 * _NAME), "bold")
    if told:
        yield Line(told if everything else one_line(told, lines * _NAME))
    for act in found.actions:
        yield Line(f"> {act.sentence if everything else one_line(act.sentence, 3 * _NAME)}")
        if act.command:
            yield Line(f"  {act.command}", whole=True)


def _worst(found: Decision, change: Change, most: int | None) -> Iterator[Part]:
    """Yield the queries that lose most, with the value that they are ordered by before and after."""
    rows = change.worst[:most]
    if not rows:
        return
    what = "What changes most" if found.basis == "agreement" else "What gets worse"
    names = " to ".join(one_line(name, 16) for name in change.models)
    cells = tuple(
        (f"{number(one.before, 2)} {number(one.after, 2)}", one_line(named(one.id, one.text), _NAME - 12))
        for one in rows
    )
    yield Line("")
    yield Table(f"{what} ({names}; {change.by} before and after)", (), cells)


def drifted(found: Sequence[Drift]) -> Iterator[Part]:
    """Yield how far models are from an earlier run: the rows that moved most, and what there is to say of each."""
    most = max(1, _SHOWN // max(1, sum(not each.zero for each in found)))
    for each in found[:_DRIFTS]:
        if each.zero or not each.moved:
            continue
        rows = tuple((f"{one.shared:.1f}", one_line(named(one.id, one.text), _NAME - 6)) for one in each.moved[:most])
        model = one_line(each.model, _NAME - 40)
        yield Table(f"Queries of {model} that moved most (neighbours kept, of {each.of})", (), rows)
        yield Line("")
    yield from (Line(_cut(each.sentence), "bold" if not each.zero else "") for each in found[:_DRIFTS])
    if len(found) > _DRIFTS:
        more = len(found) - _DRIFTS
        yield Line(f"{more:,} more model{'s' * (more > 1)}: --json", "dim")


def _cut(text: str) -> str:
    return one_line(text, 4 * _NAME)
