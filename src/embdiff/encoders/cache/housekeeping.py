"""What is in a cache, whether it is sound, and what may go: behind ``embdiff cache``."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from embdiff._progress import progress
from embdiff.encoders.cache import _journal
from embdiff.encoders.cache._shard import PART, SUFFIX, Damaged, Shard
from embdiff.encoders.cache._space import ABOUT, writing_to
from embdiff.encoders.cache.vectors import FORMAT, VectorCache
from embdiff.errors import ParameterError

_DAY = 86_400.0
_PART_SECONDS = 3_600.0  # a part this old was left by a killed process: writing a shard takes seconds
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@dataclass(frozen=True)
class SpaceInfo:
    """One space of a cache.

    Parameters
    ----------
    name : str
        Of its folder.
    model, revision : str
        From its stamp; "?" when that cannot be read.
    role, precision : str
    dim, vectors : int
        A vector may be kept twice after a crash: the count is of what is kept.
    shards, bytes : int
    unfinished : int
        Journals: of running processes, or left by killed ones.
    unused_days : float
        Days since it was last of use.
    """

    name: str
    model: str
    revision: str
    role: str
    precision: str
    dim: int
    vectors: int
    shards: int
    bytes: int
    unfinished: int
    unused_days: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """A file of a cache that is not sound, or that `prune` removes.

    Parameters
    ----------
    file : str
        Relative to the cache.
    model : str
    why : str
    bytes : int
    """

    file: str
    model: str
    why: str
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)


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


def verify(cache: VectorCache) -> tuple[int, tuple[Finding, ...]]:
    """Read every byte and compare it with its checksum.

    Returns
    -------
    checked : int
        Files looked at.
    damaged : tuple of Finding
        Shards that do not match, and spaces that say nothing of themselves.
    """
    spaces = _spaces(cache)
    total, damaged = sum(len(space.shards) for space in spaces), []
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
        Remove spaces that were of no use for longer.
    model : str, optional
        Remove spaces of this model: as stamps call it, as ``embdiff cache ls`` prints it.
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
    spaces = _spaces(cache)
    if model is not None and model not in {space.model for space in spaces}:
        there = ", ".join(sorted({space.model for space in spaces})) or "nothing"
        raise ParameterError(f"A model to prune must be in the cache. Got {model!r}; there is {there}. Name one of it.")
    going = {finding.file: finding for finding in (*_left_over(cache, spaces), *verify(cache)[1])}
    now = time.time()
    for space in spaces:
        idle = (now - space.used) / _DAY
        if model == space.model:
            why = "of this model"
        elif unused_days is not None and idle > unused_days:
            why = f"unused for {idle:.0f} days"
        else:
            continue
        for path in space.shards:
            going.setdefault(str(path.relative_to(_folder(cache))), _finding(cache, space, path, why))
    if most_bytes is not None:
        going |= {finding.file: finding for finding in _beyond(cache, spaces, going, most_bytes)}
    if really:
        _remove(cache, list(going), spaces)
    return tuple(going.values())


def parse_size(text: str) -> int:
    """Return bytes from ``500MB``, ``2GiB`` or a number.

    Raises
    ------
    ParameterError
        For anything else.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?i?)b?\s*", text.lower())
    if match is None or match.group(2) not in _UNITS:
        raise ParameterError(f"A size must be a number with kB, MB, GB, KiB, MiB or GiB. Got {text!r}. Write 2GiB.")
    return int(float(match.group(1)) * _UNITS[match.group(2)])


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


def _left_over(cache: VectorCache, spaces: list[_Space]) -> Iterator[Finding]:
    for space in spaces:
        for path in space.path.glob(f".*{PART}"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _PART_SECONDS:
                    yield _finding(cache, space, path, "left by a killed process")


def _beyond(cache: VectorCache, spaces: list[_Space], going: dict[str, Finding], most_bytes: int) -> Iterator[Finding]:
    staying = [
        (space.used, _mtime(path), path, space)
        for space in spaces
        for path in space.shards
        if str(path.relative_to(_folder(cache))) not in going
    ]
    size = sum(_size(path) for _, _, path, _ in staying)
    for _, _, path, space in sorted(staying, key=lambda each: each[:2]):
        if size <= most_bytes:
            return
        size -= _size(path)
        yield _finding(cache, space, path, "to reach the size")


def _remove(cache: VectorCache, files: list[str], spaces: list[_Space]) -> None:
    folder = _folder(cache)
    with writing_to(folder):
        for name in files:
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
