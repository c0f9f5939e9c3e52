"""A table of ready vectors in Parquet, read a block at a time: what it holds, and whose vectors they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embdiff.sources.parquet import ABOUT, ID, SUFFIX, TEXT, VECTOR, label_on
from embdiff.errors import DataError, EncoderError
from embdiff.records import FloatArray, IntArray

_READ = 2**24  # bytes hashed at a time
_ROWS = 16_384  # rows read at a time


class VectorTable:
    """A column of vectors in one Parquet file, or in all files of a folder in the order of their names.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in messages.

    Attributes
    ----------
    dim : int
    label : dict
        What `embdiff encode` has written on it; {} for vectors of others.
    has_ids, has_texts : bool

    Raises
    ------
    DataError
        When there is no such file, no column of vectors, or a folder lacks a part.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self._name = path, name
        self._files = _files_of(path)
        self.label = _label_of(path, self._files)
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
            with pq.ParquetFile(path) as file:
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

    def _blocks(self) -> Iterator[tuple[int, FloatArray]]:
        first = 0
        for path in self._files:
            try:
                with pq.ParquetFile(path, page_checksum_verification=True) as file:
                    for batch in file.iter_batches(_ROWS, columns=[self._column]):
                        yield first, self._checked(batch.column(0), first)
                        first += batch.num_rows
            except (OSError, pa.ArrowException) as error:
                raise DataError(
                    f"A file of vectors must be whole. Got {path}: {str(error).splitlines()[0]} Make it again."
                ) from None

    def _checked(self, column: Any, first: int) -> FloatArray:
        flat = column.flatten()
        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        if column.null_count or flat.null_count or (lengths != self.dim).any():
            raise EncoderError(
                f"{self._name} must hold {self.dim} numbers in every vector. Got another number, or none, in rows "
                f"{first} to {first + len(column) - 1}. Make these vectors again."
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is refused here
            block: FloatArray = flat.to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, self.dim)
        refuse_infinite(block, np.arange(first, first + len(block)), self._name)
        return block


def is_table(path: Path) -> bool:
    """Return whether ready vectors are in Parquet: a file, or a folder of such."""
    return path.suffix == SUFFIX or path.is_dir()


def refuse_infinite(vectors: FloatArray, rows: IntArray, name: str) -> None:
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
            while part := handle.read(_READ):
                found.update(part)
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
