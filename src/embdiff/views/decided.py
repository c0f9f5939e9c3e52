"""Whether models keep to rules, and how far they are from an earlier run, for a terminal: on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from embdiff.decision import OUTCOMES, Check, Decision, Drift, Ruling
from embdiff.views.table import Cell, Line, Part, Table, one_line
from embdiff.views.words import number

_SHOWN, _NAME, _NOTES, _DRIFTS = 10, 76, 2, 5
_RULED, _WORST = 5, 3
_WORDS = {"pass": "kept", "fail": "broken", "inconclusive": "not told"}
_RULES_READ = (
    "Rules (a model is out where one is broken; the chance that any is called wrong is at most {error}):",
    "Rules (two models are the same where they are kept; the chance that any is called wrong is at most {error}):",
)
_STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def checked(found: Check, *, everything: bool = False) -> Iterator[Part]:
    """Yield what became of each rule, broken ones first, and the verdict."""
    most = len(found.rulings) if everything else _SHOWN
    yield Line(found.about if everything else one_line(found.about, 2 * _NAME), "dim")
    yield Line("")
    yield Table("", (), tuple(row for each in found.ordered[:most] for row in _rows(each, everything)))
    if len(found.rulings) > most:
        yield Line(f"{len(found.rulings) - most:,} more: --all", "dim")
    shown = found.notes if everything else found.notes[:_NOTES]
    yield from (Line(f"* {note}", "dim") for note in shown)
    if len(found.notes) > len(shown):
        yield Line(f"* {len(found.notes) - len(shown):,} more: --all", "dim")
    yield Line("")
    yield Line(found.sentence, "bold")
    yield Line(found.surety)


def _rows(each: Ruling, everything: bool, words: Mapping[str, str] | None = None) -> Iterator[tuple[str | Cell, ...]]:
    about = each.about if everything else one_line(each.about, _NAME - 14)
    outcome = (words or {}).get(each.outcome, each.outcome)
    yield Cell(outcome, _STYLES[each.outcome]), f"{each.rule}: {each.found}, n = {each.n:,}"
    yield "", f"{about}{f'; {each.more}' if each.more else ''}"


def decided(found: Decision, *, everything: bool = False) -> Iterator[Part]:
    """Yield a decision: the rules, the queries that change for the worst, what to do, and last the paragraph."""
    most = len(found.rulings) if everything else _RULED
    ordered = sorted(found.rulings, key=lambda each: OUTCOMES.index(each.outcome))
    yield Line(_RULES_READ[found.basis == "agreement"].format(error=f"{100 * found.error:g} %"), "dim")
    yield Table("", (), tuple(row for each in ordered[:most] for row in _rows(each, everything, _WORDS)))
    if len(ordered) > most:
        yield Line(f"{len(ordered) - most:,} more: --all", "dim")
    for each in found.changes[: None if everything else 1]:
        if each.worst:
            rows = each.worst if everything else each.worst[:_WORST]
            names = " to ".join(one_line(name, 16) for name in each.models)
            what = "What changes most" if found.basis == "agreement" else "What gets worse"
            title = f"{what} ({names}; {each.by} before and after)"
            cells = tuple(
                (f"{number(one.before, 2)} {number(one.after, 2)}", one_line(f"{one.id}: {one.text}", _NAME - 12))
                for one in rows
            )
            yield Line("")
            yield Table(title, (), cells)
    yield Line("")
    told = found.paragraph.removeprefix(found.sentence).strip()
    yield Line(found.sentence if everything else _cut(found.sentence), "bold")
    if told:
        yield Line(told if everything else one_line(told, 9 * _NAME))
    for act in found.actions:
        yield Line(f"> {act.sentence}")
        if act.command:
            yield Line(f"  {act.command}")


def drifted(found: Sequence[Drift]) -> Iterator[Part]:
    """Yield how far models are from an earlier run: the rows that moved most, and what there is to say of each."""
    most = max(1, _SHOWN // max(1, sum(not each.zero for each in found)))
    for each in found[:_DRIFTS]:
        if each.zero or not each.moved:
            continue
        rows = tuple((f"{one.shared:.1f}", one_line(f"{one.id}: {one.text}", _NAME - 6)) for one in each.moved[:most])
        named = one_line(each.model, _NAME - 40)
        yield Table(f"Queries of {named} that moved most (neighbours kept, of {each.of})", (), rows)
        yield Line("")
    yield from (Line(_cut(each.sentence), "bold" if not each.zero else "") for each in found[:_DRIFTS])
    if len(found) > _DRIFTS:
        yield Line(f"{len(found) - _DRIFTS:,} more models: --json", "dim")


def _cut(text: str) -> str:
    return one_line(text, 4 * _NAME)
