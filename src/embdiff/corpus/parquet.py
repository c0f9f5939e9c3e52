"""Reading .parquet files: a column when it is asked for, or all that is wanted a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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
    with _opened(path) as file:
        names, size = tuple(file.schema_arrow.names), int(file.metadata.num_rows)
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
    with _opened(path, wanted) as file:
        for batch in file.iter_batches(batch_size=rows, columns=list(wanted)):
            yield batch.num_rows, partial(_cells, path, names, batch)


@contextmanager
def _opened(path: Path, wanted: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
    """Open a file, to read some columns inside the block; pages with a checksum are compared with it.

    Raises
    ------
    DataError
        When it cannot be read: told of the columns, or of the file where none are wanted.
    """
    with reading(path):
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                yield file
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's; Arrow says so, too, when the file is damaged
            found = str(error).strip().splitlines()[0].rstrip(".")[:200]
            if wanted:
                raise _unreadable(path, wanted, found) from None
            raise DataError(
                f"A .parquet file must be in the Parquet format. Got {path}: {found}. Write it again, or give the file "
                "its true extension."
            ) from None


def _column(path: Path, names: Sequence[str], position: int) -> list[object]:
    with _opened(path, [names[position]]) as file:
        table = file.read(columns=[names[position]])
    return _cells(path, names, table, position)


def _cells(path: Path, names: Sequence[str], table: Any, position: int) -> list[object]:
    column = table.column(names[position])
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        found = f"text that is not UTF-8 at row {first_undecodable(column)}"
        raise _unreadable(path, [names[position]], found) from None


def _unreadable(path: Path, names: Sequence[str], found: str) -> DataError:
    what = "Column" if len(names) == 1 else "The columns"
    return DataError(f"{what} {shown(names)} of {path} must be readable. Got {found}. Write the file again.")


def first_undecodable(column: Any) -> int:
    """Return the row of the first text of an Arrow column that is not UTF-8."""
    for row, cell in enumerate(column):
        try:
            cell.as_py()
        except UnicodeDecodeError:
            return row
    return -1
