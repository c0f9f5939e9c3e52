"""Reading a file as a table, by its extension: strict about what would otherwise be read wrongly in silence."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import Any, TypeGuard

from embdiff.corpus.columns import Columns, header_rule
from embdiff.corpus.delimited import SEPARATORS, always_header, notes_on_lines, read_delimited
from embdiff.corpus.files import EXTENSIONS, FOUND, Form, check_file, exists, extension_of, lines_of, read_text, shown
from embdiff.corpus.hub import Place, place_of
from embdiff.corpus.images import image_table
from embdiff.corpus.pages.folder import page_table
from embdiff.corpus.shards import joined, shard_table
from embdiff.corpus.tables import (
    ABSENT,
    HeaderRule,
    NumberText,
    Table,
    kind_of,
    listed,
    of_keys,
    plain,
    refuse_repeated,
)
from embdiff.errors import DataError

SAMPLE = "sample"
SAMPLE_FILE = Path(__file__).parent / "sample" / "four_songs.csv"
_SAMPLES = {SAMPLE: SAMPLE_FILE, "sample-languages": SAMPLE_FILE.with_name("four_languages.csv")}


def names_sample(data: object) -> TypeGuard[str]:
    """Return whether ``data`` means a bundled sample: its name, unless a file is called so."""
    return isinstance(data, str) and data in _SAMPLES and not Path(data).is_file()


def table_of(data: object, columns: Columns) -> Table:
    """Return a file, the sample, a list, dict rows, a Series or a DataFrame as a table."""
    if names_sample(data):
        return replace(read_table(_SAMPLES[data], header_rule(columns)), source=data)
    if isinstance(data, (str, os.PathLike)):
        return _table_at(place_of(data), data, columns)
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


def _table_at(place: Place, data: str | os.PathLike[str], columns: Columns) -> Table:
    """Return the table of a file, a folder, or the split of one."""
    if len(place.files) > 1:
        table = joined(place.files, place.called)
    else:
        path = place.single if place.files or place.notes else _path(data)
        own = None if place.files else page_table(path, columns.form) or image_table(path) or shard_table(path)
        table = own or replace(read_table(path, header_rule(columns), columns.form), home=path.parent)
    return replace(table, source=place.called, notes=(*place.notes, *table.notes))


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
        "\n" in data or (" " in data.strip() and extension_of(path) not in EXTENSIONS) or not data.strip()
    )
    if looks_like_text and not (str(data).strip() and exists(path)):
        raise DataError(
            f"The data must be a list of texts or the path of a file. Got one string, {shown([data])}. "
            "Pass [text, text, ...] or a path."
        )
    return path


def read_table(path: Path, is_header: HeaderRule = always_header, form: Form = FOUND) -> Table:
    """Read a file by its extension.

    Parameters
    ----------
    path : Path
    is_header : callable
        Whether the cells of line 1 of a .csv or .tsv name the columns.
    form : Form, optional
        How the file is written, where it does not say so itself.

    Raises
    ------
    DataError
        When the file is missing, unreadable, malformed or has no rows.
    """
    extension = check_file(path)
    if extension == ".parquet":
        from embdiff.corpus.parquet import read_parquet  # pyarrow takes a while to import

        table = read_parquet(path)
    else:
        text = read_text(path, form.encoding)
        if extension == ".txt":
            table = _lines(path, text, is_header)
        elif extension in SEPARATORS:
            table = read_delimited(path, text, SEPARATORS[extension], is_header, form)
        else:
            table = _json_lines(path, text)
    if not table.size:
        raise DataError(f"The data must have at least one row. Got none in {path}. Add rows or name another file.")
    return table


def _lines(path: Path, text: str, is_header: HeaderRule) -> Table:
    rows = lines_of(text)
    if not rows[-1]:
        rows.pop()  # the line end of the last line
    notes = (*_returns(path, text, rows), *notes_on_lines(path, rows, is_header))
    return replace(plain(rows, str(path), range(1, len(rows) + 1)), notes=notes)


def _returns(path: Path, text: str, rows: Sequence[str]) -> list[str]:
    """Return in a sentence what became of carriage returns that no line feed follows."""
    if "\n" not in text and len(rows) > 1:
        return [f"The lines of {path} end in carriage returns alone, as on old Macs: each was read as a text."]
    held = [row for row, line in enumerate(rows) if "\r" in line]
    if not held:
        return []
    return [
        f"{len(held):,} texts of {path} hold a carriage return (the first at line {held[0] + 1}): each was read as one "
        "text. If they end lines, write line feeds instead."
    ]


def _json_lines(path: Path, text: str) -> Table:
    decoder = json.JSONDecoder(
        object_pairs_hook=of_keys, parse_int=NumberText, parse_float=NumberText, parse_constant=_no_constant
    )
    values: list[Any] = []
    lines: list[int] = []
    kind: type | None = None
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip(" \t\r"):
            continue
        try:
            value = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"Every line of a {extension_of(path)} file must be one JSON value. Got line {number} of {path}: "
                f"{_json_reason(error)}. Mend or delete the line."
            ) from None
        alike = (dict,) if kind is dict else (str, NoneType) if values else (dict, str, NoneType)  # null: an empty text
        if type(value) not in alike:
            raise DataError(
                "Every line must be a JSON object, or every line a string. "
                f"Got {kind_of(value)} at line {number} (row {len(values)}) of {path}. Make all lines alike."
            )
        kind = type(value) if value is not None else kind
        values.append(value)
        lines.append(number)
    if kind is not dict:
        return plain(values, str(path), lines)
    return _from_objects(values, str(path), lines)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
