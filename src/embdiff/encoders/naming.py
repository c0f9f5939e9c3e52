"""The models of a run by the names they go under: texts as typed, or the user's own objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from embdiff.config import ModelSpec
from embdiff.encoders.base import Encoder
from embdiff.encoders.catalogue import get_encoder
from embdiff.errors import ParameterError


def named_models(
    models: Sequence[Any], *, what: str = "model", besides: Collection[str] = ()
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the models' names and the objects among them; nothing is loaded yet.

    Parameters
    ----------
    models : sequence of str or object
        Text forms as typed, `Encoder` objects, or the user's own.
    what : str
        What they are called in messages.
    besides : collection of str
        Texts that are let through although they are no text form of a model.

    Raises
    ------
    ParameterError
        When this is no list, a text is no model, or one is named twice.
    """
    if isinstance(models, str):
        raise ParameterError(f"The {what}s must be a list. Got the text {models!r}. Write [{models!r}].")
    names: list[str] = []
    objects: dict[str, Any] = {}
    for model in models:
        if isinstance(model, str):
            if model not in besides:
                ModelSpec.parse(model)
            names.append(model)
        else:
            name = model.spec if isinstance(model, Encoder) else f"object:{type(model).__name__}"
            objects[name] = model
            names.append(name)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ParameterError(f"Every {what} must be named once. Got {', '.join(repeated)} more than once. Drop one.")
    return tuple(names), objects


def load_named(name: str, objects: Mapping[str, Any]) -> Encoder:
    """Load the model that goes under ``name``; raises as `get_encoder` does."""
    model = objects.get(name, name)
    return get_encoder(model) if isinstance(model, str | Encoder) else get_encoder(model, spec=name)
