"""Tables of ready vectors that have columns: what they hold, and whose vectors they are."""

from __future__ import annotations

import hashlib
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.format import write_array_header_1_0

from embdiff._names import by_number
from embdiff._sizes import written_size
from embdiff.corpus.files import shown
from embdiff.corpus.parquet import first_undecodable
from embdiff.corpus.tables import as_name
from embdiff.errors import DataError, EncoderError, ParameterError
from embdiff.exact import FileVectors
from embdiff.records import FloatArray, IntArray
from embdiff.sources.fields import Fields, is_list, storage
from embdiff.sources.parquet import SUFFIX, head_of, label_on_all, opened

ROWS = 16_384  # rows read at a time


class ColumnTable(ABC):
    """A column of vectors, and perhaps columns that say whose they are.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in messages.
    fields : Fields
        Names of the columns.
    label : dict
        What `embdiff encode` has written on it; {} for vectors of others.

    Raises
    ------
    DataError
        When no row has a vector.

    Attributes
    ----------
    dim : int
    about : dict
        What a run tells of them.
    """

    def __init__(self, path: Path, name: str, fields: Fields, label: dict[str, Any]) -> None:
        self.path, self.name, self.fields, self.label = path, name, fields, label
        self.about = {"vectors_of": label.get("model"), "role": label.get("role")} if label else {}
        if "variant" in label:
            self.about["variant"] = label["variant"]
        self.dim, numbers = self._dimension()
        if numbers == pa.uint8():
            self.about["numbers"] = "uint8"

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def digest(self) -> str:
        """A hash of all bytes of the files."""

    @abstractmethod
    def column(self, name: str) -> Iterator[Any]:
        """Yield the cells of a column, an Arrow array of some rows at a time."""

    @abstractmethod
    def located(self, row: int) -> str:
        """Return where a row stands, in words for messages."""

    def place(self, row: int) -> str:
        """Return where a row stands, with its id where it has one."""
        if self.fields.id is None:
            return self.located(row)
        return f"{self.located(row)} (id {next(islice(self.ids(), row, None))!r})"

    def ids(self) -> Iterator[str | None]:
        """Yield the id of each row as text, as corpora read them; None for none."""
        assert self.fields.id is not None
        yield from map(as_name, self._values(self.fields.id))

    def texts(self) -> Iterator[str]:
        """Yield the text of each row; null is the empty text."""
        assert self.fields.text is not None
        yield from (cell or "" for cell in self._values(self.fields.text))

    def documents(self) -> Iterator[str]:
        """Yield the document of each row as corpora make it where there are titles: ``title + " " + text``."""
        assert self.fields.title is not None
        titles = (cell or "" for cell in self._values(self.fields.title))
        for title, text in zip(titles, self.texts(), strict=True):
            yield f"{title} {text}" if title.strip() and text.strip() else title if title.strip() else text

    def _values(self, name: str) -> Iterator[Any]:
        """Yield the cells of a column as Python has them."""
        first = 0
        for cells in self.column(name):
            try:
                values = cells.to_pylist()
            except UnicodeDecodeError:
                raise DataError(
                    f"Column {name!r} of {self.path} must be readable. Got text that is not UTF-8 in "
                    f"{self.located(first + first_undecodable(cells))}. Write the file again."
                ) from None
            yield from values
            first += len(cells)

    def written(self, items: Collection[str]) -> list[str]:
        """Return the text of each row as ``items`` have it, with its title or without."""
        texts, wanted = list(self.texts()), set(items)
        if self.fields.title is not None and not wanted.issubset(texts):
            documents = list(self.documents())
            return documents if wanted.issubset(documents) else texts
        return texts

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
        first = 0
        for cells in self.column(self.fields.vector):
            block = self._checked(cells, first)
            low, high = np.searchsorted(ordered, [first, first + len(block)])
            yield order[low:high], block[ordered[low:high] - first]
            first += len(block)

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

    def _dimension(self) -> tuple[int, Any]:
        """Return the length of the first vector that there is, and the type of its numbers."""
        for cells in self.column(self.fields.vector):
            kind = storage(cells.type)
            lengths = pc.list_value_length(_lists(cells)).drop_null().to_numpy(zero_copy_only=False)
            if (lengths > 0).any():
                return int(lengths[lengths > 0][0]), kind.value_type
        raise DataError(
            f"{self.name} must hold a vector in every row. Got {len(self):,} rows of {self.path.name} with none: the "
            f"column {self.fields.vector!r} is null or empty throughout. Make the vectors again."
        )

    def _checked(self, cells: Any, first: int) -> FloatArray:
        """Return vectors, (b, d), the first of which is that of row ``first``.

        Raises
        ------
        EncoderError
            Naming the row whose vector is none, of another length, or not finite.
        """
        cells = _lists(cells)
        lengths = pc.fill_null(pc.list_value_length(cells), -1).to_numpy(zero_copy_only=False)
        flat = cells.flatten()
        wrong = np.flatnonzero(lengths != self.dim)
        if wrong.size:
            count = int(lengths[wrong[0]])
            found = {-1: "null", 0: "an empty vector", 1: "1 number"}.get(count, f"{count} numbers")
        elif flat.null_count:
            wrong = np.flatnonzero(pc.is_null(flat).to_numpy(zero_copy_only=False)) // self.dim
            found = "a null among the numbers"
        if wrong.size:
            raise EncoderError(
                f"{self.name} must hold {self.dim} numbers in every vector. Got {found} in "
                f"{self.place(first + int(wrong[0]))}. Make that vector again, or leave the row out."
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is refused here
            block: FloatArray = flat.to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, self.dim)
        refuse_infinite(block, np.arange(first, first + len(block)), self.name, self.place)
        return block


