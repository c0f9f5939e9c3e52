"""Ready vectors that are read as a whole: arrays of numpy and safetensors, cells of csv, tables of LanceDB."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from embdiff._memory import share
from embdiff._names import refuse_endless
from embdiff._optional import require
from embdiff._sizes import written_size
from embdiff.corpus.columns import KNOWN, same_name
from embdiff.corpus.readers import read_table
from embdiff.corpus.tables import Table, as_number
from embdiff.errors import DataError, in_one_line
from embdiff.sources.columns import ROWS, ColumnTable, digest_of
from embdiff.sources.fields import Fields

TELLING = frozenset(name for role in ("id", "text", "title") for name in KNOWN[role])  # whose vectors they are


class Held(NamedTuple):
    """Columns in memory.

    Parameters
    ----------
    columns : dict of str to Arrow array
        Lists of numbers, and what is one value, all of one length.
    place : callable
        Row → where it stands, in words for messages.
    """

    columns: dict[str, Any]
    place: Callable[[int], str]


class HeldTable(ColumnTable):
    """A file of vectors that is read as a whole.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in messages.
    given : mapping of str to str
        Names of columns, see `Fields.of`.
    read : callable
        Path → `Held`.
    must : bool
        Whether a column that was given must be there.

    Raises
    ------
    DataError
        When it is not there, or not what its name says.
    """

    def __init__(
        self, path: Path, name: str, given: Mapping[str, str], read: Callable[[Path], Held], *, must: bool = True
    ) -> None:
        if not (path.is_dir() if path.suffix == ".lance" else path.is_file()):
            raise DataError(f"Vectors must be there. Got {path}, which is not. Check the path.")
        refuse_endless(path)
        self._columns, self._place = read(path)
        schema = pa.schema([(column, cells.type) for column, cells in self._columns.items()])
        super().__init__(path, name, Fields.of(schema, given, str(path), must=must), {})

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    @cached_property
    def digest(self) -> str:
        """A hash of all bytes of the files."""
        files = sorted(each for each in self.path.rglob("*") if each.is_file()) if self.path.is_dir() else [self.path]
        return digest_of(files)

    def column(self, name: str) -> Iterator[Any]:
        """Yield the cells of a column, an Arrow array of some rows at a time."""
        for start in range(0, len(self), ROWS):
            yield self._columns[name].slice(start, ROWS)

    def located(self, row: int) -> str:
        """Return where a row stands."""
        return self._place(row)


def npz(path: Path) -> Held:
    """Read what `numpy.savez` wrote: an array (n, d) of vectors, and arrays (n,) of ids, of texts."""
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_large(path, sum(each.file_size for each in archive.infolist()))
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: _array(path, name, file) for name in file.files}
    except DataError:
        raise
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, ValueError) as error:
        raise DataError(
            f"A .npz file must be as numpy.savez writes it. Got {path}: {in_one_line(error)}. Write it again."
        ) from None
    return Held(_of_arrays(path, arrays), "row {}".format)


def _array(path: Path, name: str, file: Any) -> Any:
    try:
        return file[name]
    except ValueError as error:
        found = "Python objects, which only pickle reads" if "pickle" in str(error) else in_one_line(error)
        raise DataError(
            f"Arrays of vectors, ids and texts must hold numbers or text. Got {found}, in {name!r} of {path}. Nothing "
            "is unpickled, since that runs code: save numpy.array(ids, dtype=str)."
        ) from None


def safetensors(path: Path) -> Held:
    """Read tensors: one (n, d) of vectors, and whole numbers (n,) as ids; or ids in the metadata, a JSON list."""
    require("safetensors", "safetensors", "A .safetensors file")
    from safetensors import SafetensorError, safe_open

    _refuse_large(path, path.stat().st_size)
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            said = file.metadata() or {}
        for name, each in arrays.items():  # what numpy has by another package only is no number of its own
            if each.dtype.kind not in "biuf":
                raise TypeError(f"{each.dtype} as {name!r}")
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"A .safetensors file must be whole. Got {path}: {in_one_line(error)}. Write it again."
        ) from None
    except (TypeError, AttributeError) as error:  # numbers that numpy does not have
        raise DataError(
            f"Tensors must be of numbers that numpy has. Got {in_one_line(error)} in {path}. Write them as float32 or "
            "float16, not bfloat16."
        ) from None
    for name in [name for name in said if same_name(name) in TELLING and name not in arrays]:
        arrays[name] = np.array(_listed(path, name, said[name]), dtype=str)
    return Held(_of_arrays(path, arrays), "row {}".format)


def _listed(path: Path, name: str, text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(each, (str, int)) for each in found):
        raise DataError(
            f"Metadata that say whose vectors these are must be a JSON list. Got {text[:40]!r} as {name!r} in {path}. "
            'Write metadata={"ids": json.dumps(ids)}.'
        )
    return list(map(str, found))


def _of_arrays(path: Path, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays (n, d) and (n,) as columns; what else a file holds is left."""
    tables = {name: array for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiu"}
    sizes = {len(array) for array in tables.values()}
    found = ", ".join(f"{name} {array.shape} {array.dtype}" for name, array in list(arrays.items())[:5])
    if len(sizes) != 1 or 0 in sizes:
        raise DataError(
            f"A file of arrays must hold one table (n, d) of vectors, or several of one length. Got "
            f"{found or 'nothing'} in {path}. Save vectors and ids: numpy.savez(FILE, vectors=vectors, ids=ids)."
        )
    size = sizes.pop()
    columns: dict[str, Any] = {}
    for name, array in arrays.items():
        if name in tables:
            numbers = array if array.dtype.itemsize < 8 or array.dtype.kind == "f" else array.astype(np.float64)
            flat = pa.array(np.ascontiguousarray(numbers.astype(numbers.dtype.newbyteorder("="))).reshape(-1))
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, array.shape[1])
        elif array.ndim == 1 and array.dtype.kind in "Uiu" and len(array) == size:
            columns[name] = pa.array(array.astype(str).tolist(), pa.string())
        elif same_name(name) in TELLING:
            raise DataError(
                f"There must be one of {name!r} for each of the {size:,} vectors, text or whole numbers. Got {found} "
                f"in {path}. Save them again."
            )
    return columns


