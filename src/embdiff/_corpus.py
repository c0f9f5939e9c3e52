"""The user's data as plain, frozen records: rows, and which of them are expected. Read through `embdiff.records`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypedDict

from pydantic import WrapValidator

from embdiff._picture import Kind, Picture, kinds_of
from embdiff.errors import DataError

# A text or an image: pydantic would make plain text of an image that it is given.
Item = Annotated[str, WrapValidator(lambda value, text: value if isinstance(value, Picture) else text(value))]


class Row(TypedDict):
    """A row of a corpus, as it is shown."""

    id: str
    text: str
    group: str | None


@dataclass(frozen=True)
class Corpus:
    """The items to compare on, one row each.

    Parameters
    ----------
    items : tuple of str, length n
        The texts, or the images (`Picture`), in row order. Equal ones stay separate rows.
    ids : tuple of str, length n
        Unique; by default the 0-based row number as text.
    groups : tuple of str, length n, optional
        A group (song, topic, class) for each row.
    source : str
        Where the rows came from: a file name, or ``"list"``.
    ids_given : bool
        Whether the ids were given by the user (they are compared across files only then).
    dropped : tuple of str
        Ids of empty rows that ``empty="drop"`` left out, so that the run can say so.
    notes : tuple of str
        What was guessed in reading, a sentence each, so that the run can say so.
    columns : mapping of str to tuple of str, length n
        Other columns of the data whose values come again, to colour maps by; "" where a cell has no value. They are no
        part of what a corpus is (`digest`).
    parents : tuple of str, length n, optional
        The id of the document of which each row is a chunk; None where rows are whole.

    Raises
    ------
    DataError
        When lengths differ, an id occurs twice, or a text or id holds a NUL character.
    """

    items: tuple[Item, ...]
    ids: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    source: str = "list"
    ids_given: bool = False
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parents: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        own = (("ids", self.ids), ("groups", self.groups), ("parents", self.parents))
        for name, column in (*own, *self.columns.items()):
            if column is not None and len(column) != len(self.items):
                raise DataError(
                    f"{name} must have one entry for each of the {len(self.items)} items. "
                    f"Got {len(column)}. Give one {name[:-1]} per item."
                )
        twice = first_repeated(self.ids)
        if twice is not None:
            raise DataError(
                f"Every id must occur once. Got {self.ids[twice[0]]!r} in rows {twice[0]} and {twice[1]} of "
                f"{self.source}. Make the ids unique, or leave the id column out to number the rows."
            )
        for name, column in (("text", self.items), ("id", self.ids), ("group", self.groups or ())):
            for row, value in enumerate(column):
                if "\0" in value:
                    raise DataError(
                        f"Text must not hold NUL characters: vector databases cannot store them. "
                        f"Got one in the {name} of row {row} of {self.source}. Remove it and run again."
                    )

    def __len__(self) -> int:
        return len(self.items)

    @property
    def kinds(self) -> frozenset[Kind]:
        """What a model must read: text, images."""
        return kinds_of(self.items)

    def row(self, row: int) -> Row:
        """Return one row."""
        return {"id": self.ids[row], "text": self.items[row], "group": self.groups[row] if self.groups else None}

    def digest(self) -> str:
        """Return a SHA-256 (hex) over ids, items and groups: equal exactly when the rows are equal."""
        return digest_of([self])


def digest_of(pieces: Iterable[Corpus]) -> str:
    """Return the `Corpus.digest` of rows that come in pieces, all of them together."""
    columns = [hashlib.sha256() for _ in range(3)]
    for piece in pieces:
        for found, values in zip(columns, (piece.ids, piece.items, piece.groups or ()), strict=True):
            found.update("".join(map(_told, values)).encode("utf-8", "surrogatepass"))
    return hashlib.sha256(b"".join(found.digest() for found in columns)).hexdigest()


def _told(value: str) -> str:
    """Return what tells a value of a column from others; no value has NUL."""
    return f"{value}\0{value.digest}\0\0" if isinstance(value, Picture) else f"{value}\0"


def first_repeated(names: Sequence[str]) -> tuple[int, int] | None:
    """Return the places of the first name that occurs again, there and before; None when each occurs once."""
    if len(set(names)) == len(names):
        return None
    first: dict[str, int] = {}
    return next((first[name], place) for place, name in enumerate(names) if first.setdefault(name, place) != place)


@dataclass(frozen=True)
class Qrels:
    """Which documents are expected for which query.

    Parameters
    ----------
    judgements : mapping
        Query id → {document id → grade}, grade > 0 is relevant.
    source : str
    notes : tuple of str
        What was guessed in reading, a sentence each.
    by_page : bool
        Whether the documents are those that rows are chunks of (`Corpus.parents`).
    """

    judgements: Mapping[str, Mapping[str, float]]
    source: str = "list"
    notes: tuple[str, ...] = ()
    by_page: bool = False

    def names(self, corpus: Corpus) -> tuple[str, ...]:
        """Return what the judgements call the document of each row."""
        return corpus.parents if self.by_page and corpus.parents is not None else corpus.ids

    def relevant_rows(self, queries: Iterable[str], corpus: Corpus) -> list[list[int]]:
        """Return the rows that are relevant to each query: of a document all its chunks, of an absent one none."""
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.names(corpus)):
            rows.setdefault(name, []).append(row)
        judged = (self.judgements.get(query, {}) for query in queries)
        return [[row for name, grade in each.items() if grade > 0 for row in rows.get(name, ())] for each in judged]
