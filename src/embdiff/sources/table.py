"""Tables of ready vectors, .npy or Parquet, read a block at a time: what they hold, and whose vectors they are."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.lib.format import write_array_header_1_0

from embdiff._sizes import written_size
from embdiff.errors import DataError, EncoderError, ParameterError
from embdiff.exact import FileVectors
from embdiff.records import FloatArray, IntArray
from embdiff.sources.parquet import ABOUT, ID, SUFFIX, TEXT, VECTOR, label_on, opened

_ROWS = 16_384  # rows read at a time


class NumpyTable:
    """A table (n, d) of float32, float16 or float64 that numpy saved: nothing tells whose vectors it holds.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in messages.

    Raises
    ------
    DataError
        When the file is no such table.
    """

    label: Mapping[str, Any] = {}
    about: Mapping[str, Any] = {}

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._file = FileVectors(path, 2**62)
        self.dim = self._file.shape[1]

    def __len__(self) -> int:
        return len(self._file)

    @cached_property
    def digest(self) -> str:
        """A hash of all bytes of the file."""
        return digest_of([self.path])

    def read(self, rows: IntArray) -> FloatArray:
        """Return the vectors of rows, (m,), in this order, float32 (m, d)."""
        whole = len(rows) == len(self) and bool((rows == np.arange(len(self))).all())
        return self._file[:] if whole else self._file[rows]

    def on_disk(self, rows: IntArray, memory: int) -> FileVectors:
        """Return the vectors where they are, to be worked on in ``memory`` bytes at a time: all rows, in their order.

        Raises
        ------
        ParameterError
            When that is too little.
        """
        return FileVectors(self.path, memory)

    def refuse_infinite(self, rows: IntArray) -> None:
        """Refuse vectors of rows, (m,), that are not finite; a part is read at a time.

        Raises
        ------
        EncoderError
        """
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            _refuse_infinite(self._file[some], some, self.name)


class ParquetTable:
    """A column of vectors in one Parquet file, or in all files of a folder.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in messages.

    Raises
    ------
    DataError
        When there is no such file, no column of vectors, or a folder lacks a part.

    Attributes
    ----------
    dim : int
    label : dict
        What `embdiff encode` has written on it; {} for vectors of others.
    about : dict
        What a run tells of them.
    has_ids, has_texts : bool
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._files = _files_of(path)
        self.label = _label_of(path, self._files)
        self.about = {"vectors_of": self.label.get("model"), "role": self.label.get("role")}
        if "variant" in self.label:
            self.about["variant"] = self.label["variant"]
        self._column, self.dim = _vector_column(self._files)
        names = set(pq.read_schema(self._files[0]).names)
        self.has_ids, self.has_texts = ID in names, TEXT in names

    def __len__(self) -> int:
        return sum(pq.read_metadata(path).num_rows for path in self._files)

    @cached_property
    def digest(self) -> str:
        """A hash of all bytes of the files."""
        return digest_of(self._files)

    def strings(self, name: str) -> Iterator[str]:
        """Yield a column of ids or texts, as text, row by row."""
        for path in self._files:
            with opened(path) as file:
                for batch in file.iter_batches(_ROWS, columns=[name]):
                    yield from map(str, batch.column(0).to_pylist())

    def read(self, rows: IntArray) -> FloatArray:
        """Return the vectors of rows, (m,), in this order, (m, d); the files are read once, a block at a time."""
        out = np.empty((len(rows), self.dim), dtype=np.float32)
        for where, some in self.scattered(rows):
            out[where] = some
        return out

    def scattered(self, rows: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield, block by block, places among ``rows`` and their vectors."""
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        for first, block in self._blocks():
            low, high = np.searchsorted(ordered, [first, first + len(block)])
            yield order[low:high], block[ordered[low:high] - first]

    def on_disk(self, rows: IntArray, memory: int) -> FileVectors:
        """Return the vectors of rows, in this order, in a temporary file, worked on in ``memory`` bytes at a time.

        Raises
        ------
        ParameterError
            When that is too little, or there is no room for the file.
        """
        shape = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), self.dim)}
        try:
            with ExitStack() as stack:
                path = Path(stack.enter_context(TemporaryDirectory(prefix="embdiff-"))) / "vectors.npy"
                with path.open("wb") as handle:  # plain writes: a mapped file crashes where the disk is full
                    write_array_header_1_0(handle, shape)
                    start = handle.tell()
                    for where, some in self.scattered(rows):
                        _write_rows(handle, start, where, some)
                stored = FileVectors(path, memory)
                weakref.finalize(stored, stack.pop_all().close)
                return stored
        except OSError as error:
            raise ParameterError(
                f"Vectors that memory may not hold need {written_size(4 * self.dim * len(rows))} for a temporary file. "
                f"Got {error.strerror or error} in {gettempdir()}. Make room, or set TMPDIR to another folder."
            ) from None

    def _blocks(self) -> Iterator[tuple[int, FloatArray]]:
        first = 0
        for path in self._files:
            with opened(path) as file:
                for batch in file.iter_batches(_ROWS, columns=[self._column]):
                    yield first, self._checked(batch.column(0), first)
                    first += batch.num_rows

    def _checked(self, column: Any, first: int) -> FloatArray:
        flat = column.flatten()
        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        if column.null_count or flat.null_count or (lengths != self.dim).any():
            raise EncoderError(
                f"{self.name} must hold {self.dim} numbers in every vector. Got another number, or none, in rows "
                f"{first} to {first + len(column) - 1}. Make these vectors again."
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is refused here
            block: FloatArray = flat.to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, self.dim)
        _refuse_infinite(block, np.arange(first, first + len(block)), self.name)
        return block


VectorTable = NumpyTable | ParquetTable


def open_table(path: Path, name: str) -> VectorTable:
    """Open ready vectors: Parquet, a file or a folder of such, or else a .npy file; raises as these do."""
    return ParquetTable(path, name) if path.suffix == SUFFIX or path.is_dir() else NumpyTable(path, name)


def _refuse_infinite(vectors: FloatArray, rows: IntArray, name: str) -> None:
    """Refuse vectors, (m, d), of some rows of a file, (m,) or more, that are not finite.

    Raises
    ------
    EncoderError
    """
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if wrong.size:
        raise EncoderError(
            f"{name} must hold finite vectors. Got NaN or infinity in row {rows[wrong[0]]}. Make that vector again, or "
            "leave the row out."
        )


def digest_of(files: Sequence[Path]) -> str:
    """Return a hash of all bytes of some files."""
    found = hashlib.blake2b(digest_size=20)
    for path in files:
        with path.open("rb") as handle:
            hashlib.file_digest(handle, lambda: found)
    return f"blake2b:{found.hexdigest()}"


def _files_of(path: Path) -> list[Path]:
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise DataError(
            f"Vectors must be there: a {SUFFIX} file, or a folder of such files. Got {path}, which is neither. Check "
            "the path."
        )
    return files


def _label_of(path: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Return what `embdiff encode` has written on the vectors; {} for those of others."""
    label = label_on(files[0]) or {}
    if not path.is_dir() or not label:
        return label
    try:
        whole: dict[str, Any] = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        sizes = [pq.read_metadata(file).num_rows for file in files]
        jobs = {(label_on(file) or {}).get("job") for file in files}
    except (OSError, ValueError):
        whole, sizes, jobs = {}, [], set()
    if whole.get("sizes") != sizes or jobs != {whole.get("job")}:
        raise DataError(
            f"A folder of vectors must be whole, as 'embdiff encode' wrote it. Got {path} with parts that are missing, "
            "or of something else. Encode again into a new folder."
        )
    return whole


def _vector_column(files: Sequence[Path]) -> tuple[str, int]:
    """Return the name of the column of vectors, and their dimension."""
    schema = pq.read_schema(files[0])
    lists = [field for field in schema if _is_vector(field.type)]
    named = [field for field in lists if field.name == VECTOR] or (lists if len(lists) == 1 else [])
    if not named:
        raise DataError(
            f"One column must hold the vectors: {VECTOR!r}, or the only one of lists of floats. Got "
            f"{', '.join(map(repr, schema.names))} in {files[0]}. Rename the column."
        )
    kind = named[0].type
    if pa.types.is_fixed_size_list(kind):
        return named[0].name, int(kind.list_size)
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1, columns=[named[0].name]):
                return named[0].name, len(batch.column(0)[0])
    raise DataError(f"A file of vectors must hold at least one. Got none in {files[0]}. Make it again.")


def _is_vector(kind: Any) -> bool:
    is_list = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(is_list and pa.types.is_floating(kind.value_type))


def _write_rows(handle: BinaryIO, start: int, where: IntArray, some: FloatArray) -> None:
    """Write vectors (m, d) to rows (m,) of a table that begins at byte ``start``; neighbouring rows in one go."""
    order = np.argsort(where)
    ends = [0, *(np.flatnonzero(np.diff(where[order]) != 1) + 1).tolist(), len(where)] if len(where) else [0]
    for low, high in pairwise(ends):
        handle.seek(start + int(where[order[low]]) * some.shape[1] * 4)
        handle.write(np.ascontiguousarray(some[order[low:high]]).data)
