"""serve(): open a run, load its models, and answer on loopback until interrupted."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embdiff import _files, runs
from embdiff._optional import require
from embdiff._settings import typed
from embdiff.comparison import load
from embdiff.comparison.again import ModelAgain, models_again
from embdiff.errors import ParameterError
from embdiff.judging.book import TypedQueries
from embdiff.runs import Run
from embdiff.server.asking import Asker
from embdiff.specs import IndexSpec, check_metric
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.store import Store
from embdiff.views.packing import pack
from embdiff.views.words import title

LOOPBACK = "127.0.0.1"


@typed
def serve(path: str | Path, *, port: int = 0, ready: Callable[[str], None] = print) -> None:
    """Serve the live page of a run until interrupted.

    Parameters
    ----------
    path : str or Path
        Run folder. Queries to judge later are kept beside it, in ``NAME.queries.jsonl``.
    port : int
        0 takes a free one.
    ready : callable
        Gets the address, token included, once the page can be opened.

    Raises
    ------
    MissingDependencyError
        When starlette or uvicorn are not installed, or a model needs what is not.
    DataError
        When the run or its models cannot be opened.
    ParameterError
        When the port is taken.
    """
    uvicorn: Any = require("uvicorn", "serve", "The live page")
    require("starlette", "serve", "The live page")
    from embdiff.server.app import application

    folder = _files.place_for(Path(path), "run")
    run = load(folder).run
    again = models_again(run)
    with _collections(run, folder, again) as (store, specs), _listening(port) as bound:
        token, number = secrets.token_urlsafe(24), bound.getsockname()[1]
        hosts = frozenset({f"{LOOPBACK}:{number}", f"localhost:{number}"})
        asker, typed = Asker(run, again, store, specs), TypedQueries.beside(folder)
        app = application(asker, typed, pack(run), title(run), token=token, hosts=hosts)
        config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=5, h11_max_incomplete_event_size=64 * 1024)
        ready(f"http://{LOOPBACK}:{number}/?token={token}")
        uvicorn.Server(config).run(sockets=[bound])


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
        bound.listen()  # whoever opens the address at once waits, and is not refused
        yield bound


@contextmanager
def _collections(
    run: Run, folder: Path, again: Mapping[str, ModelAgain]
) -> Iterator[tuple[Store | None, dict[str, CollectionSpec]]]:
    """Open the run's collections where they are still there; without them, search is exact only."""
    uri = run.manifest["store"]
    if uri == f"milvus:{runs.STORE_FILE}":
        uri = f"milvus:{folder / runs.STORE_FILE}"
    if not uri or uri == "memory:":
        yield None, {}
        return
    names = {each["model"]: each["collection"]["name"] for each in run.manifest["models"] if each["collection"]}
    specs = {
        name: CollectionSpec(
            name=names[name],
            dim=each.vectors.shape[1],
            metric=check_metric(run.config.metric),
            index=IndexSpec.parse(run.config.index),
            rows=len(run.corpus),
            stamp={},
        )
        for name, each in again.items()
    }
    with get_store(uri) as store:
        if not set(names.values()) <= set(store.names()):
            yield None, {}
            return
        for spec in specs.values():
            store.load(spec)
        yield store, specs
