"""Which of ready vectors is a text's: joined by id, else by text, else by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from embdiff.sources.parquet import ID, TEXT
from embdiff.sources.table import VectorTable
from embdiff.errors import DataError, ParameterError
from embdiff.records import IntArray, Role

What = Literal["rows of the corpus", "queries", "test texts"]

_PAIRS = 16_384  # vectors compared at a time
_ROUNDING = 1e-4  # of the longest: what another batch may change of a text's vector, and much more
_REMEDY = {
    "rows of the corpus": "Encode this corpus ('embdiff encode'), or give the one that was encoded.",
    "queries": "Encode these queries ('embdiff encode --role query'), or ask those that were encoded.",
    "test texts": "Encode these texts ('embdiff encode'), or give those that were encoded.",
}


@dataclass(frozen=True, eq=False)
class Wanted:
    """Texts whose vectors are looked for among ready ones.

    Parameters
    ----------
    items, ids : sequence of str, length n
    rows : ndarray of int64, shape (n,)
        Their rows in the file that they come from.
    of : int
        Rows of that file.
    what : {"rows of the corpus", "queries", "test texts"}
        For messages.
    """

    items: Sequence[str]
    ids: Sequence[str]
    rows: IntArray
    of: int
    what: What

    @classmethod
    def whole(cls, items: Sequence[str], ids: Sequence[str], what: What) -> Wanted:
        """All rows of a file, in their order."""
        return cls(list(items), ids, np.arange(len(items), dtype=np.int64), len(items), what)

    def by_row(self, there: int, name: str) -> IntArray:
        """Return the rows, for a table of ``there`` vectors of which nothing else is known.

        Raises
        ------
        ParameterError
            When it is not one vector for each row of the file.
        """
        if there != self.of:
            raise ParameterError(
                f"{name} must hold one vector for each of the {self.of} {self.what}, in their order. Got {there} "
                f"vectors. Give the {self.what} that they were made from, or the vectors that were made of these."
            )
        return self.rows


def joined(table: VectorTable, name: str, wanted: Wanted) -> tuple[IntArray, str]:
    """Return which row of a table holds the vector of each text, (n,), and how they were found: id, text or row.

    Parameters
    ----------
    table : VectorTable
    name : str
        What it is called in messages.
    wanted : Wanted

    Raises
    ------
    DataError
        When a text has no vector, or several that differ.
    ParameterError
        When there are neither ids nor texts, and not one vector for each row.
    """
    if not (table.has_ids or table.has_texts):
        return wanted.by_row(len(table), f"{name}, which has neither ids nor texts,"), "row"
    theirs = list(table.strings(TEXT)) if table.has_texts else None
    rows, why_not = _by_id(table, wanted, theirs)
    if rows is not None:
        return rows, "id"
    if theirs is None:
        raise DataError(_lacking(name, wanted, why_not))
    return _by_text(table, name, wanted, theirs, why_not), "text"


def no_others(name: str, rows: int, count: int, role: Role) -> ParameterError:
    """Return what to raise where ready vectors of a corpus are asked for those of other texts."""
    return ParameterError(
        f"{name} knows the vectors of the {rows} rows of the corpus and no others. Got {count} texts as {role}. Name "
        "a second file with theirs, ?queries=FILE, or query with rows: all, every, first:N or rows:3,7."
    )


def _by_id(table: VectorTable, wanted: Wanted, theirs: list[str] | None) -> tuple[IntArray | None, str]:
    """Return the row of each id, or None and why there is none."""
    if not table.has_ids:
        return None, "it has no column of ids"
    place: dict[str, int] = {}
    for row, name in enumerate(table.strings(ID)):
        if place.setdefault(name, row) != row:
            return None, f"it holds the id {name!r} more than once"
    ids = wanted.ids
    missing = [name for name in ids if name not in place]
    if missing:
        return None, f"it lacks {len(missing):,} of the {len(ids):,} ids, for example {missing[0]!r}"
    rows = np.array([place[name] for name in ids], dtype=np.int64)
    if theirs is not None:
        other = [at for at, row in enumerate(rows) if theirs[row] != wanted.items[at]]
        if other:
            return None, f"it has another text for {len(other):,} ids, for example {ids[other[0]]!r}"
    return rows, ""


def _by_text(table: VectorTable, name: str, wanted: Wanted, theirs: list[str], why_not: str) -> IntArray:
    """Return a row with each text."""
    place: dict[str, int] = {}
    again: list[tuple[int, int]] = []
    texts = set(wanted.items)
    for row, text in enumerate(theirs):
        if text in texts and place.setdefault(text, row) != row:
            again.append((place[text], row))
    missing = [each for each, text in zip(wanted.ids, wanted.items, strict=True) if text not in place]
    if missing:
        why = f"{why_not}, and it lacks the texts of {len(missing):,} {wanted.what}, for example {missing[0]!r}"
        raise DataError(_lacking(name, wanted, why))
    _refuse_two_vectors(table, again, theirs)
    return np.array([place[text] for text in wanted.items], dtype=np.int64)


def _refuse_two_vectors(table: VectorTable, again: Sequence[tuple[int, int]], theirs: list[str]) -> None:
    """Refuse to choose between vectors of one text that differ by more than rounding."""
    for start in range(0, len(again), _PAIRS):
        pairs = np.array(again[start : start + _PAIRS], dtype=np.int64)
        one, other = (table.read(pairs[:, side]) for side in (0, 1))
        apart = np.abs(one - other).max(axis=1) > _ROUNDING * np.abs(one).max(axis=1)
        if apart.any():
            text = theirs[int(pairs[np.argmax(apart), 0])]
            raise DataError(
                f"A text must have one vector to be joined by. Got two that differ for {text[:60]!r} in "
                f"{table.path.name}. Give the texts the ids of the file, so that they are joined by id."
            )


def _lacking(name: str, wanted: Wanted, why: str) -> str:
    return (
        f"{name} must hold a vector for each of the {wanted.what}, found by id or by text. Got a file that does not: "
        f"{why}. {_REMEDY[wanted.what]}"
    )
