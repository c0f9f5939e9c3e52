"""Vectors that stay in their file, read a block at a time by plain reads: mapped pages would count as memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff._names import refuse_endless
from embdiff._sizes import written_size
from embdiff.errors import DataError, ParameterError
from embdiff.records import FloatArray

_LEAST_ROWS = 1_024  # fewer rows in a block and nothing about a search is fast any more
_KINDS = ("<f2", "<f4", "<f8", "|i1", "|u1")  # of numbers
_SHARES = 4  # of the budget: the block, the one read ahead, a scaled copy, and room for what is found


def least_memory(dim: int) -> int:
    """Return the fewest bytes in which vectors of so many dimensions can be worked on in their file."""
    return _SHARES * _LEAST_ROWS * dim * 4


class FileVectors:
    """A table of float32, float16, float64, int8 or uint8 numbers in a .npy file, as float32.

    Slices and lists of rows are read when asked for; nothing is kept.

    Parameters
    ----------
    path : Path
    memory : int
        Bytes that working on the file may take at a time.

    Raises
    ------
    DataError
        When the file is no .npy file of such a table in row order, or shorter than it says.
    ParameterError
        When ``memory`` holds less than 1,024 rows four times over.
    """

    def __init__(self, path: Path, memory: int) -> None:
        self.path, self.memory = path, memory
        self.shape, self._kind, self._offset = _header(path)
        self._row_bytes = self.shape[1] * self._kind.itemsize
        least = least_memory(self.shape[1])
        if memory < least:
            raise ParameterError(
                f"The memory to work on a file of vectors must be at least {written_size(least, at_least=True)} for "
                f"{self.shape[1]} dimensions. Got {written_size(memory)}. Give more."
            )

    dtype = np.dtype(np.float32)
    ndim = 2

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """What all of it would take in memory, in bytes."""
        return self.shape[0] * self.shape[1] * 4

    @property
    def block_rows(self) -> int:
        """Rows read at a time."""
        return min(len(self), self.memory // (_SHARES * self.shape[1] * 4))

    def blocks(self) -> Iterator[tuple[int, FloatArray]]:
        """Yield the first row's number and the rows, (b, d), block by block; the next is read while one is used."""
        step = self.block_rows
        with self.path.open("rb") as handle, ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._read, handle, 0, step)
            for start in range(0, len(self), step):
                block, after = coming.result(), start + step
                if after < len(self):
                    coming = ahead.submit(self._read, handle, after, min(after + step, len(self)))
                yield start, block

    def __getitem__(self, key: Any) -> FloatArray:
        """Read rows: a slice, or integers of shape (m,); float32, (m, d)."""
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                with self.path.open("rb") as handle:
                    return self._read(handle, start, max(start, stop))
            key = range(start, stop, step)
        rows = np.asarray(key, dtype=np.int64)
        if rows.ndim != 1 or (rows.size and not (rows.min() >= 0 and rows.max() < len(self))):
            raise IndexError(f"rows of {self.path.name} are 0 to {len(self) - 1}")
        kinds, inverse = np.unique(rows, return_inverse=True)
        found = np.empty((len(kinds), self.shape[1]), dtype=np.float32)
        # Rows that follow each other are read in one go.
        ends = [0, *(np.flatnonzero(np.diff(kinds) != 1) + 1).tolist(), len(kinds)] if len(kinds) else [0]
        with self.path.open("rb") as handle:
            for first, last in pairwise(ends):
                found[first:last] = self._read(handle, int(kinds[first]), int(kinds[last - 1]) + 1)
        return found[inverse]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return all of it: for what cannot work block by block."""
        return self[:].astype(dtype or np.float32, copy=False)

    def _read(self, handle: BufferedReader, start: int, stop: int) -> FloatArray:
        """Return the rows start..stop-1, (m, d)."""
        rows = np.empty((stop - start, self.shape[1]), dtype=self._kind)
        handle.seek(self._offset + start * self._row_bytes)
        got = handle.readinto(rows.data)
        if got != rows.nbytes:
            raise DataError(
                f"A file of vectors must stay whole while it is used. Got the end of {self.path.name} at row "
                f"{start + got // self._row_bytes} of {len(self)}. Write it again and repeat the run."
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is refused where used
            return rows.astype(np.float32, copy=False)

    @property
    def kind(self) -> str:
        """The type of the numbers in the file."""
        return self._kind.name


def _header(path: Path) -> tuple[tuple[int, int], np.dtype[Any], int]:
    """Return shape, kind of number and where the numbers begin."""
    refuse_endless(path)
    try:
        with path.open("rb") as handle:
            version = np.lib.format.read_magic(handle)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_columns, kind = read(handle)
            offset = handle.tell()
    except OSError as error:
        raise DataError(
            f"A file of vectors must be there and readable. Got {path}: {error.strerror or error}. Check the path."
        ) from None
    except Exception:  # where a header is damaged, Python's tokenizer and parser have their say as well as numpy
        raise DataError(
            f"A file of vectors must be a .npy file of numbers. Got {path.name}, which is not. "
            "Write it with numpy.save(path, array)."
        ) from None
    known = kind.str in _KINDS
    if len(shape) != 2 or min(shape) < 1 or by_columns or not known:
        raise DataError(
            "Vectors must be a table (n, d) of float32, float16, float64, int8 or uint8 in row order. "
            f"Got {kind} of shape {shape}"
            f"{', in column order' if by_columns else ''} in {path.name}. "
            "Save numpy.ascontiguousarray(array, 'float32')."
        )
    if path.stat().st_size < offset + shape[0] * shape[1] * kind.itemsize:
        raise DataError(f"A file of vectors must be whole. Got {path.name}, which ends early. Write it again.")
    return shape, kind, offset
