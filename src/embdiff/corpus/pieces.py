"""Corpora a piece at a time: Parquet files of any size, or what is in memory already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np

from embdiff import _files
from embdiff.corpus.columns import ColumnName, Columns, pick
from embdiff.corpus.files import opened, shown
from embdiff.corpus.read import read_corpus
from embdiff.corpus.rows import corpus_of
from embdiff.corpus.tables import Table, refuse_repeated
from embdiff.errors import DataError, ParameterError
from embdiff.records import Corpus, IntArray
from embdiff.settings import Emptiness

_SUFFIX = ".parquet"


class Pieces(Protocol):
    """A corpus that is read a piece at a time, as often as wanted.

    Attributes
    ----------
    source : str
        What it is called in messages.
    """

    source: str

    def digest(self) -> str:
        """Return what tells these rows, read in this way, from others: a SHA-256, hexadecimal."""

    def read(self, rows: int) -> Iterator[Corpus]:
        """Yield at most ``rows`` rows at a time, in order; a piece may be empty where rows are dropped."""


def open_pieces(
    data: Any,
    *,
    text_column: ColumnName = None,
    id_column: ColumnName = None,
    group_column: ColumnName = None,
    empty: str = "refuse",
) -> Pieces:
    """Find a corpus that is to be read a piece at a time.

    Parameters
    ----------
    data : path, list of str, or anything `read_corpus` takes
        A ``.parquet`` file, or a folder with such files, is never in memory as a whole; the files of a folder are taken
        in the order of their names. Anything else is read as `read_corpus` does.
    text_column, id_column, group_column, empty
        As for `read_corpus`.

    Returns
    -------
    Pieces

    Raises
    ------
    DataError, ParameterError
        As `read_corpus`; what is wrong in the rows of a Parquet file is told when they are read.
    """
    ways: tuple[Emptiness, ...] = get_args(Emptiness)
    way = next((known for known in ways if known == empty), None)
    if way is None:
        raise ParameterError(f"empty must be one of {', '.join(ways)}. Got {empty!r}. Choose one.")
    columns = Columns(text_column, id_column, group_column)
    if isinstance(data, (str, os.PathLike)):
        path = Path(data)
        files = sorted(path.glob(f"*{_SUFFIX}")) if path.is_dir() else [path] if path.suffix == _SUFFIX else []
        if files and path.exists():
            return ParquetPieces(str(path), files, columns, way)
    return MemoryPieces(
        read_corpus(data, text_column=text_column, id_column=id_column, group_column=group_column, empty=way)
    )


class MemoryPieces:
    """A corpus in memory, a piece at a time.

    Parameters
    ----------
    corpus : Corpus
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus, self.source = corpus, corpus.source

    def digest(self) -> str:
        """Return the corpus's digest; what was dropped in reading it plays no part."""
        return self._corpus.digest()

    def read(self, rows: int) -> Iterator[Corpus]:
        """Yield the rows; the first piece tells what was dropped and guessed."""
        whole = self._corpus
        for start in range(0, len(whole), rows):
            part = slice(start, start + rows)
            yield replace(
                whole,
                items=whole.items[part],
                ids=whole.ids[part],
                groups=None if whole.groups is None else whole.groups[part],
                dropped=() if start else whole.dropped,
                notes=() if start else whole.notes,
            )


