"""The first connection to Milvus: a server that is down is waited for, one that refuses is told at once."""

from __future__ import annotations

import logging
from typing import Any

import grpc  # type: ignore[import-untyped]
from pymilvus import MilvusClient, MilvusException

from embdiff.errors import StoreError
from embdiff.stores._address import Address
from embdiff.stores._calls import START_PATIENCE, NoAnswerError, again
from embdiff.stores._reasons import elsewhere, grpc_code, passing, reason

# pymilvus prints a traceback of every error that it also raises.
for _name in ("decorators", "client.connection_manager", "client.grpc_handler", "client.iterator.query_iterator"):
    logging.getLogger(f"pymilvus.{_name}").setLevel(logging.CRITICAL)

FAILURES = (MilvusException, grpc.RpcError, ConnectionError)
_CONNECT = 5.0  # seconds for one try


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
        # One that is starting takes the connection and says nothing for a while.
        late = grpc_code(error) == grpc.StatusCode.DEADLINE_EXCEEDED
        return not (passing(error) or late) or elsewhere(error)

    patience = START_PATIENCE if address.patience is None else address.patience
    try:
        return connected()
    except FAILURES as error:
        if not patience or hopeless(error):
            raise _refused(error, address, public, f"within {_CONNECT:.0f} seconds. Got:") from None
        try:
            return again(f"wait for {public} to answer", connected, error, patience, FAILURES, hopeless)
        except NoAnswerError as end:
            tried = f"within {patience:.0f} seconds. Got {end}, the last one:"
            raise _refused(end.last, address, public, tried) from None


def _refused(error: Exception, address: Address, public: str, tried: str) -> StoreError:
    code = grpc_code(error)
    if code == grpc.StatusCode.UNAUTHENTICATED:
        given = "Got one that it refuses." if address.token else "Got none."
        return StoreError(
            f"The Milvus server at {public} wants a token. {given} Set EMBDIFF_STORE_TOKEN, or write "
            "?token=USER:PASSWORD behind the address."
        )
    if code is not None:
        return StoreError(
            f"A Milvus server must answer at {public} {tried} {reason(error)}. Check the address, and that the server "
            "runs; then run the same command again."
        )
    return StoreError(
        f"The Milvus server at {public} must accept the connection. Got: {reason(error)}. "
        "Check the address and the name of the database."
    )
