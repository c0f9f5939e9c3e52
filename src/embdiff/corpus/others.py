"""Columns that nobody asked for, where their values come again: maps can be coloured by them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from embdiff.corpus.tables import ABSENT, Table, as_name, is_missing
from embdiff.errors import DataError

_MOST = 12  # columns
_LONGEST = 80  # letters of a value
_HEAD = 1_000  # rows that show whether a column may be one of these


def other_columns(table: Table, taken: Collection[int], rows: Sequence[int]) -> dict[str, tuple[str, ...]]:
    """Return the columns of short values that come again, up to twelve, as text; a missing value is "".

    Columns of long texts, of lists, of a value for every row or of one value for all are left out. Nothing here is
    refused: a column with a cell that is no plain value is left out as well. Pieces of a larger table have none.

    Parameters
    ----------
    table : Table
    taken : collection of int
        Positions of the columns that are used otherwise.
    rows : sequence of int
        Which rows.
    """
    if table.plain or table.first is not None or len(rows) < 2:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for position, name in enumerate(table.columns):
        if len(found) == _MOST:
            break
        if position in taken or not name.strip() or name in found or not table.short(position):
            continue
        try:
            values = _values(table.column(position), rows)
        except DataError:  # of a column that nobody asked for
            continue
        if values is not None:
            found[name] = values
    return found


def _values(cells: Sequence[object], rows: Sequence[int]) -> tuple[str, ...] | None:
    """Return the values of some rows as text; None for a column that colours nothing."""
    if any(_value(cells[row]) is None for row in rows[:_HEAD]):
        return None
    known: dict[str, str] = {}  # each value is held once
    values = []
    for row in rows:
        value = _value(cells[row])
        if value is None:
            return None
        values.append(known.setdefault(value, value))
    return tuple(values) if 1 < len(known) <= len(rows) // 2 else None


def _value(cell: object) -> str | None:
    """Return a cell as text, "" for none; None for what is no short plain value that can be stored."""
    if cell is ABSENT or is_missing(cell) or (isinstance(cell, str) and not cell.strip()):
        return ""
    value = as_name(cell)
    if value is None or len(value) > _LONGEST or "\0" in value or not value.isprintable():
        return None
    return value
