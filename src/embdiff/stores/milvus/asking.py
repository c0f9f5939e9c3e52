"""How Milvus is asked: again while it does not answer, for how long, and what is said when it does not."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import grpc  # type: ignore[import-untyped]
from pymilvus import MilvusClient, MilvusException

from embdiff._progress import progress
from embdiff.errors import StoreError
from embdiff.stores.milvus.address import Address

# pymilvus prints a traceback of every error that it also raises.
for _name in ("decorators", "client.connection_manager", "client.grpc_handler", "client.iterator.query_iterator"):
    logging.getLogger(f"pymilvus.{_name}").setLevel(logging.CRITICAL)

T = TypeVar("T")
_FAILURES = (MilvusException, grpc.RpcError, ConnectionError)
_CONNECT = 5.0  # seconds for one try to connect
START_PATIENCE = 120.0  # seconds at the start: a new server is healthy after 12, one that was killed after 55
PATIENCE = 150.0  # seconds; a killed server is healthy again after 55 and has its collections loaded after 60 to 80
WORD, SEARCH, WHOLE = 60.0, 600.0, 3_600.0  # seconds: for a word, for a search or an insert, for a whole collection
# With all that was acknowledged before.
STRONGLY: Mapping[str, Any] = {"consistency_level": "Strong", "timeout": SEARCH}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0

# Milvus: service not ready, unavailable, too many requests; collection or partition not (fully) loaded; no replica, no
# channel or no node ready for it. 8 is what old servers call a rate limit.
_PASSING = {1, 2, 4, 8, 101, 103, 202, 401, 503, 901, 902, 903, 904, 905}
_STARTING = re.compile(
    "not ready|not loaded|unavailable|not available|fail to search on all shard leaders|no available", re.IGNORECASE
)
_ELSEWHERE = ("errors resolving", "DNS resolution failed", "Failed parsing HTTP/2", "handshake failed")


class Once(float):
    """A timeout in seconds that pymilvus takes for over whenever it asks.

    It sends a call that failed again by itself until the timeout is over, an insert too, and a server keeps the rows
    of both.
    """

    def __le__(self, other: object) -> bool:
        return True


def passing(error: BaseException) -> bool:
    """Return whether a failure is one of a server that is down, starting or overloaded: it may answer later."""
    if isinstance(error, ConnectionError):
        return True
    if (code := grpc_code(error)) is not None:
        return bool(code == grpc.StatusCode.UNAVAILABLE)
    return getattr(error, "code", None) in _PASSING or bool(_STARTING.search(str(getattr(error, "message", ""))))


def again(
    waiting: str,
    send: Callable[[], T],
    patience: float,
    refuse: Callable[[Exception, str], NoReturn],
    hopeless: Callable[[Exception], bool] = lambda error: not passing(error),
) -> T:
    """Return what ``send()`` returns, called again with growing pauses while it fails.

    Parameters
    ----------
    waiting : str
        What is waited for, for the progress.
    send : callable
    patience : float
        Seconds to go on after the first failure; 0 tries once.
    refuse : callable
        Raises what is to be told in the end, given the last failure, and how often it was tried if not once.
    hopeless : callable
        Whether a failure ends the waiting.
    """
    try:
        return send()
    except _FAILURES as failed:
        error = failed
    if not patience or hopeless(error):
        refuse(error, "")
    start, pause, tries, shown = time.monotonic(), _FIRST_PAUSE, 1, 0
    with progress(waiting, int(patience), "seconds") as advance:
        while not hopeless(error) and (spent := time.monotonic() - start) + pause <= patience:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            advance(int(spent) - shown)
            shown, tries = int(spent), tries + 1
            try:
                return send()
            except _FAILURES as failed:
                error = failed
    return refuse(error, f"{tries} tries in {time.monotonic() - start:.0f} seconds, the last one: ")


class Asking:
    """A client that is asked again, with growing pauses, while a server is down or not ready yet.

    Parameters
    ----------
    client : object
        Given to every call; it connects anew by itself.
    uri : str
        Of the store, without secrets, for messages.
    patience : float
        Seconds to go on trying, from the first failure; 0 tries once.
    """

    def __init__(self, client: Any, uri: str, patience: float) -> None:
        self._client, self._uri, self._patience = client, uri, patience

    def __call__(self, what: str, send: Callable[[Any], T], *, patience: float = math.inf) -> T:
        """Return what ``send(client)`` returns; it must be safe to repeat.

        Parameters
        ----------
        what : str
            What is done, for messages: Milvus must be able to ...
        send : callable
        patience : float
            Less patience than usual.

        Raises
        ------
        StoreError
            When it fails for a reason that waiting does not cure, or has not answered for too long.
        """
        client = self._client
        if client is None:
            raise StoreError(f"A store must be open to {what}. Got {self._uri}, which was closed. Open it again.")
        most, waiting = min(patience, self._patience), f"wait for {self._uri} to {what}"

        def refuse(error: Exception, tried: str) -> NoReturn:
            why, later = reason(error), "run the same command again: it goes on where it stopped."
            remedy = "Check the store, or use another with --store."
            if self._uri.startswith("http") and passing(error):
                remedy = f"Start the server and {later}"
            elif "No space left" in why:
                remedy = f"Make room and {later} Or use another with --store."
            raise StoreError(f"Milvus must be able to {what}. Got from {self._uri}: {tried}{why}. {remedy}") from error

        return again(waiting, lambda: send(client), most, refuse)

    def close(self) -> None:
        """Close the client; later calls are refused."""
        self._client.close()
        self._client = None


def connect(address: Address, public: str) -> Any:
    """Return a client, once the server accepts it: one that is down is waited for.

    Parameters
    ----------
    address : Address
    public : str
        Its text form without secrets, for messages.

    Raises
    ------
    StoreError
        When the server is down for longer than the patience, is none of Milvus, or refuses the token.
    """

    def connected() -> Any:
        # dedicated: pymilvus keeps shared connections after close, also to a Lite server that is gone by then.
        return MilvusClient(address.url, token=address.token, db_name=address.db, timeout=_CONNECT, dedicated=True)

    def hopeless(error: Exception) -> bool:
        # No such host, or one that speaks otherwise. One that is starting takes the connection and says nothing for a
        # while.
        code = grpc_code(error)
        elsewhere = code is not None and any(word in reason(error) for word in _ELSEWHERE)
        return elsewhere or not (passing(error) or code == grpc.StatusCode.DEADLINE_EXCEEDED)

    def refuse(error: Exception, tried: str) -> NoReturn:
        code, why = grpc_code(error), reason(error)
        if code == grpc.StatusCode.UNAUTHENTICATED:
            given = "Got one that it refuses." if address.token else "Got none."
            raise StoreError(
                f"The Milvus server at {public} wants a token. {given} Set EMBDIFF_STORE_TOKEN "
                "to it, or to USER:PASSWORD."
            )
        if code is None:
            raise StoreError(
                f"The Milvus server at {public} must accept the connection. Got: {why}. "
                "Check the address and the name of the database."
            )
        got = f"within {patience:.0f} seconds. Got {tried}" if tried else f"within {_CONNECT:.0f} seconds. Got: "
        raise StoreError(
            f"A Milvus server must answer at {public} {got}{why}. Check the address, and that the server runs; then "
            "run the same command again."
        )

    patience = START_PATIENCE if address.patience is None else address.patience
    return again(f"wait for {public} to answer", connected, patience, refuse, hopeless)


def too_large(error: StoreError) -> bool:
    """Return whether an answer was refused because of its size."""
    text = str(error).lower()
    return grpc_code(error) == grpc.StatusCode.RESOURCE_EXHAUSTED or "larger than" in text or "exceed" in text


def grpc_code(error: BaseException) -> Any:
    """Return the gRPC status code behind an exception, or None when gRPC did not fail."""
    behind = _grpc_error(error)
    return None if behind is None else behind.code()


def reason(error: BaseException) -> str:
    """Return why a call failed, on one line: gRPC's own words where there are some, else those of pymilvus."""
    behind = _grpc_error(error)
    text = None if behind is None else behind.details()
    words = " ".join(str(text or getattr(error, "message", None) or error).split())
    return re.sub(r"(\[\w+\] Retry [^,]*, (message=)?)+", "", words).rstrip(".")


def _grpc_error(error: BaseException | None) -> Any:
    """Return the failure of a gRPC call, with its code and details, behind an exception; None where there is none."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:  # pymilvus raises exceptions from themselves
        chain.append(error)
        error = error.__cause__ or error.__context__
    return next((each for each in chain if isinstance(each, grpc.RpcError) and hasattr(each, "code")), None)
