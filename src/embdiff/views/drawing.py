"""Drawing a plain table at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from embdiff.views.table import Table


def empty(title: str, columns: Sequence[str]) -> RichTable:
    """Return a table without rows; long words are folded, so nothing is wider than the terminal."""
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(title), title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def drawn(table: Table) -> list[RenderableType]:
    """Return a table and the remarks below it."""
    found = empty(table.title, table.head)
    for row in table.rows:
        found.add_row(*map(Text, row))
    return [found, *(Text(f"  {remark}", style="dim") for remark in table.remarks)]
