"""Calls to a server: what is asked again when it does not answer, for how long, and what is said then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from embdiff._progress import progress
from embdiff.errors import StoreError
from embdiff.stores._reasons import passing, reason, remedy

T = TypeVar("T")
PATIENCE = 150.0  # seconds; a killed server is healthy again after 55 and has its collections loaded after 60 to 80
START_PATIENCE = 120.0  # the same at the start: a new server is healthy after 12, one that was killed after 55
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0


class Once(float):
    """A timeout in seconds that pymilvus takes for over whenever it asks.

    It sends a call that failed again by itself until the timeout is over, an insert too, and a server keeps the rows
    of both.
    """

    def __le__(self, other: object) -> bool:
        return True


class NoAnswerError(Exception):
    """No answer within the patience, or one that ends the waiting."""

    def __init__(self, last: Exception, tries: int, seconds: float) -> None:
        super().__init__(f"{tries} tries in {seconds:.0f} seconds")
        self.last = last


def again(
    waiting: str,
    send: Callable[[], T],
    error: Exception,
    patience: float,
    failures: tuple[type[Exception], ...],
    hopeless: Callable[[Exception], bool] = lambda error: not passing(error),
) -> T:
    """Return what ``send()`` returns, called again with growing pauses after it failed with ``error``.

    Parameters
    ----------
    waiting : str
        What is waited for, for the progress.
    send : callable
    error : Exception
        Of the first try.
    patience : float
        Seconds to go on.
    failures : tuple of exception classes
        What ``send`` may fail with; anything else passes through.
    hopeless : callable
        Whether a failure ends the waiting.

    Raises
    ------
    NoAnswerError
        With the last failure.
    """
    start, pause, tries = time.monotonic(), _FIRST_PAUSE, 1
    with progress(waiting, int(patience), "seconds") as advance:
        shown = 0
        while (spent := time.monotonic() - start) + pause <= patience:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            advance(int(spent) - shown)
            shown = int(spent)
            tries += 1
            try:
                return send()
            except failures as failed:
                error = failed
                if hopeless(error):
                    break
    raise NoAnswerError(error, tries, time.monotonic() - start) from error


class Calls:
    """A client whose calls are made again, with growing pauses, while a server is down or not ready yet.

    Parameters
    ----------
    client : object
        Given to every call; it connects anew by itself.
    uri : str
        Of the store, without secrets, for messages.
    failures : tuple of exception classes
        What the client raises; anything else passes through.
    patience : float
        Seconds to go on trying, from the first failure; 0 tries once.
    """

    def __init__(self, client: Any, uri: str, failures: tuple[type[Exception], ...], patience: float) -> None:
        self._client, self._uri, self._failures, self._patience = client, uri, failures, patience

    def __call__(
        self,
        what: str,
        send: Callable[[Any], T],
        *,
        mend: Callable[[Any], None] | None = None,
        patience: float | None = None,
    ) -> T:
        """Return what ``send(client)`` returns; it must be safe to repeat, if need be after ``mend(client)``.

        Parameters
        ----------
        what : str
            What is done, for messages: Milvus must be able to ...
        send : callable
        mend : callable, optional
            Called before each repetition: what makes repeating safe, or possible.
        patience : float, optional
            Less patience than usual.

        Raises
        ------
        StoreError
            When it fails for a reason that waiting does not cure, or has not answered for too long.
        """
        if self._client is None:
            raise StoreError(f"A store must be open to {what}. Got {self._uri}, which was closed. Open it again.")
        try:
            return send(self._client)
        except self._failures as error:
            most = self._patience if patience is None else min(patience, self._patience)
            if not most or not passing(error):
                raise self._refusal(what, error) from error
            return self._again(what, send, mend, error, most)

    def close(self) -> None:
        """Close the client; later calls are refused."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _again(
        self, what: str, send: Callable[[Any], T], mend: Callable[[Any], None] | None, error: Exception, most: float
    ) -> T:
        def mended() -> T:
            if mend is not None:
                mend(self._client)
            return send(self._client)

        try:
            return again(f"wait for {self._uri} to {what}", mended, error, most, self._failures)
        except NoAnswerError as end:
            raise self._refusal(what, end.last, f" {end}, the last one:") from end.last

    def _refusal(self, what: str, error: Exception, tried: str = "") -> StoreError:
        why, down = reason(error), self._uri.startswith("http") and passing(error)
        return StoreError(f"Milvus must be able to {what}. Got from {self._uri}:{tried} {why}. {remedy(why, down)}")
