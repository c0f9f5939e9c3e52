"""A table: named columns of cells, the line on which each row stands, and what a cell may be."""

from __future__ import annotations

import datetime
import math
import numbers
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from embdiff.corpus.files import shown
from embdiff.errors import DataError

_T = TypeVar("_T")
# Cells of line 1, and whether only names that are known or given count → whether the line names the columns; None:
# nothing tells.
HeaderRule = Callable[[Sequence[str], bool], bool | None]
Column = Callable[[int], Sequence[object]]  # position of a column → its cells


class NumberText(str):
    """A number of a JSON file, exactly as written there (``7.50`` never becomes 7.5)."""

    __slots__ = ()


def of_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a JSON file; refuse, with a ValueError, one that holds a key twice: one would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)[:40]!r} stands in an object twice")
    return found


ABSENT: Final = object()  # the cell of an object that lacks the column


@dataclass(frozen=True, eq=False)
class Table:
    """Rows and columns, read.

    Parameters
    ----------
    source : str
        File as named, or ``"list"``, ``"DataFrame"``.
    columns : tuple of str
        Their names; the positions as text when the file has no header; empty for plain texts.
    column : callable
        Position of a column → its cells. Plain texts have one, 0.
    size : int
        Number of rows.
    lines : sequence of int, optional
        The 1-based line of the file on which each row begins.
    plain : bool
        Whether the rows are texts, without columns.
    headerless : bool
        Whether line 1 of a .csv or .tsv was taken as data.
    first : int, optional
        Number of the first row, where these rows are a piece of a larger table.
    keys : sequence, optional
        The key of a dict under which each row stood.
    id_at : int, optional
        The column of ids, where it is known: messages name a row by its id, too.
    notes : tuple of str
        What was guessed in reading, a sentence each.
    short : callable
        Position of a column → whether its cells may be short, which is known without reading them.
    home : Path, optional
        The folder of the file; paths in cells are counted from there and lead no further. None for what is from Python.
    own_columns : bool
        Whether the columns are not the user's: those of a folder of images.
    """

    source: str
    columns: tuple[str, ...]
    column: Column
    size: int
    lines: Sequence[int] | None = None
    plain: bool = False
    headerless: bool = False
    first: int | None = None
    keys: Sequence[object] | None = None
    id_at: int | None = None
    notes: tuple[str, ...] = ()
    short: Callable[[int], bool] = field(default=lambda _position: True, repr=False)
    home: Path | None = None
    own_columns: bool = False

    def number(self, row: int) -> int:
        """Return the number of a row, from 0, in the whole table."""
        return row + (self.first or 0)

    def where(self, row: int) -> str:
        """Return the place of a row as people count: ``line 5 (row 3)``; rows start at 0, lines at 1."""
        if self.keys is not None:
            return f"the key {self.keys[row]!r}"
        return f"row {self.number(row)}" if self.lines is None else f"line {self.lines[row]} (row {row})"

    def ids_of(self, rows: Iterable[int]) -> list[str]:
        """Return the ids of some rows, where there is a column of them; cells that are none are left out."""
        if self.id_at is None:
            return []
        cells = self.column(self.id_at)
        return [name for row in rows if (name := as_name(cells[row])) is not None]

    def refusal(self, row: int, must: str, found: str, mend: str) -> DataError:
        """Return the error about a row: what must hold, what was found there, what to do."""
        place = ", ".join([self.where(row), *(f"id {shown([name])}," for name in self.ids_of([row]))])
        return DataError(f"{must} Got {found} at {place} of {self.source}. {mend}")

    def checked(
        self,
        position: int,
        read: Callable[[object], _T | None],
        must: str,
        mend: str,
        *,
        words: Callable[[object], str] | None = None,
        rows: Iterable[int] | None = None,
    ) -> list[_T]:
        """Return what ``read`` makes of the cells of a column, in some rows or all.

        Raises
        ------
        DataError
            The `refusal` of the first cell of which ``read`` makes None; ``words`` say what it is, by default `held`.
        """
        cells, values = self.column(position), []
        for row in range(self.size) if rows is None else rows:
            value = read(cells[row])
            if value is None:
                raise self.refusal(row, must, (words or held)(cells[row]), mend)
            values.append(value)
        return values


def kind_of(value: object) -> str:
    """Return what a cell is, in words for messages."""
    if value is ABSENT:
        return "nothing"
    if value is None:
        return "null (None)"
    names = {NumberText: "number", bool: "boolean", dict: "object"}
    return f"{names.get(type(value), type(value).__name__)} {repr(value)[:40]}"


def is_missing(value: object) -> bool:
    """Return whether a cell has no value: null, NaN, or no such key."""
    if value is None or value is ABSENT or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def held(value: object) -> str:
    """Return what a cell holds, in words for messages: an empty cell where it holds nothing."""
    return "an empty cell" if is_missing(value) or (type(value) is str and not value.strip()) else kind_of(value)


def as_written(value: object) -> str | None:
    """Return a text cell as text, null as "", as null and empty are one thing; None when it is none, or not there."""
    return "" if is_missing(value) and value is not ABSENT else as_text(value)


def as_title(value: object) -> str | None:
    """Return a cell that a row may lack as text; None when it is none."""
    return "" if is_missing(value) else as_text(value)


def as_part(value: object) -> str | None:
    """Return a cell of a template as text, a number or date as written; None when it is none of these."""
    return "" if is_missing(value) else str(value) if isinstance(value, str) else as_name(value)


def as_text(value: object) -> str | None:
    """Return a cell as text; None when it is none. A number of a JSON file is none."""
    return str(value) if isinstance(value, str) and not isinstance(value, NumberText) else None


def as_number(value: object) -> float | None:
    """Return a cell as a finite number; None when it is none."""
    if not isinstance(value, (str, int, float, np.number)) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def as_name(value: object) -> str | None:
    """Return an id or group as text; None for what is missing or blank, or is neither text, number nor date."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (str, numbers.Number, datetime.date, datetime.time, uuid.UUID)) and not is_missing(value):
        name = str(value)
        return name if name.strip() else None
    return None


def plain(items: Sequence[object], source: str, lines: Sequence[int] | None = None) -> Table:
    """Return a table of texts without named columns."""
    return Table(source, (), lambda _position: items, len(items), lines, plain=True)


def of_rows(rows: Sequence[tuple[object, ...]], source: str, lines: Sequence[int] | None = None) -> Table:
    """Return judgements as a table, each a query id, a document id and a grade."""

    def column(position: int) -> list[object]:
        return [row[position] for row in rows]

    return Table(source, ("query_id", "id", "grade"), column, len(rows), lines)


def listed(data: object) -> list[Any]:
    """Return the elements of a list, an iterable, an array or a Series; refuse what has no order."""
    if isinstance(data, (bytes, bytearray, Mapping, set, frozenset)) or not isinstance(data, Iterable):
        raise DataError(
            f"The data must be a list of texts or the path of a file. Got {kind_of(data)}. Pass [text, text, ...]."
        )
    tolist = getattr(data, "tolist", None)  # numpy and pandas: plain Python values
    rows = tolist() if callable(tolist) else data
    return list(rows) if isinstance(rows, Iterable) else [rows]


def refuse_repeated(names: Sequence[str], source: str) -> None:
    """Refuse a column name that occurs twice; columns without a name may."""
    repeated = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if repeated:
        raise DataError(
            f"Every column must have a name of its own. Got {shown(repeated)} more than once in {source}. "
            "Rename or delete one of them."
        )
