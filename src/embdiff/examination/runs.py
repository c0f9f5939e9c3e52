"""A run: its files, the collections in its own database, and whether both hold the same texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from embdiff import _files
from embdiff._names import resolved
from embdiff.errors import DataError
from embdiff.examination.collections import Wish
from embdiff.examination.record import Finding, Notes
from embdiff.examination.staleness import Freshness
from embdiff.examination.stores import examine_store
from embdiff.kept import VectorCache
from embdiff.runs import OWN_STORE, STORE_FILE, Run, collections_of
from embdiff.sources import Source
from embdiff.specs import without_secrets
from embdiff.stores.placing import not_as_left
from embdiff.stores.store import Store


def examine_run(folder: Path, wish: Wish, model: Source | None, cache: VectorCache, notes: Notes) -> None:
    """Look at a run folder.

    Parameters
    ----------
    folder : Path
    wish : Wish
        Its texts are those of the run.
    model : Source or None
        Encodes a sample again.
    cache : VectorCache
    notes : Notes
    """
    notes.found(_left(folder))
    try:
        run = Run.read(folder)
    except DataError as error:
        mend = "Run the comparison again, or take another copy."
        notes.found([Finding("damaged", "wrong", str(folder), str(error), mend)])
        notes.unseen.append("What the run holds: it cannot be opened whole.")
        return
    notes.looked.append(f"{folder}: every file matches its checksum; {len(run.corpus):,} rows.")
    notes.found(_digests(run, folder))
    store = str(run.manifest.get("store"))
    if store != OWN_STORE:
        if store == "memory:":
            notes.looked.append("Its collections were in memory and are gone, as they should.")
        else:
            name = without_secrets(store)
            notes.unseen.append(
                f"Its collections, which are elsewhere: embdiff doctor {name} --corpus {folder / 'corpus.parquet'}."
            )
        return
    fresh = Freshness(run.corpus, model, cache, wish.seed, max(wish.fresh.most_texts, len(run.corpus)))
    examine_store(
        f"milvus:{folder / STORE_FILE}", "", replace(wish, fresh=fresh), notes, check=lambda there: _as_left(run, there)
    )


def _as_left(run: Run, store: Store) -> Iterator[Finding]:
    """Yield the collections that are not as the run left them."""
    for spec in collections_of(run).values():
        why = not_as_left(store, spec)
        if why:
            told = f"A collection of the run {why}."
            yield Finding("mixed stamps", "wrong", spec.name, told, "Run the comparison again.")


def _left(folder: Path) -> Iterator[Finding]:
    for path in _files.left_over(resolved(folder)):
        told = "An interrupted comparison left this beside the run."
        yield Finding(
            "left over", "untidy", str(path), told, "Run the same command again: it goes on there; or remove it."
        )


def _digests(run: Run, folder: Path) -> Iterator[Finding]:
    """Yield that the corpus of a run is not the one that its models encoded."""
    told: Mapping[str, Any] = run.manifest
    if run.corpus.digest() != told.get("corpus_digest"):
        what = "The texts of the run are not those that were encoded: their digest is not the one in its manifest."
        yield Finding("stale text", "wrong", str(folder), what, "Run the comparison again.")
