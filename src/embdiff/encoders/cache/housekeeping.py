"""What is in a cache, whether it is sound, and what may go: behind ``embdiff cache``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from embdiff._progress import progress
from embdiff.encoders.cache import _journal
from embdiff.encoders.cache._shard import PART, SUFFIX, Damaged, Shard
from embdiff.encoders.cache._space import ABOUT, writing_to
from embdiff.encoders.cache.reports import Finding, SpaceInfo
from embdiff.encoders.cache.shelves import Item, ShelfInfo, items, list_shelves
from embdiff.encoders.cache.vectors import FORMAT, VectorCache
from embdiff.encoders.exported import GRAPHS
from embdiff.errors import ParameterError

_DAY = 86_400.0
_PART_SECONDS = 3_600.0  # a part this old was left by a killed process: writing a shard takes seconds


@dataclass(frozen=True)
class _Space:
    path: Path
    about: dict[str, Any]
    used: float
    shards: list[Path] = field(default_factory=list)

    @property
    def model(self) -> str:
        return str(self.about.get("stamp", {}).get("model", "?"))


def list_spaces(cache: VectorCache) -> tuple[SpaceInfo, ...]:
    """Return all spaces of a cache, the last used first; only the heads of the files are read."""
    now, found = time.time(), []
    for space in _spaces(cache):
        rows, size = 0, 0
        for path in space.shards:
            with suppress(OSError, Damaged):
                size += path.stat().st_size
                rows += len(Shard.open(path))
        journals = list(space.path.glob(f"*{_journal.SUFFIX}"))
        stamp = space.about.get("stamp", {})
        found.append(
            SpaceInfo(
                name=space.path.name,
                model=space.model,
                revision=str(stamp.get("revision", "?")),
                role=str(space.about.get("role", "?")),
                precision=str(space.about.get("precision", "?")),
                dim=int(space.about.get("dim", 0)),
                vectors=rows,
                shards=len(space.shards),
                bytes=size + sum(_size(path) for path in journals),
                unfinished=len(journals),
                unused_days=max(0.0, now - space.used) / _DAY,
            )
        )
    return tuple(found)


def list_others(cache: VectorCache) -> tuple[ShelfInfo, ...]:
    """Return what is kept besides vectors: results by kind, exported models."""
    return list_shelves(items(_folder(cache)))


def verify(cache: VectorCache) -> tuple[int, tuple[Finding, ...]]:
    """Read every byte, of vectors, kept results and exported models, and compare it with its checksum.

    Returns
    -------
    checked : int
        Files looked at; an exported model counts as one.
    damaged : tuple of Finding
        What does not match, and spaces that say nothing of themselves.
    """
    spaces, others = _spaces(cache), [item for item in items(_folder(cache)) if item.finished]
    total, damaged = sum(len(space.shards) for space in spaces) + len(others), []
    with progress("verify the cache", total, "files") as advance:
        for space in spaces:
            if space.shards and not space.about:
                why = f"{ABOUT} is missing or cannot be read"
                damaged += [_finding(cache, space, path, why) for path in space.shards]
                advance(len(space.shards))
                continue
            for path in space.shards:
                why = _why_damaged(space, path)
                if why:
                    damaged.append(_finding(cache, space, path, why))
                advance(1)
        for item in others:
            why = item.why_damaged()
            if why:
                damaged.append(_of_item(cache, item, why))
            advance(1)
    return total, tuple(damaged)


def prune(
    cache: VectorCache,
    *,
    unused_days: float | None = None,
    model: str | None = None,
    most_bytes: int | None = None,
    really: bool = False,
) -> tuple[Finding, ...]:
    """Remove what is damaged or left over, and what the caller names.

    Parameters
    ----------
    cache : VectorCache
    unused_days : float, optional
        Remove spaces, results and exported models that were of no use for longer.
    model : str, optional
        Remove spaces and exported graphs of this model: as stamps call it, as ``embdiff cache ls`` prints it.
    most_bytes : int, optional
        Then remove, the longest unused first, until no more than this is left.
    really : bool
        False only tells what would go.

    Returns
    -------
    tuple of Finding
        What went or would go. Journals of running processes never do.

    Raises
    ------
    ParameterError
        When no space is of the model.
    CacheError
        When a file cannot be removed.
    """
    spaces, others = _spaces(cache), items(_folder(cache))
    known = {space.model for space in spaces} | {item.name for item in others if item.shelf == GRAPHS}
    if model is not None and model not in known:
        there = ", ".join(sorted(known)) or "nothing"
        raise ParameterError(f"A model to prune must be in the cache. Got {model!r}; there is {there}. Name one of it.")
    going = {finding.file: finding for finding in (*_left_over(cache, spaces, others), *verify(cache)[1])}
    now = time.time()
    for item in others:
        idle = (now - item.used) / _DAY
        if item.finished and item.shelf == GRAPHS and model == item.name:
            why = "of this model"
        elif item.finished and unused_days is not None and idle > unused_days:
            why = f"unused for {idle:.0f} days"
        else:
            continue
        found = _of_item(cache, item, why)
        going.setdefault(found.file, found)
    for space in spaces:
        idle = (now - space.used) / _DAY
        if model == space.model:
            why = "of this model"
        elif unused_days is not None and idle > unused_days:
            why = f"unused for {idle:.0f} days"
        else:
            continue
        for path in space.shards:
            going.setdefault(path.relative_to(_folder(cache)).as_posix(), _finding(cache, space, path, why))
    if most_bytes is not None:
        going |= {finding.file: finding for finding in _beyond(cache, spaces, others, going, most_bytes)}
    if really:
        _remove(cache, list(going), spaces, others)
    return tuple(going.values())


def _folder(cache: VectorCache) -> Path:
    if cache.folder is None:
        raise ParameterError("A cache must be named. Got off. Write --cache DIR, or leave it out for the default.")
    return cache.folder


def _spaces(cache: VectorCache) -> list[_Space]:
    found = []
    root = _folder(cache) / FORMAT
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if not path.is_dir():
            continue
        about, used = {}, 0.0
        with suppress(OSError, ValueError):
            about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
            used = (path / ABOUT).stat().st_mtime
        if not isinstance(about, dict) or not isinstance(about.get("stamp"), dict):
            about = {}
        found.append(_Space(path, about, used, sorted(path.glob(f"*{SUFFIX}"))))
    return sorted(found, key=lambda space: -space.used)


def _why_damaged(space: _Space, path: Path) -> str:
    try:
        shard = Shard.open(path)
        wanted = (space.about["dim"], space.about["precision"])
        if (shard.dim, np.dtype(shard.dtype).name) != wanted:
            return f"it holds {np.dtype(shard.dtype).name} of dimension {shard.dim}"
        shard.check()
    except FileNotFoundError:  # merged into another meanwhile
        return ""
    except Damaged as why:
        return str(why)
    except KeyError:
        return f"{ABOUT} cannot be read"
    return ""


def _left_over(cache: VectorCache, spaces: list[_Space], others: list[Item]) -> Iterator[Finding]:
    for item in others:
        if item.abandoned:
            yield _of_item(cache, item, "left by a killed process")
    for space in spaces:
        for path in space.path.glob(f".*{PART}"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _PART_SECONDS:
                    yield _finding(cache, space, path, "left by a killed process")


def _beyond(
    cache: VectorCache, spaces: list[_Space], others: list[Item], going: dict[str, Finding], most_bytes: int
) -> Iterator[Finding]:
    why = "to reach the size"
    staying = [
        (space.used, _mtime(path), _finding(cache, space, path, why)) for space in spaces for path in space.shards
    ]
    staying += [(item.used, item.used, _of_item(cache, item, why)) for item in others if item.finished]
    staying = [each for each in staying if each[2].file not in going]
    size = sum(finding.bytes for _, _, finding in staying)
    for _, _, finding in sorted(staying, key=lambda each: each[:2]):
        if size <= most_bytes:
            return
        size -= finding.bytes
        yield finding


def _remove(cache: VectorCache, files: list[str], spaces: list[_Space], others: list[Item]) -> None:
    folder = _folder(cache)
    by_name = {item.path.relative_to(folder).as_posix(): item for item in others}
    with writing_to(folder):
        for name in files:
            if name in by_name:
                by_name[name].remove()
            else:
                (folder / name).unlink(missing_ok=True)
        for space in spaces:
            left = {path.name for path in space.path.iterdir()}
            if left <= {ABOUT, "merge.lock"}:
                for name in left:
                    (space.path / name).unlink(missing_ok=True)
                with suppress(OSError):  # a process has just begun to write here
                    space.path.rmdir()


def _finding(cache: VectorCache, space: _Space, path: Path, why: str) -> Finding:
    return Finding(path.relative_to(_folder(cache)).as_posix(), space.model, why, _size(path))


def _of_item(cache: VectorCache, item: Item, why: str) -> Finding:
    shown = item.name if item.shelf == GRAPHS else f"results: {item.name}"
    return Finding(item.path.relative_to(_folder(cache)).as_posix(), shown, why, item.bytes)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
