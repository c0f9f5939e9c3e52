"""Name → "module:attribute" tables: looked up late, extended by entry points, with hints for misspelt names."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from embdiff._optional import installed, is_installed
from embdiff.errors import MissingDependencyError, PluginError, UnknownNameError, in_one_line


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
    packages : tuple of str
        The other packages that registered it; empty for what comes with embdiff.
    """

    name: str
    target: str
    summary: str
    needs: tuple[str, ...] = ()
    extra: str | None = None
    packages: tuple[str, ...] = ()

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


def unusable(kind: str, entry: Entry, found: str) -> PluginError:
    """Return the error about what other packages registered and cannot be used."""
    packages = " and ".join(entry.packages)
    whose = f"the package {packages}" if packages else "its package"
    return PluginError(
        f"The {kind} {entry.name!r} must be usable as {whose} registers it ({entry.target}). Got {found}. Mend "
        f"{packages or whose}, or uninstall it."
    )


@lru_cache(maxsize=32)  # a few groups, and again after each installation
def _of_other_packages(group: str, _installed: object) -> Mapping[str, Entry]:
    """Return the entries of a group by name: to find them reads the metadata of every package installed."""
    outside: dict[str, Entry] = {}
    for point in sorted(entry_points(group=group), key=lambda each: (each.name, each.value)):
        package = point.dist.name if point.dist else "?"
        before = outside.get(point.name)
        packages = tuple(dict.fromkeys((*(before.packages if before else ()), package)))
        told = f"from the package {' and the package '.join(packages)}"
        outside[point.name] = Entry(point.name, point.value, told, packages=packages)
    return outside


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
        return {**_of_other_packages(self._group, installed()), **self._builtin}

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
        PluginError
            When another package registered it and it cannot be imported, or two did.
        """
        entry = self.entry(name)
        if entry.missing:
            raise MissingDependencyError(
                f"The {self._kind} {entry.name!r} needs {', '.join(map(repr, entry.missing))}, "
                f"not installed here. Install it with: {entry.pip_line}"
            )
        module, _, attribute = entry.target.partition(":")
        if not entry.packages:
            return getattr(importlib.import_module(module), attribute)
        try:
            if len(entry.packages) > 1:
                raise PluginError(f"{len(entry.packages)} packages that register it")
            return getattr(importlib.import_module(module), attribute)
        except Exception as error:  # whatever the code of others does
            found = str(error) if isinstance(error, PluginError) else in_one_line(error)
            raise unusable(self._kind, entry, found) from None
