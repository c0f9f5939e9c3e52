"""Why neighbours changed between two models: the causes that are looked for, and what was found of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from embdiff._plain import IntArray, Number, Record
from embdiff.measures.statistics.contrasts import Contrast

Name = Literal[
    "truncated", "hub", "prompt", "precision", "shortened", "index", "tie", "script", "language", "length",
    "duplicate", "number", "negation", "entity", "words",
]  # fmt: skip
# Of each cause what it is called where there is little room, and what it says of a neighbour, as one reads it.
CAUSES: Mapping[Name, tuple[str, str]] = {
    "truncated": ("cut", "one model reads only the beginning of the row or of the query, the other reads on"),
    "hub": ("hub", "one model returns the row to very many queries, the other does not"),
    "prompt": ("prompt", "the same model with another prompt, which is in this run, decides otherwise"),
    "precision": ("precision", "the same model in other numeric precision decides otherwise"),
    "shortened": ("dimensions", "the same model with another number of dimensions, in this run, decides otherwise"),
    "index": ("index", "the index returned the row, or left it out, against the exact answer"),
    "tie": ("tie", "the row is tied with the last one of a list, which has no room for all of the tie"),
    "script": ("script", "the row is written in another script than the query"),
    "language": ("language", "the row is in another language than the query, as a column of the data says"),
    "length": ("length", "the row is far longer or shorter than rows usually are"),
    "duplicate": ("near copy", "a nearly equal row stands in the other list instead"),
    "number": ("number", "the row differs from its near copy, or from the query, in numbers only"),
    "negation": ("negation", "the row differs from its near copy, or from the query, in a negation only (English)"),
    "entity": ("name", "the row differs from its near copy, or from the query, in capitalised names only"),
    "words": (
        "words",
        "by its words alone (bm25) the row is among the first k of the query, at half the first one's score",
    ),
}
# A cause is more frequent below this p (Holm); it is likely from this odds ratio on: then at least two in three of the
# changed neighbours that have it would, all else equal, be there without it.
ALPHA, ODDS = 0.05, 3.0


@dataclass(frozen=True)
class Example(Record):
    """A neighbour that changed: numbers of the query and of the row, which model returned it, the near copy if any."""

    query: int
    row: int
    model: str
    instead: int | None = None


@dataclass(frozen=True)
class Cause(Record):
    """How often a cause is there among neighbours that changed, and among those that both models return.

    Parameters
    ----------
    name : str
    counts : bool
        Whether it is a likely cause: surely more frequent among the changed neighbours, with at least three times the
        odds.
    found : Contrast or None
        Changed against kept; None where it was not looked for.
    lost, gained : float
        Share among those that only the first model returns, and only the second.
    p_adjusted : float
        After Holm over the causes of the pair.
    reason : str or None
        Why it was not looked for, or was on some of the queries only.
    examples : tuple of Example
    """

    name: Name
    counts: bool
    found: Contrast | None
    lost: Number
    gained: Number
    p_adjusted: Number
    reason: str | None = None
    examples: tuple[Example, ...] = ()

    @property
    def more(self) -> bool:
        """Whether it is surely more frequent among the changed: p after Holm below .05 over all causes of the pair."""
        return self.found is not None and self.p_adjusted < ALPHA and self.found.difference > 0


@dataclass(frozen=True)
class Slice(Record):
    """Some of the queries, and how many of their neighbours changed.

    Parameters
    ----------
    by, value : str
        The property and its value: ``group``, ``length``, ``script``, or the name of a column.
    n : int
        Queries.
    changed, low, high, elsewhere : float
        Share of the neighbours that changed, mean over its queries, with its 95 % interval, and over all others.
    p, p_adjusted : float
        Permutation test, one-sided; adjusted for the false discovery rate over all slices of the pair.
    """

    by: str
    value: str
    n: int
    changed: Number
    low: Number
    high: Number
    elsewhere: Number
    p: Number
    p_adjusted: Number


@dataclass(frozen=True, eq=False)
class Why(Record):
    """Why two models return different neighbours.

    Parameters
    ----------
    models : tuple of str
        The one whose neighbours may be lost, the one that may gain some.
    query_model : str or None
        The model whose vectors asked both; None when each asked its own collection.
    queries, of : int
        How many queries were looked at, and how many there are.
    lost, gained, kept : int
        Neighbours of only the first, only the second, both; a query's own row not counted.
    causes : tuple of Cause
        Those that count first, by share; then the others.
    knock_on : float
        Share of the changed neighbours that have no cause of their own, and would stand in both lists had the rows
        with one not come or gone.
    explained, low, high : float
        Share of the changed neighbours with a cause that counts, knock-on included, and its 95 % interval.
    slices : tuple of Slice
        Where more changed than elsewhere; the surest first.
    query, row, bits : ndarray of int64, shape (m,)
        The changed neighbours that have likely causes: query, row, and bit i for the i-th name of ``CAUSES``; the bit
        after the last is knock-on. In order of the queries.
    """

    models: tuple[str, str]
    query_model: str | None
    queries: int
    of: int
    lost: int
    gained: int
    kept: int
    causes: tuple[Cause, ...]
    knock_on: Number
    explained: Number
    low: Number
    high: Number
    slices: tuple[Slice, ...] = ()
    query: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    row: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    bits: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def counted(self) -> tuple[Cause, ...]:
        """The likely causes."""
        return tuple(each for each in self.causes if each.counts)

    def of_query(self, query: int) -> dict[int, tuple[str, ...]]:
        """Return the likely causes of each changed neighbour of a query, by row, as they are called in short."""
        start, stop = np.searchsorted(self.query, [query, query + 1])
        found = zip(self.row[start:stop].tolist(), self.bits[start:stop].tolist(), strict=True)
        return {row: tuple(name for bit, name in enumerate(SHORT) if bits >> bit & 1) for row, bits in found}


KNOCK_ON = "knock-on"
SHORT: tuple[str, ...] = (*(short for short, _ in CAUSES.values()), KNOCK_ON)
