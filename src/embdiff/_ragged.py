"""Rows of unequal length: the weights of sparse vectors, or a vector for each token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embdiff._plain import FloatArray, IntArray


class RaggedRow(NamedTuple):
    """One row of a `Ragged`: ``values`` and, of a sparse vector, their ``columns``."""

    values: FloatArray
    columns: npt.NDArray[np.int32] | None


@dataclass(frozen=True, eq=False)
class Ragged:
    """What a model makes of texts, of each as much as it takes.

    Parameters
    ----------
    offsets : ndarray of int64, shape (n + 1,)
        Row i has the entries ``offsets[i]`` to ``offsets[i + 1]``.
    values : ndarray of float32, shape (m,) or (m, d)
        A weight, or a vector, for each entry.
    columns : ndarray of int32, shape (m,), or None
        Of a sparse vector the place of each weight.
    """

    offsets: IntArray
    values: FloatArray
    columns: npt.NDArray[np.int32] | None = None

    @classmethod
    def of(cls, counts: IntArray | Sequence[int], values: FloatArray, columns: Any = None) -> Ragged:
        """Return rows of so many entries each, (n,), that stand one behind the other."""
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(offsets, values, columns)

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """Return the rows of all parts."""
        counts = np.concatenate([part.counts for part in parts])
        columns = None if parts[0].columns is None else np.concatenate([part.columns for part in parts])
        return cls.of(counts, np.concatenate([part.values for part in parts]), columns)

    @property
    def counts(self) -> IntArray:
        """How many entries each row has, (n,)."""
        return np.diff(self.offsets)

    def take(self, rows: IntArray) -> Ragged:
        """Return some of the rows, in this order; a row may come again."""
        counts = self.counts[rows]
        at = np.arange(counts.sum()) + np.repeat(self.offsets[rows] - np.cumsum(counts) + counts, counts)
        return Ragged.of(counts, self.values[at], None if self.columns is None else self.columns[at])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, which: slice | IntArray) -> Ragged:
        return self.take(np.arange(len(self))[which])

    def __iter__(self) -> Iterator[RaggedRow]:
        for begin, end in zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True):
            yield RaggedRow(self.values[begin:end], None if self.columns is None else self.columns[begin:end])
