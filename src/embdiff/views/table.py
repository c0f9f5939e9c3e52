"""Lines and tables as plain text, and how a terminal draws them: there text is made harmless, and nowhere before."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from embdiff.views.words import visible

_STYLES = {"kept": "dim", "moved": "yellow", "lost": "red", "gained": "green"}


@dataclass(frozen=True)
class Line:
    """A paragraph; ``style``: bold, dim or none."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell in which a head stands above a text; ``style``: a colour, or what became of a row."""

    head: str
    style: str
    text: str = ""


@dataclass(frozen=True)
class Table:
    """A title ("" for none), a head, rows of cells, and remarks below."""

    title: str
    head: tuple[str | Cell, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    remarks: tuple[str, ...] = ()


def drawn(part: Line | Table) -> list[RenderableType]:
    """Return a line, or a table and the remarks below it; long words are folded: nothing is wider than the terminal."""
    if isinstance(part, Line):
        return [Text(visible(part.text), style=part.style, overflow="fold")]
    title = Text(visible(part.title)) if part.title else None
    found = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for column in part.head:
        found.add_column(_cell(column), overflow="fold")
    for row in part.rows:
        found.add_row(*map(_cell, row))
    return [found, *(Text(f"  {visible(remark)}", style="dim") for remark in part.remarks)]


def _cell(cell: str | Cell) -> Text:
    if isinstance(cell, str):
        return Text(visible(cell))
    style = _STYLES.get(cell.style, cell.style)
    return Text.assemble((visible(cell.head), style), f"\n{visible(cell.text)}" if cell.text else "")


def show(*parts: RenderableType) -> None:
    """Print on stdout."""
    console = Console(highlight=False)
    for part in parts:
        console.print(part)


def plain_text(parts: Iterable[RenderableType], width: int) -> str:
    """Return what a terminal of ``width`` columns shows, without colour."""
    out = io.StringIO()
    # In a notebook rich would show what it prints besides writing it: this is text alone.
    console = Console(file=out, width=width, color_system=None, highlight=False, force_jupyter=False)
    for part in parts:
        console.print(part)
    return out.getvalue().rstrip()
