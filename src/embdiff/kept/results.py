"""Results: a row whose key is the digest of what it was made from, with a checksum.

Of two processes that make the same, either may be last.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from embdiff.kept._values import CannotKeep, Digester, pack, surroundings, unpack
from embdiff.kept.database import CHECKSUM, TOUCH_SECONDS, Database, Unwritable

T = TypeVar("T")
WORTH = 0.01  # seconds; what is computed in less is not worth keeping
_ABOUT = "about"


class Damaged(Exception):  # noqa: N818 - never leaves this room
    """A result that is not what was written; the text says how."""


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
    """Results in the database of the cache, shared by any number of processes.

    Parameters
    ----------
    database : Database or None
        None keeps nothing and finds nothing.

    Attributes
    ----------
    notes : list of str
        The database's: damaged results that were not used, a folder that cannot be written.
    counts : dict of str to Reused
        By kind of result.
    """

    def __init__(self, database: Database | None) -> None:
        self._database = database
        self.notes: list[str] = [] if database is None else database.notes
        self.counts: dict[str, Reused] = {}
        self._digest = Digester()
        self._refused = False
        if database is not None:
            surroundings()  # of the code as it was loaded, should somebody edit it while a run goes on

    def recall(self, what: str, inputs: Any, compute: Callable[[], T]) -> tuple[T, str | None]:
        """Return a result made earlier from the same inputs by the same code, and when; else compute and keep it.

        Parameters
        ----------
        what : str
            The kind of result: letters, digits, underscores and dots.
        inputs : value
            Everything that decides the result; see `embdiff.kept._values.Digester` for what can be told apart.
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
        key = self._key(what, inputs)
        if key is None:
            return compute(), None
        count = self.counts.setdefault(what, Reused())
        found = self._read(what, key)
        if found is not None:
            made, value = found
            count.reused += 1
            count.made.append(made)
            return value, made
        start = time.perf_counter()
        value = compute()
        count.computed += 1
        if time.perf_counter() - start >= WORTH:
            self._keep(what, key, value)
        return value, None

    def get(self, what: str, inputs: Any) -> Any:
        """Return what `put` kept under these inputs; None when nothing is there."""
        key = self._key(what, inputs)
        found = None if key is None else self._read(what, key)
        return None if found is None else found[1]

    def put(self, what: str, inputs: Any, value: Any) -> None:
        """Keep a value under these inputs; one that was there is replaced."""
        key = self._key(what, inputs)
        if key is not None:
            self._keep(what, key, value)

    def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a function whose result depends on its arguments alone, or return what it returned for equal ones."""
        name = f"{function.__module__}.{function.__qualname__}".removeprefix("embdiff.")
        return self.recall(name, (arguments, named), lambda: function(*arguments, **named))[0]

    def describe(self) -> dict[str, Any]:
        """Return, by kind of result, how many were computed and how many reused; JSON-able."""
        return {what: count.to_dict() for what, count in sorted(self.counts.items())}

    def _key(self, what: str, inputs: Any) -> str | None:
        """Return what a result is found by; None where nothing is kept or the inputs cannot be told apart."""
        if self._database is None:
            return None
        with suppress(CannotKeep):
            return self._digest((surroundings(), what, inputs))
        return None

    def _read(self, what: str, key: str) -> tuple[str, Any] | None:
        assert self._database is not None
        rows = self._database.execute("SELECT * FROM results WHERE kind = ? AND key = ?", (what, key))
        if not rows:
            return None
        try:
            found = read_result(rows[0])
        except Damaged as why:
            self.notes.append(f"The kept result {what}/{key} is damaged ({why}): it was not used, and computed again.")
            return None
        now = time.time()
        if not self._database.read_only and rows[0][2] < now - TOUCH_SECONDS:
            self._database.execute("UPDATE results SET used = ? WHERE kind = ? AND key = ?", (now, what, key))
        return found

    def _keep(self, what: str, key: str, value: Any) -> None:
        assert self._database is not None
        if self._database.read_only:
            return
        try:
            body = _body_of(value)
            row = (what, key, time.time(), body, CHECKSUM(f"{what}{key}".encode() + body).digest())
            self._database.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)", row)
        except CannotKeep:
            return
        except Unwritable as error:
            if not self._refused:  # no work is lost: the run goes on, the next one computes again
                self._refused = True
                self.notes.append(f"Results are not kept: {error.reason} in the cache's folder.")


def read_result(row: Sequence[Any]) -> tuple[str, Any]:
    """Return when a result was made, and its value.

    Parameters
    ----------
    row : sequence
        Of the table ``results``.

    Raises
    ------
    Damaged
        When it does not match its checksum, or holds anything but records of embdiff.
    """
    kind, key, _, body, checksum = row
    try:
        if CHECKSUM(f"{kind}{key}".encode() + body).digest() != checksum:
            raise Damaged("it does not match its checksum")
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            about = json.loads(arrays[_ABOUT].tobytes())
            return str(about["made"]), unpack(about["value"], arrays)
    except (ValueError, KeyError, TypeError, AttributeError, ImportError, zipfile.BadZipFile) as error:
        raise Damaged(f"it cannot be understood: {error}") from None


def _body_of(value: Any) -> bytes:
    """Return a compressed ``.npz``: arrays, and one JSON text. Raises CannotKeep for values that are not written."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def put_aside(leaf: Any) -> dict[str, str]:
        if not isinstance(leaf, np.ndarray) or leaf.dtype.hasobject:
            raise CannotKeep(type(leaf).__name__)
        name = str(len(arrays))
        arrays[name] = leaf
        return {"array": name}

    about = {"made": datetime.now(UTC).isoformat(timespec="seconds"), "value": pack(value, put_aside)}
    text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    body = io.BytesIO()
    np.savez_compressed(body, allow_pickle=False, **{_ABOUT: text}, **arrays)
    return body.getvalue()
