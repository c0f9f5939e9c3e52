"""Vector databases: one collection per model, all behind one small protocol."""

from __future__ import annotations

import os
import re
from pathlib import Path

from embdiff._names import refuse_unwritable, resolved
from embdiff._registry import Entry, Registry, nearest
from embdiff._settings import typed
from embdiff.errors import UnknownNameError
from embdiff.specs import without_secrets
from embdiff.stores.store import Store

__all__ = ["describe_stores", "get_store", "list_stores", "without_secrets"]

# gRPC prints about every lost connection on its own, unless told not to before pymilvus imports it; what matters comes
# back as an error.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

_MILVUS = "embdiff.stores.milvus.store:MilvusStore"

REGISTRY = Registry(
    "store",
    "embdiff.stores",
    (
        Entry("memory", "embdiff.stores.memory:MemoryStore", "memory: exact, in this process, nothing kept"),
        Entry("milvus", _MILVUS, "milvus:FILE: Milvus Lite, a folder on disk, no server"),
        Entry("http", _MILVUS, "http://HOST:PORT[?token=...&db=...]: a Milvus server or cluster"),
        Entry("https", _MILVUS, "https://HOST:PORT[?token=...&db=...]: the same, encrypted"),
        Entry(
            "lancedb",
            "embdiff.stores.lancedb:LanceStore",
            "lancedb:DIR: LanceDB tables in a folder, exact by default, open to many processes",
            ("lancedb",),
            "lancedb",
        ),
    ),
)


@typed
def get_store(uri: str) -> Store:
    """Open a store.

    Parameters
    ----------
    uri : str
        ``memory:``, ``milvus:FILE``, ``lancedb:DIR``, ``http(s)://HOST:PORT[?token=...&db=...]``, or what
        another package registered under the entry-point group ``embdiff.stores``: a name that stands for a callable
        taking the whole text. A token comes from the environment variable EMBDIFF_STORE_TOKEN, or stands in the text.

    Returns
    -------
    Store
        Open; close it, or use it in a ``with`` block.

    Raises
    ------
    UnknownNameError
        When the text names no registered kind of store.
    MissingDependencyError
        When a package is missing; the message has the pip line.
    ParameterError, StoreError
        When the store cannot be opened as asked.
    """
    refuse_unwritable("The address of a store", uri, secret=True)
    kind, colon, _ = uri.partition(":")
    known = REGISTRY.entries()
    if kind in known and (colon or kind == "memory"):
        store: Store = REGISTRY.load(kind)(uri)
        return store
    hint = nearest(kind, known)
    if kind in known:
        hint = f"Write {kind}: and, after the colon, where it is."
    elif not colon and (re.search(r"[./\\]", uri) or (uri and Path(uri).exists())):
        hint = f"Write milvus:{uri} for a Milvus Lite file."
    raise UnknownNameError(
        f"A store must be written memory:, milvus:FILE or http://HOST:PORT. Got {without_secrets(uri)!r}. {hint}"
    )


def path_of(uri: str) -> Path | None:
    """Return the file or folder in which a store is; None for one in memory, behind an address, or of unknown kind."""
    kind, _, place = uri.partition(":")
    entry = REGISTRY.entries().get(kind)
    if not place or place.startswith("//") or entry is None:
        return None
    # What cannot be loaded, as its package is missing, cannot be asked either.
    on_disk = bool(entry.missing) or getattr(REGISTRY.load(kind), "on_disk", True)
    return resolved(Path(place).expanduser()) if on_disk else None


def list_stores() -> list[str]:
    """Return the names of all registered kinds of store, those of other packages included."""
    return sorted(REGISTRY.entries())


def describe_stores() -> list[dict[str, str]]:
    """Return, for every kind of store, its ``name``, a ``summary``, and the ``pip_line`` of what is missing, or ""."""
    return [
        {"name": name, "summary": entry.summary, "pip_line": entry.pip_line if entry.missing else ""}
        for name, entry in sorted(REGISTRY.entries().items())
    ]
