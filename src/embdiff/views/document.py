"""What is said of a comparison and of one query, in order: a terminal and a notebook draw the same lines and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from embdiff._picture import thumbnail_of
from embdiff.views.answer import LINES, WIDTH, conclusion
from embdiff.views.facts import Facts
from embdiff.views.lists import Entry, Listed, Neighbor, PairDiff, Query, Result
from embdiff.views.numbers import number
from embdiff.views.reaching import reaching
from embdiff.views.table import Cell, Line, Part, Table, named, one_line, plain_text
from embdiff.views.tables import summary_tables
from embdiff.views.why import everything as all_causes
from embdiff.views.why import meanings
from embdiff.views.words import DISTANCE_WORDS, EXACT_PLACES, TEXT_RANKINGS, facts_line, notes, shortened

_SIGNS = {"kept": "=", "moved": "~", "lost": "-", "gained": "+"}
_QUERY_TEXT = 240
_EXACT_RANKS = (
    "A model that did not return a row has its exact rank. Where that is within k, the index missed the row, not the "
    "model."
)
_NEIGHBOUR = 62  # columns that two ranks leave


def everything(facts: Facts, limit: int) -> Iterator[Part]:
    """Yield everything of a comparison, the answer last; of a neighbour's text the first ``limit`` characters."""
    yield Line(facts_line(facts), "bold")
    yield Line("")
    yield from warned(facts, limit)
    yield from summary_tables(facts)
    yield from all_causes(facts)
    yield from all_notes(facts)
    yield Line("")
    yield from conclusion(facts)


def warned(facts: Facts, limit: int) -> Iterator[Part]:
    """Yield the lists of the queries that are shown, and before them how far query models reach."""
    if facts.run.reaches:
        yield from reaching(facts.run.reaches)
        yield Line("")
    yield from queries(facts, limit)


def queries(facts: Facts, limit: int) -> Iterator[Part]:
    """Yield the lists of the queries that are shown."""
    for result in facts.results:
        yield from _query(facts, result, limit)
    hidden = len(facts.run.queries) - facts.shown
    if hidden > 0:
        yield Line(f"... and {hidden:,} more queries: result.diff(QUERY), or 'embdiff diff RUN QUERY'", "dim")
        yield Line("")


def all_notes(facts: Facts) -> Iterator[Line]:
    """Yield every note."""
    yield from (Line(f"* {note}", "dim") for note in notes(facts))


def _query(facts: Facts, result: Result, limit: int) -> Iterator[Part]:
    group = f" [{result.group}]" if result.group else ""
    text = _below(result.id, result.text, _QUERY_TEXT)
    asks = f"{result.id}{group}"
    yield Line(f"Query {named(asks, text) if text else asks}", "bold", thumbnail_of(result.text))
    titled: dict[str, list[Listed]] = {}
    for answer in result.answers:
        asked = f"asked with {answer.query_model}" if facts.crossed else "each collection asked by its own model"
        titled.setdefault(asked, []).append(answer)
    wide = len(str(facts.run.config.k))
    for title, answers in titled.items():
        rows: list[tuple[str | Cell, ...]] = [
            (f"{place + 1:{wide}}", *(_neighbor(answer.neighbors, place, limit) for answer in answers))
            for place in range(facts.run.config.k)
        ]
        if result.expected:
            hits = ("miss" if each.expected_rank is None else f"hit at rank {each.expected_rank}" for each in answers)
            rows += [("",) * (1 + len(answers)), ("", *hits)]
        yield Table(title, (f"{'#':>{wide}}", *(answer.model for answer in answers)), tuple(rows))


def _neighbor(neighbors: Sequence[Neighbor], place: int, limit: int) -> Cell:
    if place >= len(neighbors):
        return Cell("(none)", "dim")
    entry = neighbors[place]
    marks = (" self" if entry.self else "") + (" expected" if entry.expected else "")
    text = _below(entry.id, entry.text, limit)
    return Cell(f"{number(entry.distance)} {entry.id}{marks}", "cyan", text, thumbnail_of(entry.text))


def _below(name: str, text: str, limit: int) -> str:
    """Return what stands below an id: nothing for an image that its path names."""
    return "" if str(text) == name else shortened(text, limit)


def blocks(query: Query, pairs: Sequence[PairDiff]) -> list[Part]:
    """Return one query's first pair in three blocks on one screen: what both return, and what each of them alone."""
    for most in range(max((len(pair["entries"]) for pair in pairs), default=0), -1, -1):
        found = list(_blocks(query, pairs, most))
        if plain_text(found, WIDTH).count("\n") < LINES:
            break
    return found


