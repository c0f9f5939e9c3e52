"""Reading a file as a table, by its extension."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from embdiff.corpus.delimited import read_delimited
from embdiff.corpus.files import check_file, opened, read_text
from embdiff.corpus.tables import HeaderRule, NumberText, Table, from_objects, kind_of, plain, refuse_repeated
from embdiff.errors import DataError


def read_table(path: Path, is_header: HeaderRule) -> Table:
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
    elif extension in (".csv", ".tsv"):
        table = read_delimited(path, "," if extension == ".csv" else "\t", is_header)
    elif extension == ".parquet":
        table = _read_parquet(path)
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
            values.append(decoder.decode(line))
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"Every line of a {path.suffix} file must be one JSON value. Got line {number} of {path}: "
                f"{_json_reason(error)}. Mend or delete the line."
            ) from None
        lines.append(number)
    first = type(values[0]) if values else dict
    for row, value in enumerate(values):
        if type(value) not in (dict, str) or type(value) is not first:
            raise DataError(
                "Every line must be a JSON object, or every line a string. "
                f"Got {kind_of(value)} at line {lines[row]} (row {row}) of {path}. Make all lines alike."
            )
    return plain(values, str(path), lines) if first is str else from_objects(values, str(path), lines)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _read_parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read() -> tuple[tuple[str, ...], int]:
        with pq.ParquetFile(path) as file:
            return tuple(file.schema_arrow.names), int(file.metadata.num_rows)

    try:
        names, size = opened(path, read)
    except pa.ArrowException as error:
        raise DataError(
            f"A .parquet file must be in the Parquet format. Got {path}: {str(error).splitlines()[0]} "
            "Write it again, or give the file its true extension."
        ) from None
    refuse_repeated(names, str(path))
    return Table(str(path), names, partial(_parquet_column, path, names), size)


def _parquet_column(path: Path, names: Sequence[str], position: int) -> list[object]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = None
    try:
        with pq.ParquetFile(path) as file:
            column = opened(path, lambda: file.read(columns=[names[position]])).column(names[position])
        return list(column.to_pylist())
    except pa.ArrowException as error:
        found = str(error).splitlines()[0]
    except UnicodeDecodeError:
        found = f"text that is not UTF-8 at row {_first_undecodable(column)}"
    raise DataError(
        f"Column {names[position]!r} of {path} must be readable. Got {found}. Write the file again."
    ) from None


def _first_undecodable(column: Any) -> int:
    for row, cell in enumerate(column):
        try:
            cell.as_py()
        except UnicodeDecodeError:
            return row
    return -1
