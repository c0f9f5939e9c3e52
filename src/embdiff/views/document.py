"""What is said of a comparison and of one query, in order: a terminal and a notebook draw the same lines and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from embdiff._picture import thumbnail_of
from embdiff.views.answer import conclusion
from embdiff.views.facts import Facts
from embdiff.views.lists import Entry, Listed, Neighbor, PairDiff, Query, Result
from embdiff.views.table import Cell, Line, Part, Table
from embdiff.views.tables import summary_tables
from embdiff.views.words import DISTANCE_WORDS, EXACT_PLACES, facts_line, notes, number, shortened

_SIGNS = {"kept": "=", "moved": "~", "lost": "-", "gained": "+"}
_QUERY_TEXT = 240


def everything(facts: Facts, limit: int) -> Iterator[Part]:
    """Yield everything of a comparison, the answer last; of a neighbour's text the first ``limit`` characters."""
    yield Line(facts_line(facts), "bold")
    yield Line("")
    yield from queries(facts, limit)
    yield from summary_tables(facts)
    yield from all_notes(facts)
    yield Line("")
    yield from conclusion(facts)


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
    yield Line(f"Query {result.id}{group}: {shortened(result.text, _QUERY_TEXT)}", "bold", thumbnail_of(result.text))
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


def diff(query: Query, pairs: Sequence[PairDiff], limit: int) -> Iterator[Part]:
    """Yield one query's diff; of a neighbour's text the first ``limit`` characters."""
    words = f"Query {query['id']}: {shortened(query['text'], _QUERY_TEXT)}"
    yield Line(words, "bold", thumbnail_of(query["text"]))
    for pair in pairs:
        (first, second), (by, other) = pair["models"], pair["query_models"]
        asked = f"asked with {by}" if by == other else "each asked by its own model"
        if other == "bm25":
            asked = f"asked with {by}, and with its words"
        places = (
            Cell(name, "", f"rank  {DISTANCE_WORDS[metric]}")
            for name, metric in zip(pair["models"], pair["metrics"], strict=True)
        )
        rows = tuple(_compared(entry, limit) for entry in pair["entries"])
        yield Table(f"{first} → {second}, {asked}", ("", "neighbour", *places), rows)
    yield Line(EXACT_PLACES, "dim")


def _compared(entry: Entry, limit: int) -> tuple[str | Cell, ...]:
    status = entry["status"]
    return (
        Cell(f"{_SIGNS[status]} {status}", status),
        Cell(
            f"{entry['id']}{' self' if entry['self'] else ''}",
            status,
            _below(entry["id"], entry["text"], limit),
            thumbnail_of(entry["text"]),
        ),
        *(
            f"{'-' if rank is None else rank}  {number(distance)}"
            for rank, distance in zip(entry["ranks"], entry["distances"], strict=True)
        ),
    )
