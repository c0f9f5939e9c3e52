"""The answer on one screen: one small table for each question, the notes that matter, the finding last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from embdiff.headline import Headline, in_measure
from embdiff.measures.differences import ALPHA
from embdiff.runs import REPORT_FILE
from embdiff.views.facts import Facts
from embdiff.views.numbers import number
from embdiff.views.reaching import reaching
from embdiff.views.table import Cell, Line, Part, Table, named, one_line, plain_text
from embdiff.views.words import caveats, facts_line, shortened

Rows = tuple[tuple[str | Cell, ...], ...]
LINES, WIDTH = 40, 80
_COLOURS = ("blue", "dark_orange", "green", "magenta", "cyan", "red")
_ROWS, _SENTENCES, _PAIRS = 6, 3, 3
_LESS_AND_LESS = (
    *((notes, 3, _ROWS) for notes in (3, 2, 1, 0)),
    *((0, most, _ROWS) for most in (2, 1, 0)),
    *((0, 0, models) for models in range(_ROWS - 1, 1, -1)),
)  # notes, groups and queries, models
_GROUP, _TEXT, _NOTE, _DECIDED = 24, 74, 150, 300


def answer(facts: Facts) -> list[Part]:
    """Return what fits on one screen of 80 columns: at most 40 lines, whatever the data.

    Where names are long the notes are left out first, then groups and queries, then models.
    """
    notes, last = caveats(facts), list(conclusion(facts))
    for count, most, models in _LESS_AND_LESS:
        found = [*_questions(facts, most, models), *some_notes(notes, count, "--only notes"), Line(""), *last]
        if plain_text(found, WIDTH).count("\n") < LINES:
            break
    return found


def conclusion(facts: Facts) -> Iterator[Line]:
    """Yield the finding, and where everything else is: what a terminal shows last."""
    yield from finding(facts.run.headline)
    if facts.run.decision:
        yield Line(one_line(facts.run.decision.sentence, _DECIDED), "bold")
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
    yield from (Line(f"* {_begun(note)}", "dim") for note in every[:count])
    hidden = len(every) - min(count, len(every))
    if hidden:
        yield Line(f"* {hidden} {'more ' if count else ''}note{'s' * (hidden > 1)}: {rest}", "dim")


def _begun(note: str) -> str:
    """Return a note, of a long one the sentences that it begins with."""
    whole = note[: _NOTE + 1].rpartition(". ")[0]
    return f"{whole}." if whole and len(note) > _NOTE else shortened(note, _NOTE)


def _questions(facts: Facts, most: int, models: int) -> Iterator[Part]:
    found = facts.run.headline
    paired = (name for each in found.agreement for name in each.models)
    names = (*facts.run.config.models, *(each.model for each in found.standings), *paired)
    colours = {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(dict.fromkeys(names))}
    yield Line(facts_line(facts), "dim")
    if facts.run.reaches:
        yield Line("")
        yield from reaching(facts.run.reaches)
    tables = (
        _standings(found, colours, models),
        _agreement(found, colours, models),
        _where(found, colours, most),
        _disputed(facts, most),
    )
    for each in tables:
        for table in each:
            yield Line("")
            yield table
    yield Line("")


def _standings(found: Headline, colours: Mapping[str, str], models: int) -> Iterator[Table]:
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
        for each in found.standings[:models]
    )
    if len(found.standings) > models:
        rows = (*rows, (f"{len(found.standings) - models:,} more: --all", "", ""))
    yield Table(f"{what} (95 % interval{by})", (), rows)


def _agreement(found: Headline, colours: Mapping[str, str], models: int) -> Iterator[Table]:
    """Yield pair by pair where these are few, else a triangle of numbers."""
    if not found.agreement:
        return
    of, chance = found.agreement[0].of, found.agreement[0].chance
    again = f", the same model again {found.noise:.1f}" if math.isfinite(found.noise) else ""
    few = len(found.agreement) <= _PAIRS
    rows = _pairs(found, colours) if few else _triangle(found, colours, models)
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


def _triangle(found: Headline, colours: Mapping[str, str], models: int) -> Rows:
    shared = {frozenset(each.models): each.value for each in found.agreement}
    named = set().union(*shared)
    names = [name for name in colours if name in named][:models]
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


def _where(found: Headline, colours: Mapping[str, str], most: int) -> Iterator[Table]:
    surest = {each.group: each for each in reversed(found.where) if each.low > 0}  # of each group its first pair
    sure = [each for each in found.where if surest.get(each.group) is each][:most]
    if not sure or found.measure is None:
        return
    rows: Rows = tuple(
        (
            f"{one_line(each.group, _GROUP)} ({each.n:,})",
            *(
                Cell(f"{model} {in_measure(value, found.measure)}", colours[model])
                for model, value in zip(each.models, each.values, strict=True)
            ),
        )
        for each in sure
    )
    luck = "" if any(each.p_adjusted < ALPHA for each in sure) else "; of so many groups, it may be luck"
    yield Table(f"Where two models differ most (queries){luck}", (), rows)


def _disputed(facts: Facts, most: int) -> Iterator[Table]:
    found = facts.disagreement
    if found and found.queries[:most]:
        rows: Rows = tuple(
            (number(each.value, 2), one_line(named(each.id, each.text), _TEXT)) for each in found.queries[:most]
        )
        yield Table("Most disputed queries (0: the same lists, 1: nothing in common)", (), rows)
