"""What a model must be to stand behind an `Encoder`: one method to write, and what it may add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from embdiff.sources.joining import Wanted
from embdiff.records import FloatArray, IntArray, Role, Stamp

ROLES: tuple[Role, ...] = ("document", "query")


class Backend(Protocol):
    """A model behind an `Encoder`.

    Only these two are required. What a backend may add is looked for by name:

    - ``fit(items)``: learn from the corpus first (`Fitted`);
    - ``join(items, ids)``: find the ready vectors of its rows (`Joined`);
    - ``expect(wanted)``: find the ready vectors of queries that will be asked (`Expecting`);
    - ``lengths(items, role)``: tokens of each text (`Measured`); else its characters are its length;
    - ``batch_items``: most texts in one batch, 64 by default;
    - ``batch_budget``: most units of length in one batch, padding included; no limit by default;
    - ``streams``: how many batches it encodes at the same time, each from a thread of its own; 1 by default;
    - ``sharing(streams)``: a context in which that many batches are encoded at the same time; what it gives is called
      first in the thread of each;
    - ``same_roles``: True when queries are encoded exactly as documents are; False by default;
    - ``about``: a mapping of what it runs on, for the run's manifest;
    - ``by_row``: True when vectors belong to rows, not to texts: all texts are then handed over at once, as they are;
      with ``on_disk(memory)`` and ``nbytes``, for vectors that may stay in their file (`Encoder.on_disk`);
    - ``needs_probe``: True while the dimension is unknown: one text is then encoded before `stamp` is called.
    """

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return the vectors of one batch, shape (n, d), finite."""
        ...

    def stamp(self) -> Stamp:
        """Return the provenance of the vectors."""
        ...


@runtime_checkable
class Fitted(Protocol):
    """A backend that learns from the corpus before it can encode."""

    def fit(self, items: Sequence[str]) -> None:
        """Learn from the texts."""
        ...


@runtime_checkable
class Joined(Protocol):
    """A backend with ready vectors that finds each row's by its id or its text."""

    def join(self, items: Sequence[str], ids: Sequence[str]) -> None:
        """Find the vector of each row of the corpus."""
        ...


@runtime_checkable
class Expecting(Protocol):
    """A backend with ready vectors of queries, too."""

    def expect(self, wanted: Wanted) -> None:
        """Find the vector of each query."""
        ...


@runtime_checkable
class Measured(Protocol):
    """A backend that can tell cheaply how long a text is to it.

    Looked for by name: ``counts_tokens``, True when lengths are tokens (then padding and truncation are reported), and
    ``length_limit``, the most of a text that the model sees.
    """

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return the length of each text, what the model does not see of it included; int64, shape (n,)."""
        ...
