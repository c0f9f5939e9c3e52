"""Records as plain values and arrays, and back: what an entry holds. Nothing in a file can name code to run."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from embdiff.kept._digest import PACKAGE

Arrays = list[np.ndarray[Any, Any]]
_MANY = 32  # so many floats of a tuple become an array


class CannotKeep(Exception):  # noqa: N818 - no error: it is computed again
    """A value of a kind that is not written."""


class Unreadable(Exception):  # noqa: N818 - never leaves this room
    """An entry that holds something else than records of ours."""


def pack(value: Any, arrays: Arrays) -> Any:
    """Return JSON-able values that stand for a record; its arrays are appended to ``arrays``.

    Parameters
    ----------
    value : None, bool, int, float, str, ndarray, or dataclass of embdiff, dict, tuple, list of these
    arrays : list of ndarray

    Raises
    ------
    CannotKeep
        For anything else.
    """
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, np.ndarray):
        return {"array": _appended(value, arrays)}
    if type(value) is tuple and len(value) >= _MANY and all(isinstance(each, float) for each in value):
        return {"floats": _appended(np.array(value, dtype=np.float64), arrays)}
    kind = type(value)
    if kind in (tuple, list):
        return {kind.__name__: [pack(each, arrays) for each in value]}
    if kind is dict:
        return {"dict": [[pack(part, arrays) for part in pair] for pair in value.items()]}
    if is_dataclass(value) and kind.__module__.startswith(f"{PACKAGE}."):
        parts = {each.name: pack(getattr(value, each.name), arrays) for each in fields(value)}
        return {"record": f"{kind.__module__}:{kind.__qualname__}", "fields": parts}
    raise CannotKeep(kind.__name__)


def unpack(raw: Any, arrays: Mapping[str, Any]) -> Any:
    """Return what `pack` was given.

    Raises
    ------
    Unreadable
        When it is something else.
    """
    if not isinstance(raw, dict):
        return raw
    kind, content = next(iter(raw.items()))
    if kind == "array":
        return arrays[str(content)]
    if kind == "floats":
        return tuple(arrays[str(content)].tolist())
    if kind == "float":
        return float(content)
    if kind in ("tuple", "list"):
        parts = [unpack(each, arrays) for each in content]
        return tuple(parts) if kind == "tuple" else parts
    if kind == "dict":
        return {unpack(key, arrays): unpack(each, arrays) for key, each in content}
    if kind == "record":
        return _record(content)(**{name: unpack(each, arrays) for name, each in raw["fields"].items()})
    raise Unreadable(f"it holds {kind!r}")


def _record(name: str) -> Any:
    """Return the class of a record: a dataclass of embdiff, whose fields are all that is set."""
    module, _, qualified = name.partition(":")
    if not module.startswith(f"{PACKAGE}."):
        raise Unreadable(f"it names {name}")
    kind = getattr(importlib.import_module(module), qualified, None)
    if not isinstance(kind, type) or not is_dataclass(kind) or kind.__module__ != module:
        raise Unreadable(f"it names {name}")
    return kind


def _appended(array: np.ndarray[Any, Any], arrays: Arrays) -> int:
    if array.dtype.hasobject:
        raise CannotKeep(str(array.dtype))
    arrays.append(array)
    return len(arrays) - 1