class ParquetPieces:
    """Parquet files with the same columns, read a piece at a time.

    Parameters
    ----------
    source : str
        What they are called in messages.
    files : sequence of Path
        At least one.
    columns : Columns
        Which of them are text, id and group.
    empty : {"refuse", "keep", "drop"}

    Raises
    ------
    DataError
        When a file is no Parquet file, there is no text column, or the columns of two files differ.
    """

    def __init__(self, source: str, files: Sequence[Path], columns: Columns, empty: Emptiness) -> None:
        self.source, self._files, self._columns, self._empty = source, tuple(files), columns, empty
        names = {path: _names(path) for path in self._files}
        self._names = names[self._files[0]]
        for path, others in names.items():
            if others != self._names:
                raise DataError(
                    f"Files of one corpus must have the same columns. Got {shown(self._names)} in "
                    f"{self._files[0].name} and {shown(others)} in {path.name} of {source}. Mend or move one of them."
                )
        refuse_repeated(self._names, source)
        picked = pick(Table(source, self._names, lambda _position: [], 0), columns)
        self._wanted = [self._names[at] for at in (picked.text, picked.id, picked.group) if at is not None]
        self._ids_given = picked.id is not None

    def digest(self) -> str:
        """Return a digest of the files' bytes and of how they are read; reads every byte."""
        found = hashlib.sha256(repr((self._columns, self._empty)).encode())
        for path in self._files:
            found.update(opened(path, lambda path=path: _files.sha256_of(path)).encode())  # type: ignore[misc]
        return found.hexdigest()

    def read(self, rows: int) -> Iterator[Corpus]:
        """Yield at most ``rows`` rows at a time; no piece holds rows of two files.

        Raises
        ------
        DataError
            When a row cannot be taken as it is, an id occurs twice, in whatever pieces, or there are no rows at all.
        """
        first, left, seen = 0, 0, Seen()
        for table in self._tables(rows):
            corpus = corpus_of(table, self._columns, self._empty)
            if self._ids_given:
                seen.add(corpus.ids)
            left += len(corpus)
            first += table.size
            yield corpus
        if not left:
            what = f"Got {first:,} rows, all empty" if first else "Got none"
            raise DataError(f"The data must have at least one row with text. {what}, in {self.source}. Add rows.")
        self._refuse_twice(seen.twice(), rows)

    def _tables(self, rows: int) -> Iterator[Table]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        first = 0
        for path in self._files:
            try:
                with opened(path, lambda path=path: pq.ParquetFile(path)) as file:  # type: ignore[misc]
                    for batch in file.iter_batches(batch_size=rows, columns=self._wanted):
                        yield self._table(batch, first)
                        first += batch.num_rows
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise DataError(
                    f"The columns {shown(self._wanted)} of {path} must be readable. Got "
                    f"{str(error).splitlines()[0]} Write the file again."
                ) from None

    def _table(self, batch: Any, first: int) -> Table:
        def column(position: int) -> list[object]:
            return list(batch.column(self._names[position]).to_pylist())

        return Table(self.source, self._names, column, batch.num_rows, first=first)

    def _refuse_twice(self, suspects: set[int], rows: int) -> None:
        """Look at the ids again whose hashes occur twice; refuse the first that truly does."""
        if not suspects:
            return
        wanted, found = np.array(sorted(suspects), dtype=np.uint64), set()
        for table in self._tables(rows):
            ids = corpus_of(table, self._columns, self._empty).ids
            for name in (ids[at] for at in np.flatnonzero(np.isin(hashed(ids), wanted))):
                if name in found:
                    raise DataError(
                        f"Every id must occur once. Got {name!r} more than once in {self.source}. Make the ids unique, "
                        "or number the rows with --id-column none."
                    )
                found.add(name)


class Seen:
    """Ids seen so far, eight bytes each."""

    def __init__(self) -> None:
        self._hashes: list[IntArray] = []

    def add(self, ids: Iterable[str]) -> None:
        """Remember ids."""
        self._hashes.append(hashed(ids))

    def twice(self) -> set[int]:
        """Return the hashes that occur twice: of ids that do, or, hardly ever, of two ids."""
        together = np.sort(np.concatenate(self._hashes)) if self._hashes else np.empty(0, dtype=np.uint64)
        return set(together[:-1][together[1:] == together[:-1]].tolist())


def hashed(ids: Iterable[str]) -> Any:
    """Return 64 bits of each id, uint64 (n,), the same in every process."""
    import pandas as pd

    return pd.util.hash_array(np.array(list(ids), dtype=object), categorize=False)


def _names(path: Path) -> tuple[str, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(opened(path, lambda: pq.read_schema(path)).names)
    except pa.ArrowException as error:
        raise DataError(
            f"A .parquet file must be in the Parquet format. Got {path}: {str(error).splitlines()[0]} "
            "Write it again, or give the file its true extension."
        ) from None
