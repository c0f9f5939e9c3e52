"""Reading .csv and .tsv: RFC 4180 quoting, strict about what would otherwise be read wrongly in silence."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from embdiff.corpus.files import read_text, shown
from embdiff.corpus.tables import HeaderRule, Table, refuse_repeated
from embdiff.errors import DataError

_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons"}
_LARGEST_CELL = 2**31 - 1
_limit_lock = threading.Lock()


def read_delimited(path: Path, delimiter: str, is_header: HeaderRule) -> Table:
    """Read cells separated by ``delimiter``, in quotes where they hold it, line breaks or quotes.

    A blank line makes no row, except where there is one column: there it is an empty cell.

    Parameters
    ----------
    path : Path
    delimiter : str
        One character.
    is_header : callable
        Whether the cells of line 1 name the columns.

    Raises
    ------
    DataError
        When a quote is not closed, rows differ in length, or a column name occurs twice.
    """
    rows, lines = _records(path, delimiter)
    width = max(1, next((len(row) for row in rows if row), 1))
    if width == 1:
        rows = [row or [""] for row in rows]
    elif not all(rows):
        lines = [line for row, line in zip(rows, lines, strict=True) if row]
        rows = [row for row in rows if row]
    if not rows:
        return Table(str(path), (), lambda _position: [], 0)
    _refuse_other_delimiter(path, delimiter, rows[0], is_header)
    header = is_header(rows[0], False)
    names = tuple(name.strip() for name in rows[0]) if header else tuple(map(str, range(width)))
    refuse_repeated(names, str(path))
    _refuse_ragged(path, rows, lines, header)
    body, lines = rows[header:], lines[header:]
    return Table(
        str(path), names, lambda position: [row[position] for row in body], len(body), lines, headerless=not header
    )


def _records(path: Path, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Return the cells of each record and the line on which it begins."""
    rows: list[list[str]] = []
    lines: list[int] = []
    begin = 1
    with _any_cell_size():
        reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
        try:
            for row in reader:
                rows.append(row)
                lines.append(begin)
                begin = reader.line_num + 1
        except csv.Error as error:
            unclosed = "unexpected end of data" in str(error)
            found = "a quote that is never closed" if unclosed else f"{error} (read to line {reader.line_num})"
            raise DataError(
                'A cell that begins with a quote must end with one, quotes inside it doubled (""). '
                f"Got, in the row that begins on line {begin} of {path}: {found}. "
                f"Mend the quotes there (cells are separated by {_NAMES[delimiter]}), or save the data as .jsonl."
            ) from None
    return rows, lines


@contextmanager
def _any_cell_size() -> Iterator[None]:
    """Lift the csv module's limit of 128 kB for a cell, and put it back: it is global."""
    with _limit_lock:
        before = csv.field_size_limit(_LARGEST_CELL)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _refuse_other_delimiter(path: Path, delimiter: str, first: Sequence[str], is_header: HeaderRule) -> None:
    """Refuse a single column whose first cell, split otherwise, holds the name of a column."""
    for other in set(_NAMES) - {delimiter}:
        if len(first) == 1 and other in first[0] and is_header(first[0].split(other), True):
            extension = {"\t": ", or rename it to .tsv", ",": ", or rename it to .csv"}.get(other, "")
            raise DataError(
                f"Cells of a {path.suffix} file must be separated by {_NAMES[delimiter]}. Got {first[0]!r} on line 1 "
                f"of {path}, separated by {_NAMES[other]}. Save it with {_NAMES[delimiter]}{extension}."
            )


def _refuse_ragged(path: Path, rows: Sequence[Sequence[str]], lines: Sequence[int], header: bool) -> None:
    width = len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != width:
            raise DataError(
                f"Every row must have as many cells as line 1: {width}. Got {len(row)} at line {lines[number]} "
                f"(row {number - header}) of {path}: {shown(row, 4)}. "
                "Add or remove cells there; put quotes around a cell that holds the separator."
            )
