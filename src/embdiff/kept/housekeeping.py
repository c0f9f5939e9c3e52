"""What is kept in the folder of a cache, whether it is sound, and what may go: behind ``embdiff cache``."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from embdiff._progress import progress
from embdiff.errors import ParameterError
from embdiff.kept.database import ASIDE, MENDING, Database, is_sound
from embdiff.kept.graphs import GRAPHS, SUMS, is_whole
from embdiff.kept.results import Damaged, read_result
from embdiff.kept.vectors import VectorCache

_DAY, _ABANDONED = 86_400.0, 3_600.0  # seconds; what is still unfinished after an hour was left by a killed process
_LEFT = "left by a killed process"
_SPACES = """
SELECT space, coalesce(json_extract(about, '$.stamp.model'), '?'),
    coalesce(json_extract(about, '$.stamp.revision'), '?'), coalesce(json_extract(about, '$.role'), '?'),
    coalesce(json_extract(about, '$.precision'), '?'), coalesce(json_extract(about, '$.dim'), 0),
    sum(length(keys)) / 16, count(*), sum(length(keys) + length(vectors)), (? - coalesce(used, 0)) / 86400
FROM batches LEFT JOIN spaces ON name = space AND json_valid(about) GROUP BY space ORDER BY used DESC"""
_ITEMS = """
SELECT 'vectors/' || space, coalesce(json_extract(about, '$.stamp.model'), '?'), '', length(keys) + length(vectors),
    coalesce(used, 0), 'batches', id
