"""A table as plain text, and how a terminal draws it: there text is made harmless, and nowhere before."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from embdiff.views.words import visible


@dataclass(frozen=True)
class Table:
    """A title, a head, rows of text cells, and remarks below."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...] = ()


def empty(title: str, columns: Sequence[str]) -> RichTable:
    """Return a table without rows; long words are folded, so nothing is wider than the terminal."""
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(title), title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def drawn(table: Table) -> list[RenderableType]:
    """Return a table and the remarks below it."""
    found = empty(visible(table.title), list(map(visible, table.head)))
    for row in table.rows:
        found.add_row(*(Text(visible(cell)) for cell in row))
    return [found, *(Text(f"  {visible(remark)}", style="dim") for remark in table.remarks)]


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
