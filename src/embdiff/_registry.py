"""Name → "module:attribute" tables: looked up late, extended by entry points, with hints for misspelt names."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from embdiff._optional import is_installed
from embdiff.errors import MissingDependencyError, UnknownNameError


@dataclass(frozen=True)
class Entry:
    """One registered name.

    Parameters
    ----------
    name : str
        What the user types.
    target : str
        ``"module:attribute"``, imported at look-up.
    summary : str
        One line for listings.
    needs : tuple of str
        Modules that must be installed.
    extra : str or None
        The extra of embdiff that installs them.
    """

    name: str
    target: str
    summary: str
    needs: tuple[str, ...] = ()
    extra: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules that this entry needs and that are not installed."""
        return tuple(module for module in self.needs if not is_installed(module))

    @property
    def pip_line(self) -> str:
        """The line that installs what is missing."""
        return f"pip install 'embdiff[{self.extra}]'" if self.extra else f"pip install {' '.join(self.needs)}"


def hint(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return ``Did you mean 'x'? `` (case ignored, closing blank included), or "" when no name is near."""
    by_fold = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), by_fold, n=3, cutoff=cutoff)
    return f"Did you mean {' or '.join(repr(by_fold[each]) for each in close)}? " if close else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest known names, or all of them when none is near."""
    names = sorted(known)
    return hint(name, names, cutoff=0.5).strip() or f"Known: {', '.join(names)}."


class Registry:
    """A table of entries of one kind, for example encoders.

    Parameters
    ----------
    kind : str
        The singular word for messages: ``"model kind"``.
    group : str
        Entry-point group through which other packages add entries.
    entries : iterable of Entry
        The built-in ones.
    """

    def __init__(self, kind: str, group: str, entries: Iterable[Entry]) -> None:
        self._kind, self._group = kind, group
        self._builtin = {entry.name: entry for entry in entries}

    def entries(self) -> Mapping[str, Entry]:
        """Return all entries by name, those of other packages included; built-in names win."""
        outside = {
            point.name: Entry(point.name, point.value, f"from the package {point.dist.name if point.dist else '?'}")
            for point in entry_points(group=self._group)
        }
        return {**outside, **self._builtin}

    def entry(self, name: str) -> Entry:
        """Return the entry called ``name``.

        Raises
        ------
        UnknownNameError
            When nobody registered the name.
        """
        if name in self._builtin:  # looking for other packages' entries reads the metadata of every package installed
            return self._builtin[name]
        entries = self.entries()
        if name not in entries:
            raise UnknownNameError(
                f"A {self._kind} must be one of the registered names. Got {name!r}. {nearest(name, entries)}"
            )
        return entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._builtin or name in self.entries()

    def load(self, name: str) -> Any:
        """Import what ``name`` stands for.

        Raises
        ------
        UnknownNameError
            When nobody registered the name.
        MissingDependencyError
            When a package it needs is not installed; the message has the pip line.
        """
        entry = self.entry(name)
        if entry.missing:
            raise MissingDependencyError(
                f"The {self._kind} {entry.name!r} needs {', '.join(map(repr, entry.missing))}, "
                f"not installed here. Install it with: {entry.pip_line}"
            )
        module, _, attribute = entry.target.partition(":")
        return getattr(importlib.import_module(module), attribute)
