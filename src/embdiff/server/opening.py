"""A run opened to be asked: its models loaded and warm, its collections open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embdiff import runs
from embdiff._progress import progress, silent
from embdiff.comparison import load
from embdiff.comparison.again import ModelAgain, models_again, rankings_again
from embdiff.errors import StoreError
from embdiff.runs import Run
from embdiff.server.asking import Asker
from embdiff.sources.ready import ReadyVectors
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import not_as_left
from embdiff.stores.store import Store

_WARMING = "a first question"


@contextmanager
def opened(folder: Path, *, store: str | None = None, damaged: bool = False, trust: bool = False) -> Iterator[Asker]:
    """Yield what answers queries to a run, once every model has encoded one.

    A model of which the cache has all vectors is loaded only when it must encode: here, and not by the first request.

    Parameters
    ----------
    folder : Path
        Of the run.
    store : str, optional
        Where the run's collections are, if not in its folder: a store that the folder names has to be named again.
    damaged, trust : bool
        As for `load`.

    Raises
    ------
    EmbdiffError
        When the run, a model or the store cannot be opened, or a model cannot encode a query.
    """
    run = load(folder, damaged=damaged, trust=trust).run
    uri = _store_of(run, folder, store)
    with run.origin.reading():
        again, rankings = models_again(run), rankings_again(run)
    with progress("load the models", len(again) + len(rankings), "models") as advance:
        for each in again.values():
            with silent():
                if not isinstance(each.encoder, ReadyVectors):
                    each.encoder.encode([_WARMING], role="query")
            advance(1)
        for ranking in rankings.values():
            with silent():
                ranking.rank([_WARMING], 1)
            advance(1)
    with _collections(run, uri, again, damaged) as (there, specs):
        asker = Asker(run, again, there, specs, rankings)
        ready = any(isinstance(each.encoder, ReadyVectors) for each in again.values())
        for index in asker.indexes:
            asker.ask(run.corpus.ids[0] if ready else _WARMING, index=index)
        yield asker


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
    specs = {name: spec for name, spec in runs.collections_of(run).items() if name in again}
    with get_store(uri) as store:
        wrong = [f"{spec.name} {why}" for spec in specs.values() if (why := not_as_left(store, spec))]
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
