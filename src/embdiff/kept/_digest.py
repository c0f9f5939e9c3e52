"""What tells two inputs apart: a SHA-256 over values, and one over the code and the libraries that work on them."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import weakref
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from embdiff.kept._codec import PACKAGE, CannotKeep, pack

# What computes results. Of encoders the stamp tells; what only reads, draws or shows decides no number.
LIBRARIES = (
    "numpy", "scipy", "scikit-learn", "faiss-cpu", "bm25s", "umap-learn", "pymilvus", "milvus-lite", "lancedb",
)  # fmt: skip
_LARGE = 1 << 16  # bytes; the digest of an array this large is remembered for as long as the array lives


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
    about = (PACKAGE, platform.machine(), f"{sys.version_info[0]}.{sys.version_info[1]}", *map(_version, LIBRARIES))
    found.update(json.dumps(about).encode())
    return found.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
