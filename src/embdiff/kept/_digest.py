"""What tells two inputs apart: a SHA-256 over values, and one over the code and the libraries that work on them."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

PACKAGE = "embdiff"
# What computes results. Of encoders the stamp tells; what only reads, draws or shows decides no number.
LIBRARIES = (
    "numpy", "scipy", "scikit-learn", "faiss-cpu", "bm25s", "umap-learn", "pymilvus", "milvus-lite", "lancedb",
)  # fmt: skip
_LARGE = 1 << 16  # bytes; the digest of an array this large is remembered for as long as the array lives


class CannotTell(Exception):  # noqa: N818 - no error: what cannot be told apart is computed again
    """A value of a kind for which no digest can vouch."""


class Digester:
    """Digests of values.

    Arrays are taken for what they were when first seen: nothing in a comparison writes into an array that it was given.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[weakref.ref[Any], bytes]] = {}

    def __call__(self, value: Any) -> str:
        """Return 64 hex digits that differ whenever values, their types, shapes or order differ.

        Parameters
        ----------
        value : None, bool, int, float, str, bytes, ndarray, function of embdiff, or dataclass, mapping, tuple, list
            of these

        Raises
        ------
        CannotTell
            For anything else, such as vectors that stay in a file, and for functions of other packages.
        """
        found = hashlib.sha256()
        self._feed(found.update, value)
        return found.hexdigest()

    def _feed(self, update: Callable[[bytes], None], value: Any) -> None:
        if isinstance(value, np.ndarray):
            update(b"array" + self._of_array(value))
        elif value is None or isinstance(value, (bool, int, float, str, np.generic)):
            update(_framed(type(value).__name__, _plain(value)))
        elif isinstance(value, bytes):
            update(_framed("bytes", value))
        elif isinstance(value, (tuple, list)):
            self._feed_sequence(update, value)
        elif isinstance(value, Mapping):
            self._feed_sequence(update, [part for pair in value.items() for part in pair], "mapping")
        elif isinstance(value, FunctionType):
            update(_framed("function", _name_of(value).encode()))
        elif is_dataclass(value) and not isinstance(value, type):
            kind = type(value)
            parts = [part for each in fields(value) for part in (each.name, getattr(value, each.name))]
            self._feed_sequence(update, parts, f"{kind.__module__}.{kind.__qualname__}")
        else:
            raise CannotTell(type(value).__name__)

    def _feed_sequence(self, update: Callable[[bytes], None], value: Any, kind: str = "") -> None:
        update(_framed(kind or type(value).__name__, str(len(value)).encode()))
        if set(map(type, value)) <= {str}:  # ids and texts, by the ten thousand
            update(_framed("texts", json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")))
            return
        for each in value:
            self._feed(update, each)

    def _of_array(self, array: np.ndarray[Any, Any]) -> bytes:
        known = self._seen.get(id(array))
        if known is not None and known[0]() is array:
            return known[1]
        if array.dtype.hasobject:
            raise CannotTell(str(array.dtype))
        found = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
        if array.nbytes >= _LARGE:
            self._seen[id(array)] = (weakref.ref(array), found.digest())
        return found.digest()


def digest(value: Any) -> str:
    """Return the digest of one value; see `Digester`."""
    return Digester()(value)


@cache
def surroundings() -> str:
    """Return a digest of what turns inputs into results: embdiff's own code, the libraries, the kind of processor.

    The code itself, not its version: whoever changes a measure gets new numbers.
    """
    found = hashlib.sha256()
    root = Path(__file__).resolve().parents[1]
    for path in sorted(root.rglob("*.py")):
        found.update(_framed(path.relative_to(root).as_posix(), path.read_bytes()))
    about = (PACKAGE, platform.machine(), f"{sys.version_info[0]}.{sys.version_info[1]}", *map(_version, LIBRARIES))
    found.update(json.dumps(about).encode())
    return found.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _framed(kind: str, content: bytes) -> bytes:
    return f"{kind}:{len(content)}:".encode() + content


def _plain(value: Any) -> bytes:
    if isinstance(value, np.generic):
        if value.dtype.hasobject:
            raise CannotTell(str(value.dtype))
        return value.tobytes()
    return (value.hex() if isinstance(value, float) else str(value)).encode("utf-8", "surrogatepass")


def _name_of(function: FunctionType) -> str:
    """Return the name of a function that `surroundings` vouches for."""
    name = f"{function.__module__}.{function.__qualname__}"
    if "<" in name or not name.startswith(f"{PACKAGE}."):
        raise CannotTell(name)
    return name
