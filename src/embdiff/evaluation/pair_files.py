"""Reading pairs: two texts and a number a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embdiff.corpus.columns import KNOWN, same_name
from embdiff.corpus.files import shown
from embdiff.corpus.formats import read_table
from embdiff.corpus.tables import NumberText, Table, is_missing, kind_of
from embdiff.errors import DataError

_LEFT = ("sentence1", "sentence_1", "text1", "text_1", "sentence_a", "text_a", "question1", "premise", "left", "a")
_RIGHT = ("sentence2", "sentence_2", "text2", "text_2", "sentence_b", "text_b", "question2", "hypothesis", "right", "b")
_SCORE = (
    *("score", "similarity", "similarity_score", "relatedness", "relatedness_score", "rating", "gold", "label"),
    *("is_duplicate", "target"),
)
_MOSTLY = 0.5  # a table without known names is pairs when more of its third column are numbers: others are mistakes


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of texts with a number each.

    Parameters
    ----------
    left, right : tuple of str, length n
    score : ndarray of float64, shape (n,)
    source : str
    how : str
        Which columns were taken.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    score: npt.NDArray[np.float64]
    source: str
    how: str

    def __len__(self) -> int:
        return len(self.left)

    @property
    def binary(self) -> bool:
        """Whether there are exactly two different numbers."""
        return len(np.unique(self.score)) == 2


def pair_table(path: Path) -> Table:
    """Read a file as a table; line 1 of a .csv or .tsv is a header when none of its cells is a number."""
    return read_table(path, lambda cells, _surely: not any(_number(cell) is not None for cell in cells))


def pair_columns(table: Table, *, sure: bool = False) -> tuple[int, int, int] | None:
    """Return the positions of the two texts and the number: by known names, else the three columns there are.

    ``sure``: the third column is taken for the numbers, whatever it holds (its cells are then checked one by one).
    Otherwise ids or numbers among the first two columns say that these are not two texts: id, text, label.
    """
    if table.plain:
        return None
    names = [same_name(name) for name in table.columns]
    known = tuple(next((names.index(name) for name in role if name in names), -1) for role in (_LEFT, _RIGHT, _SCORE))
    if min(known) >= 0:
        return known[0], known[1], known[2]
    if len(names) == 3 and (sure or _two_texts_and_numbers(table, names)):
        return 0, 1, 2
    return None


def _two_texts_and_numbers(table: Table, names: Sequence[str]) -> bool:
    if not {*names[:2]}.isdisjoint(KNOWN["id"]):
        return False
    first, second, third = (_numbers(table.column(position)) for position in range(3))
    return max(first, second) <= _MOSTLY < third


def read_pairs(path: Path) -> Pairs:
    """Read pairs.

    Raises
    ------
    DataError
        When the columns are not found, or a cell is not what its column needs; the message names the line.
    """
    table = pair_table(path)
    columns = pair_columns(table, sure=True)
    if columns is None:
        raise DataError(
            "A file of pairs must have two columns of text and then one of numbers, or columns named sentence1, "
            f"sentence2 and score. Got {shown(table.columns) or 'plain lines'} in {path}. Rename or reorder them."
        )
    if table.size < 2:
        raise DataError(f"A file of pairs must have two pairs or more. Got {table.size} in {path}. Add pairs.")
    left, right = (_texts(table, position) for position in columns[:2])
    names = [table.columns[position] for position in columns]
    headed = names != [str(position) for position in columns]
    how = f"columns {', '.join(names)}" if headed else "three columns without a header: text, text, number"
    return Pairs(left, right, _scores(table, columns[2]), str(path), how)


def _texts(table: Table, position: int) -> tuple[str, ...]:
    cells = table.column(position)
    for row, value in enumerate(cells):
        if not isinstance(value, str) or isinstance(value, NumberText) or not value.strip():
            found = "an empty cell" if isinstance(value, str) or is_missing(value) else kind_of(value)
            raise DataError(
                f"Both texts of a pair must hold text. Got {found} in column {table.columns[position]!r} at "
                f"{table.where(row)} of {table.source}. Fill it in or delete the row."
            )
    return tuple(str(value) for value in cells)


def _scores(table: Table, position: int) -> npt.NDArray[np.float64]:
    cells = table.column(position)
    values = np.empty(table.size)
    for row, value in enumerate(cells):
        number = _number(value)
        if number is None:
            found = "an empty cell" if is_missing(value) or value == "" else kind_of(value)
            raise DataError(
                f"The score of a pair must be a number. Got {found} in column {table.columns[position]!r} at "
                f"{table.where(row)} of {table.source}. Write it like 3.5, or delete the row."
            )
        values[row] = number
    return values


def _numbers(cells: Sequence[object]) -> float:
    return sum(_number(cell) is not None for cell in cells) / max(1, len(cells))


def _number(value: object) -> float | None:
    """Return a cell as a finite number; None when it is none."""
    if not isinstance(value, (str, int, float, np.number)) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
