"""The models of a run by the names they go under: texts as typed, or the user's own objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from embdiff.sources.catalogue import REGISTRY, get_encoder
from embdiff.sources.encoder import Encoder
from embdiff.errors import ParameterError
from embdiff.kept import VectorCache
from embdiff.specs import ModelSpec


def named_models(
    models: Sequence[Any],
    *,
    what: str = "model",
    besides: Collection[str] = (),
    known: Mapping[str, Any] | None = None,
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the models' names, and all objects named so far; nothing is loaded yet.

    Parameters
    ----------
    models : sequence of str or object
        Text forms as typed, `Encoder` objects, or the user's own: those go under ``object:CLASS``, further ones of
        the same class under ``object:CLASS-2`` and so on.
    what : str
        What they are called in messages.
    besides : collection of str
        Texts that are let through although they are no text form of a model.
    known : mapping of str to object, optional
        Objects that have a name already; the same object keeps it.

    Raises
    ------
    ParameterError
        When this is no list, a text is no model, or one is named twice.
    UnknownNameError
        For an unknown kind of model.
    """
    if isinstance(models, str):
        raise ParameterError(f"The {what}s must be a list. Got the text {models!r}. Write [{models!r}].")
    names: list[str] = []
    objects = dict(known or {})
    for model in models:
        if isinstance(model, str):
            if model not in besides:
                REGISTRY.entry(ModelSpec.parse(model).kind)
            names.append(model)
        else:
            names.append(_object_name(model, objects))
            objects[names[-1]] = model
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ParameterError(f"Every {what} must be named once. Got {', '.join(repeated)} more than once. Drop one.")
    return tuple(names), objects


def _object_name(model: Any, objects: Mapping[str, Any]) -> str:
    """Return the name an object has, or one that no other object has."""
    for name, other in objects.items():
        if other is model:
            return name
    wanted = model.spec if isinstance(model, Encoder) else f"object:{type(model).__name__}"
    name, count = wanted, 1
    while name in objects:
        count += 1
        name = f"{wanted}-{count}"
    return name


def load_named(name: str, objects: Mapping[str, Any], cache: VectorCache | None = None) -> Encoder:
    """Load the model that goes under ``name``, or what the cache knows of it; raises as `get_encoder` does."""
    model = objects.get(name, name)
    return get_encoder(model, cache=cache) if isinstance(model, str | Encoder) else get_encoder(model, spec=name)


def float32_of(name: str, encoder: Encoder) -> str | None:
    """Return the text form of the same model in float32, of a variant in lower precision; None for other models."""
    if encoder.spec != name or encoder.stamp.precision == "float32":
        return None
    spec = ModelSpec.parse(encoder.spec)
    kept = {key: value for key, value in spec.options.items() if key not in ("backend", "precision")}
    return str(ModelSpec(spec.kind, spec.name, kept)) if "precision" in spec.options else None
