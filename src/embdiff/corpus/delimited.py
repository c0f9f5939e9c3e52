"""Reading .csv and .tsv: strict about quotes, separators and headers that would be read wrongly in silence."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Literal

from embdiff.corpus.files import Form, extension_of, shown
from embdiff.corpus.tables import HeaderRule, Table, refuse_repeated
from embdiff.errors import DataError

SEPARATORS = {".csv": ",", ".tsv": "\t"}
_NAMES = {",": "comma", "\t": "tab", ";": "semicolon"}
_LARGEST_CELL = 2**31 - 1
_SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?[,;\t]*(\r\n|\n|\r)', re.IGNORECASE)  # Excel's first line
_FIRST_LINES = 10
_ROWS = 10_000  # that are looked at for what a header does not hold
_TABLE = "It may be a table, as {} of {} has {}: it was read as one text a line. If it is one, rename it to {}."
_limit_lock = threading.Lock()


def always_header(_cells: Sequence[str], _surely: bool) -> bool:
    """Take line 1 of a .csv or .tsv for the names of the columns, whatever it holds."""
    return True


def read_delimited(path: Path, text: str, delimiter: str, is_header: HeaderRule, form: Form) -> Table:
    """Read cells separated by ``delimiter``, in quotes where they hold it, line breaks or quotes.

    A blank line makes no row, except where there is one column: there it is an empty cell.

    Raises
    ------
    DataError
        When quotes, cells or the header are not plain; the message names the line and the ways out.
    """
    said = _SEPARATOR_LINE.match(text)
    notes: list[str] = []
    if said is not None:
        text, delimiter = text[said.end() :], said[1]
        notes.append(f"Line 1 of {path} is {said[0].strip()}: its cells are separated by {_named(delimiter)}.")
    rows, lines, merged = _records(path, text, delimiter, 2 if said else 1, form)
    notes += merged
    width = max(1, next((len(row) for row in rows if row), 1))
    if width == 1:
        rows = [row or [""] for row in rows]
    elif not all(rows):
        lines = [line for row, line in zip(rows, lines, strict=True) if row]
        rows = [row for row in rows if row]
    if not rows:
        return Table(str(path), (), lambda _position: [], 0)
    if width == 1:
        notes += _one_column(path, delimiter, rows, lines, is_header)
    header, guessed = _header(path, lines[0], rows, is_header, form)
    names = tuple(name.strip() for name in rows[0]) if header else tuple(map(str, range(width)))
    refuse_repeated(names, str(path))
    _refuse_ragged(path, rows, lines, header)
    notes += guessed
    body, lines = rows[header:], lines[header:]
    return Table(
        str(path), names, lambda position: [row[position] for row in body], len(body), lines, headerless=not header,
        notes=tuple(notes),
    )  # fmt: skip


def _named(delimiter: str) -> str:
    return f"{_NAMES[delimiter]}s" if delimiter in _NAMES else repr(delimiter)


def _counted(count: int, delimiter: str) -> str:
    return f"{count:,} {_NAMES[delimiter]}{'s' * (count > 1)}"


class _Quotes:
    """Whether quotes hold the cells of a file together, or two stray ones swallow the rows between them.

    Nothing tells where every line, read without quotes, is a whole row too. Lines that are not, quotes doubled inside a
    cell and names of columns in quotes show a file that does quote.
    """

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path, self.delimiter = path, delimiter
        self.width = 0
        self.shown = False
        self.merged: list[tuple[int, int, str]] = []

    def look(self, seen: Sequence[str], row: Sequence[str], begin: int) -> None:
        """Look at the lines of a record, and what was read from them."""
        if not self.width and row:
            self.width = len(row)
            self.shown = all(cell.lstrip().startswith('"') for cell in "".join(seen).split(self.delimiter))
        whole = [line.count(self.delimiter) == self.width - 1 for line in seen if self.width == 1 or line.strip("\r\n")]
        if not all(whole):
            self.shown = True
        elif len(seen) > 1:
            self.merged.append((begin, begin + len(seen) - 1, seen[0].strip()))
        text = "".join(seen)
        self.shown = self.shown or ('""' in text and any('"' in cell and cell not in text for cell in row))

    def notes(self) -> list[str]:
        """Return in a sentence which lines were read as one row; refuse them where nothing shows that it is one."""
        if not self.merged:
            return []
        (first, last, line), *others = self.merged
        if self.shown:
            more = f", and {len(others):,} more such rows," if others else ""
            return [
                f"Lines {first:,} to {last:,} of {self.path}{more} were read as one row, as quotes hold them together; "
                "without quotes each line would be a row. --no-quotes reads them so."
            ]
        raise DataError(
            f"A cell in quotes must be plainly one cell. Got one that opens on line {first} and closes on line {last} "
            f"of {self.path}, while every line of the file is a whole row without quotes, too: {shown([line])}. Add "
            "--no-quotes if quotes in this file are part of the text, or --quotes if the cell does span these lines."
        )


def _records(
    path: Path, text: str, delimiter: str, first: int, form: Form
) -> tuple[list[list[str]], list[int], list[str]]:
    """Return the cells of each record, the line on which it begins, and what was guessed about quotes."""
    rows: list[list[str]] = []
    lines: list[int] = []
    begin = first
    seen: list[str] = []
    quotes = _Quotes(path, delimiter)

    def watched() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            seen.append(line)
            yield line

    quoting: Literal[0, 3] = csv.QUOTE_NONE if form.quotes is False else csv.QUOTE_MINIMAL
    with _any_cell_size():
        reader = csv.reader(watched(), delimiter=delimiter, strict=True, quoting=quoting)
        try:
            for row in reader:
                if form.quotes is None:
                    quotes.look(seen, row, begin)
                rows.append(row)
                lines.append(begin)
                begin = reader.line_num + first
                seen.clear()
        except csv.Error as error:
            unclosed = "unexpected end of data" in str(error)
            found = "a quote that is never closed" if unclosed else f"{error} (read to line {begin + len(seen) - 1})"
            raise DataError(
                'A cell that begins with a quote must end with one, quotes inside it doubled (""). '
                f"Got, in the row that begins on line {begin} of {path}: {found}. "
                f"Mend the quotes there (cells are separated by {_named(delimiter)}), add --no-quotes if quotes in "
                "this file are part of the text, or save the data as .jsonl."
            ) from None
    return rows, lines, quotes.notes()


@contextmanager
def _any_cell_size() -> Iterator[None]:
    """Lift the csv module's limit of 128 kB for a cell, and put it back: it is global."""
    with _limit_lock:
        before = csv.field_size_limit(_LARGEST_CELL)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _header(
    path: Path, line: int, rows: Sequence[Sequence[str]], is_header: HeaderRule, form: Form
) -> tuple[bool, list[str]]:
    """Return whether the first line names the columns, as said or else by its cells, and what was guessed."""
    if form.header is not None or is_header is always_header:
        return form.header is not False, []
    found, again = is_header(rows[0], False), _again(rows)
    if found and again is not None and is_header(rows[0], True):
        raise DataError(
            f"Whether line {line} names the columns must be plain. Got {shown(rows[0], 6)} in {path}, and "
            f"{again!r} again below in its column, as in data. Add --header if line {line} names the columns, or "
            "--no-header if it is data."
        )
    if found is None and again is None:
        return True, [
            f"Line {line} of {path} was taken for the names of the columns, though that is not plain from them: "
            f"{shown(rows[0], 6)}. If it is data, add --no-header."
        ]
    if found:
        return True, []
    why = (
        "none of its cells is a known column name"
        if again is None or found is False
        else f"{again!r} stands below, too"
    )
    return False, [f"Line {line} of {path} was taken as data: {why}. If it names the columns, add --header."]


