"""The web application of the live page: three answers, each only for whoever has the token."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from embdiff.errors import EmbdiffError, ParameterError
from embdiff.judging.labels import Labels
from embdiff.server.worker import NoAnswerError
from embdiff.views.report import live_page

MOST_BYTES = 64 * 1024
_LONGEST_VALUE = 100  # characters of a number, a metric or an index
TOKEN_HEADER = "x-embdiff-token"  # noqa: S105 (a name, no secret)
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Lets through only requests for this very address, with the token, and of bearable size.

    Parameters
    ----------
    app : ASGI application
    token : str
    hosts : frozenset of str
        Values that the Host header may have: no other name may lead here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str]) -> None:
        self._app, self._token, self._hosts = app, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a refusal, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Request(scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, _limited(receive), send)

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("host", "") not in self._hosts:
            return _refused("This server answers under its own address only.", 421)
        if (origin := request.headers.get("origin")) and origin.partition("://")[2] not in self._hosts:
            return _refused("This server answers its own page only.", 403)
        given = request.query_params.get("token", "") or request.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return _refused("The token is missing or wrong. Open the address that 'embdiff serve' printed.", 403)
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > len(str(MOST_BYTES)) or int(length) > MOST_BYTES:
            return _refused(f"A request must not be larger than {MOST_BYTES:,} bytes.", 413)
        return None


def _limited(receive: Receive) -> Receive:
    """Stop reading a body (sent in pieces, its length untold) where it grows too large."""
    seen = 0

    async def read() -> Any:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise ParameterError(f"A request must not be larger than {MOST_BYTES:,} bytes. Got more. Shorten it.")
        return message

    return read


def _refused(words: str, status: int) -> Response:
    return PlainTextResponse(words, status_code=status, headers=_HEADERS)


Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


def application(
    ask_of: Ask,
    labels: Labels,
    block: bytes,
    title: str,
    *,
    indexes: tuple[str, ...],
    token: str,
    hosts: frozenset[str],
) -> ASGIApp:
    """Return the application.

    Parameters
    ----------
    ask_of : callable
        As `Worker.ask`.
    labels : Labels
        Keeps queries to judge later, and what is said of results.
    block : bytes
        The packed run.
    title : str
    indexes : tuple of str
        What can be searched with.
    token : str
    hosts : frozenset of str
        As for `Guard`.
    """
    html, policy = live_page(title, indexes=indexes)

    async def page(_request: Request) -> Response:
        return HTMLResponse(html, headers={**_HEADERS, "Content-Security-Policy": policy})

    async def data(_request: Request) -> Response:
        return Response(block, media_type="application/octet-stream", headers=_HEADERS)

    async def ask(request: Request) -> Response:
        wanted = await _json(request, {"text": str, "k": int, "metric": str, "index": str})
        return JSONResponse(await ask_of("ask", wanted), headers=_HEADERS)

    async def find(request: Request) -> Response:
        return JSONResponse(await ask_of("find", await _json(request, {"text": str})), headers=_HEADERS)

    async def judge(request: Request) -> Response:
        wanted = await _json(request, {"text": str})
        lists = await ask_of("lists", wanted)
        count = await run_in_threadpool(labels.keep, wanted["text"], lists)
        return JSONResponse({"queries": count}, headers=_HEADERS)

    async def label(request: Request) -> Response:
        wanted = await _json(request, {"text": str, "id": str, "grade": int}, ("text", "id", "grade"))
        lists = await ask_of("lists", {"text": wanted["text"]})
        count = await run_in_threadpool(labels.label, wanted["text"], lists, wanted["id"], wanted["grade"])
        return JSONResponse({"labels": count}, headers=_HEADERS)

    asked = [Route(f"/{each.__name__}", each, methods=["POST"]) for each in (ask, find, judge, label)]
    routes = [Route("/", page), Route("/data", data), *asked]
    return Guard(Starlette(routes=routes, exception_handlers=_HANDLERS), token, hosts)


async def _json(request: Request, kinds: dict[str, type], needed: tuple[str, ...] = ("text",)) -> dict[str, Any]:
    body = await request.body()
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        value = None
    known = isinstance(value, dict) and all(_fits(name, each, kinds.get(name)) for name, each in value.items())
    if not known or any(name not in value for name in needed):
        raise ParameterError(
            f"A request must be a JSON object with {', '.join(kinds)} ({', '.join(needed)} at least) in valid Unicode. "
            "Got something else. Use the page."
        )
    return dict(value)


def _fits(name: str, value: Any, kind: type | None) -> bool:
    """Return whether a value has its type, and a size with which a message can name it."""
    if type(value) is not kind:
        return False
    return name in ("text", "id") or len(str(value)) <= _LONGEST_VALUE


async def _told(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400, headers=_HEADERS)


async def _late(_request: Request, error: Exception) -> Response:
    return _refused(str(error), 503)


async def _gone(_request: Request, _error: Exception) -> Response:
    return _refused("The request was not sent to its end.", 400)


async def _unknown(_request: Request, _error: Exception) -> Response:
    return _refused("There is nothing here.", 404)


_HANDLERS: dict[Any, Any] = {
    EmbdiffError: _told,
    NoAnswerError: _late,
    ClientDisconnect: _gone,
    404: _unknown,
    405: _unknown,
}
