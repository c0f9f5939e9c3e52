"""A run opened to be asked: its models loaded and warm, its collections open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from embdiff import runs
from embdiff._progress import progress, silent
from embdiff.comparison import load
from embdiff.comparison.again import ModelAgain, models_again
from embdiff.runs import Run
from embdiff.server.asking import Asker
from embdiff.specs import IndexSpec, check_metric
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.store import Store

_WARMING = "a first question"


@contextmanager
def opened(folder: Path) -> Iterator[Asker]:
    """Yield what answers queries to a run, once every model has encoded one.

    A model of which the cache has all vectors is loaded only when it must encode: here, and not by the first request.

    Parameters
    ----------
    folder : Path
        Of the run.

    Raises
    ------
    EmbdiffError
        When the run, a model or the store cannot be opened, or a model cannot encode a query.
    """
    run = load(folder).run
    again = models_again(run)
    with progress("load the models", len(again), "models") as advance:
        for each in again.values():
            with silent():
                each.encoder.encode([_WARMING], role="query")
            advance(1)
    with _collections(run, folder, again) as (store, specs):
        asker = Asker(run, again, store, specs)
        for index in asker.indexes:
            asker.ask(_WARMING, index=index)
        yield asker


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
    there = {each["model"]: each["collection"] for each in run.manifest["models"] if each["collection"]}
    names = {model: each["name"] for model, each in there.items()}
    specs = {
        name: CollectionSpec(
            name=names[name],
            dim=there[name]["dim"],
            metric=check_metric(run.config.metric),
            index=IndexSpec.parse(run.config.index),
            rows=len(run.corpus),
            stamp={},
        )
        for name in again
    }
    with get_store(uri) as store:
        if not set(names.values()) <= set(store.names()):
            yield None, {}
            return
        for spec in specs.values():
            store.load(spec)
        yield store, specs
