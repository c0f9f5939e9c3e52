"""The web application of the live page: three answers, each only for whoever has the token."""

from __future__ import annotations

import hmac
import json
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from embdiff.errors import EmbdiffError, ParameterError
from embdiff.judging.book import TypedQueries
from embdiff.server.asking import Asker
from embdiff.views.report import live_page

MOST_BYTES = 64 * 1024
SECONDS = 60.0
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
        if not length.isdecimal() or int(length) > MOST_BYTES:
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


def application(
    asker: Asker, typed: TypedQueries, block: bytes, title: str, *, token: str, hosts: frozenset[str]
) -> ASGIApp:
    """Return the application.

    Parameters
    ----------
    asker : Asker
    typed : TypedQueries
        Where queries to judge later are kept, for ``embdiff judge``.
    block : bytes
        The packed run.
    title : str
    token : str
    hosts : frozenset of str
        As for `Guard`.
    """
    html, policy = live_page(title, indexes=asker.indexes)

    async def page(_request: Request) -> Response:
        return HTMLResponse(html, headers={**_HEADERS, "Content-Security-Policy": policy})

    async def data(_request: Request) -> Response:
        return Response(block, media_type="application/octet-stream", headers=_HEADERS)

    async def ask(request: Request) -> Response:
        wanted = await _json(request, {"text": str, "k": int, "metric": str, "index": str})
        with anyio.move_on_after(SECONDS) as limit:
            return JSONResponse(await run_in_threadpool(asker.ask, wanted.pop("text"), **wanted), headers=_HEADERS)
        assert limit.cancelled_caught
        return _refused(f"No answer within {SECONDS:.0f} s.", 503)

    async def judge(request: Request) -> Response:
        wanted = await _json(request, {"text": str})
        lists = await run_in_threadpool(asker.lists, wanted["text"])
        count = await run_in_threadpool(typed.add, wanted["text"], lists)
        return JSONResponse({"queries": count}, headers=_HEADERS)

    routes = [
        Route("/", page),
        Route("/data", data),
        Route("/ask", ask, methods=["POST"]),
        Route("/judge", judge, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {EmbdiffError: _told, 404: _unknown, 405: _unknown}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, hosts)


async def _json(request: Request, kinds: dict[str, type]) -> dict[str, Any]:
    body = await request.body()
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    known = isinstance(value, dict) and all(type(each) is kinds.get(name) for name, each in value.items())
    if not known or "text" not in value:
        raise ParameterError(
            f"A request must be a JSON object with {', '.join(kinds)} (text at least). "
            "Got something else. Use the page."
        )
    return dict(value)


async def _told(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400, headers=_HEADERS)


async def _unknown(_request: Request, _error: Exception) -> Response:
    return _refused("There is nothing here.", 404)
