"""Serve a model that embdiff can load, as OpenAI serves its own.

``python serve.py wordllama:256`` prints the address to give as base_url, and answers on this machine alone until it is
ended. It is an example, to try services without one, and no server for others.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embdiff import get_encoder

model = sys.argv[1] if len(sys.argv) > 1 else "toy:16"
encoder = get_encoder(model)


async def embeddings(request: Request) -> JSONResponse:
    """Answer ``{"model": ..., "input": [...]}``."""
    asked = await request.json()
    if asked["model"] != model:
        return JSONResponse({"error": {"message": f"no model {asked['model']!r} here, only {model!r}"}}, 404)
    vectors = encoder.encode(asked["input"])
    data = [{"index": row, "embedding": vector.tolist()} for row, vector in enumerate(vectors)]
    return JSONResponse({"object": "list", "model": model, "data": data})


with socket.socket() as listening:
    listening.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", flush=True)
    app = Starlette(routes=[Route("/v1/embeddings", embeddings, methods=["POST"])])
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listening])
