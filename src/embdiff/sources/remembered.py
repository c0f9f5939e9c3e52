"""A model that the cache remembers: known without being loaded, and loaded when something must be encoded.

Loading a model takes seconds, and a comparison made again encodes nothing. All that is asked of a model then are its
stamp and a few facts. They are kept beside the vectors, found by everything that decides them: the model's revision,
its options, the versions of the libraries, embdiff's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from embdiff.errors import EncoderError
from embdiff.kept import Kept
from embdiff.records import FloatArray, IntArray, Role, Stamp

if TYPE_CHECKING:
    from embdiff.sources.backend import Backend

WHAT = "models"


@dataclass(frozen=True)
class Facts:
    """What is asked of a model that encodes nothing.

    Parameters
    ----------
    stamp : Stamp
    same_roles, counts_tokens : bool
    length_limit : int or None
    about : dict
        What it ran on when it was loaded.
    """

    stamp: Stamp
    same_roles: bool
    counts_tokens: bool
    length_limit: int | None
    about: dict[str, Any] = field(compare=False)

    @classmethod
    def of(cls, backend: Backend) -> Facts:
        """Ask a loaded model."""
        return cls(
            backend.stamp(),
            bool(getattr(backend, "same_roles", False)),
            bool(getattr(backend, "counts_tokens", False)),
            getattr(backend, "length_limit", None),
            dict(getattr(backend, "about", {})),
        )


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
    load: Callable[[], Backend]

    def through(self, kept: Kept) -> Backend:
        """Return the model as it is remembered; the first time it is loaded, to be remembered."""
        facts = kept.get(WHAT, self.identity)
        if facts is not None:
            return Remembered(self, facts)
        model = self.load()
        kept.put(WHAT, self.identity, Facts.of(model))
        return model


class Remembered:
    """A backend that answers from memory, and loads its model when it must encode or count.

    Parameters
    ----------
    unloaded : Unloaded
    facts : Facts
    """

    def __init__(self, unloaded: Unloaded, facts: Facts) -> None:
        self._unloaded, self._facts = unloaded, facts
        self.same_roles, self.counts_tokens = facts.same_roles, facts.counts_tokens
        self.length_limit = facts.length_limit

    def stamp(self) -> Stamp:
        """Return the provenance."""
        return self._facts.stamp

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Load the model if need be, and encode."""
        return self._model.encode(items, role=role)

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Load the model if need be, and return the length of each text; its characters for models that tell none."""
        count = getattr(self._model, "lengths", None)
        if count is None:
            return np.array([len(text) for text in items], dtype=np.int64)
        lengths: IntArray = count(items, role)
        return lengths

    @property
    def about(self) -> dict[str, Any]:
        """What the model runs on; with ``loaded`` False what it ran on when it was last loaded."""
        if "_model" in vars(self):
            return dict(getattr(self._model, "about", {}))
        return {**self._facts.about, "loaded": False}

    def __getattr__(self, name: str) -> Any:
        """Return what only the model itself can tell: the size of its batches, and how many it takes at a time."""
        if name not in ("batch_items", "batch_budget", "streams", "sharing"):
            raise AttributeError(name)
        return getattr(self._model, name)

    @cached_property
    def _model(self) -> Backend:
        model = self._unloaded.load()
        found = Facts.of(model)
        if found != self._facts:
            raise EncoderError(
                f"{self._unloaded.spec} must be what the cache remembers of it: {asdict(self._facts)}. Got "
                f"{asdict(found)}. Run again with another folder for --cache, or with --cache off."
            )
        return model


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of libraries, for `Unloaded.identity`."""
    return {package: version(package) for package in packages}
