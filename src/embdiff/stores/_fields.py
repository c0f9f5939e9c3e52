"""Fitting ids, texts and groups into fields of limited length, and records into calls of limited size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from embdiff.errors import DataError
from embdiff.records import Corpus


@dataclass(frozen=True)
class Cut:
    """A value that was cut to fit its field.

    Parameters
    ----------
    row : int
        Row number in the corpus.
    id : str
        Id of the row.
    field : {"text", "group"}
    bytes_before, bytes_kept : int
        Length in UTF-8, before and after.
    """

    row: int
    id: str
    field: Literal["text", "group"]
    bytes_before: int
    bytes_kept: int


def fit(corpus: Corpus, limit: int | None) -> tuple[Sequence[str], Sequence[str], tuple[Cut, ...]]:
    """Return texts and groups that fit into ``limit`` UTF-8 bytes, and what was cut.

    Cutting never splits a character. Ids are never cut: two could become one.

    Parameters
    ----------
    corpus : Corpus
        n rows.
    limit : int or None
        Longest value in bytes; None when there is no limit, then nothing is looked at.

    Returns
    -------
    texts, groups : sequence of str, length n
        Groups are "" for a corpus without them.
    cuts : tuple of Cut

    Raises
    ------
    DataError
        When an id is too long, or a value is not valid Unicode (half of a surrogate pair).
    """
    groups = corpus.groups if corpus.groups is not None else ("",) * len(corpus)
    if limit is None:
        return corpus.items, groups, ()
    for row, name in enumerate(corpus.ids):
        size = len(_encoded(name, "id", row, corpus.source))
        if size > limit:
            raise DataError(
                f"An id must be at most {limit:,} bytes long in UTF-8. Got {size:,} bytes in row {row} of "
                f"{corpus.source}. Use shorter ids, or leave the id column out to number the rows."
            )
    cuts: list[Cut] = []
    fitted: dict[str, list[str]] = {"text": [], "group": []}
    columns: tuple[tuple[Literal["text", "group"], Sequence[str]], ...] = (("text", corpus.items), ("group", groups))
    for field, values in columns:
        for row, value in enumerate(values):
            whole = _encoded(value, field, row, corpus.source)
            kept = whole[:limit].decode("utf-8", "ignore") if len(whole) > limit else value
            fitted[field].append(kept)
            if kept is not value:
                cuts.append(Cut(row, corpus.ids[row], field, len(whole), len(kept.encode("utf-8"))))
    return fitted["text"], fitted["group"], tuple(sorted(cuts, key=lambda cut: cut.row))


def _encoded(value: str, field: str, row: int, source: str) -> bytes:
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"Text must be valid Unicode. Got half of a surrogate pair (character {error.start}) in the {field} of "
            f"row {row} of {source}. Read the file with the encoding it was written in."
        ) from None


def in_calls(records: Sequence[dict[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    """Split records into parts of at most ``most`` bytes each; a larger record goes alone.

    Parameters
    ----------
    records : sequence of dict
        With a ``vector`` and the strings ``id``, ``text``, ``group``.
    most : int
    """
    part: list[dict[str, Any]] = []
    size = 0
    for record in records:
        # 4 bytes a character is the most UTF-8 needs; exact lengths would cost more than they save.
        bytes_ = record["vector"].nbytes + 4 * sum(len(record[text]) for text in ("id", "text", "group")) + 32
        if part and size + bytes_ > most:
            yield part
            part, size = [], 0
        part.append(record)
        size += bytes_
    if part:
        yield part
