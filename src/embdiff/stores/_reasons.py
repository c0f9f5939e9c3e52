"""Why a gRPC call failed, from the exceptions that pymilvus wraps around it."""

from __future__ import annotations

from typing import Any

import grpc  # type: ignore[import-untyped]


def grpc_code(error: BaseException) -> Any:
    """Return the gRPC status code behind an exception, or None when gRPC did not fail."""
    behind = _grpc_error(error)
    return behind.code() if behind is not None and hasattr(behind, "code") else None


def reason(error: BaseException) -> str:
    """Return why a call failed, on one line: gRPC's own words where there are some, else those of pymilvus."""
    behind = _grpc_error(error)
    text = behind.details() if behind is not None and hasattr(behind, "details") else None
    return " ".join(str(text or getattr(error, "message", None) or error).split()).rstrip(".")


def _grpc_error(error: BaseException | None) -> Any:
    seen: set[int] = set()  # pymilvus raises exceptions from themselves
    while error is not None and id(error) not in seen:
        if isinstance(error, grpc.RpcError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
