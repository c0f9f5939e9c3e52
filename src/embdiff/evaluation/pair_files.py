"""Reading pairs: two texts and a number a row, in one file or several that are pooled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from embdiff.corpus.columns import KNOWN, ColumnName, column_of, known_column, same_name
from embdiff.corpus.files import FOUND, Form, shown
from embdiff.corpus.read import refuse_characters
from embdiff.corpus.readers import read_table
from embdiff.corpus.tables import Table, as_name, as_number, as_text, held, is_missing
from embdiff.errors import DataError, ParameterError
from embdiff.measures.statistics.kinds import Kinds, kinds_of

_T = TypeVar("_T")
_MOSTLY = 0.5  # a table without known names is pairs when more of its third column are numbers: others are mistakes
_ROLES = ("left", "right", "score")
NamedColumns = Mapping[str, ColumnName]  # left, right and score, as far as they were given


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of texts with a number each.

    Parameters
    ----------
    left, right : tuple of str, length n
    score : ndarray of float64, shape (n,)
    how : str
        Which columns were taken.
    notes : tuple of str
        What was guessed in reading, a sentence each.
    files : tuple of (str, int)
        The files in order, and how many pairs are of each.
    parts : tuple of str, optional
        Of each pair the value of the column by which scores are told.
    labels : tuple of str, optional
        Of each pair the label that its score stands for: 1 for those that are positive, else 0.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    score: npt.NDArray[np.float64]
    how: str
    notes: tuple[str, ...] = ()
    files: tuple[tuple[str, int], ...] = ()
    parts: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.left)

    @property
    def kinds(self) -> Kinds | None:
        """Which pairs are positive where there are exactly two different numbers; else None."""
        return kinds_of(self.score)


def pair_table(path: Path, form: Form = FOUND, given: NamedColumns | None = None) -> Table:
    """Read a file as a table; line 1 of a .csv or .tsv is data where one of its cells is a number, else a header.

    The notes say so where none of its cells is a known name or a given one: a pair without a score looks the same.
    """
    names = {same_name(name) for role in _ROLES for name in KNOWN[role]}
    names |= {same_name(str(name)) for name in (given or {}).values()}

    def is_header(cells: Sequence[str], surely: bool) -> bool | None:
        if any(as_number(cell) is not None for cell in cells):
            return False
        return True if any(same_name(cell) in names for cell in cells) else False if surely else None

    return read_table(path, is_header, form)


def pair_columns(table: Table, *, sure: bool = False, given: NamedColumns | None = None) -> tuple[int, int, int] | None:
    """Return the positions of the two texts and the number: as given, by known names, else the three columns there are.

    ``sure``: three columns without known names are taken for pairs, whatever they hold (cells are then checked one by
    one). Otherwise ids or numbers in the place of texts say that these are not two texts: id, text, label. Of three
    columns the numbers are the third, or the first where only that one holds numbers, as SemEval has them.

    Raises
    ------
    DataError
        When a given column is not there, or several have a known name, alike but for case.
    """
    if table.plain:
        return None
    named = {role: column_of(table, role, (given or {}).get(role)) for role in _ROLES}
    found = list[int]()
    for role, place in named.items():
        at = known_column(table, role) if place is None else place
        if at is None:
            break
        found.append(at)
    if len(found) == len(_ROLES):
        return found[0], found[1], found[2]
    if len(table.columns) != 3 or any(at is not None for at in named.values()):
        return None
    ids = {same_name(name) in KNOWN["id"] for name in table.columns[:2]}
    numbers = [
        sum(as_number(cell) is not None for cell in table.column(position)) / max(1, table.size)
        for position in range(3)
    ]
    if ids == {False} and max(numbers[:2]) <= _MOSTLY < numbers[2]:
        return 0, 1, 2
    if ids == {False} and max(numbers[1:]) <= _MOSTLY < numbers[0]:
        return 1, 2, 0
    return (0, 1, 2) if sure else None


def read_pairs(
    paths: Sequence[Path],
    form: Form = FOUND,
    given: NamedColumns | None = None,
    by: ColumnName = None,
    positive: Sequence[str] = (),
) -> Pairs:
    """Read pairs from one file, or several that are pooled; rows without a score are left out and counted.

    ``by`` is the column by which scores are told, where one was named; ``positive`` are the labels that stand for 1
    where scores are labels, all others for 0.

    Raises
    ------
    DataError
        When the columns are not found, a cell is not what its column needs, or a file is named twice; the message names
        the line.
    ParameterError
        When a label is none of the file, or all are positive.
    """
    twice = [str(path) for path in paths if list(paths).count(path) > 1]
    if twice:
        raise DataError(f"Every file of pairs must be named once. Got {twice[0]} more than once. Name it once.")
    parts = [_read(path, form, given or {}, by, bool(positive)) for path in paths]
    labels = tuple(label for part in parts for label in part.labels or ()) or None
    score = np.concatenate([part.score for part in parts])
    if labels is not None:
        score = _refuse_labels(labels, positive, ", ".join(map(str, paths)))
    return Pairs(
        tuple(text for part in parts for text in part.left),
        tuple(text for part in parts for text in part.right),
        score,
        "; ".join(dict.fromkeys(part.how for part in parts)),
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        tuple((str(path), len(part)) for path, part in zip(paths, parts, strict=True)),
        None if by is None else tuple(value for part in parts for value in part.parts or ()),
        labels,
    )


def _refuse_labels(labels: Sequence[str], positive: Sequence[str], source: str) -> npt.NDArray[np.float64]:
    """Return 1 for each label that is positive, else 0; refuse what leaves one kind of pairs."""
    there = sorted(set(labels))
    unknown = [label for label in positive if label not in there]
    if unknown or not set(there) - set(positive):
        found = f"{shown(unknown)}, which is none of them" if unknown else "all of them"
        raise ParameterError(
            f"--positive must name some labels of pairs, and leave others. Got {found}, in {source}. The labels are "
            f"{shown(there, 8)}."
        )
    return np.isin(np.array(labels, dtype=object), list(positive)).astype(np.float64)


def _read(path: Path, form: Form, given: NamedColumns, by: ColumnName, labelled: bool) -> Pairs:
    table = pair_table(path, form, given if by is None else {**given, "by": by})
    columns = pair_columns(table, sure=True, given=given)
    if columns is None:
        raise DataError(
            "A file of pairs must have two columns of text and one of numbers: named like sentence1, sentence2 and "
            f"score, or three columns alone. Got {shown(table.columns) or 'plain lines'} in {path}. Name them with "
            "--left-column, --right-column and --score-column."
        )
    if len(set(columns)) < 3:
        raise DataError(
            f"Texts and score of pairs must be three columns. Got {table.columns[columns[0]]!r}, "
            f"{table.columns[columns[1]]!r} and {table.columns[columns[2]]!r} of {path}. Name three different ones."
        )
    cells = table.column(columns[2])
    rows = [row for row in range(table.size) if not _is_blank(cells[row])]
    if len(rows) < 2:
        raise DataError(
            f"A file of pairs must have two pairs or more that have a score. Got {len(rows)} in {path}. Add pairs."
        )
    must, way_out = "Both texts of a pair must hold text.", "Fill it in or delete the row."
    left, right = (_cells(table, position, _text, must, way_out, rows) for position in columns[:2])
    for texts in (left, right):
        refuse_characters(table, "text", texts, rows)
    labels = _cells(table, columns[2], as_name, "Every pair must have a label.", way_out, rows) if labelled else None
    way_out = "Write it like 3.5, empty it to leave the pair out, or name the labels that mean alike with --positive."
    must = "The score of a pair must be a number."
    score = np.zeros(len(rows)) if labelled else np.array(_cells(table, columns[2], as_number, must, way_out, rows))
    names = ", ".join(table.columns[position] for position in columns)
    order = "number, text, text" if columns[2] == 0 else "text, text, number"
    how = f"three columns without a header: {order}" if table.headerless else f"columns {names}"
    without = sorted(set(range(table.size)) - set(rows))
    notes = table.notes
    if without:
        notes += (
            f"{len(without):,} of {table.size:,} rows of {path} have no score: they are left out (the first at "
            f"{table.where(without[0])}).",
        )
    at = column_of(table, "by", by)
    told = "Every pair must have a value in the column by which scores are told."
    values = None if at is None else tuple(_cells(table, at, as_name, told, "Fill it in.", rows))
    return Pairs(
        tuple(left), tuple(right), score, how, notes, parts=values, labels=None if labels is None else tuple(labels)
    )


def _cells(
    table: Table, position: int, read: Callable[[object], _T | None], must: str, way_out: str, rows: Sequence[int]
) -> list[_T]:
    name = table.columns[position]
    return table.checked(
        position, read, must, way_out, words=lambda cell: f"{held(cell)} in column {name!r}", rows=rows
    )


def _is_blank(cell: object) -> bool:
    return is_missing(cell) or (isinstance(cell, str) and not cell.strip())


def _text(value: object) -> str | None:
    text = as_text(value)
    return text if text is not None and text.strip() else None
