"""read_corpus(): files, lists and data frames as one record, `Corpus`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

from embdiff.corpus.columns import ColumnName, Columns, header_rule
from embdiff.corpus.files import EXTENSIONS, exists, shown
from embdiff.corpus.formats import read_table
from embdiff.corpus.rows import checked_groups, corpus_of
from embdiff.corpus.tables import Table, from_frame, from_objects, kind_of, listed, plain
from embdiff.errors import DataError, ParameterError
from embdiff.records import Corpus
from embdiff.settings import Emptiness

SAMPLE = "sample"
_SAMPLE_FILE = Path(__file__).parent / "sample" / "four_songs.csv"


def read_corpus(
    data: str | os.PathLike[str] | Iterable[object] | Corpus,
    *,
    text_column: ColumnName = None,
    id_column: ColumnName = None,
    group_column: ColumnName = None,
    groups: Iterable[object] | None = None,
    empty: Emptiness = "refuse",
) -> Corpus:
    """Read the items to compare on.

    Parameters
    ----------
    data : str, path, sequence of str, pandas Series or DataFrame, sequence of dict, or Corpus
        A file: ``.txt`` (one item a line), ``.csv`` or ``.tsv`` (RFC 4180), ``.jsonl`` or ``.ndjson`` (an object or
        a string a line), ``.parquet``. ``"sample"`` is the bundled sample, unless a file has that name. The index
        of a Series or DataFrame is not looked at. A Corpus comes back as it is.
    text_column, id_column, group_column : str or int, optional
        Name (case ignored) or 0-based position (an int, or digits; a column with that very name wins). By default
        the columns are found by usual names: ``text``, ``sentence``, ``content``...; ``id``, ``doc_id``...;
        ``group``, ``label``, ``category``... A single column is the text. ``"none"``: there are no ids, no groups.
    groups : iterable, optional
        A group for each row, instead of a column; counted before empty rows are dropped.
    empty : {"refuse", "keep", "drop"}
        What to do with items that are white space only. Dropped ones are named in ``Corpus.dropped``.

    Returns
    -------
    Corpus
        Equal texts stay separate rows. Without an id column the id is the 0-based row number, counted before
        empty rows are dropped. Ids and groups are text, as written in the file.

    Raises
    ------
    DataError
        When the data cannot be read as it is; the message names the row and a way out.
    ParameterError
        When an argument does not fit.

    Notes
    -----
    Line 1 of a .csv or .tsv is a header when one of its cells is a known or a given column name. If none is, it is
    data when columns are given by position, or when there is only one column. A row must have an id when there is
    an id column, and a group when there is a group column.

    Examples
    --------
    >>> read_corpus(["I love you.", "I miss you."]).ids
    ('0', '1')
    """
    if empty not in get_args(Emptiness):
        raise ParameterError(f"empty must be one of {', '.join(get_args(Emptiness))}. Got {empty!r}. Choose one.")
    columns = Columns(text_column, id_column, group_column)
    if groups is not None and columns.given().get("group") not in (None, "none"):
        raise ParameterError("Groups must come from one place. Got groups and group_column. Leave one of them out.")
    if isinstance(data, Corpus):
        if columns.given():
            raise ParameterError("A Corpus has no columns. Got a column name. Leave the column arguments out.")
        return data if groups is None else replace(data, groups=checked_groups(groups, len(data)))
    return corpus_of(table_of(data, columns), columns, empty, groups)


def sample() -> Corpus:
    """Return the bundled sample: 52 lines of four love songs, written for embdiff, with ids and groups."""
    return corpus_of(_sample_table(Columns()), Columns())


def _sample_table(columns: Columns) -> Table:
    return replace(read_table(_SAMPLE_FILE, header_rule(columns)), source=SAMPLE)


def names_sample(data: object) -> bool:
    """Return whether ``data`` means the bundled sample: its name, unless a file is called so."""
    return isinstance(data, str) and data == SAMPLE and not Path(data).is_file()


def table_of(data: object, columns: Columns) -> Table:
    """Return a file, the sample, a list, dict rows, a Series or a DataFrame as a table."""
    if names_sample(data):
        return _sample_table(columns)
    if isinstance(data, (str, os.PathLike)):
        return read_table(_path(data), header_rule(columns))
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "iloc") and hasattr(data, "columns"):
        table = from_frame(data)
    else:
        rows = listed(data)
        if rows and isinstance(rows[0], Mapping):
            for row, each in enumerate(rows):
                if not isinstance(each, Mapping):
                    raise DataError(f"Every row must be a dict, like row 0. Got {kind_of(each)} at row {row}. Mend it.")
            table = from_objects(rows, "list")
        else:
            table = plain(rows, "list")
    if not table.size:
        raise DataError(f"The data must have at least one row. Got an empty {table.source}. Add rows.")
    return table


def _path(data: str | os.PathLike[str]) -> Path:
    path = Path(data)
    looks_like_text = isinstance(data, str) and (
        "\n" in data or (" " in data.strip() and path.suffix.lower() not in EXTENSIONS) or not data.strip()
    )
    if looks_like_text and not (str(data).strip() and exists(path)):
        raise DataError(
            f"The data must be a list of texts or the path of a file. Got one string, {shown([data])}. "
            "Pass [text, text, ...] or a path."
        )
    return path
