"""Tables for people at a terminal: readable at 80 columns, without colour, and when piped."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from embdiff.runs import REPORT_FILE
from embdiff.views import table
from embdiff.views.facts import Facts
from embdiff.views.lists import Neighbor, PairDiff, Query, Result
from embdiff.views.table import drawn, empty, plain_text
from embdiff.views.tables import summary_tables
from embdiff.views.words import (
    EXACT_PLACES,
    asked_words,
    distance_word,
    facts_line,
    hit_words,
    notes,
    number,
    rank_text,
    shortened,
    side_by_side,
    visible,
)

QUERIES_SHOWN = 2
_STATUS_STYLE = {"kept": "dim", "moved": "yellow", "lost": "red", "gained": "green"}
_STATUS_SIGN = {"kept": "=", "moved": "~", "lost": "-", "gained": "+"}
_QUERY_TEXT, _NEIGHBOUR_TEXT, _DIFF_TEXT = 240, 60, 90


def show(facts: Facts) -> None:
    """Print a comparison on stdout."""
    table.show(*_comparison(facts))


def show_diff(query: Query, pairs: Sequence[PairDiff]) -> None:
    """Print one query's diff on stdout."""
    table.show(*_diff(query, pairs))


def text(facts: Facts, width: int) -> str:
    """Return a comparison as plain text."""
    return plain_text(_comparison(facts), width)


def diff_text(query: Query, pairs: Sequence[PairDiff], width: int) -> str:
    """Return one query's diff as plain text."""
    return plain_text(_diff(query, pairs), width)


def _comparison(facts: Facts) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(visible(facts_line(facts)), style="bold"), Text()]
    parts += [part for result in facts.results for part in _query(facts, result)]
    hidden = len(facts.run.queries) - facts.shown
    if hidden > 0:
        parts.append(
            Text(f"... and {hidden:,} more queries ('embdiff diff RUN QUERY' shows any of them)\n", style="dim")
        )
    parts += [part for each in summary_tables(facts) for part in drawn(each)]
    parts += [Text(f"* {visible(note)}", style="dim") for note in notes(facts)]
    if facts.path:
        parts += [Text(), Text(f"Run folder: {facts.path}", style="bold", overflow="fold")]
        if (facts.path / REPORT_FILE).is_file():
            parts.append(Text(f"Report: {facts.path / REPORT_FILE}", style="bold", overflow="fold"))
    return parts


def _query(facts: Facts, result: Result) -> list[RenderableType]:
    group = f" [{visible(result.group)}]" if result.group else ""
    head = f"Query {visible(result.id)}{group}: {shortened(result.text, _QUERY_TEXT)}"
    parts: list[RenderableType] = [Text(head, style="bold", overflow="fold")]
    for title, answers in side_by_side(facts, result.answers).items():
        found = empty(visible(title), ("#", *(visible(answer.model) for answer in answers)))
        found.columns[0].justify = "right"
        for place in range(facts.run.config.k):
            found.add_row(str(place + 1), *(_cell(answer.neighbors, place) for answer in answers))
        if result.expected:
            found.add_section()
            found.add_row("", *map(hit_words, answers))
        parts.append(found)
    return parts


def _cell(neighbors: Sequence[Neighbor], place: int) -> Text:
    if place >= len(neighbors):
        return Text("(none)", style="dim")
    entry = neighbors[place]
    marks = (" self" if entry.self else "") + (" expected" if entry.expected else "")
    head = f"{number(entry.distance)} {visible(entry.id)}{marks}\n"
    return Text.assemble((head, "cyan"), shortened(entry.text, _NEIGHBOUR_TEXT))


def _diff(query: Query, pairs: Sequence[PairDiff]) -> list[RenderableType]:
    head = f"Query {visible(query['id'])}: {shortened(query['text'], _QUERY_TEXT)}"
    parts: list[RenderableType] = [Text(head, style="bold", overflow="fold")]
    for pair in pairs:
        first, second = map(visible, pair["models"])
        places = (
            f"{name}\nrank  {distance_word(metric)}"
            for name, metric in zip((first, second), pair["metrics"], strict=True)
        )
        found = empty(f"{first} → {second}, {visible(asked_words(pair))}", ("", "neighbour", *places))
        for entry in pair["entries"]:
            style = _STATUS_STYLE[entry["status"]]
            cells = [
                f"{rank_text(rank)}  {number(d)}" for rank, d in zip(entry["ranks"], entry["distances"], strict=True)
            ]
            name = f"{visible(entry['id'])}{' self' if entry['self'] else ''}\n"
            label = Text.assemble((name, style), shortened(entry["text"], _DIFF_TEXT))
            found.add_row(Text(f"{_STATUS_SIGN[entry['status']]} {entry['status']}", style=style), label, *cells)
        parts.append(found)
    return [*parts, Text(EXACT_PLACES, style="dim")]
