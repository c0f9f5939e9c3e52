"""serve(): open a run, load its models, and answer on loopback until interrupted."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embdiff import runs
from embdiff._optional import require
from embdiff.comparison import load
from embdiff.comparison.again import ModelAgain, models_again
from embdiff.errors import ParameterError, StoreError
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


def serve(
    path: str | Path,
    *,
    port: int = 0,
    store: str | None = None,
    damaged: bool = False,
    trust: bool = False,
    ready: Callable[[str], None] = print,
) -> None:
    """Serve the live page of a run until interrupted.

    Parameters
    ----------
    path : str or Path
        Run folder. Queries to judge later are kept beside it, in ``NAME.queries.jsonl``.
    port : int
        0 takes a free one.
    store : str, optional
        Where the run's collections are, if not in its folder: a store that the folder names has to be named again.
    damaged, trust : bool
        As for `load`.
    ready : callable
        Gets the address, token included, once the page can be opened.

    Raises
    ------
    MissingDependencyError
        When starlette or uvicorn are not installed, or a model needs what is not.
    DataError
        When the run or its models cannot be opened.
    ParameterError
        When the port is taken, or the folder names what only the user may name; before anything is loaded.
    StoreError
        When the collections are not there, or not as the run has left them.
    """
    uvicorn: Any = require("uvicorn", "serve", "The live page")
    require("starlette", "serve", "The live page")
    from embdiff.server.app import application

    folder = Path(path).resolve()
    run = load(folder, damaged=damaged, trust=trust).run
    uri = _store_of(run, folder, store)
    with run.origin.reading():
        again, block = models_again(run), pack(run)
    with _collections(run, uri, again, damaged) as (opened, specs), _listening(port) as bound:
        token, number = secrets.token_urlsafe(24), bound.getsockname()[1]
        hosts = frozenset({f"{LOOPBACK}:{number}", f"localhost:{number}"})
        asker, typed = Asker(run, again, opened, specs), TypedQueries.beside(folder)
        app = application(asker, typed, block, title(run), token=token, hosts=hosts)
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


def _store_of(run: Run, folder: Path, said: str | None) -> str | None:
    """Return the store to open: the one that the user said, the run's own, or the one named in it, if it may be."""
    if said is not None:
        return said
    named: Any = run.manifest["store"]
    if named == runs.OWN_STORE:
        there = folder / runs.STORE_FILE
        return f"milvus:{there}" if there.is_dir() and not there.is_symlink() else None
    if not named or named == "memory:":
        return None
    run.origin.admit([runs.Named("store", str(named))])
    return str(named)


@contextmanager
def _collections(
    run: Run, uri: str | None, again: Mapping[str, ModelAgain], damaged: bool
) -> Iterator[tuple[Store | None, dict[str, CollectionSpec]]]:
    """Open the run's collections; without a store, search is exact only."""
    if uri is None:
        yield None, {}
        return
    told = {each["model"]: each for each in run.manifest["models"] if each["collection"]}
    specs = {
        name: CollectionSpec(
            name=told[name]["collection"]["name"],
            dim=each.vectors.shape[1],
            metric=check_metric(run.config.metric),
            index=IndexSpec.parse(run.config.index),
            rows=len(run.corpus),
            stamp=told[name]["stamp"],
        )
        for name, each in again.items()
    }
    with get_store(uri) as store:
        wrong = [f"{spec.name} {why}" for spec in specs.values() if (why := _not_as_left(store, spec))]
        if wrong and not damaged:
            raise StoreError(
                f"The collections of a run must be in its store as the run left them. Got in {store.uri}: "
                f"{'; '.join(wrong[:3])}. Run the comparison again, name the store that has them with --store, or "
                "search exactly, without them: --damaged (damaged=True)."
            )
        if wrong:
            yield None, {}
            return
        for spec in specs.values():
            store.load(spec)
        yield store, specs


def _not_as_left(store: Store, spec: CollectionSpec) -> str:
    """Return what is wrong with a collection, by its stamp and its rows; "" for nothing.

    Collections of others, which carry no stamp of embdiff's, are counted only.
    """
    if spec.name not in store.names():
        return "is missing"
    stamp = store.stamp(spec.name)
    if stamp is not None:
        source = stamp.get("source")
        same = isinstance(source, Mapping) and all(source.get(key) == value for key, value in spec.stamp.items())
        if not (stamp.get("complete") and stamp.get("rows") == spec.rows and same):
            return "is another one, by its stamp"
    count = store.count(spec.name)
    return "" if count == spec.rows else f"has {count:,} rows, not {spec.rows:,}"
