"""What is kept in the folder of a cache, whether it is sound, and what may go: behind ``embdiff cache``."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from embdiff._files import sha256_of
from embdiff._progress import progress
from embdiff.errors import ParameterError
from embdiff.kept.database import ASIDE, MENDING, Database, entry_of, why_damaged
from embdiff.kept.results import Damaged, read_result
from embdiff.kept.vectors import KEY_BYTES, VectorCache

GRAPHS, SUMS = "graphs", "checksums.json"
_DAY, _ABANDONED = 86_400.0, 3_600.0  # seconds; what is still unfinished after an hour was left by a killed process
_SPACES = """
SELECT space, coalesce(about, ''), coalesce(used, 0), sum(length(keys)), count(*), sum(length(keys) + length(vectors))
FROM batches LEFT JOIN spaces ON name = space GROUP BY space ORDER BY used DESC"""

_ROW = {
    "batches": "SELECT * FROM batches WHERE rowid = ?",
    "results": "SELECT * FROM results WHERE rowid = ?",
}
_DELETE = {
    "batches": "DELETE FROM batches WHERE rowid IN (SELECT value FROM json_each(?))",
    "results": "DELETE FROM results WHERE rowid IN (SELECT value FROM json_each(?))",
}

_TIDY = """
DELETE FROM spaces WHERE name NOT IN (SELECT space FROM batches);
PRAGMA incremental_vacuum;
PRAGMA wal_checkpoint(TRUNCATE);"""


@dataclass(frozen=True)
class SpaceInfo:
    """One space of vectors.

    Parameters
    ----------
    name : str
    model, revision : str
        From its stamp; "?" when that cannot be read.
    role, precision : str
    dim, vectors : int
        Two processes that encode the same at the same time keep it twice: the count is of what is kept.
    batches, bytes : int
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
    batches: int
    bytes: int
    unused_days: float


@dataclass(frozen=True)
class ShelfInfo:
    """What is kept besides vectors, of one kind.

    Parameters
    ----------
    shelf : {"results", "graphs"}
    name : str
        The kind of result; the exported model as stamps call it, "?" when that cannot be read.
    items, bytes : int
    unused_days : float
        Days since one of them was last of use.
    """

    shelf: str
    name: str
    items: int
    bytes: int
    unused_days: float


@dataclass(frozen=True)
class Finding:
    """What is not sound, or what `prune` removes.

    Parameters
    ----------
    entry : str
        ``vectors/SPACE``, a batch of it ``vectors/SPACE/NUMBER``, ``results/KIND/KEY``, or a path in the folder.
    model : str
        "results: KIND" for kept results; "" for what a killed process or damage left.
    why : str
    bytes : int
    """

    entry: str
    model: str
    why: str
    bytes: int


@dataclass(frozen=True)
class _Item:
    """What can be removed by itself: a batch or result (``row``), an exported model or a left-over file (``path``)."""

    entry: str
    model: str
    bytes: int
    used: float
    row: tuple[str, int] = ("", 0)
    path: Path | None = None
    why: str = ""


