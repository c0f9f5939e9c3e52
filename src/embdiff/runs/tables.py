"""The tables of a run folder: Parquet files of corpora, of arrays, and of what people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.records import Corpus

Columns = dict[str, npt.NDArray[Any]]


def stacked(blocks: Sequence[Mapping[str, Any]]) -> Columns:
    """Return blocks of columns one below the other; a text stands for a column of it, as long as the others."""
    names = blocks[0] if blocks else ()
    lengths = [max(len(each) for each in block.values() if not isinstance(each, str)) for block in blocks]
    return {
        name: np.concatenate(
            [
                np.full(length, block[name], dtype=object) if isinstance(block[name], str) else block[name]
                for block, length in zip(blocks, lengths, strict=True)
            ]
        )
        for name in names
    }


def coded(names: Sequence[str], codes: npt.NDArray[np.int64]) -> Any:
    """Return a column of text in which few names stand often: their numbers, and each name once."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(list(names), type=pa.string()))


def write_table(columns: Mapping[str, Any], path: Path) -> None:
    """Write columns as Parquet; text is large_string, so that 2 GiB of it is no limit."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = {name: pa.array(each, type=pa.large_string()) if _is_text(each) else each for name, each in columns.items()}
    pq.write_table(pa.table(table), path, compression="zstd")


def _is_text(column: Any) -> bool:
    return isinstance(column, tuple) or (isinstance(column, np.ndarray) and column.dtype == object)


def write_corpus(corpus: Corpus, path: Path) -> dict[str, Any]:
    """Write ids, texts and groups, and return what a table cannot hold."""
    columns: dict[str, Sequence[str]] = {"id": corpus.ids, "text": corpus.items}
    write_table(columns if corpus.groups is None else {**columns, "group": corpus.groups}, path)
    return {
        "source": corpus.source, "ids_given": corpus.ids_given, "dropped": corpus.dropped, "notes": corpus.notes,
    }  # fmt: skip


def read_corpus(path: Path, facts: Mapping[str, Any]) -> Corpus:
    """Read what `write_corpus` wrote, with what it returned."""
    import pyarrow.parquet as pq

    table = pq.read_table(path).to_pydict()
    kept = {**facts, "dropped": tuple(facts["dropped"]), "notes": tuple(facts["notes"])}
    groups = tuple(table["group"]) if "group" in table else None
    return Corpus(items=tuple(table["text"]), ids=tuple(table["id"]), groups=groups, **kept)


def write_arrays(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    """Write arrays by name, of any lengths: one row, an array a column; shapes are kept elsewhere."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        name: pa.LargeListArray.from_arrays([0, each.size], pa.array(each.reshape(-1))) for name, each in arrays.items()
    }
    pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=False, write_statistics=False)


def read_arrays(path: Path) -> Columns:
    """Read what `write_arrays` wrote."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return {name: table.column(name).chunk(0).values.to_numpy(zero_copy_only=False) for name in table.column_names}
