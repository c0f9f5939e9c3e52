"""What a model must be to stand behind an `Encoder`: two methods to write, and what it may say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from embdiff.records import FloatArray, IntArray, Role, Stamp


class Model(ABC):
    """A model behind an `Encoder`.

    Attributes
    ----------
    batch_items : int
        Most texts in one batch.
    batch_budget : int or None
        Most units of length in one batch, padding included; None without limit.
    learns : bool
        Whether it learns from the corpus first: then `fit` is called before anything else.
    same_roles : bool
        Whether queries are encoded exactly as documents are.
    counts_tokens : bool
        Whether lengths are tokens: then padding and truncation are reported.
    length_limit : int or None
        The most of a text that the model sees, as a length; None when it sees all, or does not tell.
    """

    batch_items: int = 64
    batch_budget: int | None = None
    learns: bool = False
    same_roles: bool = False
    counts_tokens: bool = False
    length_limit: int | None = None

    @abstractmethod
    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return the vectors of one batch, shape (n, d), finite."""

    @abstractmethod
    def stamp(self) -> Stamp:
        """Return the provenance of the vectors; its ``dim`` is 0 while no vector has been seen that tells it."""

    def fit(self, items: Sequence[str]) -> None:  # noqa: B027 - most models learn nothing
        """Learn from the texts of the corpus."""

    @property
    def about(self) -> dict[str, Any]:
        """What it runs on, for the run's manifest; JSON-able."""
        return {}

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return the length of each text, what the model does not see of it included; int64, shape (n,)."""
        return np.array([len(text) for text in items], dtype=np.int64)

    @property
    def streams(self) -> int:
        """How many batches it encodes at the same time, each from a thread of its own."""
        return 1

    def sharing(self, streams: int) -> AbstractContextManager[Callable[[], None] | None]:
        """Return a context in which that many batches are encoded; what it gives is called first in each thread."""
        return nullcontext()
