"""What else lies in the folder of the cache: kept results, and models exported as graphs. Listed, verified, pruned."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embdiff.encoders.exported import GRAPHS, SUMS, is_whole
from embdiff.kept.entries import FOLDER, PART, SUFFIX, Damaged, read_entry

RESULTS = "results"
_DAY, _ABANDONED = 86_400.0, 3_600.0  # seconds; what is still unfinished after an hour was left by a killed process


@dataclass(frozen=True)
class Item:
    """One kept result, one exported model, or what a killed process left of either.

    Parameters
    ----------
    path : Path
        A file, or the folder of an exported model.
    shelf : {"results", "graphs"}
    name : str
        The kind of result; the exported model as stamps call it, "?" when that cannot be read.
    bytes : int
    used : float
        When it was of use last, seconds since the epoch.
    finished : bool
    """

    path: Path
    shelf: str
    name: str
    bytes: int
    used: float
    finished: bool = True

    @property
    def abandoned(self) -> bool:
        """Whether it was left by a killed process."""
        return not self.finished and time.time() - self.used > _ABANDONED

    def why_damaged(self) -> str:
        """Return what is wrong with it, "" when nothing is; every byte is read."""
        if self.shelf == GRAPHS:
            return "" if is_whole(self.path) else "a file does not match its checksum"
        with suppress(FileNotFoundError):  # removed meanwhile
            try:
                read_entry(self.path)
            except Damaged as why:
                return str(why)
        return ""

    def remove(self) -> None:
        """Remove it; no error when it is gone."""
        if self.path.is_dir():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class ShelfInfo:
    """All items of one shelf and name.

    Parameters
    ----------
    shelf, name : str
        As `Item`.
    items, bytes : int
    unused_days : float
        Days since one of them was last of use.
    """

    shelf: str
    name: str
    items: int
    bytes: int
    unused_days: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)


def items(folder: Path) -> list[Item]:
    """Return everything on both shelves of a cache."""
    return [*_results(folder / FOLDER), *_graphs(folder / GRAPHS)]


def list_shelves(found: list[Item]) -> tuple[ShelfInfo, ...]:
    """Return a line for each kind of result and each exported model, the last used first."""
    now, groups = time.time(), dict[tuple[str, str], list[Item]]()
    for item in found:
        groups.setdefault((item.shelf, item.name), []).append(item)
    infos = [
        ShelfInfo(
            shelf, name, len(group), sum(item.bytes for item in group),
            max(0.0, now - max(item.used for item in group)) / _DAY,
        )
        for (shelf, name), group in groups.items()
    ]  # fmt: skip
    return tuple(sorted(infos, key=lambda info: (info.shelf, info.unused_days)))


def _results(root: Path) -> Iterator[Item]:
    for path in sorted(root.glob("*/*")):
        if path.name.endswith((SUFFIX, PART)):
            with suppress(FileNotFoundError):
                about = path.stat()
                finished = path.name.endswith(SUFFIX)
                yield Item(path, RESULTS, path.parent.name, about.st_size, about.st_mtime, finished)


def _graphs(root: Path) -> Iterator[Item]:
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if not path.is_dir():
            continue
        with suppress(FileNotFoundError):
            finished = not path.name.startswith(".")
            used = (path / SUMS if (path / SUMS).is_file() else path).stat().st_mtime
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            yield Item(path, GRAPHS, _model_of(path), size, used, finished)


def _model_of(graph: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((graph / SUMS).read_text(encoding="utf-8"))["about"]["model"])
    return "?"
