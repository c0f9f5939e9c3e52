"""Reading .parquet files: a column when it is asked for, or all that is wanted a batch of rows at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from embdiff._memory import room_for_texts
from embdiff._names import refuse_endless
from embdiff.corpus.files import reading, shown, too_large
from embdiff.corpus.tables import Column, Table, refuse_repeated
from embdiff.errors import DataError

_STEP = 1_024  # rows read at a time
_SHORT, _PAGE = 64, 4_096  # bytes of a short cell, and of a column whatever it holds
_OBJECT = 60  # bytes that Python has of its own for each cell


def read_parquet(path: Path) -> Table:
    """Read a file as a table whose columns are read when they are asked for; the others never are.

    Raises
    ------
    DataError
        When it is no Parquet file, or a column name occurs twice.
    """
    refuse_endless(path)
    with _opened(path) as file:
        names, size = tuple(file.schema_arrow.names), int(file.metadata.num_rows)
        short = _short_columns(file)
    refuse_repeated(names, str(path))
    return Table(str(path), names, partial(_column, path, names), size, short=lambda at: names[at] in short)


def _short_columns(file: Any) -> set[str]:
    """Return the columns of single values of few bytes each, by what the file says of their size."""
    sizes = dict[str, int]()
    for group in map(file.metadata.row_group, range(file.metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            sizes[column.path_in_schema] = sizes.get(column.path_in_schema, 0) + column.total_uncompressed_size
    most = _SHORT * file.metadata.num_rows
    single = (each.name for each in file.schema_arrow if not pa.types.is_nested(each.type))
    return {name for name in single if sizes.get(name, 0) <= most + _PAGE}


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
        for table in _blocks(path, file, wanted, rows):
            yield table.num_rows, partial(_cells, path, names, table)


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


def _blocks(path: Path, file: Any, wanted: Sequence[str], rows: int) -> Iterator[Any]:
    """Yield tables of so many rows, the last of what is left; one that memory has no room for is refused before.

    A small file may hold a lot: a value that stands in a dictionary once is a value in every row.
    """
    room, step = room_for_texts(), min(rows, _STEP)
    while step > 1 and step * _longest(path, file.metadata, wanted) > room:
        step //= 2
    found, count, size = [], 0, 0
    for batch in map(_plain, file.iter_batches(batch_size=max(1, step), columns=list(wanted))):
        size += batch.nbytes + _OBJECT * batch.num_rows
        if size > room:
            raise too_large(path, f"in the columns {shown(wanted)}")
        found.append(batch.slice(0, rows - count))
        count += batch.num_rows
        if count >= rows:
            yield pa.Table.from_batches(found)
            count -= rows
            found = [batch.slice(batch.num_rows - count)] if count else []
            size = sum(each.nbytes + _OBJECT * each.num_rows for each in found)
    if found:
        yield pa.Table.from_batches(found)


def _plain(batch: Any) -> Any:
    """Return rows with every value where it stands, so that they weigh what they hold."""
    columns = [each.dictionary_decode() if pa.types.is_dictionary(each.type) else each for each in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _longest(path: Path, metadata: Any, wanted: Sequence[str]) -> int:
    """Return a bound in bytes of the longest value that stands in a dictionary."""
    most = 0
    with path.open("rb") as handle:
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                if column.path_in_schema.partition(".")[0] in wanted and column.has_dictionary_page:
                    handle.seek(column.dictionary_page_offset)
                    size = _page_size(handle.read(16))
                    most = max(most, column.total_uncompressed_size if size is None else size)
    return most


def _page_size(header: bytes) -> int | None:
    """Return the size of a page when it is unpacked, of the first bytes of its header: kind and size, as Thrift has it.

    References
    ----------
    https://parquet.apache.org/docs/file-format/data-pages/,
    https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
    """
    found = re.match(rb"\x15[\x80-\xff]*[\x00-\x7f]\x15([\x80-\xff]*[\x00-\x7f])", header, re.DOTALL)
    if not found:
        return None
    zigzag = sum((byte & 127) << 7 * at for at, byte in enumerate(found[1]))
    return zigzag >> 1 if zigzag % 2 == 0 else None


def _column(path: Path, names: Sequence[str], position: int) -> list[object]:
    with _opened(path, [names[position]]) as file:
        blocks = _blocks(path, file, [names[position]], file.metadata.num_rows)
        table = next(blocks, file.schema_arrow.empty_table())
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
