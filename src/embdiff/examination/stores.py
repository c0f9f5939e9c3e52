"""A store, or one collection of it: Milvus Lite, a server, LanceDB. Nothing is written, whatever is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embdiff import _files
from embdiff.errors import StoreError
from embdiff.examination.collections import Collection, Wish
from embdiff.examination.record import Finding, Notes
from embdiff.stores import get_store, path_of
from embdiff.stores.store import Store

Check = Callable[[Store], Iterable[Finding]]
_WORK = (".encode", ".adapt")  # where these commands work, beside a database


def examine_store(uri: str, wanted: str, wish: Wish, notes: Notes, check: Check | None = None) -> None:
    """Look at a store.

    Parameters
    ----------
    uri : str
        As `get_store` takes it.
    wanted : str
        Name of the only collection to look at; "" for all.
    wish : Wish
    notes : Notes
    check : callable, optional
        What else is to be looked at in it.

    Raises
    ------
    StoreError
        When there is none, or no collection of that name.
    """
    place = path_of(uri)
    if place is not None and not place.exists():
        raise StoreError(f"A store to look at must exist. Got {place}, which does not. Check the path.")
    lite = place is not None and uri.startswith("milvus:")
    if place is not None:
        notes.found(_left_beside(place))
    with _opened(uri, place if lite else None, notes) as store:
        if store is None:
            return
        notes.found(check(store) if check is not None else ())
        names = _names(store, wanted, uri)
        if not names:
            notes.unseen.append("It has no collections.")
        seen = [_examined(store, name, place if lite else None, wish, notes) for name in names]
        notes.found(_stamps_of_one_model(seen))
        if wish.fresh.model_named and not wish.fresh.compared:
            notes.unseen.append("The model that was named: no collection here is of it, by its stamp, and holds texts.")
    if place is not None and not lite and place.is_dir():
        notes.found(_left_locks(place))


@contextmanager
def _opened(uri: str, lite: Path | None, notes: Notes) -> Iterator[Store | None]:
    """Open a store, a Milvus Lite folder as a copy of it; None where another process has it."""
    from embdiff.stores.milvus.lite import is_open_here
    from embdiff.stores.milvus.snapshot import Held, snapshot, unborn

    if lite is None or is_open_here(lite):  # what this process has open, it has changed as it liked already
        with get_store(uri) as store:
            yield store
        return

    try:
        with snapshot(lite) as copy:
            left = unborn(lite)
            if left:
                told = f"A process was killed in making collections ({', '.join(left[:3])}); Milvus Lite hides them."
                mend = "Run that command again, or remove these folders under collections/."
                notes.found([Finding("left over", "untidy", str(lite), told, mend)])
            with get_store(f"milvus:{copy}") as store:
                yield store
    except Held as error:
        mend = "Close it there; or share it, see 'milvus-lite server'. Then look again."
        notes.found([Finding("held", "doubtful", str(lite), f"{str(error).partition('Got ')[2]}"[:300], mend)])
        notes.unseen.append("Its collections: another process has it open.")
        yield None


def _names(store: Store, wanted: str, uri: str) -> list[str]:
    there = store.names()
    if not wanted:
        return there
    real: Any = getattr(store, "real_name", None)
    found = wanted if wanted in there else real(wanted) if real is not None else None
    if found is None:
        raise StoreError(
            f"A collection to look at must be in {uri.partition('?')[0]}. Got {wanted!r}, which is not; there are: "
            f"{', '.join(there) or 'none'}. Name one of these."
        )
    return [str(found)]


def _examined(store: Store, name: str, lite: Path | None, wish: Wish, notes: Notes) -> Collection:
    """Look at one collection; what the database cannot give is noted as unseen."""
    collection = Collection(
        store.look(name), name, wish, needs_index=not store.uri.startswith("lancedb:"), field_bytes=store.field_bytes
    )
    try:
        collection.examine(notes)
    except StoreError as error:
        notes.unseen.append(f"The rows of {name}: {str(error)[:300]}")
    if lite is not None and "vector" in collection.look.kinds.values():  # of a sparse index it keeps no file
        notes.found(_unbuilt(lite, name))
    return collection


def _unbuilt(lite: Path, name: str) -> Iterator[Finding]:
    """Yield that files of rows have no index: Milvus Lite itself calls every index finished."""
    from embdiff.stores.milvus.snapshot import index_files

    rows, indexed, waiting = index_files(lite, name)
    if indexed < rows or waiting:
        what = (
            f"{rows - indexed:,} of {rows:,} files of rows have no index"
            if indexed < rows
            else "Rows are in the log only"
        )
        told = f"{what}: Milvus Lite builds it when the collection is loaded next, or searches one by one."
        yield Finding(
            "index", "untidy", name, told, "Open it, flush and load it once (client.flush, client.load_collection)."
        )


def _stamps_of_one_model(seen: Iterable[Collection]) -> Iterator[Finding]:
    """Yield that one model stands in several revisions beside each other for one corpus."""
    made: dict[tuple[str, str], dict[str, list[str]]] = {}
    for each in seen:
        source: Mapping[str, Any] = each.source
        if "model" in source and "corpus" in source:
            key = (str(source["model"]), str(source["corpus"]))
            made.setdefault(key, {}).setdefault(str(source.get("revision")), []).append(each.look.name)
    for (model, _), revisions in made.items():
        if len(revisions) > 1:
            names = ", ".join(names[0] for names in revisions.values())
            told = f"Vectors of one corpus by {model} are here in {len(revisions)} revisions: which one is asked?"
            yield Finding("mixed stamps", "untidy", names, told, "Drop the collections of the revision that you left.")


def _left_beside(place: Path) -> Iterator[Finding]:
    for target in (place, *(place.with_name(f"{place.name}{work}") for work in _WORK)):
        for path in _files.left_over(target):
            told = "Work was interrupted here and never ended."
            mend = "Run the same command again: it goes on there; or remove it, if it is of no use."
            yield Finding("left over", "untidy", str(path), told, mend)


def _left_locks(folder: Path) -> Iterator[Finding]:
    """Yield locks of LanceDB tables that a killed process left; who fills a table next takes them over."""
    locks = [path for path in sorted(folder.glob(".*.lock")) if not _files.is_held(path)]
    if locks:
        told = f"{len(locks)} lock files were left by killed processes; nobody holds them, and nobody waits for them."
        yield Finding("left over", "untidy", str(locks[0]), told, "Remove them.")
