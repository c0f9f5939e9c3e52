"""LoRA adapters that embdiff brings along: one folder each, made by ``examples/train_variants.py``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from embdiff.errors import UnknownNameError


def adapter_names() -> tuple[str, ...]:
    """Return the names of the adapters, sorted."""
    root = Path(str(files(__name__)))
    return tuple(sorted(path.parent.name for path in root.glob("*/adapter_config.json")))


def adapter_path(name: str) -> Path:
    """Return the folder of an adapter.

    Raises
    ------
    UnknownNameError
        When there is no adapter of that name.
    """
    if name not in adapter_names():
        known = ", ".join(adapter_names())
        raise UnknownNameError(f"An adapter must be one of those that embdiff brings along: {known}. Got {name!r}. Choose one.")
    return Path(str(files(__name__))) / name
