"""Values and records as JSON, and back: what a kept result holds, and what a digest is made of.

Nothing that was kept can name code to run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

PACKAGE = "embdiff"
_MANY = 32  # so many floats of a tuple become an array


class CannotKeep(Exception):  # noqa: N818 - no error: it is computed again
    """A value of a kind that is not written, or that no digest can vouch for."""


def pack(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return JSON-able values, also not finite ones, that stand for a value: others whenever its parts differ.

    Parameters
    ----------
    value : None, bool, int, float, str, or dataclass of embdiff, mapping, tuple, list of these
    leaf : callable
        Returns what stands for an array, or for anything else that is not one of these.

    Raises
    ------
    CannotKeep
        As ``leaf`` does.
    """
    kind = type(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if kind in (tuple, list):
        if set(map(type, value)) <= {str}:  # ids and texts, by the ten thousand
            return {kind.__name__: value}
        if kind is tuple and len(value) >= _MANY and all(isinstance(each, float) for each in value):
            return {"floats": leaf(np.array(value, dtype=np.float64))}
        return {kind.__name__: [pack(each, leaf) for each in value]}
    if isinstance(value, Mapping):
        return {"dict": [[pack(part, leaf) for part in pair] for pair in value.items()]}
    if is_dataclass(value) and kind.__module__.startswith(f"{PACKAGE}."):
        parts = {each.name: pack(getattr(value, each.name), leaf) for each in fields(value)}
        return {"record": f"{kind.__module__}:{kind.__qualname__}", "fields": parts}
    return leaf(value)


def unpack(raw: Any, arrays: Mapping[str, Any]) -> Any:
    """Return what `pack` was given, where an array ``{"array": name}`` stands for the one of that name.

    Raises
    ------
    ValueError
        When it is something else.
    """
    if not isinstance(raw, dict):
        return raw
    kind, content = next(iter(raw.items()))
    if kind == "array":
        return arrays[content]
    if kind == "floats":
        return tuple(unpack(content, arrays).tolist())
    if kind in ("tuple", "list"):
        parts = [unpack(each, arrays) for each in content]
        return tuple(parts) if kind == "tuple" else parts
    if kind == "dict":
        return {unpack(key, arrays): unpack(each, arrays) for key, each in content}
    if kind == "record":
        return _record(content)(**{name: unpack(each, arrays) for name, each in raw["fields"].items()})
    raise ValueError(f"it holds {kind!r}")


def _record(name: str) -> Any:
    """Return the class of a record: a dataclass of embdiff, whose fields are all that is set."""
    module, _, qualified = name.partition(":")
    kind = getattr(importlib.import_module(module), qualified, None) if module.startswith(f"{PACKAGE}.") else None
    if not isinstance(kind, type) or not is_dataclass(kind) or kind.__module__ != module:
        raise ValueError(f"it names {name}")
    return kind
