"""HTTP/1.1 by uvicorn, for requests that come in time.

uvicorn waits for ever for the rest of a request; here a connection is closed on which nothing whole has come within a
few seconds, whatever trickles in meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS_TO_ASK = 10.0  # for headers and body together: a request has 64 KiB at most, and comes from this machine
_UNFINISHED = (h11.IDLE, h11.SEND_BODY)


class PromptProtocol(H11Protocol):
    """A connection on which each request must be whole within `SECONDS_TO_ASK`, also one that was refused meanwhile."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_or_not()

    def data_received(self, data: bytes) -> None:
        """Take in what came; go on waiting where it is not all."""
        super().data_received(data)
        self._wait_or_not()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_or_not(self) -> None:
        if self.conn.their_state not in _UNFINISHED:
            self._stop_waiting()
        elif self._timer is None:
            self._timer = self.loop.call_later(SECONDS_TO_ASK, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
