"""Folders of Parquet files that are one table, as data sets are downloaded: ``data/train-00000-of-00002.parquet``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath

from embdiff._names import by_number
from embdiff.corpus.files import exists, reading, shown
from embdiff.corpus.folders import is_for_systems, names_under
from embdiff.corpus.tables import Table
from embdiff.errors import DataError

SUFFIX = ".parquet"
_NUMBER = re.compile(r"-[0-9]{5}-of-[0-9]{5}$")


def shard_table(folder: Path, split: str | None = None) -> Table | None:
    """Return the Parquet files of a folder and its sub-folders as one table; None where there are none.

    Parameters
    ----------
    folder : Path
        Other files in it are not looked at: README.md, dataset_info.json.
    split : str, optional
        Which of several tables, by the name that its files begin with.

    Raises
    ------
    DataError
        When the files are of several tables (train and test), or have different columns.
    """
    if not exists(folder) or not folder.is_dir():
        return None
    tables = tables_in(folder)
    if not tables:
        _refuse_arrow(folder)
        return None
    chosen = [name for name in tables if len(tables) == 1 or PurePosixPath(name).name == split]
    if len(chosen) != 1:
        raise DataError(
            f"A folder of Parquet files must be one table. Got {shown(tables, 5)} in {folder}. Name one file, or a "
            "folder with the files of one."
        )
    return joined(tables[chosen[0]], str(folder))


def tables_in(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each table below a folder, by what their names begin with."""
    found: dict[str, list[Path]] = {}
    with reading(folder):
        for name in names_under(folder, lambda each: is_for_systems(each.name)):
            path = PurePosixPath(name)
            if path.suffix == SUFFIX and not is_for_systems(path.name):
                found.setdefault(table_of_file(Path(path)), []).append(folder / name)
    return {name: by_number(files) for name, files in sorted(found.items())}


def table_of_file(path: Path) -> str:
    """Return what the name of a file says of its table: ``data/train`` of ``data/train-00000-of-00002.parquet``."""
    return _NUMBER.sub("", path.with_name(path.name.partition(".")[0]).as_posix())


def _refuse_arrow(folder: Path) -> None:
    if (folder / "dataset_info.json").is_file() and any(folder.glob("*.arrow")):
        raise DataError(
            f"A data set must be Parquet files. Got {folder}, which save_to_disk wrote as Arrow files. Read it with "
            "load_from_disk, and write it with to_parquet."
        )


def joined(files: Sequence[Path], source: str) -> Table:
    """Return files with the same columns as one table, one behind another.

    Raises
    ------
    DataError
        When a file is no Parquet file, or has other columns.
    """
    from embdiff.corpus.parquet import read_parquet  # pyarrow takes a while to import

    parts = [read_parquet(path) for path in files]
    first = parts[0]
    for path, part in zip(files, parts, strict=True):
        if part.columns != first.columns:
            raise DataError(
                f"Files of one table must have the same columns. Got {shown(first.columns)} in {files[0].name} and "
                f"{shown(part.columns)} in {path.name} of {source}. Name one of them."
            )
    return Table(
        source,
        first.columns,
        partial(_column, parts),
        sum(part.size for part in parts),
        short=lambda at: all(part.short(at) for part in parts),
        home=files[0].parent,
    )


def _column(parts: Sequence[Table], position: int) -> list[object]:
    return list(chain.from_iterable(part.column(position) for part in parts))
