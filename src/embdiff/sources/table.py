"""Tables of ready vectors: .npy and Parquet, read a block at a time, and others, read as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from embdiff.errors import DataError, ParameterError
from embdiff.exact import FileVectors
from embdiff.records import FloatArray, IntArray
from embdiff.sources.columns import ROWS, ColumnTable, ParquetTable, digest_of, refuse_infinite
from embdiff.sources.held import READERS, HeldTable
from embdiff.sources.jsonl import json_lines
from embdiff.sources.parquet import SUFFIX


class NumpyTable:
    """A table (n, d) of floats, int8 or uint8 that numpy saved: nothing tells whose vectors it holds.

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

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._file = FileVectors(path, 2**62)
        self.dim = self._file.shape[1]
        self.about: dict[str, Any] = {"numbers": "uint8"} if self._file.kind == "uint8" else {}

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
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            refuse_infinite(self._file[some], some, self.name, "row {}".format)


_WHOLE = {**READERS, ".jsonl": json_lines, ".ndjson": json_lines}
VectorTable = NumpyTable | ColumnTable


def open_table(path: Path, name: str, given: Mapping[str, str], *, must: bool = True) -> VectorTable:
    """Open ready vectors by the ending of their name, a folder as Parquet; what has no other is a .npy file.

    Raises as these do.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in messages.
    given : mapping of str to str
        Names of columns, see `Fields.of`; a .npy file has none.
    must : bool
        Whether a column that was given must be there.
    """
    read = _WHOLE.get(path.suffix)
    if read is not None:
        return HeldTable(path, name, given, read, must=must)
    if path.suffix == SUFFIX or path.is_dir():
        return ParquetTable(path, name, given, must=must)
    if path.suffix in (".pkl", ".pickle", ".pt", ".pth", ".bin"):
        raise DataError(
            f"Vectors must be in a format that runs no code when it is read. Got {path}. Write them as .npz "
            "(numpy.savez), .safetensors or .parquet."
        )
    if given and must:
        raise ParameterError(
            f"Columns must only be named of files that have some. Got {', '.join(given)} for {path}. Leave them out."
        )
    return NumpyTable(path, name)
