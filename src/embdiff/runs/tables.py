"""The tables of a run folder: Parquet files of corpora, of arrays, and of what people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff import _files
from embdiff._picture import THUMBNAIL_BYTES, Picture
from embdiff.records import Corpus

Columns = dict[str, npt.NDArray[Any]]
_OTHER = "column "  # before the name of another column of the corpus


def coded(names: Sequence[str], codes: npt.NDArray[np.int64]) -> Any:
    """Return a column of text in which few names stand often: their numbers, and each name once."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(column(codes.astype(np.int32)), column(tuple(names)))


def _coded(values: Sequence[str]) -> Any:
    number = {name: at for at, name in enumerate(dict.fromkeys(values))}
    return coded(tuple(number), np.array([number[each] for each in values], dtype=np.int64))


def column(values: Any) -> Any:
    """Return an Arrow column; text is large_string, so that 2 GiB of it is no limit.

    Buffers are handed over as they are: ``pyarrow.array`` imports pandas for whatever it is given, which takes longer
    than writing a run.
    """
    import pyarrow as pa

    if isinstance(values, pa.Array):
        return values
    if isinstance(values, tuple) or values.dtype == object:
        raw = any(isinstance(value, bytes) for value in values)
        encoded = list(values) if raw else [text.encode() for text in values]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        kind, buffers = pa.large_binary() if raw else pa.large_string(), (ends, b"".join(encoded))
        return pa.Array.from_buffers(kind, len(encoded), [None, *map(pa.py_buffer, buffers)])
    flat = np.packbits(values, bitorder="little") if values.dtype == bool else np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(flat)])


def write_table(columns: Mapping[str, Any], path: Path) -> None:
    """Write columns as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = [column(values) for values in columns.values()]
    with _files.whole_file(path, sync=False) as part:
        pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), part, compression="zstd")


def write_corpus(corpus: Corpus, path: Path) -> dict[str, Any]:
    """Write ids, texts, groups and other columns, of images their SHA-256 and thumbnail; return what no table holds."""
    columns: dict[str, Any] = {"id": corpus.ids, "text": corpus.items}
    if corpus.groups is not None:
        columns["group"] = corpus.groups
    if corpus.parents is not None:
        columns["parent"] = _coded(corpus.parents)
    images = [item for item in corpus.items if isinstance(item, Picture)]
    if images:
        columns["sha256"] = tuple(item.digest for item in images)
        columns["thumbnail"] = tuple(item.thumbnail for item in images)
    write_table({**columns, **{f"{_OTHER}{name}": _coded(each) for name, each in corpus.columns.items()}}, path)
    return {
        "source": corpus.source, "ids_given": corpus.ids_given, "dropped": corpus.dropped, "notes": corpus.notes,
    }  # fmt: skip


def read_corpus(path: Path) -> dict[str, Any]:
    """Read ids, texts, groups and other columns, by the names that they have in a `Corpus`."""
    import pyarrow.parquet as pq

    table = pq.read_table(path).to_pydict()
    items = table["text"]
    if "sha256" in table:
        items = [Picture(*each) for each in zip(items, table["sha256"], map(_raster, table["thumbnail"]), strict=True)]
    others = {name.removeprefix(_OTHER): each for name, each in table.items() if name.startswith(_OTHER)}
    return {
        "ids": table["id"], "items": tuple(items), "groups": table.get("group"), "columns": others,
        "parents": table.get("parent"),
    }  # fmt: skip


def _raster(thumbnail: bytes) -> bytes:
    """Return a thumbnail; refuse, with a ValueError, what is no small WebP: a page shows it as one."""
    if thumbnail and not (
        thumbnail[:4] == b"RIFF" and thumbnail[8:12] == b"WEBP" and len(thumbnail) <= THUMBNAIL_BYTES
    ):
        raise ValueError("a thumbnail is no small WebP image")
    return thumbnail


def write_arrays(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    """Write arrays by name, of any lengths: one row, an array a column; shapes are kept elsewhere."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists = [
        pa.LargeListArray.from_arrays(column(np.array([0, each.size])), column(each.reshape(-1)))
        for each in arrays.values()
    ]
    table = pa.Table.from_arrays(lists, names=list(arrays))
    with _files.whole_file(path, sync=False) as part:
        pq.write_table(table, part, compression="zstd", use_dictionary=False, write_statistics=False)


def read_arrays(path: Path) -> Columns:
    """Read what `write_arrays` wrote."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return {name: table.column(name).chunk(0).values.to_numpy(zero_copy_only=False) for name in table.column_names}