FROM batches LEFT JOIN spaces ON name = space AND json_valid(about)
UNION ALL
SELECT 'results/' || kind || '/' || key, 'results: ' || kind, '', length(body), used, 'results', rowid FROM results
ORDER BY 6, 7"""
_ROW = "SELECT * FROM {} WHERE rowid = ?"
_DELETE = "DELETE FROM {} WHERE rowid IN (SELECT value FROM json_each(?))"
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
        ``vectors/SPACE`` for batches of it, ``results/KIND/KEY``, or a path in the folder.
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
class _Item(Finding):
    """What can be removed by itself: a row of a table, an exported model or a left-over file; it may be sound."""

    used: float
    table: str = ""
    row: int = 0
    path: Path | None = None


def list_spaces(cache: VectorCache) -> tuple[SpaceInfo, ...]:
    """Return all spaces of vectors, the last used first; no vector is read."""
    return tuple(SpaceInfo(*row) for row in _database(cache).execute(_SPACES, (time.time(),)))


def list_others(cache: VectorCache) -> tuple[ShelfInfo, ...]:
    """Return what is kept besides vectors: results by kind, exported models."""
    groups: dict[tuple[str, str], list[_Item]] = {}
    for item in _items(_database(cache)):
        shelf = item.entry.partition("/")[0]
        if shelf in ("results", GRAPHS):
            groups.setdefault((shelf, item.model.removeprefix("results: ")), []).append(item)
    now = time.time()
    infos = [
        ShelfInfo(*key, len(group), sum(each.bytes for each in group), (now - max(each.used for each in group)) / _DAY)
        for key, group in groups.items()
    ]
    return tuple(sorted(infos, key=lambda info: (info.shelf, info.unused_days)))


def verify(cache: VectorCache) -> tuple[int, tuple[Finding, ...]]:
    """Read every byte, of vectors, kept results and exported models, and compare it with its checksum.

    A database whose pages do not hang together is mended first, as whenever that is noticed.

    Returns
    -------
    checked : int
        Batches, results and exported models.
    damaged : tuple of Finding
        What does not match, batches of spaces that say nothing of themselves, and databases moved aside.
    """
    items = [item for item in _examined(cache) if item.why != _LEFT]
    return sum(bool(item.model) for item in items), _findings(items)


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
    items = _examined(cache)
    known = {item.model for item in items if item.entry.startswith(("vectors/", f"{GRAPHS}/")) and item.model}
    if model is not None and model not in known:
        there = ", ".join(sorted(known)) or "nothing"
        raise ParameterError(f"A model to prune must be in the cache. Got {model!r}; there is {there}. Name one of it.")
    judged = [replace(item, why=item.why or _named(item, model, unused_days)) for item in items]
    left = sum(item.bytes for item in judged if not item.why)
    going = [item for item in judged if item.why]
    for item in sorted(judged, key=lambda each: each.used):
        if not item.why and most_bytes is not None and left > most_bytes:
            going.append(replace(item, why="to reach the size"))
            left -= item.bytes
    if really:
        _remove(_database(cache), going)
    return _findings(going)


def _database(cache: VectorCache) -> Database:
    if cache.database is None:
        raise ParameterError("A cache must be named. Got off. Write --cache DIR, or leave it out for the default.")
    return cache.database


def _items(database: Database) -> list[_Item]:
    """Return all that is kept or left over, each of a kind in the order in which it came."""
    found = [_Item(*row) for row in database.execute(_ITEMS)]
    for path in (*sorted(database.folder.glob(f"{GRAPHS}/*")), *sorted(database.folder.glob("*.sqlite*"))):
        with suppress(FileNotFoundError):
            found += _of_path(database.folder, path)
    return found


def _examined(cache: VectorCache) -> list[_Item]:
    """Return all items, every byte read: those that are not sound say why."""
    database, found = _database(cache), []
    if database.execute("PRAGMA quick_check") != [("ok",)]:
        database.failed(sqlite3.DatabaseError("its pages do not hang together"))
    items = _items(database)
    with progress("verify the cache", len(items), "entries") as advance:
        for item in items:
            found.append(replace(item, why=item.why or _why_damaged(database, item)))
            advance(1)
    return found


def _of_path(folder: Path, path: Path) -> Iterator[_Item]:
    """Yield an exported model, or what damage or a killed process left: not the database that is in use."""
    entry, files = path.relative_to(folder).as_posix(), [*path.rglob("*")] if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    used = (path / SUMS if (path / SUMS).is_file() else path).stat().st_mtime
    if path.name.startswith(ASIDE):
        yield _Item(entry, "", "damaged, and moved aside", size, used, path=path)
    elif path.name.startswith((".", MENDING)):
        if time.time() - used > _ABANDONED:
            yield _Item(entry, "", _LEFT, size, used, path=path)
    elif path.is_dir():
        yield _Item(entry, _model_of(path), "", size, used, path=path)


def _model_of(graph: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((graph / SUMS).read_text(encoding="utf-8"))["about"]["model"])
    return "?"


def _why_damaged(database: Database, item: _Item) -> str:
    """Return what is wrong with an item, "" when nothing is; every byte is read."""
    if item.path is not None:
        return "" if is_whole(item.path) else "a file does not match its checksum"
    for row in database.execute(_ROW.format(item.table), (item.row,)):  # none when it is gone meanwhile
        try:
            if item.table == "results":
                read_result(row)
            elif not is_sound(row):
                return f"batch {item.row} does not match its checksum"
            elif item.model == "?":
                return "the description of the space is missing"
        except Damaged as why:
            return str(why)
    return ""


def _named(item: _Item, model: str | None, unused_days: float | None) -> str:
    """Return why an item is among those that a caller of `prune` names, "" when it is not."""
    idle = (time.time() - item.used) / _DAY
    if model == item.model:
        return "of this model"
    return f"unused for {idle:.0f} days" if unused_days is not None and idle > unused_days else ""


def _remove(database: Database, going: list[_Item]) -> None:
    """Remove items; what is then free at the end of the database is given back."""
    try:
        connection = database.connection or database.open()
        for table in ("batches", "results"):
            rows = json.dumps([item.row for item in going if item.table == table])
            connection.execute(_DELETE.format(table), (rows,))
        connection.executescript(_TIDY)
        for path in [item.path for item in going if item.path is not None]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except (sqlite3.Error, OSError) as error:
        database.failed(error)


def _findings(items: Sequence[_Item]) -> tuple[Finding, ...]:
    """Return what goes, and why; what goes of one space for one reason together."""
    sizes: dict[tuple[str, str, str], int] = {}
    for item in items:
        if item.why:
            key = (item.entry, item.model, item.why)
            sizes[key] = sizes.get(key, 0) + item.bytes
    return tuple(Finding(*key, size) for key, size in sizes.items())
