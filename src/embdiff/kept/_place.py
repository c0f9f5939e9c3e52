"""Where the cache is: what was asked for, else the environment, else the user's own cache folder."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from embdiff._names import place_for
from embdiff.errors import ParameterError
from embdiff.specs import read_options

VARIABLE = "EMBDIFF_CACHE"
OFF = "off"
PRECISIONS = ("float32", "float16")


@dataclass(frozen=True)
class Place:
    """A cache in text form: ``off``, ``DIR``, ``DIR?precision=float16``, ``?precision=float16`` (the default folder).

    Parameters
    ----------
    folder : Path or None
        None when nothing is to be kept.
    precision : {"float32", "float16"}
    named : bool
        Whether somebody named it; the default folder was chosen by nobody.
    """

    folder: Path | None
    precision: str = "float32"
    named: bool = True

    @classmethod
    def of(cls, text: str | os.PathLike[str] | None) -> Place:
        """Read the text form; None and "" stand for the environment variable EMBDIFF_CACHE, else the default folder.

        Raises
        ------
        ParameterError
            For an unknown option.
        """
        given = str(text or "") or os.environ.get(VARIABLE, "")
        if given.lower() == OFF:
            return cls(None)
        refused = ParameterError(
            f"The cache must be written off, DIR or DIR?precision=float16. Got {given!r}. Write one of these."
        )
        try:
            name, options = read_options(given, "the cache", ("precision",))
        except ParameterError:
            raise refused from None
        precision = options.get("precision", "float32")
        if precision not in PRECISIONS:
            raise refused
        return cls(place_for(Path(name).expanduser(), "cache") if name else default_folder(), precision, bool(name))


def default_folder() -> Path:
    """Return the folder for caches of this user on this system, with ``embdiff`` in it."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "embdiff" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "embdiff"
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "embdiff"
