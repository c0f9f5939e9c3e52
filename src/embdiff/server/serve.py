"""serve(): open a run, load its models, and answer on loopback until interrupted."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from embdiff import _names
from embdiff._optional import require
from embdiff._settings import typed
from embdiff.comparison import load
from embdiff.errors import ParameterError
from embdiff.judging.labels import Labels
from embdiff.server.worker import Worker
from embdiff.views.packing import pack
from embdiff.views.words import title

LOOPBACK = "127.0.0.1"
SECONDS = 60.0
_MOST_SECONDS = 3_600
_WAITING = 1_024  # connections that the system may keep for us


@typed
def serve(
    path: str | Path,
    *,
    port: int = 0,
    seconds: float = SECONDS,
    store: str | None = None,
    damaged: bool = False,
    trust: bool = False,
    ready: Callable[[str], None] = print,
) -> None:
    """Serve the live page of a run until interrupted.

    Parameters
    ----------
    path : str or Path
        Run folder. Queries to judge later are kept beside it, in ``NAME.queries.jsonl``, and what is said of results
        where ``embdiff judge`` keeps it.
    port : int
        0 takes a free one.
    seconds : float
        1..3,600: what a query may take. One that takes longer is ended, with the process that works on it; another
        process loads the models then.
    store : str, optional
        Where the run's collections are, if not in its folder: a store that the folder names has to be named again.
    damaged, trust : bool
        As for `load`.
    ready : callable
        Gets the address, token included, once the page can be opened and every model is loaded.

    Raises
    ------
    MissingDependencyError
        When starlette or uvicorn are not installed, or a model needs what is not.
    DataError
        When the run or its models cannot be opened.
    ParameterError
        When the port is taken, seconds are out of range, or the folder names what only the user may name; before
        anything is loaded.
    StoreError
        When the collections are not there, or not as the run has left them.
    """
    require("uvicorn", "serve", "The live page")
    require("starlette", "serve", "The live page")
    if not 1 <= seconds <= _MOST_SECONDS:
        raise ParameterError(
            f"A query must be given 1 to {_MOST_SECONDS:,} seconds. Got {seconds:g}. Choose a number in that range."
        )
    with _listening(port) as bound:
        folder = _names.place_for(Path(path), "run")
        run = load(folder, damaged=damaged, trust=trust).run
        with run.origin.reading():
            block = pack(run)
        worker = Worker({"folder": str(folder), "store": store, "damaged": damaged, "trust": trust}, seconds)
        asyncio.run(_serve(Labels(folder, run), block, worker, bound, ready, title(run)))


async def _serve(
    labels: Labels, block: bytes, worker: Worker, bound: socket.socket, ready: Callable[[str], None], named: str
) -> None:
    import uvicorn

    from embdiff.server.app import application
    from embdiff.server.protocol import PromptProtocol

    try:
        await worker.start()
        token, number = secrets.token_urlsafe(24), bound.getsockname()[1]
        hosts = frozenset({f"{LOOPBACK}:{number}", f"localhost:{number}"})
        app = application(
            worker.ask, labels, block, named,
            indexes=worker.indexes, token=token, hosts=hosts,
        )  # fmt: skip
        config = uvicorn.Config(
            app,
            http=PromptProtocol,
            ws="none",
            log_level="warning",
            timeout_keep_alive=5,
            h11_max_incomplete_event_size=64 * 1024,
        )
        ready(f"http://{LOOPBACK}:{number}/?token={token}")
        await uvicorn.Server(config).serve(sockets=[bound])
    finally:
        await worker.close()


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((LOOPBACK, port))
        except OSError as error:
            raise ParameterError(
                f"The port must be free. Got {port}: {error.strerror}. Choose another --port."
            ) from None
        bound.listen(_WAITING)  # whoever opens the address at once waits, and is not refused
        yield bound
