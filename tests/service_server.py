"""A service of embeddings on this machine, which misbehaves on command.

It speaks like OpenAI, Ollama, Cohere, Voyage and Gemini, and answers with vectors of a model of embdiff's own. What it
was sent, and what it answered well, is counted.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from embdiff.sources import get_encoder

# name → (status, headers, body): how services say no.
REFUSALS: dict[str, tuple[int, Callable[[], dict[str, str]], Any]] = {
    "429 seconds": (
        429,
        lambda: {"Retry-After": "0"},
        {"error": {"message": "slow down", "code": "rate_limit_exceeded"}},
    ),
    "429 date": (
        429,
        lambda: {"Retry-After": format_datetime(datetime.now(UTC) - timedelta(seconds=1), usegmt=True)},
        {"detail": [{"msg": "too many requests"}]},
    ),
    "429 milliseconds": (429, lambda: {"Retry-After-Ms": "1"}, {"object": "error", "message": "too fast"}),
    "429 quota": (429, dict, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}),
    "500": (500, dict, {"error": {"message": "the model fell over"}}),
    "502": (502, dict, "<html>Bad gateway</html>"),
    "503": (503, dict, {"detail": [{"msg": "overloaded"}]}),
    "529": (529, dict, {"object": "error", "message": "overloaded"}),
    "400": (400, dict, {"error": {"message": "your input is too long", "code": "context_length_exceeded"}}),
    "401": (401, dict, {"error": {"message": "Incorrect API key provided: {key}", "code": "invalid_api_key"}}),
    "307": (307, lambda: {"Location": "http://127.0.0.1:1/elsewhere"}, "moved"),
    "404": (404, dict, {"object": "error", "message": "the model does not exist"}),
    "422": (422, dict, {"detail": [{"msg": "batch too large", "input": "{inputs}"}]}),
}
PASSING = ("429 seconds", "429 date", "429 milliseconds", "500", "502", "503", "529", "hang up", "no json", "short",
           "twice", "wide", "nan", "words")  # fmt: skip
HARMLESS = ("reordered", "base64")


class ServiceServer:
    """The server, in a thread of this process from ``with`` until its end.

    Parameters
    ----------
    model : str
        Of embdiff, whose vectors it answers with.
    misdeed : callable
        Given the number of the request, from 0, and its texts: what to do to it; "" for nothing.
    ignores : collection of str
        ``dimensions``: it answers in full width.
    """

    def __init__(
        self, model: str = "toy:16", misdeed: Callable[[int, list[str]], str] = lambda number, texts: "",
        ignores: tuple[str, ...] = (), most: int = 10**6,
    ) -> None:  # fmt: skip
        self.encoder, self.misdeed, self.ignores, self.most = get_encoder(model), misdeed, ignores, most
        self.served = "served-model"
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answered: Counter[str] = Counter()
        self.made: dict[str, np.ndarray] = {}
        self.noise = 0.0
        self.says: Callable[[str, str], str] = lambda query, document: "1"
        self.turned = False
        routes = [
            Route("/v1/embeddings", self._openai, methods=["POST"]),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/api/embed", self._ollama, methods=["POST"]),
            Route("/v2/embed", self._cohere, methods=["POST"]),
            Route("/embed", self._cohere, methods=["POST"]),
            Route("/models/{name}", self._gemini, methods=["POST"]),
        ]
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.host = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"{self.host}/v1"
        app = Starlette(routes=routes)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(20)
        self._socket.close()

    @property
    def sent(self) -> list[str]:
        """All texts that were sent, in order, the probes left out."""
        return [text for body in self.requests for text in body["_texts"] if not text.startswith("embdiff asks")]

    def vectors(self, texts: list[str], dimensions: int | None) -> np.ndarray:
        made = self.encoder.encode(texts)
        if self.turned:
            made = made[:, ::-1].copy()
        if self.noise:
            made = made * (1 + np.random.default_rng(len(self.requests)).normal(0, self.noise, made.shape))
        if dimensions and "dimensions" not in self.ignores:
            made = made[:, :dimensions]
        narrow = made.astype(np.float32)
        self.made.update(zip(texts, narrow, strict=True))
        return narrow

    async def _heard(
        self, request: Request, texts_of: Callable[[dict[str, Any]], list[str]]
    ) -> tuple[dict[str, Any], list[str], str]:
        body = json.loads(await request.body())
        texts = texts_of(body)
        number = len(self.requests)
        self.requests.append({**body, "_texts": texts, "_path": request.url.path})
        self.headers.append(dict(request.headers))
        return body, texts, "422" if len(texts) > self.most else self.misdeed(number, texts)

    def _refusal(self, misdeed: str, texts: list[str]) -> Response | None:
        if misdeed == "hang up":
            return Response(b"{", headers={"Content-Length": "1000"})  # shorter than it says: the connection breaks
        if misdeed == "slow":
            time.sleep(2)
        if misdeed not in REFUSALS:
            return None
        status, headers, told = REFUSALS[misdeed]
        text = told if isinstance(told, str) else json.dumps(told)
        key = self.headers[-1].get("authorization", "").removeprefix("Bearer ")
        text = text.replace("{key}", key).replace("{inputs}", " ".join(texts))
        return Response(text, status, headers(), media_type="application/json")

    async def _openai(self, request: Request) -> Response:
        body, texts, misdeed = await self._heard(request, lambda body: body["input"])
        if refusal := self._refusal(misdeed, texts):
            return refusal
        if misdeed == "no json":
            return Response(b"<html>")
        made = self.vectors(texts, body.get("dimensions") or body.get("output_dimension"))
        data: list[dict[str, Any]] = [
            {"index": row, "embedding": vector.tolist()} for row, vector in enumerate(made)
        ]  # fmt: skip
        if misdeed in ("short", "twice", "wide", "nan", "words"):
            spoilt = data[-1]["embedding"]
            if misdeed == "short":
                data.pop()
            elif misdeed == "twice":
                data[-1]["index"] = len(data)
            elif misdeed == "wide":
                data = [{**each, "embedding": each["embedding"][: len(spoilt) // 4]} for each in data]
            else:
                spoilt[0] = float("nan") if misdeed == "nan" else "one"
        else:
            self.answered.update(texts)
        if misdeed == "zero":
            data[0]["embedding"] = [0.0] * len(data[0]["embedding"])
        if misdeed == "reordered":
            data.reverse()
        if misdeed == "base64":
            data = [
                {**each, "embedding": base64.b64encode(np.array(each["embedding"], dtype="<f4").tobytes()).decode()}
                for each in data
            ]
        name = "another-model" if misdeed == "another name" else self.served
        return Response(json.dumps({"object": "list", "data": data, "model": name}), media_type="application/json")

    async def _chat(self, request: Request) -> Response:
        body, texts, misdeed = await self._heard(request, lambda body: [body["messages"][-1]["content"]])
        if refusal := self._refusal(misdeed, texts):
            return refusal
        if misdeed == "no json":
            return Response(b"<html>")
        if misdeed == "short":
            return JSONResponse({"choices": []})
        asked = json.loads(texts[0])
        self.answered.update(texts)
        said = self.says(asked["query"], asked["document"])
        return JSONResponse({"model": body["model"], "choices": [{"message": {"role": "assistant", "content": said}}]})

    async def _ollama(self, request: Request) -> Response:
        body, texts, misdeed = await self._heard(request, lambda body: body["input"])
        if misdeed == "404":
            return JSONResponse({"error": 'model "x" not found, try pulling it first'}, 404)
        return JSONResponse(
            {"model": body["model"], "embeddings": self.vectors(texts, body.get("dimensions")).tolist()}
        )

    async def _cohere(self, request: Request) -> Response:
        body, texts, _ = await self._heard(request, lambda body: body["texts"])
        made = self.vectors(texts, body.get("output_dimension"))
        if body["input_type"] == "search_query":
            made = made * 2
        return JSONResponse({"id": "1", "embeddings": {"float": made.tolist()}, "texts": texts})

    async def _gemini(self, request: Request) -> Response:
        body, texts, _ = await self._heard(
            request, lambda body: [each["content"]["parts"][0]["text"] for each in body["requests"]]
        )
        made = self.vectors(texts, body["requests"][0].get("outputDimensionality"))
        return JSONResponse({"embeddings": [{"values": vector.tolist()} for vector in made]})
