"""The light notebook view: neighbours side by side and the agreement table, as escaped HTML without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from embdiff.views.facts import Facts
from embdiff.views.lists import Entry, Neighbor, PairDiff, Query
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

QUERIES_SHOWN = 5
_TEXT_LIMIT = 160
_STATUS_COLOUR = {"kept": "inherit", "moved": "#9a6700", "lost": "#b3261e", "gained": "#1a7f37"}
_CELL = "text-align:left;vertical-align:top;padding:4px 10px;max-width:26em;white-space:normal"


def render(facts: Facts) -> str:
    """Return a comparison as an HTML fragment; all user text is escaped."""
    parts = [f"<p><strong>{_text(facts_line(facts))}</strong></p>"]
    for result in facts.results:
        parts.append(f"<p><strong>{_text(result.id)}</strong> {_short(result.text)}</p>")
        for title, answers in side_by_side(facts, result.answers).items():
            head = ("#", *(answer.model for answer in answers))
            rows = [
                [str(place + 1), *(_neighbor(answer.neighbors, place) for answer in answers)]
                for place in range(facts.run.config.k)
            ]
            if result.expected:
                rows.append(["", *(_text(hit_words(answer)) for answer in answers)])
            parts.append(_table(title, head, rows))
    hidden = len(facts.run.queries) - facts.shown
    if hidden > 0:
        parts.append(f"<p>and {hidden:,} more queries; <code>result.diff(row)</code> shows any of them</p>")
    for table in summary_tables(facts):
        parts.append(_table(table.title, table.head, (map(_text, row) for row in table.rows)))
        parts += [f"<p><small>{_text(remark)}</small></p>" for remark in table.remarks]
    parts += [f"<p><small>{_text(note)}</small></p>" for note in notes(facts)]
    return f'<div class="embdiff">{"".join(parts)}</div>'


def render_diff(query: Query, pairs: Sequence[PairDiff]) -> str:
    """Return one query's diff as an HTML fragment; all user text is escaped."""
    parts = [f"<p><strong>{_text(query['id'])}</strong> {_short(query['text'])}</p>"]
    for pair in pairs:
        first, second = pair["models"]
        one, two = map(distance_word, pair["metrics"])
        head = ("", "neighbour", f"rank in {first}", one, f"rank in {second}", two)
        title = f"{first} → {second}, {asked_words(pair)}"
        parts.append(_table(title, head, map(_diff_cells, pair["entries"])))
    parts.append(f"<p><small>{_text(EXACT_PLACES)}</small></p>")
    return f'<div class="embdiff">{"".join(parts)}</div>'


def _diff_cells(entry: Entry) -> list[str]:
    colour = _STATUS_COLOUR[entry["status"]]
    places = [
        cell
        for rank, distance in zip(entry["ranks"], entry["distances"], strict=True)
        for cell in (rank_text(rank), number(distance))
    ]
    status = f'<span style="color:{colour}">{_text(entry["status"])}</span>'
    return [status, f"<strong>{_text(entry['id'])}</strong> {_short(entry['text'])}", *places]


def _neighbor(neighbors: Sequence[Neighbor], place: int) -> str:
    if place >= len(neighbors):
        return "<em>none</em>"
    entry = neighbors[place]
    marks = " <em>self</em>" * entry.self + " <em>expected</em>" * bool(entry.expected)
    head = f"{number(entry.distance)} <strong>{_text(entry.id)}</strong>{marks}"
    return f"{head}<br>{_short(entry.text)}"


def _table(title: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; ``head`` is escaped here, the cells of ``rows`` already are."""
    columns = "".join(f'<th style="{_CELL}">{_text(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in row) + "</tr>" for row in rows)
    caption = f'<caption style="text-align:left">{_text(title)}</caption>'
    return f"<table>{caption}<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"


def _short(value: str) -> str:
    return _text(shortened(value, _TEXT_LIMIT))


def _text(value: str) -> str:
    return escape(visible(value), quote=True)
