"""Values taken apart: written as JSON and read back, and told apart by a SHA-256.

Nothing that was kept can name code to run. A result is found again by a digest of its inputs, and of the code and the
libraries that made it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import platform
import weakref
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from embdiff._optional import versions
from embdiff._picture import Picture

PACKAGE = "embdiff"
# What computes results. Of encoders the stamp tells; what only reads, draws or shows decides no number.
LIBRARIES = (
    "numpy", "scipy", "scikit-learn", "faiss-cpu", "bm25s", "umap-learn", "pymilvus", "milvus-lite", "lancedb",
)  # fmt: skip
_LARGE = 1 << 16  # bytes; the digest of an array this large is remembered for as long as the array lives
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
    if kind is Picture:
        return {"image": value.digest}  # of inputs: no result holds one
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


class Digester:
    """Digests of values.

    Arrays are taken for what they were when first seen: nothing in a comparison writes into an array that it was given.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[weakref.ref[Any], str]] = {}

    def __call__(self, value: Any) -> str:
        """Return 64 hex digits that differ whenever values, their types, shapes or order differ.

        Parameters
        ----------
        value : None, bool, int, float, str, bytes, ndarray, function of embdiff, or dataclass of embdiff, mapping,
            tuple, list of these

        Raises
        ------
        CannotKeep
            For anything else, such as vectors that stay in a file, and for functions of other packages.
        """
        return hashlib.sha256(json.dumps(pack(value, self._leaf)).encode()).hexdigest()

    def _leaf(self, value: Any) -> dict[str, str]:
        if isinstance(value, np.ndarray):
            return {"array": self._of_array(value)}
        if isinstance(value, np.generic):
            return {"number": self._of_array(np.asarray(value))}
        if isinstance(value, bytes):
            return {"bytes": value.hex()}
        name = f"{value.__module__}.{value.__qualname__}" if isinstance(value, FunctionType) else "<"
        if "<" in name or not name.startswith(f"{PACKAGE}."):  # `surroundings` does not vouch for it
            raise CannotKeep(type(value).__name__)
        return {"function": name}

    def _of_array(self, array: np.ndarray[Any, Any]) -> str:
        known = self._seen.get(id(array))
        if known is not None and known[0]() is array:
            return known[1]
        if array.dtype.hasobject:
            raise CannotKeep(str(array.dtype))
        found = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
        if array.nbytes >= _LARGE:
            self._seen[id(array)] = (weakref.ref(array), found.hexdigest())
        return found.hexdigest()


@cache
def surroundings() -> str:
    """Return a digest of what turns inputs into results: embdiff's own code, the libraries, the kind of processor.

    The code itself, not its version: whoever changes a measure gets new numbers.
    """
    found = hashlib.sha256()
    root = Path(__file__).resolve().parents[1]
    for path in sorted(root.rglob("*.py")):
        code = path.read_bytes()
        found.update(f"{path.relative_to(root).as_posix()}:{len(code)}:".encode() + code)
    found.update(json.dumps((PACKAGE, platform.machine(), versions(LIBRARIES))).encode())
    return found.hexdigest()
