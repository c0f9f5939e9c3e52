"""A user's own model: any object with ``encode(texts)``, or any function from texts to vectors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from embdiff.errors import ParameterError
from embdiff.records import UNPINNED, FloatArray, Role, Stamp


class Own:
    """A backend around a user's object.

    Parameters
    ----------
    model : object
        Has ``encode(texts)`` or can itself be called with a list of texts; returns an array (n, d) of floats. A
        parameter named ``role`` is given ``"document"`` or ``"query"``.
    name : str
        What the model is called in stamps.
    revision : str
        Whatever pins the model down, at the user's word.

    Raises
    ------
    ParameterError
        When the object is neither.
    """

    def __init__(self, model: Any, name: str, revision: str = UNPINNED) -> None:
        encode = getattr(model, "encode", model)
        if not callable(encode):
            raise ParameterError(
                "A model must be a text such as minilm, an object with encode(texts), or a function of a list of "
                f"texts. Got {type(model).__name__}. Give one of these."
            )
        self._encode: Callable[..., Any] = encode
        self._takes_role = _takes_role(encode)
        self._name, self._revision = name, revision
        self._dim: int | None = None
        self.same_roles = not self._takes_role

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return what the object returns, as an array; `Encoder` checks it."""
        raw = self._encode(list(items), role=role) if self._takes_role else self._encode(list(items))
        vectors: FloatArray = np.asarray(raw)
        if self._dim is None and vectors.ndim == 2:
            self._dim = int(vectors.shape[1])
        return vectors

    @property
    def needs_probe(self) -> bool:
        """Whether no vector has been seen yet, so that the dimension is unknown."""
        return self._dim is None

    def stamp(self) -> Stamp:
        """Return the provenance as far as it is known."""
        return Stamp(model=self._name, revision=self._revision, dim=self._dim or 0)


def _takes_role(function: Callable[..., Any]) -> bool:
    """Whether the function names a parameter ``role``: ``**anything`` does not count, it may be refused later."""
    try:
        return "role" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some compiled functions have no signature
        return False
