"""Why a gRPC call failed, from the exceptions that pymilvus wraps around it."""

from __future__ import annotations

import re
from typing import Any

import grpc  # type: ignore[import-untyped]

# Milvus: service not ready, unavailable, too many requests; collection or partition not (fully) loaded; no replica, no
# channel or no node ready for it. 8 is what old servers call a rate limit.
_PASSING = {1, 2, 4, 8, 101, 103, 202, 401, 503, 901, 902, 903, 904, 905}
_STARTING = (
    "not ready",
    "not loaded",
    "unavailable",
    "not available",
    "fail to search on all shard leaders",
    "no available",
)
_ELSEWHERE = ("errors resolving", "DNS resolution failed", "Failed parsing HTTP/2", "handshake failed")


def passing(error: BaseException) -> bool:
    """Return whether a failure is one of a server that is down, starting or overloaded: it may answer later."""
    code = grpc_code(error)
    if isinstance(error, ConnectionError):
        return True
    if code is not None:
        return bool(code == grpc.StatusCode.UNAVAILABLE)
    text = str(getattr(error, "message", "")).lower()
    return getattr(error, "code", None) in _PASSING or any(word in text for word in _STARTING)


def elsewhere(error: BaseException) -> bool:
    """Return whether no server of this kind will ever answer there: no such host, or one that speaks otherwise."""
    why = reason(error)
    return grpc_code(error) is not None and any(word in why for word in _ELSEWHERE)


def too_large(error: BaseException | None) -> bool:
    """Return whether an answer was refused because of its size."""
    if error is None:
        return False
    text = str(getattr(error, "message", error)).lower()
    return grpc_code(error) == grpc.StatusCode.RESOURCE_EXHAUSTED or "larger than" in text or "exceed" in text


def grpc_code(error: BaseException) -> Any:
    """Return the gRPC status code behind an exception, or None when gRPC did not fail."""
    behind = _grpc_error(error)
    return behind.code() if behind is not None and hasattr(behind, "code") else None


def reason(error: BaseException) -> str:
    """Return why a call failed, on one line: gRPC's own words where there are some, else those of pymilvus."""
    behind = _grpc_error(error)
    text = behind.details() if behind is not None and hasattr(behind, "details") else None
    words = " ".join(str(text or getattr(error, "message", None) or error).split())
    return re.sub(r"(\[\w+\] Retry [^,]*, (message=)?)+", "", words).rstrip(".")


def remedy(why: str, down: bool = False) -> str:
    """Return what to do about a reason; ``down``: of a server that does not answer."""
    if down:
        return "Start the server and run the same command again: it goes on where it stopped."
    if "No space left" in why:
        return "Make room and run the same command again: it goes on where it stopped. Or use another with --store."
    return "Check the store, or use another with --store."


def _grpc_error(error: BaseException | None) -> Any:
    seen: set[int] = set()  # pymilvus raises exceptions from themselves
    while error is not None and id(error) not in seen:
        if isinstance(error, grpc.RpcError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
