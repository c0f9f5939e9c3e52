"""read_corpus(): files, lists and data frames as one record, `Corpus`; every cell checked, empty rows dealt with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from embdiff._settings import typed
from embdiff.chunking import Chunking
from embdiff.corpus.chunks import chunked
from embdiff.corpus.columns import NONE, ColumnName, Columns, pick
from embdiff.corpus.documents import Recipe
from embdiff.corpus.files import Form, shown
from embdiff.corpus.images import holds_images, named_apart, pictures_of
from embdiff.corpus.others import other_columns
from embdiff.corpus.readers import SAMPLE, SAMPLE_FILE, table_of
from embdiff.corpus.tables import Table, as_name, as_part, as_title, as_written, is_missing, kind_of, listed, plain
from embdiff.errors import DataError, ParameterError
from embdiff.records import Corpus, Picture, first_repeated
from embdiff.settings import Emptiness, RunConfig

_EMPTY_WAYS_OUT = "Fill them in, or choose --empty keep or --empty drop."
_WITH = {"id": "an id", "by": "a value by which scores are told"}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # NUL, and halves of surrogate pairs


@typed
def read_corpus(
    data: str | os.PathLike[str] | Iterable[object] | Corpus,
    *,
    text_column: ColumnName = None,
    id_column: ColumnName = None,
    group_column: ColumnName = None,
    groups: Iterable[object] | None = None,
    empty: Emptiness = "refuse",
    group_empty: str | None = None,
    quotes: bool | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    chunk: str | int | None = None,
) -> Corpus:
    """Read the items to compare on.

    Parameters
    ----------
    data : str, path, sequence of str, pandas Series or DataFrame, sequence of dict, or Corpus
        A file: ``.txt`` (one item a line), ``.csv`` or ``.tsv`` (RFC 4180), ``.jsonl`` or ``.ndjson`` (an object or
        a string a line), all these also with ``.gz`` or ``.zst`` behind, ``.parquet``. A folder of ``.md``, ``.html``,
        ``.rst``, ``.txt`` and ``.pdf`` files, each a document with its path as id and its sub-folder as group; or a
        folder of images. ``"sample"`` is the bundled sample, ``"sample-languages"`` one of 18 sentences in four
        languages, unless a file has that name. The index of a Series or DataFrame is not looked at. A Corpus comes
        back as it is.
    text_column, id_column, group_column : str or int, optional
        Name (case ignored) or 0-based position (an int, or digits; a column with that very name wins). By default
        the columns are found by usual names: ``text``, ``sentence``, ``content``...; ``id``, ``doc_id``...;
        ``group``, ``label``, ``category``... A single column is the text. ``"none"``: there are no ids, no groups.
        A text found so has the cell of a column ``title`` before it, where there is one: title + " " + text. A
        text_column that is named is that column alone; a template, such as ``"{title} {text}"``, is filled in.
    groups : iterable, optional
        A group for each row, instead of a column; counted before empty rows are dropped.
    empty : {"refuse", "keep", "drop"}
        What to do with items that are null or white space only. Dropped ones are named in ``Corpus.dropped``.
    group_empty : str, optional
        The group of rows whose cell in the group column is empty; by default they are refused.
    quotes : bool, optional
        Whether quotes in a .csv or .tsv hold cells together. By default they do, and a cell over lines of which each
        is a whole row is refused.
    header : bool, optional
        Whether line 1 of a .csv or .tsv names the columns. By default its cells tell, see below.
    encoding : str, optional
        Of a text file, as Python names it. By default UTF-8.
    chunk : str or int, optional
        Cut each text into chunks of at most so many tokens, ``200``; ``"heading:200"`` begins one at every heading
        (`embdiff.chunking.Chunking`). Ids are those of the documents with ``#1``, ``#2``... behind, and
        ``Corpus.parents`` says which document each is of. Of a title or template every chunk has what stands before
        the text.

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
    data when columns are given by position, or when there is only one column; where known names stand, but not in
    every position that was given, ``header`` must say. A row must have an id when there is an id column, and a group
    when there is a group column. ``Corpus.notes`` say which columns were used, and what was guessed.

    Examples
    --------
    >>> read_corpus(["I love you.", "I miss you."]).ids
    ('0', '1')
    """
    form = Form(quotes, header, encoding)
    columns = Columns(text_column, id_column, group_column, form=form, group_empty=group_empty, chunk=chunking(chunk))
    return corpus_from(data, columns, empty, groups)


def chunking(text: str | int | None) -> Chunking | None:
    """Return the value of ``--chunk``, read; None where none was given."""
    return None if text is None else Chunking.parse(str(text))


def corpus_from(data: Any, columns: Columns, empty: str, groups: Iterable[object] | None = None) -> Corpus:
    """Return what `read_corpus` does."""
    way = RunConfig.checked(empty=empty).empty
    if groups is not None and columns.group not in (None, NONE):
        raise ParameterError("Groups must come from one place. Got groups and group_column. Leave one of them out.")
    if isinstance(data, Corpus):
        if columns.given() or columns.group_empty is not None or columns.chunk is not None:
            raise ParameterError(
                "A Corpus is read already. Got a column name or chunk. Leave these arguments out, or give them to "
                "read_corpus()."
            )
        return data if groups is None else replace(data, groups=checked_groups(groups, len(data)))
    return corpus_of(table_of(data, columns), columns, way, groups)


def sample() -> Corpus:
    """Return the bundled sample: 52 lines of four love songs, written for embdiff, with ids and groups."""
    return read_corpus(SAMPLE) if not Path(SAMPLE).is_file() else replace(read_corpus(SAMPLE_FILE), source=SAMPLE)


def rows_of(corpus: Corpus, rows: Sequence[int]) -> Corpus:
    """Return some rows of a corpus as a corpus of their own; ids and groups are kept."""
    if len(rows) == len(corpus) and isinstance(rows, range):
        return corpus
    return replace(
        corpus,
        items=tuple(corpus.items[row] for row in rows),
        ids=tuple(corpus.ids[row] for row in rows),
        groups=None if corpus.groups is None else tuple(corpus.groups[row] for row in rows),
        parents=None if corpus.parents is None else tuple(corpus.parents[row] for row in rows),
        columns={name: tuple(values[row] for row in rows) for name, values in corpus.columns.items()},
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
    picked = pick(table, columns)
    named_rows = replace(table, id_at=picked.id)
    texts, changed = _items(named_rows, picked.recipe)
    images = any(isinstance(text, Picture) for text in texts)
    left_out = rows_left_out(named_rows, texts, empty, empty_ways_out)
    kept = sorted(set(range(table.size)) - set(left_out)) if left_out else range(table.size)
    named = images and columns.id != NONE and table.first is None and named_apart(texts[row] for row in kept)
    ids = [str(texts[row]) if named else str(table.number(row)) for row in kept]
    if picked.id is not None:
        ids = _labels(table, "id", picked.id, kept, columns)
    _refuse_repeated_ids(table, ids, kept, columns)
    bare = table.plain or len(table.columns) < 2 or table.own_columns
    notes = [*table.notes, *([] if bare else [picked.told(table)]), *changed]
    group_of = None
    if groups is not None:
        given = checked_groups(groups, table.size)
        group_of = tuple(given[row] for row in kept)
        refuse_characters(table, "group", group_of, kept)
    elif picked.group is not None:
        group_of = tuple(_labels(named_rows, "group", picked.group, kept, columns))
    notes += _empty_groups(table, picked.group, kept, columns.group_empty)
    dropped: list[str | None] = [None] * table.size
    if left_out and picked.id is not None:
        dropped = [as_name(cell) for cell in table.column(picked.id)]
    corpus = Corpus(
        items=tuple(texts[row] for row in kept),
        ids=tuple(ids),
        groups=group_of,
        source=table.source,
        ids_given=named or picked.id is not None,
        dropped=tuple(dropped[row] or str(table.number(row)) for row in left_out),
        notes=tuple(notes),
        columns=other_columns(table, picked.positions(), kept) if columns.titles else {},
    )
    return corpus if columns.chunk is None else chunked(corpus, table, picked.recipe, kept, columns.chunk)


def _items(table: Table, recipe: Recipe) -> tuple[list[str], list[str]]:
    """Return the items of all rows, texts or images, and what was changed in reading them, in sentences."""
    table = replace(table, column=cache(table.column))  # it may be read from a file each time
    of_images = [position for position in recipe.positions if holds_images(table, position)]
    if not of_images:
        return _texts(table, recipe), []
    if recipe.between:
        raise ParameterError(
            f"An item must be one image, or text. Got the image column {table.columns[of_images[0]]!r} in a template. "
            "Name it alone, or leave it out."
        )
    items, notes = pictures_of(table, of_images[0])
    refuse_characters(table, "name", items, range(len(items)))
    return items, notes


def _texts(table: Table, recipe: Recipe) -> list[str]:
    """Return the documents of all rows."""
    columns = []
    for position in recipe.positions:
        what = f", in the column {table.columns[position]!r}" if len(recipe.positions) > 1 else ""
        other = f", or name a column other than {table.columns[position]!r} with --text-column" if table.columns else ""
        way_out = f"Write it as text (a string), or leave the row out{other}."
        read = as_part if recipe.given else as_written if position == recipe.positions[-1] else as_title
        columns.append(table.checked(position, read, f"Every item must be text{what}.", way_out, words=kind_of))
    texts = list(map(recipe.filled, zip(*columns, strict=True))) if recipe.between else columns[0]
    refuse_characters(table, "text", texts, range(len(texts)))
    return texts


def refuse_characters(table: Table, role: str, values: Sequence[str], rows: Sequence[int]) -> None:
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
    if blank and empty == "keep" and any(isinstance(text, Picture) for text in texts):
        raise ParameterError(
            f"A row without an image cannot be kept: no model has a vector for it. Got {len(blank):,} of "
            f"{len(texts):,} in {table.source}. Write --empty drop, or fill them in."
        )
    if not blank or empty == "keep":
        return ()
    if empty == "refuse":
        places = ", ".join(table.where(row) for row in blank[:5]) + (" ..." if len(blank) > 5 else "")
        ids = table.ids_of(blank[:5])
        places += f" (ids {shown(ids)})" if ids else ""
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


def _labels(table: Table, role: str, position: int, rows: Sequence[int], columns: Columns) -> list[str]:
    """Return the ids or groups of some rows, as text."""
    called, empty = columns.called(role), columns.group_empty if role == "group" else None
    without = {"id": "number the rows", "group": "go without groups"}.get(called if columns.numbered else "")
    must = f"Every row must have {_WITH.get(called, f'a {called}')}: text or a number in the column "
    must += f"{table.columns[position]!r}."
    other = " --group-empty NAME gives such rows one." if called == "group" else ""
    way_out = "Fill it in" + (f", or {without} with --{role}-column none." if without else ".") + other

    def read(cell: object) -> str | None:
        return empty if empty is not None and _blank(cell) else as_name(cell)

    labels = table.checked(position, read, must, way_out, rows=rows)
    refuse_characters(table, role, labels, rows)
    return labels


def _blank(cell: object) -> bool:
    return is_missing(cell) or (isinstance(cell, str) and not cell.strip())


def _empty_groups(table: Table, position: int | None, rows: Sequence[int], name: str | None) -> list[str]:
    """Return in a sentence how many rows were given a group; refuse a name for it that can be none."""
    if name is None:
        return []
    if not name.strip() or position is None:
        found = "a blank name" if position is not None else f"no such column in {table.source}"
        raise ParameterError(
            f"--group-empty names the group of empty cells of the group column. Got {found}. Write --group-empty NAME, "
            "and --group-column where the column has another name."
        )
    if table.first is not None:
        return [f"Rows of {table.source} without a group are in the group {name!r}, as asked."]
    cells = table.column(position)
    count = sum(_blank(cells[row]) for row in rows)
    return [f"{count:,} rows of {table.source} have no group and are in the group {name!r}, as asked."] if count else []


def checked_groups(groups: Iterable[object], size: int) -> tuple[str, ...]:
    """Return groups given as a list, one per row, as text."""
    values = [groups] if isinstance(groups, str) else listed(groups)
    if len(values) != size:
        raise DataError(f"groups must have one entry for each of the {size} rows. Got {len(values)}. Give one per row.")
    must = "Every group must be text or a number."
    return tuple(plain(values, "groups").checked(0, as_name, must, "Fill it in.", words=kind_of))


def _refuse_repeated_ids(table: Table, names: Sequence[str], rows: Sequence[int], columns: Columns) -> None:
    twice = first_repeated(names)
    if twice is not None:
        first, second = (table.where(rows[at]) for at in twice)
        raise DataError(
            f"Every id must occur once. Got {names[twice[1]]!r} at {first} and at {second} of {table.source}. "
            f"Make the ids unique{', or number the rows with --id-column none' if columns.numbered else ''}."
        )
