"""Making a `Corpus` out of a table: every cell checked, empty rows dealt with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from embdiff.corpus.columns import Columns, pick
from embdiff.corpus.tables import ABSENT, NumberText, Table, as_label, is_missing, kind_of, listed
from embdiff.errors import DataError
from embdiff.records import Corpus
from embdiff.settings import Emptiness

_EMPTY_WAYS_OUT = "Fill them in, or choose --empty keep or --empty drop."


def corpus_of(
    table: Table,
    columns: Columns,
    empty: Emptiness = "refuse",
    groups: Iterable[object] | None = None,
    empty_ways_out: str = _EMPTY_WAYS_OUT,
) -> Corpus:
    """Make the record out of a table: find the columns, check every cell, deal with empty rows."""
    picked = pick(table, columns)
    texts = _texts(table, picked.text)
    kept = _kept(table, texts, empty, empty_ways_out)
    ids = _labels(table, "id", picked.id, kept)
    if groups is not None:
        given = checked_groups(groups, table.size)
        group_of: Sequence[str] | None = [given[row] for row in kept]
    else:
        group_of = _labels(table, "group", picked.group, kept)
    names = [str(table.number(row)) for row in kept] if ids is None else ids
    _refuse_repeated_ids(table, names, kept)
    _refuse_characters(table, "group", group_of or (), kept)
    return Corpus(
        items=tuple(texts[row] for row in kept),
        ids=tuple(names),
        groups=None if group_of is None else tuple(group_of),
        source=table.source,
        ids_given=ids is not None,
        dropped=_dropped(table, picked.id, kept) if len(kept) < table.size else (),
        notes=_notes(table),
    )


def _notes(table: Table) -> tuple[str, ...]:
    """Return what was guessed in reading, for the reader of the run."""
    if not table.headerless:
        return ()
    return (
        f"Line 1 of {table.source} was taken as data: none of its cells is a known column name. If it names the "
        "columns, give a name instead of a position (--text-column NAME).",
    )


def _texts(table: Table, position: int) -> list[str]:
    texts: list[str] = []
    for row, value in enumerate(table.column(position)):
        if type(value) is str:
            texts.append(value)
        elif isinstance(value, str) and not isinstance(value, NumberText):
            texts.append(str(value))  # np.str_ and other kinds of str
        elif value is ABSENT:
            raise DataError(
                f"Every row must have the text column {table.columns[position]!r}. Got an object without it at "
                f"{table.where(row)} of {table.source}. Add it there, or name another with --text-column."
            )
        else:
            raise DataError(
                f"Every item must be text. Got {kind_of(value)} at {table.where(row)} of {table.source}. "
                "Write it as text (a string), or leave the row out."
            )
    _refuse_characters(table, "text", texts, range(len(texts)))
    return texts


def _refuse_characters(table: Table, role: str, values: Sequence[str], rows: Sequence[int]) -> None:
    """Refuse what cannot be written as UTF-8 or stored in a database; one pass when all is well."""
    together = "".join(values)
    if "\0" not in together and _encodable(together):
        return
    for row, value in zip(rows, values, strict=True):
        if "\0" in value or not _encodable(value):
            found = "a NUL character" if "\0" in value else "half of a surrogate pair (such as \\ud800)"
            raise DataError(
                f"Text must be storable as UTF-8, without NUL. Got {found} in the {role} at {table.where(row)} of "
                f"{table.source}. Remove it and run again."
            )


def _encodable(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _kept(table: Table, texts: Sequence[str], empty: Emptiness, ways_out: str) -> Sequence[int]:
    """Return the rows that stay."""
    blank = [row for row, text in enumerate(texts) if not text or text.isspace()]
    if not blank or empty == "keep":
        return range(len(texts))
    places = ", ".join(table.where(row) for row in blank[:5]) + (" ..." if len(blank) > 5 else "")
    if empty == "refuse":
        raise DataError(
            f"Every row must hold text. Got {len(blank):,} empty of {len(texts):,} in {table.source}: {places}. "
            f"{ways_out}"
        )
    if len(blank) == len(texts) and table.first is None:
        raise DataError(
            f"At least one row must hold text. Got {len(blank):,} rows in {table.source}, all empty. "
            "Fill them in or name another file."
        )
    left_out = set(blank)
    return [row for row in range(len(texts)) if row not in left_out]


def _labels(table: Table, role: str, position: int | None, kept: Sequence[int]) -> list[str] | None:
    """Return the ids or groups of the rows kept, as text."""
    if position is None:
        return None
    cells = table.column(position)
    labels = [as_label(cells[row]) for row in kept]
    for row, label in zip(kept, labels, strict=True):
        if label is None or not label.strip():
            found = (
                "an empty cell" if as_label(cells[row]) is not None or is_missing(cells[row]) else kind_of(cells[row])
            )
            without = "number the rows" if role == "id" else "go without groups"
            raise DataError(
                f"Every row must have {'an id' if role == 'id' else 'a group'}: text or a number in the column "
                f"{table.columns[position]!r}. Got {found} at {table.where(row)} of {table.source}. "
                f"Fill it in, or {without} with --{role}-column none."
            )
    _refuse_characters(table, role, [label for label in labels if label is not None], kept)
    return [label for label in labels if label is not None]


def checked_groups(groups: Iterable[object], size: int) -> tuple[str, ...]:
    """Return groups given as a list, one per row, as text."""
    values = [groups] if isinstance(groups, str) else listed(groups)
    if len(values) != size:
        raise DataError(f"groups must have one entry for each of the {size} rows. Got {len(values)}. Give one per row.")
    labels = [as_label(value) for value in values]
    for row, label in enumerate(labels):
        if label is None or not label.strip():
            raise DataError(
                f"Every group must be text or a number. Got {kind_of(values[row])} at row {row} of groups. Fill it in."
            )
    return tuple(label for label in labels if label is not None)


def _dropped(table: Table, position: int | None, kept: Sequence[int]) -> tuple[str, ...]:
    """Return the ids of the rows left out; the row number stands in where the id is missing too."""
    left_out = sorted(set(range(table.size)) - set(kept))
    if position is None:
        return tuple(str(table.number(row)) for row in left_out)
    cells = table.column(position)
    return tuple(as_label(cells[row]) or str(table.number(row)) for row in left_out)


def _refuse_repeated_ids(table: Table, names: Sequence[str], rows: Sequence[int]) -> None:
    if len(set(names)) == len(names):
        return
    first: dict[str, int] = {}
    for row, name in zip(rows, names, strict=True):
        if name in first:
            raise DataError(
                f"Every id must occur once. Got {name!r} at {table.where(first[name])} and at {table.where(row)} of "
                f"{table.source}. Make the ids unique, or number the rows with --id-column none."
            )
        first[name] = row
