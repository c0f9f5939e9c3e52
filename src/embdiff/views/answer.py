"""The answer on one screen: one small table for each question, the notes that matter, the finding last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from embdiff.headline import Headline, in_measure
from embdiff.measures.differences import ALPHA
from embdiff.runs import REPORT_FILE
from embdiff.views.facts import Facts
from embdiff.views.reaching import reaching
from embdiff.views.table import Cell, Line, Part, Table, plain_text
from embdiff.views.words import caveats, facts_line, number, shortened

Rows = tuple[tuple[str | Cell, ...], ...]
LINES, WIDTH = 40, 80
_COLOURS = ("blue", "dark_orange", "green", "magenta", "cyan", "red")
_ROWS, _GROUPS, _QUERIES, _NOTES, _SENTENCES, _PAIRS = 6, 3, 3, 3, 3, 3
_GROUP, _TEXT, _NOTE = 24, 60, 150


def answer(facts: Facts) -> list[Part]:
    """Return what fits on one screen of 80 columns: at most 40 lines, whatever the data."""
    for count in range(_NOTES, -1, -1):
        found = [*_questions(facts), *some_notes(caveats(facts), count, "--only notes"), Line(""), *conclusion(facts)]
        if plain_text(found, WIDTH).count("\n") < LINES:
            break
    return found


def conclusion(facts: Facts) -> Iterator[Line]:
    """Yield the finding, and where everything else is: what a terminal shows last."""
    yield from finding(facts.run.headline)
    if facts.path:
        yield Line(f"Everything: embdiff show {facts.path} --all", "dim")
        if (facts.path / REPORT_FILE).is_file():
            yield Line(f"Report: {facts.path / REPORT_FILE}", "bold")


def finding(headline: Headline, *, whole: bool = False) -> Iterator[Line]:
    """Yield the sentence of a headline, and of what else is to be known the first sentences, or the ``whole``."""
    yield Line(headline.sentence, "bold")
    yield from (Line(each) for each in headline.more[: None if whole else _SENTENCES])


def some_notes(every: Sequence[str], count: int, rest: str) -> Iterator[Line]:
    """Yield the first notes, and how many more there are with ``rest``."""
    yield from (Line(f"* {shortened(note, _NOTE)}", "dim") for note in every[:count])
    hidden = len(every) - min(count, len(every))
    if hidden:
        yield Line(f"* {hidden} {'more ' if count else ''}note{'s' * (hidden > 1)}: {rest}", "dim")


def _questions(facts: Facts) -> Iterator[Part]:
    found = facts.run.headline
    names = (*facts.run.config.models, *(each.model for each in found.standings))
    colours = {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(dict.fromkeys(names))}
    yield Line(facts_line(facts), "dim")
    if facts.run.reaches:
        yield Line("")
        yield from reaching(facts.run.reaches)
    tables = (_standings(found, colours), _agreement(found, colours), _where(found, colours), _disputed(facts))
    for each in tables:
        for table in each:
            yield Line("")
            yield table
    yield Line("")


def _standings(found: Headline, colours: Mapping[str, str]) -> Iterator[Table]:
    if not found.standings or found.measure is None:
        return
    chance = found.standings[0].chance
    by = f", chance {in_measure(chance, found.measure)}" if math.isfinite(chance) else ""
    what = "Neighbours of the query's own group" if found.basis == "groups" else found.measure
    rows: Rows = tuple(
        (
            Cell(each.model, colours[each.model]),
            in_measure(each.value, found.measure),
            f"[{in_measure(each.low, found.measure)}, {in_measure(each.high, found.measure)}]",
        )
        for each in found.standings[:_ROWS]
    )
    yield Table(f"{what} (95 % interval{by})", (), rows)


def _agreement(found: Headline, colours: Mapping[str, str]) -> Iterator[Table]:
    """Yield pair by pair where these are few, else a triangle of numbers."""
    if not found.agreement:
        return
    of, chance = found.agreement[0].of, found.agreement[0].chance
    again = f", the same model again {found.noise:.1f}" if math.isfinite(found.noise) else ""
    few = len(found.agreement) <= _PAIRS
    rows = _pairs(found, colours) if few else _triangle(found, colours)
    yield Table(f"Neighbours in common, of {of} (chance {chance:.1f}{again})", (), rows)


def _pairs(found: Headline, colours: Mapping[str, str]) -> Rows:
    return tuple(
        (
            *(Cell(name, colours[name]) for name in each.models),
            f"{each.value:.1f}",
            f"[{each.low:.1f}, {each.high:.1f}]",
        )
        for each in found.agreement
    )


def _triangle(found: Headline, colours: Mapping[str, str]) -> Rows:
    shared = {frozenset(each.models): each.value for each in found.agreement}
    named = set().union(*shared)
    names = [name for name in colours if name in named][:_ROWS]
    head = ("", *(str(at + 1) for at in range(len(names) - 1)))
    body: Iterator[tuple[str | Cell, ...]] = (
        (
            Cell(f"{at + 1} {name}", colours[name]),
            *(number(shared.get(frozenset((name, other)), math.nan), 1) for other in names[:at]),
            *("" for _ in names[at + 1 :]),
        )
        for at, name in enumerate(names)
    )
    return (head, *(line[: len(names)] for line in body))


def _where(found: Headline, colours: Mapping[str, str]) -> Iterator[Table]:
    sure = [each for each in found.where if each.low > 0][:_GROUPS]
    if not sure or found.measure is None:
        return
    rows: Rows = tuple(
        (
            f"{shortened(each.group, _GROUP)} ({each.n:,})",
            *(
                Cell(f"{model} {in_measure(value, found.measure)}", colours[model])
                for model, value in zip(each.models, each.values, strict=True)
            ),
        )
        for each in sure
    )
    luck = "" if any(each.p_adjusted < ALPHA for each in sure) else "; of so many groups, no more than luck"
    yield Table(f"Where two models differ most (queries){luck}", (), rows)


def _disputed(facts: Facts) -> Iterator[Table]:
    found = facts.disagreement
    if found and found.queries:
        rows: Rows = tuple(
            (number(each.value, 2), f"{each.id}: {shortened(each.text, _TEXT)}") for each in found.queries[:_QUERIES]
        )
        yield Table("Most disputed queries (0: the same lists, 1: nothing in common)", (), rows)
