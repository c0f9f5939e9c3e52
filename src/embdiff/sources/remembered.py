"""A model that the cache remembers: known without being loaded, and loaded when something must be encoded.

Loading a model takes seconds, and a comparison made again encodes nothing. All that is asked of a model then are its
stamp and a few facts. They are kept beside the vectors, found by everything that decides them: the model's revision,
its options, the versions of the libraries, embdiff's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from embdiff.errors import EncoderError
from embdiff.kept import Kept
from embdiff.records import FloatArray, IntArray, Kind, Role, Stamp
from embdiff.sources.batches import Model

WHAT = "models"


@dataclass(frozen=True)
class Facts:
    """What is asked of a model that encodes nothing.

    Parameters
    ----------
    stamp : Stamp
    same_roles, counts_tokens, unit : bool
    length_limit : int or None
    reads : tuple of str
        Sorted.
    about : dict
        What it ran on when it was loaded.
    """

    stamp: Stamp
    same_roles: bool
    counts_tokens: bool
    unit: bool
    length_limit: int | None
    reads: tuple[Kind, ...]
    about: dict[str, Any] = field(compare=False)

    @classmethod
    def of(cls, backend: Model) -> Facts:
        """Ask a loaded model."""
        told = backend.stamp(), backend.same_roles, backend.counts_tokens, backend.unit, backend.length_limit
        return cls(*told, tuple(sorted(backend.reads)), backend.about)


@dataclass(frozen=True)
class Unloaded:
    """A model that was found but not loaded.

    Parameters
    ----------
    spec : str
        For messages.
    identity : mapping
        What decides its facts: name, revision, options, versions of libraries. Plain values.
    load : callable
        Loads it.
    """

    spec: str
    identity: Mapping[str, Any]
    load: Callable[[], Model]

    def through(self, kept: Kept) -> Model:
        """Return the model as it is remembered; the first time it is loaded, to be remembered."""
        facts = kept.get(WHAT, self.identity)
        if facts is not None:
            return Remembered(self, facts)
        model = self.load()
        kept.put(WHAT, self.identity, Facts.of(model))
        return model


class Remembered(Model):
    """A backend that answers from memory, and loads its model when it must encode or count.

    Parameters
    ----------
    unloaded : Unloaded
    facts : Facts
    """

    def __init__(self, unloaded: Unloaded, facts: Facts) -> None:
        self._unloaded, self._facts = unloaded, facts
        self.same_roles, self.counts_tokens = facts.same_roles, facts.counts_tokens
        self.unit, self.length_limit, self.reads = facts.unit, facts.length_limit, frozenset(facts.reads)

    def stamp(self) -> Stamp:
        """Return the provenance."""
        return self._facts.stamp

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Load the model if need be, and encode."""
        return self._model.encode(items, role=role)

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Load the model if need be, and return the length of each text."""
        return self._model.lengths(items, role)

    @property
    def about(self) -> dict[str, Any]:
        """What the model runs on; with ``loaded`` False what it ran on when it was last loaded."""
        if "_model" in vars(self):
            return self._model.about
        return {**self._facts.about, "loaded": False}

    @property
    def streams(self) -> int:  # type: ignore[override] # it follows the threads there are now
        """How many batches the model takes at a time."""
        return self._model.streams

    def sharing(self, streams: int) -> AbstractContextManager[Callable[[], None] | None]:
        """Share the model's threads out."""
        return self._model.sharing(streams)

    @cached_property
    def _model(self) -> Model:
        model = self._unloaded.load()
        found = Facts.of(model)
        if found != self._facts:
            before, now = ({**asdict(facts.stamp), **asdict(facts)} for facts in (self._facts, found))
            other = [key for key in before if before[key] != now[key] and key not in ("stamp", "about")]
            raise EncoderError(
                f"{self._unloaded.spec} must be what the cache remembers of it: "
                f"{', '.join(f'{key} {before[key]!r}' for key in other)}. Got "
                f"{', '.join(f'{now[key]!r}' for key in other)}. Run again with another folder for --cache, or with "
                "--cache off."
            )
        self.batch_items, self.batch_budget = model.batch_items, model.batch_budget
        return model


def loaded(backend: Model) -> Model:
    """Return the model behind one that is remembered, loaded now if need be; another one as it is."""
    return backend._model if isinstance(backend, Remembered) else backend