def csv(path: Path) -> Held:
    """Read a table whose vectors stand in one cell, ``[0.1, 0.2]``, or a number a cell: ``dim_0,dim_1,...``."""
    table = read_table(path, _names_columns)
    names = table.columns or ("vector",)
    numbered = {} if not table.columns else _numbered(names)
    if table.headerless:
        numbered = {"vector": list(range(len(names)))}
    taken = {at for places in numbered.values() for at in places}
    columns: dict[str, Any] = {}
    for at, name in enumerate(names):
        if at not in taken:
            cells = list(map(str, table.column(at)))
            listed = next((cell for cell in cells if cell.strip()), "").lstrip().startswith("[")
            columns[name] = _lists(table, name, cells) if listed else pa.array(cells, pa.string())
    for name, places in numbered.items():
        columns[name] = _side_by_side(table, places)
    return Held(columns, table.where)


def _names_columns(cells: Sequence[str], _surely: bool) -> bool:
    numbers = [as_number(cell) for cell in cells]
    return None in numbers or numbers in (list(range(len(cells))), list(range(1, len(cells) + 1)))


def _numbered(names: Sequence[str]) -> dict[str, list[int]]:
    """Return columns that are numbered from 0 or 1, by what stands before the number; "vector" where nothing does."""
    found: dict[str, list[tuple[int, int]]] = {}
    for at, name in enumerate(names):
        match = re.fullmatch(r"(.*?)([0-9]{1,6})", name.strip())
        if match:
            found.setdefault(match[1].rstrip("_-. ") or "vector", []).append((int(match[2]), at))
    whole = {}
    for name, places in found.items():
        places.sort()
        if len(places) > 1 and [number - places[0][0] for number, _ in places] == list(range(len(places))):
            whole[name if name not in names else f"{name} "] = [at for _, at in places]
    return whole


def _side_by_side(table: Table, places: Sequence[int]) -> Any:
    """Return numbers that stand in a cell each as lists."""
    out = np.empty((table.size, len(places)), dtype=np.float64)
    for place, at in enumerate(places):
        cells = table.column(at)
        try:
            out[:, place] = np.array(cells, dtype=np.float64)
        except ValueError:
            row = next(row for row, cell in enumerate(cells) if not _is_float(cell))
            column = table.columns[at]
            raise table.refusal(
                row, "Every number of a vector must be one.", f"{str(cells[row])[:40]!r} in the column {column!r}",
                "Make that vector again, or leave the row out.",
            ) from None  # fmt: skip
    return pa.FixedSizeListArray.from_arrays(pa.array(out.reshape(-1)), len(places))


def _is_float(cell: object) -> bool:
    try:
        float(str(cell))
    except ValueError:
        return False
    return True


def _lists(table: Table, name: str, cells: Sequence[str]) -> Any:
    """Return cells such as ``[0.1, 0.2]`` as lists; an empty cell as null."""
    vectors: list[list[float] | None] = []
    for row, cell in enumerate(cells):
        try:
            found = json.loads(cell) if cell.strip() else None
        except (ValueError, RecursionError):
            found = cell
        numbers = isinstance(found, list) and all(type(each) in (int, float) for each in found)
        if found is not None and not numbers:
            raise table.refusal(
                row, "A vector in a cell must be a list of numbers with commas, such as [0.1, 0.2].",
                f"{cell[:40]!r} in the column {name!r}",
                "Write it as JSON (what numpy prints is cut), or save .npz or .parquet.",
            )  # fmt: skip
        vectors.append(found)
    return pa.array(vectors, pa.list_(pa.float64()))


def lance(path: Path) -> Held:
    """Read a table of LanceDB: the folder NAME.lance inside its database."""
    lancedb = require("lancedb", "lancedb", "A table of LanceDB")
    try:
        found = lancedb.connect(str(path.parent)).open_table(path.stem).to_arrow()
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"A folder that ends in .lance must be a table of LanceDB. Got {path}: {in_one_line(error)}. Name one of "
            "its tables."
        ) from None
    if not found.num_rows:
        raise DataError(f"A table of vectors must have rows. Got none in {path}. Name another.")
    return Held({name: found.column(name).combine_chunks() for name in found.column_names}, "row {}".format)


def _refuse_large(path: Path, size: int) -> None:
    if size > share() // 3:
        raise DataError(
            f"Arrays are read as a whole and must fit into memory, {written_size(share() // 3)} here. Got "
            f"{written_size(size)} in {path}. Write them as .parquet or .npy, which may stay on disk."
        )


READERS: Mapping[str, Callable[[Path], Held]] = {
    ".npz": npz, ".safetensors": safetensors, ".csv": csv, ".tsv": csv, ".lance": lance,
}  # fmt: skip
