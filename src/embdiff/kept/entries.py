"""Entries: a result in a file whose name is the digest of what it was made from.

An entry is ``embdiff kept 1``, a SHA-256 over all that follows, and a compressed ``.npz``: arrays, and one JSON text.
It is written aside and renamed: readers see a whole one or none, and of two processes that make the same, either may be
last.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from embdiff.kept._codec import CannotKeep, Unreadable, pack, unpack
from embdiff.kept._digest import CannotTell, Digester, surroundings

T = TypeVar("T")
FOLDER = "results/v1"
WORTH = 0.01  # seconds; what is computed in less is not worth a file
SUFFIX = ".kept"
PART = ".part"
_MAGIC = b"embdiff kept 1\n"
_ABOUT = "about"
_in_use: ContextVar[Kept | None] = ContextVar("embdiff_kept", default=None)


class Damaged(Exception):  # noqa: N818 - never leaves this room
    """An entry that is not what was written; the text says how."""


@dataclass
class Reused:
    """What became of the results of one kind.

    Parameters
    ----------
    computed, reused : int
    made : list of str
        When those reused were made, ISO 8601.
    """

    computed: int = 0
    reused: int = 0
    made: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values: of the dates the oldest."""
        return {"computed": self.computed, "reused": self.reused, "oldest": min(self.made, default=None)}


class Kept:
    """Results in the folder of the cache, shared by any number of processes.

    Parameters
    ----------
    folder : Path or None
        Of the cache; None keeps nothing and finds nothing.

    Attributes
    ----------
    notes : list of str
        What a run should tell: damaged entries that were not used, a folder that cannot be written.
    counts : dict of str to Reused
        By kind of result.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self.counts: dict[str, Reused] = {}
        self._digest = Digester()
        self._refused = False
        if folder is not None:
            surroundings()  # of the code as it was loaded, should somebody edit it while a run goes on

    def recall(self, what: str, inputs: Any, compute: Callable[[], T]) -> tuple[T, str | None]:
        """Return a result made earlier from the same inputs by the same code, and when; else compute and keep it.

        Parameters
        ----------
        what : str
            The kind of result: letters, digits, underscores and dots.
        inputs : value
            Everything that decides the result; see `embdiff.kept._digest.Digester` for what can be told apart.
        compute : callable
            Returns the result, of plain values, arrays and records of embdiff. What cannot be told apart or written,
            and what takes less than `WORTH`, is computed each time.

        Returns
        -------
        result
            Of an earlier run its numbers, bit for bit.
        made : str or None
            ISO 8601; None when it was computed just now.
        """
        path = self._path(what, inputs)
        if path is None:
            return compute(), None
        count = self.counts.setdefault(what, Reused())
        found = self._read(path)
        if found is not None:
            made, value = found
            count.reused += 1
            count.made.append(made)
            return value, made
        start = time.perf_counter()
        value = compute()
        count.computed += 1
        if time.perf_counter() - start >= WORTH:
            self._keep(path, value)
        return value, None

    def get(self, what: str, inputs: Any) -> Any:
        """Return what `put` kept under these inputs; None when nothing is there."""
        path = self._path(what, inputs)
        found = None if path is None else self._read(path)
        return None if found is None else found[1]

    def put(self, what: str, inputs: Any, value: Any) -> None:
        """Keep a value under these inputs; one that was there is replaced."""
        path = self._path(what, inputs)
        if path is not None:
            self._keep(path, value)

    def _path(self, what: str, inputs: Any) -> Path | None:
        """Return the file of a result; None where nothing is kept or the inputs cannot be told apart."""
        if self.folder is None:
            return None
        try:
            key = self._digest((surroundings(), what, inputs))
        except CannotTell:
            return None
        return self.folder / FOLDER / what / f"{key}{SUFFIX}"

    def describe(self) -> dict[str, Any]:
        """Return, by kind of result, how many were computed and how many reused; JSON-able."""
        return {what: count.to_dict() for what, count in sorted(self.counts.items())}

    def _read(self, path: Path) -> tuple[str, Any] | None:
        try:
            found = read_entry(path)
        except FileNotFoundError:
            return None
        except Damaged as why:
            assert self.folder is not None
            shown = path.relative_to(self.folder).as_posix()
            self.notes.append(f"The kept result {shown} is damaged ({why}): it was not used, and computed again.")
            return None
        with suppress(OSError):
            os.utime(path)  # when it was of use last, for `prune`
        return found

    def _keep(self, path: Path, value: Any) -> None:
        try:
            write_entry(path, value)
        except CannotKeep:
            return
        except OSError as error:
            if not self._refused:  # no work is lost: the run goes on, the next one computes again
                self._refused = True
                self.notes.append(f"Results are not kept: {error.strerror or error} in the cache's folder {FOLDER}.")


def read_entry(path: Path) -> tuple[str, Any]:
    """Return when an entry was made, and its value.

    Raises
    ------
    FileNotFoundError
        When there is none.
    Damaged
        When it does not match its checksum or its name.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Damaged(f"it cannot be read: {error.strerror or error}") from None
    front = len(_MAGIC) + 32
    if not data.startswith(_MAGIC):
        raise Damaged("it does not begin as a kept result does")
    if hashlib.sha256(memoryview(data)[front:]).digest() != data[len(_MAGIC) : front]:
        raise Damaged("it does not match its checksum")
    try:
        with np.load(io.BytesIO(data[front:]), allow_pickle=False) as arrays:
            about = json.loads(arrays[_ABOUT].tobytes())
            if about["key"] != path.stem:
                raise Damaged("it is another result's")
            return str(about["made"]), unpack(about["value"], arrays)
    except (Unreadable, ValueError, KeyError, TypeError, AttributeError, ImportError, zipfile.BadZipFile) as error:
        raise Damaged(f"it cannot be understood: {error}") from None


def write_entry(path: Path, value: Any) -> None:
    """Write an entry so that it appears whole or not at all.

    Raises
    ------
    CannotKeep
        When the value is of a kind that is not written.
    OSError
        When the folder cannot be written.
    """
    arrays: list[np.ndarray[Any, Any]] = []
    about = {"key": path.stem, "made": datetime.now(UTC).isoformat(timespec="seconds"), "value": pack(value, arrays)}
    text = np.frombuffer(json.dumps(about, allow_nan=False).encode(), dtype=np.uint8)
    body = io.BytesIO()
    np.savez_compressed(body, allow_pickle=False, **{_ABOUT: text}, **{str(at): each for at, each in enumerate(arrays)})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem[:16]}-{secrets.token_hex(4)}{PART}")
    try:
        with part.open("xb") as handle:
            handle.write(_MAGIC + hashlib.sha256(body.getbuffer()).digest())
            handle.write(body.getbuffer())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextmanager
def using(kept: Kept) -> Iterator[Kept]:
    """Let `recall` and `call` find and keep results there, inside this block."""
    token = _in_use.set(kept)
    try:
        yield kept
    finally:
        _in_use.reset(token)


def recall(what: str, inputs: Any, compute: Callable[[], T]) -> tuple[T, str | None]:
    """Return `Kept.recall` of what is in use; outside of `using` compute."""
    kept = _in_use.get()
    return (compute(), None) if kept is None else kept.recall(what, inputs, compute)


def call(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call a function whose result depends on its arguments alone, or return what it returned for equal ones."""
    name = f"{function.__module__}.{function.__qualname__}".removeprefix("embdiff.")
    inputs: tuple[Any, Mapping[str, Any]] = (arguments, named)
    return recall(name, inputs, lambda: function(*arguments, **named))[0]
