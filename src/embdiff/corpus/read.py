"""read_corpus(): files, lists and data frames as one record, `Corpus`; every cell checked, empty rows dealt with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from embdiff.corpus.columns import NONE, ColumnName, Columns, pick
from embdiff.corpus.readers import SAMPLE, SAMPLE_FILE, table_of
from embdiff.corpus.tables import Table, as_name, as_text, kind_of, listed, plain
from embdiff.errors import DataError, ParameterError
from embdiff.records import Corpus, first_repeated
from embdiff.settings import Emptiness, RunConfig

_EMPTY_WAYS_OUT = "Fill them in, or choose --empty keep or --empty drop."
_HEADERLESS = (
    "Line 1 of {} was taken as data: none of its cells is a known column name. If it names the columns, give a name "
    "instead of a position (--text-column NAME)."
)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # NUL, and halves of surrogate pairs


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
    return corpus_from(data, Columns(text_column, id_column, group_column), empty, groups)


def corpus_from(data: Any, columns: Columns, empty: str, groups: Iterable[object] | None = None) -> Corpus:
    """Return what `read_corpus` does."""
    way = RunConfig.checked(empty=empty).empty
    if groups is not None and columns.group not in (None, NONE):
        raise ParameterError("Groups must come from one place. Got groups and group_column. Leave one of them out.")
    if isinstance(data, Corpus):
        if columns.given():
            raise ParameterError("A Corpus has no columns. Got a column name. Leave the column arguments out.")
        return data if groups is None else replace(data, groups=checked_groups(groups, len(data)))
    return corpus_of(table_of(data, columns), columns, way, groups)


def sample() -> Corpus:
    """Return the bundled sample: 52 lines of four love songs, written for embdiff, with ids and groups."""
    return replace(read_corpus(SAMPLE_FILE), source=SAMPLE)


def rows_of(corpus: Corpus, rows: Sequence[int]) -> Corpus:
    """Return some rows of a corpus as a corpus of their own; ids and groups are kept."""
    if len(rows) == len(corpus) and isinstance(rows, range):
        return corpus
    return replace(
        corpus,
        items=tuple(corpus.items[row] for row in rows),
        ids=tuple(corpus.ids[row] for row in rows),
        groups=None if corpus.groups is None else tuple(corpus.groups[row] for row in rows),
        dropped=(),
        notes=(),
    )


def corpus_of(
    table: Table,
    columns: Columns,
    empty: Emptiness = "refuse",
    groups: Iterable[object] | None = None,
    empty_ways_out: str = _EMPTY_WAYS_OUT,
) -> Corpus:
    """Make the record out of a table: find the columns, check every cell, deal with empty rows."""
    text, id_at, group_at = pick(table, columns)
    texts = _texts(table, text)
    left_out = rows_left_out(table, texts, empty, empty_ways_out)
    kept = sorted(set(range(table.size)) - set(left_out)) if left_out else range(table.size)
    ids = [str(table.number(row)) for row in kept] if id_at is None else _labels(table, "id", id_at, kept)
    _refuse_repeated_ids(table, ids, kept)
    group_of = None
    if groups is not None:
        given = checked_groups(groups, table.size)
        group_of = tuple(given[row] for row in kept)
        _refuse_characters(table, "group", group_of, kept)
    elif group_at is not None:
        group_of = tuple(_labels(table, "group", group_at, kept))
    named = [None] * table.size if id_at is None or not left_out else [as_name(cell) for cell in table.column(id_at)]
    return Corpus(
        items=tuple(texts[row] for row in kept),
        ids=tuple(ids),
        groups=group_of,
        source=table.source,
        ids_given=id_at is not None,
        dropped=tuple(named[row] or str(table.number(row)) for row in left_out),
        notes=(_HEADERLESS.format(table.source),) if table.headerless else (),
    )


def _texts(table: Table, position: int) -> list[str]:
    other = f", or name a column other than {table.columns[position]!r} with --text-column" if table.columns else ""
    way_out = f"Write it as text (a string), or leave the row out{other}."
    texts = table.checked(position, as_text, "Every item must be text.", way_out, words=kind_of)
    _refuse_characters(table, "text", texts, range(len(texts)))
    return texts


def _refuse_characters(table: Table, role: str, values: Sequence[str], rows: Sequence[int]) -> None:
    """Refuse what cannot be written as UTF-8 or stored in a database; one pass when all is well."""
    if _UNSTORABLE.search("".join(values)) is None:
        return
    for row, value in zip(rows, values, strict=True):
        bad = _UNSTORABLE.search(value)
        if bad is not None:
            found = "a NUL character" if bad[0] == "\0" else "half of a surrogate pair (such as \\ud800)"
            must = "Text must be storable as UTF-8, without NUL."
            raise table.refusal(row, must, f"{found} in the {role}", "Remove it and run again.")


def rows_left_out(table: Table, texts: Sequence[str], empty: Emptiness, ways_out: str) -> Sequence[int]:
    """Return the rows that are left out because they are empty."""
    blank = [row for row, text in enumerate(texts) if not text or text.isspace()]
    if not blank or empty == "keep":
        return ()
    if empty == "refuse":
        places = ", ".join(table.where(row) for row in blank[:5]) + (" ..." if len(blank) > 5 else "")
        raise DataError(
            f"Every row must hold text. Got {len(blank):,} empty of {len(texts):,} in {table.source}: {places}. "
            f"{ways_out}"
        )
    if len(blank) == len(texts) and table.first is None:
        raise DataError(
            f"At least one row must hold text. Got {len(blank):,} rows in {table.source}, all empty. "
            "Fill them in or name another file."
        )
    return blank


def _labels(table: Table, role: str, position: int, rows: Sequence[int]) -> list[str]:
    """Return the ids or groups of some rows, as text."""
    what, without = ("an id", "number the rows") if role == "id" else ("a group", "go without groups")
    must = f"Every row must have {what}: text or a number in the column {table.columns[position]!r}."
    way_out = f"Fill it in, or {without} with --{role}-column none."
    labels = table.checked(position, as_name, must, way_out, rows=rows)
    _refuse_characters(table, role, labels, rows)
    return labels


def checked_groups(groups: Iterable[object], size: int) -> tuple[str, ...]:
    """Return groups given as a list, one per row, as text."""
    values = [groups] if isinstance(groups, str) else listed(groups)
    if len(values) != size:
        raise DataError(f"groups must have one entry for each of the {size} rows. Got {len(values)}. Give one per row.")
    must = "Every group must be text or a number."
    return tuple(plain(values, "groups").checked(0, as_name, must, "Fill it in.", words=kind_of))


def _refuse_repeated_ids(table: Table, names: Sequence[str], rows: Sequence[int]) -> None:
    twice = first_repeated(names)
    if twice is not None:
        first, second = (table.where(rows[at]) for at in twice)
        raise DataError(
            f"Every id must occur once. Got {names[twice[1]]!r} at {first} and at {second} of {table.source}. "
            "Make the ids unique, or number the rows with --id-column none."
        )
