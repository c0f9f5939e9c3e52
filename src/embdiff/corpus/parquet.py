"""Reading .parquet files: a column when it is asked for, or all that is wanted a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from embdiff._files import refuse_endless
from embdiff.corpus.files import reading, shown
from embdiff.corpus.tables import Column, Table, refuse_repeated
from embdiff.errors import DataError


def read_parquet(path: Path) -> Table:
    """Read a file as a table whose columns are read when they are asked for; the others never are.

    Raises
    ------
    DataError
        When it is no Parquet file, or a column name occurs twice.
    """
    refuse_endless(path)
    try:
        with reading(path), pq.ParquetFile(path) as file:
            names, size = tuple(file.schema_arrow.names), int(file.metadata.num_rows)
    except pa.ArrowException as error:
        raise DataError(
            f"A .parquet file must be in the Parquet format. Got {path}: {str(error).splitlines()[0]} "
            "Write it again, or give the file its true extension."
        ) from None
    refuse_repeated(names, str(path))
    return Table(str(path), names, partial(_column, path, names), size)


def batches(path: Path, names: Sequence[str], wanted: Sequence[str], rows: int) -> Iterator[tuple[int, Column]]:
    """Yield at most ``rows`` rows at a time: how many, and what returns the cells of a column by its position.

    Parameters
    ----------
    path : Path
    names, wanted : sequence of str
        All columns of the file, and those that are read.
    rows : int

    Raises
    ------
    DataError
        When a column cannot be read.
    """
    try:
        with reading(path), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=list(wanted)):
                yield batch.num_rows, partial(_cells, path, names, batch)
    except pa.ArrowException as error:
        raise _unreadable(path, wanted, str(error)) from None


def _column(path: Path, names: Sequence[str], position: int) -> list[object]:
    try:
        with reading(path), pq.ParquetFile(path) as file:
            table = file.read(columns=[names[position]])
    except pa.ArrowException as error:
        raise _unreadable(path, [names[position]], str(error)) from None
    return _cells(path, names, table, position)


def _cells(path: Path, names: Sequence[str], table: Any, position: int) -> list[object]:
    column = table.column(names[position])
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        found = f"text that is not UTF-8 at row {_first_undecodable(column)}"
        raise _unreadable(path, [names[position]], found) from None


def _unreadable(path: Path, names: Sequence[str], found: str) -> DataError:
    what = "Column" if len(names) == 1 else "The columns"
    return DataError(
        f"{what} {shown(names)} of {path} must be readable. Got {found.splitlines()[0]}. Write the file again."
    )


def _first_undecodable(column: Any) -> int:
    for row, cell in enumerate(column):
        try:
            cell.as_py()
        except UnicodeDecodeError:
            return row
    return -1