def list_spaces(cache: VectorCache) -> tuple[SpaceInfo, ...]:
    """Return all spaces of vectors, the last used first; no vector is read."""
    now = time.time()
    return tuple(
        SpaceInfo(name, *_about(about), int(keys) // KEY_BYTES, batches, size, max(0.0, now - used) / _DAY)
        for name, about, used, keys, batches, size in _database(cache).execute(_SPACES)
    )


def list_others(cache: VectorCache) -> tuple[ShelfInfo, ...]:
    """Return what is kept besides vectors: results by kind, exported models."""
    groups: dict[tuple[str, str], list[_Item]] = {}
    for item in _items(cache):
        shelf, _, rest = item.entry.partition("/")
        if shelf in ("results", GRAPHS):
            groups.setdefault((shelf, rest.partition("/")[0] if shelf == "results" else item.model), []).append(item)
    now = time.time()
    infos = [
        ShelfInfo(*key, len(group), sum(each.bytes for each in group), (now - max(each.used for each in group)) / _DAY)
        for key, group in groups.items()
    ]
    return tuple(sorted(infos, key=lambda info: (info.shelf, info.unused_days)))


def verify(cache: VectorCache) -> tuple[int, tuple[Finding, ...]]:
    """Read every byte, of vectors, kept results and exported models, and compare it with its checksum.

    Returns
    -------
    checked : int
        Batches, results and exported models.
    damaged : tuple of Finding
        What does not match, batches of spaces that say nothing of themselves, and databases moved aside.
    """
    database, damaged = _database(cache), []
    items = [item for item in _items(cache) if not item.why or item.entry.startswith(ASIDE)]
    with progress("verify the cache", len(items), "entries") as advance:
        for item in items:
            why = item.why or _why_damaged(database, item)
            if why:
                damaged.append(Finding(item.entry, item.model, why, item.bytes))
            advance(1)
    return sum(not item.why for item in items), tuple(damaged)


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
        What went or would go; batches of one space that go for one reason are one.

    Raises
    ------
    ParameterError
        When no space is of the model.
    CacheError
        When something cannot be removed.
    """
    database, items = _database(cache), _items(cache)
    known = {item.model for item in items if item.entry.startswith(("vectors/", f"{GRAPHS}/"))}
    if model is not None and model not in known:
        there = ", ".join(sorted(known)) or "nothing"
        raise ParameterError(f"A model to prune must be in the cache. Got {model!r}; there is {there}. Name one of it.")
    damaged = {finding.entry: finding.why for finding in verify(cache)[1]}
    why = {item.entry: item.why or damaged.get(item.entry, "") for item in items}
    now = time.time()
    for item in items:
        idle = (now - item.used) / _DAY
        if model == item.model:
            why[item.entry] = why[item.entry] or "of this model"
        elif unused_days is not None and idle > unused_days:
            why[item.entry] = why[item.entry] or f"unused for {idle:.0f} days"
    left = sum(item.bytes for item in items if not why[item.entry])
    for item in sorted(items, key=lambda each: each.used):
        if most_bytes is not None and left > most_bytes and not why[item.entry]:
            why[item.entry] = "to reach the size"
            left -= item.bytes
    going = [item for item in items if why[item.entry]]
    if really:
        _remove(database, going)
    return _told(going, why, damaged)


def is_whole(folder: Path) -> bool:
    """Return whether every part of an exported model matches its checksum."""
    try:
        sums = json.loads((folder / SUMS).read_text(encoding="utf-8"))["sha256"]
        return bool(sums) and all(sha256_of(folder / name) == wanted for name, wanted in sums.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _database(cache: VectorCache) -> Database:
    if cache.database is None:
        raise ParameterError("A cache must be named. Got off. Write --cache DIR, or leave it out for the default.")
    return cache.database


def _about(text: str) -> tuple[str, str, str, str, int]:
    """Return model, revision, role, precision and dimension of a space; "?" for what is not there."""
    with suppress(ValueError, KeyError, TypeError):
        about = json.loads(text)
        stamp = about["stamp"]
        return stamp["model"], stamp["revision"], about["role"], about["precision"], about["dim"]
    return "?", "?", "?", "?", 0


def _items(cache: VectorCache) -> list[_Item]:
    """Return all that is kept or left over, of like use the first kept first."""
    database, found = _database(cache), []
    spaces = {name: (_about(about)[0], used) for name, about, used in database.execute("SELECT * FROM spaces")}
    of_batches = "SELECT id, space, length(keys) + length(vectors) FROM batches ORDER BY id"
    for number, space, size in database.execute(of_batches):
        model, used = spaces.get(space, ("?", 0.0))
        found.append(_Item(entry_of(space, number), model, size, used, ("batches", number)))
    of_results = "SELECT rowid, kind, key, length(body), used FROM results ORDER BY kind, key"
    for number, kind, key, size, used in database.execute(of_results):
        found.append(_Item(f"results/{kind}/{key}", f"results: {kind}", size, used, ("results", number)))
    for path in (*sorted(database.folder.glob(f"{GRAPHS}/*")), *sorted(database.folder.glob("*.sqlite*"))):
        with suppress(FileNotFoundError):
            found += _of_path(database.folder, path)
    return found


def _of_path(folder: Path, path: Path) -> Iterator[_Item]:
    """Yield an exported model, or what damage or a killed process left: not the database that is in use."""
    entry, files = path.relative_to(folder).as_posix(), [*path.rglob("*")] if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    used = (path / SUMS if (path / SUMS).is_file() else path).stat().st_mtime
    if path.name.startswith(ASIDE):
        yield _Item(entry, "", size, used, path=path, why="damaged, and moved aside")
    elif path.name.startswith((".", MENDING)):
        if time.time() - used > _ABANDONED:
            yield _Item(entry, "", size, used, path=path, why="left by a killed process")
    elif path.is_dir():
        yield _Item(entry, _model_of(path), size, used, path=path)


def _model_of(graph: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((graph / SUMS).read_text(encoding="utf-8"))["about"]["model"])
    return "?"


def _why_damaged(database: Database, item: _Item) -> str:
    """Return what is wrong with an item, "" when nothing is; every byte is read."""
    if item.path is not None:
        return "" if is_whole(item.path) else "a file does not match its checksum"
    table, number = item.row
    for row in database.execute(_ROW[table], (number,)):  # none when it is gone meanwhile
        if table == "batches":
            return why_damaged(row) or ("" if item.model != "?" else "the description of its space is missing")
        try:
            read_result(row)
        except Damaged as why:
            return str(why)
    return ""


def _remove(database: Database, going: list[_Item]) -> None:
    """Remove items; what is then free at the end of the database is given back."""
    try:
        connection = database.connection or database.open()
        for table, delete in _DELETE.items():
            connection.execute(delete, (json.dumps([item.row[1] for item in going if item.row[0] == table]),))
        connection.executescript(_TIDY)
        for path in [item.path for item in going if item.path is not None]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except (sqlite3.Error, OSError) as error:
        database.failed(error)


def _told(going: list[_Item], why: Mapping[str, str], damaged: Container[str]) -> tuple[Finding, ...]:
    """Return what goes: sound batches of a space that go for one reason together, all else by itself."""
    sizes: dict[tuple[str, str, str], int] = {}
    for item in going:
        together = item.row[0] == "batches" and item.entry not in damaged
        entry = item.entry.rpartition("/")[0] if together else item.entry
        key = (entry, item.model, why[item.entry])
        sizes[key] = sizes.get(key, 0) + item.bytes
    return tuple(Finding(*key, size) for key, size in sizes.items())