def _blocks(query: Query, pairs: Sequence[PairDiff], most: int) -> Iterator[Part]:
    """Yield the blocks; of each the first ``most`` neighbours."""
    yield _asked_line(query)
    if not pairs:
        yield Line("There is only one collection, so there is nothing to compare.")
        return
    pair = pairs[0]
    first, second = pair["models"]
    both = [entry for entry in pair["entries"] if entry["status"] in ("kept", "moved")]
    alone = ([entry for entry in pair["entries"] if entry["status"] == status] for status in ("lost", "gained"))
    right, what = _right(query, pair["entries"])
    plus = f"; + is {what}" if what else ""
    yield Line(f"{first} and {second}, {_how_asked(pair)}; before each neighbour its rank in either{plus}", "dim")
    for title, entries in zip(("Both return", f"Only {first}", f"Only {second}"), (both, *alone), strict=True):
        yield Line("")
        hits = f"; {sum(entry['id'] in right for entry in entries):,} {what}" if what and entries else ""
        yield Line(f"{title} ({len(entries):,}{hits})", "bold")
        if entries[:most]:
            yield Table("", (), tuple(_in_one_line(entry, right) for entry in entries[:most]))
        if len(entries) > most:
            yield Line(f"{len(entries) - most:,} more: --all", "dim")
    yield Line("")
    yield Line(_EXACT_RANKS, "dim")
    yield from _meanings(pair["entries"])
    if len(pairs) > 1:
        yield Line(f"Other pairs of collections: {len(pairs) - 1:,} (--models A,B for one of them, or --all)", "dim")


def _right(query: Query, entries: Sequence[Entry]) -> tuple[set[str], str]:
    """Return which neighbours are expected or, where nothing says that, of the query's group, and the words for it."""
    if any(entry["expected"] is not None for entry in entries):
        return {entry["id"] for entry in entries if entry["expected"]}, "expected"
    if query["group"] is None:
        return set(), ""
    return {each["id"] for each in entries if each["group"] == query["group"] and not each["self"]}, "of its group"


def _in_one_line(entry: Entry, right: set[str]) -> tuple[str, ...]:
    ranks = (f"{'-' if rank is None else f'{rank:,}':>7}" for rank in entry["ranks"])
    itself = (" self" if entry["self"] else "") + _why(entry)
    text = _below(entry["id"], entry["text"], _NEIGHBOUR)
    mark = "+ " if entry["id"] in right else ""
    return (*ranks, one_line(f"{mark}{entry['id']}{itself}{': ' * bool(text)}{text}", _NEIGHBOUR))


def _meanings(entries: Sequence[Entry]) -> Iterator[Line]:
    """Yield what the likely causes of these neighbours say."""
    told = " ".join(meanings(cause for entry in entries for cause in entry["causes"]))
    if told:
        yield Line(f"In brackets the likely cause (embdiff show RUN --why). {told}", "dim")


def _why(entry: Entry) -> str:
    """Return the likely causes of a neighbour that changed; nothing where none is known."""
    return f" [{', '.join(entry['causes'])}]" if entry["causes"] else ""


def _asked_line(query: Query) -> Line:
    told = named(query["id"], shortened(query["text"], _QUERY_TEXT))
    return Line(f"Query {told}", "bold", thumbnail_of(query["text"]))


def _how_asked(pair: PairDiff) -> str:
    by, other = pair["query_models"]
    if pair["metrics"][1] in TEXT_RANKINGS:
        return f"asked with {by}, and with the query's text"
    return f"asked with {by}" if by == other else "each asked by its own model"


def diff(query: Query, pairs: Sequence[PairDiff], limit: int) -> Iterator[Part]:
    """Yield one query's diff in full, pair by pair; of a neighbour's text the first ``limit`` characters."""
    yield _asked_line(query)
    for pair in pairs:
        first, second = pair["models"]
        places = (
            Cell(name, "", f"rank  {DISTANCE_WORDS[metric]}")
            for name, metric in zip(pair["models"], pair["metrics"], strict=True)
        )
        rows = tuple(_compared(entry, limit) for entry in pair["entries"])
        yield Table(f"{first} → {second}, {_how_asked(pair)}", ("", "neighbour", *places), rows)
    yield Line(EXACT_PLACES, "dim")
    yield from _meanings([entry for pair in pairs for entry in pair["entries"]])


def _compared(entry: Entry, limit: int) -> tuple[str | Cell, ...]:
    status = entry["status"]
    return (
        Cell(f"{_SIGNS[status]} {status}", status),
        Cell(
            f"{entry['id']}{' self' if entry['self'] else ''}{_why(entry)}",
            status,
            _below(entry["id"], entry["text"], limit),
            thumbnail_of(entry["text"]),
        ),
        *(
            f"{'-' if rank is None else rank}  {number(distance)}"
            for rank, distance in zip(entry["ranks"], entry["distances"], strict=True)
        ),
    )
