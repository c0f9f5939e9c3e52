"""How the process that has a run's models and databases is asked, ended where it takes too long, and replaced."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from embdiff import errors
from embdiff.errors import EmbdiffError, EncoderError

_PROCESS = "embdiff.server.process"
_LONGEST_LINE = 64 << 20  # bytes of an answer
_SECONDS_TO_CLOSE = 5.0


class NoAnswerError(EmbdiffError):
    """A query took too long, or the process that searches ended; asked again, it may be answered."""


class _EndedError(Exception):
    """The process has ended by itself; says with which status."""


class Worker:
    """Asks one process that has everything loaded, one query at a time, and replaces it where a query takes too long.

    Parameters
    ----------
    settings : mapping
        The keywords of `opened`, as JSON.
    seconds : float
        What a query may take, from when it came to its answer.
    """

    def __init__(self, settings: Mapping[str, Any], seconds: float) -> None:
        self._settings, self._seconds = settings, seconds
        self._one_at_a_time = asyncio.Lock()  # models and databases are not made for many at once
        self._process: Process | None = None
        self._is_ready = False
        self.indexes: tuple[str, ...] = ()

    async def start(self) -> None:
        """Start the process, and wait until it can answer.

        Raises
        ------
        EmbdiffError
            What was met there.
        """
        try:
            await self._get_ready()
        except _EndedError as ended:
            raise EncoderError(
                f"The models must be loaded before the page opens. Got a process that ended meanwhile ({ended}), "
                "perhaps for want of memory. Make room, or compare fewer models."
            ) from None

    async def ask(self, what: str, wanted: Mapping[str, Any]) -> Any:
        """Return what a method of `Asker` returns.

        Raises
        ------
        NoAnswerError
            When it took too long: what worked on it has been ended then, and another process is loading the models.
        EmbdiffError
            What the method raises.
        """
        try:
            async with asyncio.timeout(self._seconds), self._one_at_a_time:
                await self._get_ready()
                return await self._asked(what, wanted)
        except TimeoutError:
            raise NoAnswerError(
                f"A query must be answered within {self._seconds:g} s. This one was not, and what worked on it was "
                "ended. Ask for less, or raise --limit."
            ) from None
        except _EndedError as ended:
            raise NoAnswerError(
                f"The process that answers must go on. Got one that ended ({ended}), perhaps for want of memory. "
                "Ask again."
            ) from None

    async def close(self) -> None:
        """End the process: by a word, or where it does not listen, by force."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            async with asyncio.timeout(_SECONDS_TO_CLOSE):
                await process.wait()
        except TimeoutError:
            await _kill(process)

    async def _asked(self, what: str, wanted: Mapping[str, Any]) -> Any:
        try:
            self._send([what, wanted])
            return await self._told()
        except asyncio.CancelledError:
            if self._process is not None:
                await _kill(self._process)
            await self._begin()
            raise

    async def _get_ready(self) -> None:
        if self._process is None:
            await self._begin()
        if not self._is_ready:
            self.indexes = tuple(await self._told())
            self._is_ready = True

    async def _begin(self) -> None:
        """Start the process; it finds modules where this one does, and not in the current folder besides."""
        self._is_ready = False
        paths = os.pathsep.join(filter(None, sys.path))
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", _PROCESS),
            stdin=PIPE,
            stdout=PIPE,
            limit=_LONGEST_LINE,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self._send(self._settings)

    def _send(self, value: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(ConnectionError):  # it ended: that is told where its answer is read
            self._process.stdin.write(json.dumps(value).encode() + b"\n")

    async def _told(self) -> Any:
        """Return what the process tells next."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line.endswith(b"\n"):
            self._process = None
            raise _EndedError(f"status {await process.wait()}")
        told = json.loads(line)
        if "refused" in told:
            if not self._is_ready:  # it ends then, and the next query starts another one
                await self.close()
            kind, message = told["refused"]
            raise getattr(errors, kind, EmbdiffError)(message)
        return told["answer"]


async def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