class ParquetTable(ColumnTable):
    """One Parquet file, or all files of a folder.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in messages.
    given : mapping of str to str
        Names of columns, see `Fields.of`.
    must : bool
        Whether a column that was given must be there.

    Raises
    ------
    DataError
        When there is no such file, no column of vectors, the files of a folder differ in their columns, or a folder
        lacks a part.
    """

    def __init__(self, path: Path, name: str, given: Mapping[str, str], *, must: bool = True) -> None:
        files = _files_of(path)
        label = label_on_all(path, files)
        # A part without rows says nothing, neither do the types of its columns.
        heads = {file: head_of(file) for file in files}
        self._files = [file for file, (_, rows) in heads.items() if rows] or files[:1]
        self._sizes = [heads[file][1] for file in self._files]
        fields = [Fields.of(heads[file][0], given, str(file), must=must) for file in self._files]
        for file, other in zip(self._files, fields, strict=True):
            if replace(other, strange=(), unused=()) != replace(fields[0], strange=(), unused=()):
                raise DataError(
                    f"Files of one table must have the same columns. Got {_read(fields[0])} in {self._files[0]} and "
                    f"{_read(other)} in {file.name}. Mend or move one of them."
                )
        super().__init__(path, name, fields[0], label)

    def __len__(self) -> int:
        return sum(self._sizes)

    @cached_property
    def digest(self) -> str:
        """A hash of all bytes of the files."""
        return digest_of(self._files)

    def column(self, name: str) -> Iterator[Any]:
        """Yield the cells of a column, an Arrow array of some rows at a time."""
        for path in self._files:
            with opened(path) as file:
                for batch in file.iter_batches(ROWS, columns=[name]):
                    yield batch.column(0)

    def located(self, row: int) -> str:
        """Return where a row stands: of a folder in its file."""
        if len(self._files) == 1:
            return f"row {row}"
        for path, size in zip(self._files, self._sizes, strict=True):
            if row < size:
                return f"row {row} of {path.name}"
            row -= size
        raise IndexError(row)

    @property
    def order(self) -> str:
        """The files of a folder in their order, for messages; "" for one file."""
        names = [path.name for path in self._files]
        return "" if len(names) == 1 else f"{len(names):,} files, {names[0]} to {names[-1]}"


def _read(fields: Fields) -> str:
    return shown(name for name in (fields.vector, fields.id, fields.text, fields.title) if name)


def _lists(cells: Any) -> Any:
    """Return vectors as an Arrow array of lists, whatever their type is."""
    cells = cells.storage if isinstance(cells, pa.ExtensionArray) else cells
    kind = cells.type
    if not is_list(kind):  # a column of nulls alone, say
        return cells.cast(pa.list_(pa.float32()))
    views = pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind)
    return cells.cast(pa.large_list(kind.value_type)) if views else cells


def refuse_infinite(vectors: FloatArray, rows: IntArray, name: str, place: Callable[[int], str]) -> None:
    """Refuse vectors, (m, d), of some rows of a file, (m,) or more, that are not finite.

    Raises
    ------
    EncoderError
    """
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if wrong.size:
        raise EncoderError(
            f"{name} must hold finite vectors. Got NaN or infinity in {place(int(rows[wrong[0]]))}. Make that vector "
            "again, or leave the row out."
        )


def digest_of(files: Sequence[Path]) -> str:
    """Return a hash of all bytes of some files."""
    found = hashlib.blake2b(digest_size=20)
    for path in files:
        with path.open("rb") as handle:
            hashlib.file_digest(handle, lambda: found)
    return f"blake2b:{found.hexdigest()}"


def _files_of(path: Path) -> list[Path]:
    files = by_number(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise DataError(
            f"Vectors must be there: a {SUFFIX} file, or a folder of such files. Got {path}, which is neither. Check "
            "the path."
        )
    return files


def _write_rows(handle: BinaryIO, start: int, where: IntArray, some: FloatArray) -> None:
    """Write vectors (m, d) to rows (m,) of a table that begins at byte ``start``; neighbouring rows in one go."""
    order = np.argsort(where)
    ends = [0, *(np.flatnonzero(np.diff(where[order]) != 1) + 1).tolist(), len(where)] if len(where) else [0]
    for low, high in pairwise(ends):
        handle.seek(start + int(where[order[low]]) * some.shape[1] * 4)
        handle.write(np.ascontiguousarray(some[order[low:high]]).data)
