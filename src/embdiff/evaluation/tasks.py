"""Which task the data are for: found from the files, and said."""

from __future__ import annotations

import os
from pathlib import Path

from embdiff.corpus.beir import is_beir
from embdiff.corpus.files import refuse_missing, shown
from embdiff.corpus.tables import kind_of
from embdiff.errors import DataError
from embdiff.evaluation.class_files import is_classes
from embdiff.evaluation.pair_files import pair_columns, pair_table
from embdiff.settings import Task


def find_task(data: object, task: Task | None, *, columns_named: bool = False) -> tuple[Path, Task, str]:
    """Return the path, the task, and in words how it was found.

    Parameters
    ----------
    data : str or path
    task : Task or None
        As asked; None means to look.
    columns_named : bool
        Whether a column of labelled texts was named, which tells a file of them.

    Raises
    ------
    DataError
        When the path does not exist, or fits no task.
    """
    path = _path(data)
    if task is not None:
        return path, task, "as asked"
    if path.is_dir():
        if is_beir(path):
            return path, "retrieval", "the folder holds corpus.jsonl and queries.jsonl"
        if is_classes(path):
            return path, "classes", "the folder holds a train and a test file"
        raise DataError(
            "A folder must hold corpus.jsonl, queries.jsonl and qrels/ (retrieval), or train.* and test.* (classes). "
            f"Got {path} with {_inside(path)}. Name another folder, or one file of pairs or of labelled texts."
        )
    if columns_named:
        return path, "classes", "columns of labelled texts were named"
    table = pair_table(path)
    columns = pair_columns(table)
    if columns is not None:
        return path, "pairs", "the file has two columns of text and one of numbers"
    if table.plain or len(table.columns) < 2:
        raise DataError(
            "A file must hold pairs (two texts and a number a row) or labelled texts (a text and a label a row). "
            f"Got {'plain lines' if table.plain else 'one column'} in {path}. Add the numbers or the labels."
        )
    return path, "classes", "the file has no pairs of texts with a number, so its rows are labelled texts"


def _path(data: object) -> Path:
    if not isinstance(data, (str, os.PathLike)):
        raise DataError(f"The data to evaluate must be a path. Got {kind_of(data)}. Write the data to files first.")
    path = Path(data)
    refuse_missing(path, "data")
    return path


def _inside(path: Path) -> str:
    return shown(sorted(each.name for each in path.iterdir()), 6) or "nothing"
