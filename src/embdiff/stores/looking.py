"""A collection as it is, whoever made it: its fields, its index and its rows, for whoever looks and never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from embdiff.records import BoolArray, FloatArray, IntArray

FieldKind = Literal["vector", "text", "whole number", "other"]


@dataclass(frozen=True)
class Indexed:
    """The index of a field of vectors.

    Parameters
    ----------
    name : str
        As the database calls its kind, in small letters.
    metric : str
        As the database calls it, in small letters; "" where it does not say.
    pending : int
        Rows that are not in the index yet.
    """

    name: str
    metric: str
    pending: int


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a collection, as the database gives them.

    Parameters
    ----------
    keys : tuple, length m
    values : mapping of str to tuple, each of length m
        By field; None for a null.
    vectors : ndarray of float32, shape (m, d)
        d is the commonest length; NaN where a vector is null or of another length.
    null : ndarray of bool, shape (m,)
    lengths : ndarray of int64, shape (m,)
        Of each vector; 0 for a null.
    """

    keys: tuple[Any, ...]
    values: Mapping[str, tuple[Any, ...]]
    vectors: FloatArray
    null: BoolArray
    lengths: IntArray


class Look(Protocol):
    """One collection, open to be looked at.

    Attributes
    ----------
    name : str
    kinds : mapping of str to {"vector", "text", "whole number", "other"}
        Of the fields.
    dynamic : bool
        Whether rows may have fields that no schema knows.
    key : str or None
        The field that tells rows apart; None where that is their place in the table.
    stamp_text : str or None
        What stands where embdiff writes its stamp.
    nulls_are_zeros : bool
        Whether vectors that are null come back as zeros.
    versions : str
        Of the database, in words.
    """

    name: str
    kinds: Mapping[str, FieldKind]
    dynamic: bool
    key: str | None
    stamp_text: str | bytes | None
    nulls_are_zeros: bool
    versions: str

    def index(self, vector: str) -> Indexed | None:
        """Return the index of a field of vectors; None where there is none."""

    def count(self) -> int:
        """Return the number of rows, those of one key counted each."""

    def keys(self) -> list[Any]:
        """Return the keys of all rows, by size; a database may give a key once that two rows have."""

    def read(self, keys: Sequence[Any], fields: Sequence[str], vector: str | None) -> Rows:
        """Return the rows with these keys (m,), in any order, with the fields named and the vectors."""


def stacked(vectors: Sequence[Sequence[float] | None]) -> tuple[FloatArray, BoolArray, IntArray]:
    """Return vectors as a table float32 (m, d), which of them are null, and their lengths, both (m,); see `Rows`."""
    null = np.array([vector is None for vector in vectors], dtype=np.bool_)
    lengths = np.array([0 if vector is None else len(vector) for vector in vectors], dtype=np.int64)
    there = lengths[~null]
    if not null.any() and (there == there[:1]).all():
        return (
            np.array(vectors, dtype=np.float32).reshape(len(vectors), int(there[0]) if len(there) else 0),
            null,
            lengths,
        )
    dim = int(np.bincount(there).argmax()) if len(there) else 0
    table = np.full((len(vectors), dim), np.nan, dtype=np.float32)
    for row in np.flatnonzero(~null & (lengths == dim)).tolist():
        table[row] = vectors[row]
    return table, null, lengths
