"""Corpora a piece at a time: Parquet files of any size, or what is in memory already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from embdiff import _files, _names
from embdiff.corpus.columns import Columns, pick
from embdiff.corpus.files import reading, shown
from embdiff.corpus.hub import place_of
from embdiff.corpus.parquet import batches, read_parquet
from embdiff.corpus.read import corpus_from, corpus_of, rows_of
from embdiff.corpus.tables import Table, as_name
from embdiff.errors import DataError
from embdiff.records import Corpus
from embdiff.settings import Emptiness, RunConfig

_SUFFIX = ".parquet"


@dataclass(frozen=True)
class Pieces:
    """A corpus that is read a piece at a time, as often as wanted.

    Parameters
    ----------
    source : str
        What it is called in messages.
    digest : callable
        Returns what tells these rows, read in this way, from others: a SHA-256, hexadecimal.
    read : callable
        Most rows of a piece → the pieces, each a `Corpus`, in order; one may be empty where rows are dropped.
    """

    source: str
    digest: Callable[[], str]
    read: Callable[[int], Iterator[Corpus]]


def open_pieces(data: Any, columns: Columns, empty: str) -> Pieces:
    """Find a corpus that is to be read a piece at a time.

    Parameters
    ----------
    data : path, list of str, or anything `read_corpus` takes
        A ``.parquet`` file, or a folder with such files, is never in memory as a whole; the files of a folder are taken
        in the order of their names, numbers in them by size. Anything else is read as `read_corpus` does.
    columns : Columns
        Which are text, id and group.
    empty : {"refuse", "keep", "drop"}
        As for `read_corpus`.

    Returns
    -------
    Pieces

    Raises
    ------
    DataError, ParameterError
        As `read_corpus`; what is wrong in the rows of a Parquet file is told when they are read.
    """
    way = RunConfig.checked(empty=empty).empty
    if isinstance(data, (str, os.PathLike)):
        place = place_of(data)
        path, files = place.path, [each for each in place.files if each.suffix == _SUFFIX]
        if not place.files:
            inside = _names.by_number(path.glob(f"*{_SUFFIX}")) if path.is_dir() else [path]
            files = [each for each in inside if each.suffix == _SUFFIX]
        if files and path.exists():
            parquet = _Parquet(place.called, files, columns, way)
            return Pieces(place.called, parquet.digest, parquet.read)
    whole = corpus_from(data, columns, way)
    return Pieces(whole.source, whole.digest, partial(_pieces_of, whole))


def _pieces_of(whole: Corpus, rows: int) -> Iterator[Corpus]:
    """Yield the rows of a corpus in memory; the first piece tells what was dropped and guessed."""
    for start in range(0, len(whole), rows):
        piece = rows_of(whole, range(start, min(start + rows, len(whole))))
        yield piece if start else replace(piece, dropped=whole.dropped, notes=whole.notes)


class _Parquet:
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
        names = {path: read_parquet(path).columns for path in self._files}
        self._names = names[self._files[0]]
        for path, others in names.items():
            if others != self._names:
                raise DataError(
                    f"Files of one corpus must have the same columns. Got {shown(self._names)} in "
                    f"{self._files[0].name} and {shown(others)} in {path.name} of {source}. Mend or move one of them."
                )
        picked = pick(Table(source, self._names, lambda _position: [], 0), columns)
        self._wanted = [self._names[at] for at in picked.positions()]
        self._id_at = picked.id

    def digest(self) -> str:
        """Return a digest of the files' bytes and of how they are read; reads every byte."""
        found = hashlib.sha256(repr((self._columns, self._empty)).encode())
        for path in self._files:
            with reading(path):
                found.update(_files.sha256_of(path).encode())
        return found.hexdigest()

    def read(self, rows: int) -> Iterator[Corpus]:
        """Yield at most ``rows`` rows at a time; no piece holds rows of two files.

        Raises
        ------
        DataError
            When a row cannot be taken as it is, an id occurs twice, in whatever pieces, or there are no rows at all.
        """
        first, left = 0, 0
        hashes = [np.empty(0, dtype=np.uint64)]  # eight bytes for each id
        for table in self._tables(rows):
            corpus = corpus_of(table, self._columns, self._empty)
            if self._id_at is not None:
                hashes.append(_hashed(_given_ids(corpus)))
            left += len(corpus)
            first += table.size
            yield from _pieces_of(corpus, rows) if len(corpus) > rows else [corpus]
        if not left:
            what = f"Got {first:,} rows, all empty" if first else "Got none"
            raise DataError(f"The data must have at least one row with text. {what}, in {self.source}. Add rows.")
        values, times = np.unique(np.concatenate(hashes), return_counts=True)
        if np.any(times > 1):
            self._refuse_twice(values[times > 1], rows)

    def _tables(self, rows: int) -> Iterator[Table]:
        first = 0
        for path in self._files:
            for size, column in batches(path, self._names, self._wanted, rows):
                yield Table(self.source, self._names, column, size, first=first, home=path.parent)
                first += size

    def _refuse_twice(self, suspects: Any, rows: int) -> None:
        """Look at the ids again whose hashes, uint64, occur twice; refuse the first that truly does."""
        found: dict[str, int] = {}
        assert self._id_at is not None
        for table in self._tables(rows):
            ids = _given_ids(corpus_of(table, self._columns, self._empty))
            for name in (ids[at] for at in np.flatnonzero(np.isin(_hashed(ids), suspects)).tolist()):
                row = table.number([as_name(cell) for cell in table.column(self._id_at)].index(name))
                if found.setdefault(name, row) != row:
                    raise DataError(
                        f"Every id must occur once. Got {name!r} at row {found[name]} and at row {row} of "
                        f"{self.source}. Make the ids unique, or number the rows with --id-column none."
                    )


def _given_ids(corpus: Corpus) -> tuple[str, ...]:
    """Return the ids as they stand in the file, those of documents, each once."""
    return corpus.ids if corpus.parents is None else tuple(dict.fromkeys(corpus.parents))


def _hashed(ids: Iterable[str]) -> Any:
    """Return 64 bits of each id, uint64 (n,), the same in every process."""
    import pandas as pd

    return pd.util.hash_array(np.array(list(ids), dtype=object), categorize=False)
