"""Lines and tables as plain text, and how a terminal draws them: there text is made harmless, and nowhere before."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from embdiff._visible import visible

_STYLES = {"kept": "dim", "moved": "yellow", "lost": "red", "gained": "green"}


@dataclass(frozen=True)
class Line:
    """A paragraph; ``style``: bold, dim or none; ``picture``: a thumbnail before it where there are pages.

    ``whole``: it is not broken, so that it can be copied.
    """

    text: str
    style: str = ""
    picture: bytes = b""
    whole: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell in which a head stands above a text; ``style``: a colour, or what became of it; ``picture``: of Line."""

    head: str
    style: str
    text: str = ""
    picture: bytes = b""


@dataclass(frozen=True)
class Table:
    """A title ("" for none), a head (() for none, and no lines either), rows of cells, and remarks below."""

    title: str
    head: tuple[str | Cell, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    remarks: tuple[str, ...] = ()


def pivoted(
    title: str, corner: str, cells: Iterable[tuple[str, str, str, str]], remarks: Iterable[str] = (), across: int = 0
) -> Iterator[Table]:
    """Yield tables of (section, row, column, text), so many columns ``across`` each (0: all), remarks below the last.

    A section stands in a line of its own above its rows, "" in none.
    """
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for section, row, column, text in cells:
        lines.setdefault((section, row), {})[column] = text
    columns = list(dict.fromkeys(column for found in lines.values() for column in found))
    while columns:
        shown, columns = columns[: across or None], columns[across or len(columns) :]
        rows, above = list[tuple[str, ...]](), ""
        for (section, row), found in lines.items():
            if section != above:
                rows.append((section, *("" for _ in shown)))
            above = section
            rows.append((row, *(found.get(column, "") for column in shown)))
        yield Table(title, (corner, *shown), tuple(rows), () if columns else tuple(remarks))


def once(rows: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield rows in which a first cell is left out where the row above has it."""
    above = None
    for first, *others in rows:
        yield "" if first == above else first, *others
        above = first


def named(name: str, text: str) -> str:
    """Return a row by its id and its text; an image, whose path is its id, by that alone."""
    return name if str(text) == name else f"{name}: {text}"


def one_line(text: str, cells: int) -> str:
    """Return text as it is shown, cut to so many columns of a terminal: a wide character takes two."""
    shown = visible(" ".join(text.split()))
    return shown if cell_len(shown) <= cells else f"{set_cell_size(shown, cells - 1).rstrip()}…"


Part = Line | Table


def show(*parts: Part) -> None:
    """Print on stdout."""
    _print(Console(highlight=False), parts)


def plain_text(parts: Iterable[Part], width: int) -> str:
    """Return what a terminal of ``width`` columns shows, without colour."""
    out = io.StringIO()
    # In a notebook rich would show what it prints besides writing it: this is text alone.
    _print(Console(file=out, width=width, color_system=None, highlight=False, force_jupyter=False), parts)
    return out.getvalue().rstrip()


def _print(console: Console, parts: Iterable[Part]) -> None:
    for part in parts:
        if isinstance(part, Line):
            console.print(Text(visible(part.text), style=part.style, overflow="fold"), soft_wrap=part.whole)
            continue
        if not part.head and part.title:  # as wide as the terminal, not as its table
            console.print(Text(visible(part.title), style="bold"))
        console.print(_drawn(part))
        for remark in part.remarks:
            console.print(Text(f"  {visible(remark)}", style="dim"))


def _drawn(table: Table) -> RichTable:
    """Return a table in which long words are folded, so that nothing is wider than the terminal."""
    title = Text(visible(table.title)) if table.title and table.head else None
    bare = not table.head
    found = RichTable(
        box=None if bare else box.SIMPLE_HEAD, pad_edge=False, show_header=not bare, title=title, title_justify="left",
        title_style="bold",
    )  # fmt: skip
    for column in table.head or table.rows[0]:
        found.add_column(Text() if bare else _cell(column), overflow="fold")
    for row in table.rows:
        found.add_row(*map(_cell, row))
    return found


def _cell(cell: str | Cell) -> Text:
    if isinstance(cell, str):
        return Text(visible(cell))
    style = _STYLES.get(cell.style, cell.style)
    return Text.assemble((visible(cell.head), style), f"\n{visible(cell.text)}" if cell.text else "")