def _again(rows: Sequence[Sequence[str]]) -> str | None:
    """Return a cell of the first row that stands in its column again; what names a column does not."""
    for position, cell in enumerate(rows[0]):
        name = cell.strip().casefold()
        if name and any(row[position].strip().casefold() == name for row in rows[1:_ROWS] if position < len(row)):
            return cell.strip()[:40]
    return None


def _one_column(
    path: Path, delimiter: str, rows: Sequence[Sequence[str]], lines: Sequence[int], is_header: HeaderRule
) -> list[str]:
    """Refuse a single column that holds the names of columns, split otherwise; return what else looks like columns."""
    cells = [row[0] for row in rows]
    for other in sorted(set(_NAMES) - {delimiter}):
        for at, cell in enumerate(cells[:_FIRST_LINES]):
            if other not in cell or (at and _every(cells[at:], other) == 0):
                continue
            if is_header(cell.split(other), True):
                extension = {"\t": ", or rename it to .tsv", ",": ", or rename it to .csv"}.get(other, "")
                above = f", and delete the lines above line {lines[at]}" if at else ""
                raise DataError(
                    f"Cells of a {extension_of(path)} file must be separated by {_named(delimiter)}. "
                    f"Got {cell[:80]!r} on line {lines[at]} of {path}, separated by {_named(other)}. "
                    f"Save it with {_named(delimiter)}{extension}{above}."
                )
    if len(rows) < 2:
        return []
    return [
        f"Every row of {path} has {_counted(count, other)} and none is split: it was read as one column. If they "
        f"separate cells, save it with {_named(delimiter)}."
        for other in sorted(set(_NAMES) - {delimiter})
        if (count := _every(cells, other))
    ]


def notes_on_lines(path: Path, lines: Sequence[str], is_header: HeaderRule) -> tuple[str, ...]:
    """Return what makes the lines of a .txt look like a table, which they were not read as.

    A few lines of prose may each have one comma: then line 1 must have the names of columns, too.
    """
    if len(lines) < 2:
        return ()
    if all(line.startswith("{") and line.rstrip().endswith("}") for line in lines):
        return (_TABLE.format("every line", path, "braces around it", ".jsonl"),)
    for separator, extension in (("\t", ".tsv"), (";", ".csv"), (",", ".csv")):
        count = _every(lines, separator)
        if count and (separator == "\t" or len(lines) >= _FIRST_LINES):
            return (_TABLE.format("every line", path, _counted(count, separator), extension),)
        if separator in lines[0] and is_header(lines[0].split(separator), True):
            return (_TABLE.format("line 1", path, f"names of columns: {shown([lines[0]])}", extension),)
    return ()


def _every(cells: Sequence[str], separator: str) -> int:
    """Return how often each of some cells holds a separator; 0 when not all of them as often."""
    counts = [cell.count(separator) for cell in cells]
    return counts[0] if all(one == other for one, other in pairwise(counts)) else 0


def _refuse_ragged(path: Path, rows: Sequence[Sequence[str]], lines: Sequence[int], header: bool) -> None:
    width = len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != width:
            raise DataError(
                f"Every row must have as many cells as line {lines[0]}: {width}. Got {len(row)} at line "
                f"{lines[number]} (row {number - header}) of {path}: {shown(row, 4)}. "
                "Add or remove cells there; put quotes around a cell that holds the separator."
            )
