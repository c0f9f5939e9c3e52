"""Reading a file as a table, by its extension: strict about what would otherwise be read wrongly in silence."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from embdiff.corpus.columns import Columns, header_rule
from embdiff.corpus.files import EXTENSIONS, check_file, exists, read_text, shown
from embdiff.corpus.tables import ABSENT, HeaderRule, NumberText, Table, kind_of, listed, plain, refuse_repeated
from embdiff.errors import DataError

SAMPLE = "sample"
SAMPLE_FILE = Path(__file__).parent / "sample" / "four_songs.csv"
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons"}
_LARGEST_CELL = 2**31 - 1
_limit_lock = threading.Lock()


def always_header(_cells: Sequence[str], _surely: bool) -> bool:
    """Take line 1 of a .csv or .tsv for the names of the columns, whatever it holds."""
    return True


def names_sample(data: object) -> bool:
    """Return whether ``data`` means the bundled sample: its name, unless a file is called so."""
    return isinstance(data, str) and data == SAMPLE and not Path(data).is_file()


def table_of(data: object, columns: Columns) -> Table:
    """Return a file, the sample, a list, dict rows, a Series or a DataFrame as a table."""
    if names_sample(data):
        return replace(read_table(SAMPLE_FILE, header_rule(columns)), source=SAMPLE)
    if isinstance(data, (str, os.PathLike)):
        return read_table(_path(data), header_rule(columns))
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "iloc") and hasattr(data, "columns"):
        table = _from_frame(data)
    else:
        rows = listed(data)
        if rows and isinstance(rows[0], Mapping):
            for row, each in enumerate(rows):
                if not isinstance(each, Mapping):
                    raise DataError(f"Every row must be a dict, like row 0. Got {kind_of(each)} at row {row}. Mend it.")
            table = _from_objects(rows, "list")
        else:
            table = plain(rows, "list")
    if not table.size:
        raise DataError(f"The data must have at least one row. Got an empty {table.source}. Add rows.")
    return table


def _from_objects(objects: Sequence[Mapping[str, object]], source: str, lines: Sequence[int] | None = None) -> Table:
    """Return a table of mappings; the columns are all their keys, in order of appearance."""
    keys = list(dict.fromkeys(key for each in objects for key in each))

    def column(position: int) -> list[object]:
        return [each.get(keys[position], ABSENT) for each in objects]

    return Table(source, tuple(str(key) for key in keys), column, len(objects), lines)


def _from_frame(frame: Any) -> Table:
    """Return a pandas DataFrame as a table; its index is not looked at."""
    names = tuple(str(name) for name in frame.columns)
    refuse_repeated(names, "the DataFrame")
    return Table("DataFrame", names, lambda position: frame.iloc[:, position].tolist(), len(frame))


def _path(data: str | os.PathLike[str]) -> Path:
    path = Path(data)
    looks_like_text = isinstance(data, str) and (
        "\n" in data or (" " in data.strip() and path.suffix.lower() not in EXTENSIONS) or not data.strip()
    )
    if looks_like_text and not (str(data).strip() and exists(path)):
        raise DataError(
            f"The data must be a list of texts or the path of a file. Got one string, {shown([data])}. "
            "Pass [text, text, ...] or a path."
        )
    return path


def read_table(path: Path, is_header: HeaderRule = always_header) -> Table:
    """Read a file by its extension.

    Parameters
    ----------
    path : Path
    is_header : callable
        Whether the cells of line 1 of a .csv or .tsv name the columns.

    Raises
    ------
    DataError
        When the file is missing, unreadable, malformed or has no rows.
    """
    extension = check_file(path)
    if extension == ".txt":
        table = _read_lines(path)
    elif extension in _SEPARATORS:
        table = _read_delimited(path, _SEPARATORS[extension], is_header)
    elif extension == ".parquet":
        from embdiff.corpus.parquet import read_parquet  # pyarrow takes a while to import

        table = read_parquet(path)
    else:
        table = _read_json_lines(path)
    if not table.size:
        raise DataError(f"The data must have at least one row. Got none in {path}. Add rows or name another file.")
    return table


def _read_lines(path: Path) -> Table:
    rows = read_text(path).replace("\r\n", "\n").split("\n")
    if not rows[-1]:
        rows.pop()  # the line end of the last line
    return plain(rows, str(path), range(1, len(rows) + 1))


def _read_json_lines(path: Path) -> Table:
    decoder = json.JSONDecoder(parse_int=NumberText, parse_float=NumberText, parse_constant=_no_constant)
    values: list[Any] = []
    lines: list[int] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip(" \t\r"):
            continue
        try:
            value = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"Every line of a {path.suffix} file must be one JSON value. Got line {number} of {path}: "
                f"{_json_reason(error)}. Mend or delete the line."
            ) from None
        if type(value) not in (dict, str) or (values and type(value) is not type(values[0])):
            raise DataError(
                "Every line must be a JSON object, or every line a string. "
                f"Got {kind_of(value)} at line {number} (row {len(values)}) of {path}. Make all lines alike."
            )
        values.append(value)
        lines.append(number)
    if values and isinstance(values[0], str):
        return plain(values, str(path), lines)
    return _from_objects(values, str(path), lines)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _read_delimited(path: Path, delimiter: str, is_header: HeaderRule) -> Table:
    """Read cells separated by ``delimiter``, in quotes where they hold it, line breaks or quotes.

    A blank line makes no row, except where there is one column: there it is an empty cell.
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
