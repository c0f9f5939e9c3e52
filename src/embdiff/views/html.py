"""The light notebook view: the answer, neighbours side by side, every table folded; escaped HTML without scripts."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from embdiff._picture import data_uri
from embdiff._visible import visible_on_a_page
from embdiff.views import answer, document
from embdiff.views.facts import Facts
from embdiff.views.table import Cell, Line, Part, Table
from embdiff.views.tables import summary_tables

QUERIES_SHOWN = 5
TEXT_LIMIT = 160
_TAGS = {"bold": "strong", "dim": "small", "": "span"}
_COLOURS = {"moved": "#9a6700", "lost": "#b3261e", "gained": "#1a7f37"}
_PICTURE = "width:48px;height:48px;object-fit:contain;vertical-align:middle;margin-right:6px"
_CELL = "text-align:left;vertical-align:top;padding:4px 10px;max-width:26em;white-space:normal"


def render(facts: Facts) -> str:
    """Return a comparison as an HTML fragment."""
    folded = fragment((*summary_tables(facts), *document.all_notes(facts)))
    shown = fragment((*answer.answer(facts), *document.queries(facts, TEXT_LIMIT)))
    return f"{shown}<details><summary>Every number</summary>{folded}</details>"


def fragment(parts: Iterable[Part]) -> str:
    """Return lines and tables as an HTML fragment; all text is escaped."""
    drawn = "".join(_line(part) if isinstance(part, Line) else _table(part) for part in parts)
    return f'<div class="embdiff">{drawn}</div>'


def _line(line: Line) -> str:
    tag = _TAGS[line.style]
    return f"<p>{_picture(line.picture)}<{tag}>{_text(line.text)}</{tag}></p>" if line.text else ""


def _table(table: Table) -> str:
    head = f"<thead>{_row('th', table.head)}</thead>" if table.head else ""
    body = "".join(_row("td", row) for row in table.rows)
    caption = f'<caption style="text-align:left">{_text(table.title)}</caption>'
    remarks = "".join(_line(Line(remark, "dim")) for remark in table.remarks)
    return f"<table>{caption}{head}<tbody>{body}</tbody></table>{remarks}"


def _row(tag: str, cells: Iterable[str | Cell]) -> str:
    return "<tr>" + "".join(f'<{tag} style="{_CELL}">{_cell(cell)}</{tag}>' for cell in cells) + "</tr>"


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return _text(cell)
    colour = _COLOURS.get(cell.style, "inherit")
    head = f'<strong style="color:{colour}">{_text(cell.head)}</strong>'
    picture = _picture(cell.picture)
    return f"{picture}{head}<br>{_text(cell.text)}" if cell.text else f"{picture}{head}"


def _picture(thumbnail: bytes) -> str:
    return f'<img alt="" src="{data_uri(thumbnail)}" style="{_PICTURE}">' if thumbnail else ""


def _text(value: str) -> str:
    return escape(visible_on_a_page(value), quote=True)
