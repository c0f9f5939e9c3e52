"""Copying collections with their stamps from one store to another: which of them, and whether they may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embdiff.errors import ParameterError, StoreError
from embdiff.specs import INDEXES, IndexSpec, check_metric, read_parameters, split_named
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.copying_rows import Copied, copy_rows
from embdiff.stores.store import Store


@dataclass(frozen=True)
class Copies:
    """What `copy_collections` did.

    Parameters
    ----------
    source, target : str
        The stores, without secrets.
    collections : tuple of Copied
    left_out : dict of str to str
        Collections of the source that were not copied, and why.
    """

    source: str
    target: str
    collections: tuple[Copied, ...]
    left_out: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values."""
        return asdict(self)


def copy_collections(
    source: str, target: str, *, collections: Sequence[str] | None = None, overwrite: bool = False
) -> Copies:
    """Copy collections and their stamps, so that a comparison with the other store finds and reuses them.

    A collection is stamped as complete only when all its rows are there. A call that was interrupted is taken up by the
    next one. At the end every row is read back from the target and compared with the source by a checksum.

    Parameters
    ----------
    source, target : str
        Stores as `get_store` takes them; ``memory:`` keeps nothing and is refused.
    collections : sequence of str, optional
        Names; by default all complete collections that embdiff made.
    overwrite : bool
        Replace collections of the target that embdiff made and that differ. Others are never replaced.

    Returns
    -------
    Copies

    Raises
    ------
    ParameterError
        When a store keeps nothing or cannot build the index.
    StoreError
        When the source is not there, or a collection is missing, not complete, not ours, or not equal in the end.
    """
    for uri in (source, target):
        if uri.partition(":")[0] == "memory":
            raise ParameterError(
                f"Collections can be copied between stores that keep them. Got {uri}. Name milvus:FILE, lancedb:DIR or "
                "a server."
            )
    _refuse_missing(source)
    with get_store(source) as here, get_store(target) as there:
        wanted, left_out = _wanted(here, collections)
        specs = [_spec_of(here, name) for name in wanted]
        return Copies(
            here.uri, there.uri, tuple(copy_rows(here, there, spec, overwrite=overwrite) for spec in specs), left_out
        )


def _refuse_missing(uri: str) -> None:
    """Refuse a folder that is not there: opening it would make an empty store."""
    kind, _, path = uri.partition(":")
    if kind in ("milvus", "lancedb") and path and not Path(path).expanduser().exists():
        raise StoreError(f"The store to copy from must exist. Got {uri}, which does not. Check the path.")


def _wanted(source: Store, names: Sequence[str] | None) -> tuple[list[str], dict[str, str]]:
    """Return the names to copy, and why each of the others is left out."""
    there = source.names()
    if names is not None:
        for name in names:
            if name not in there:
                raise StoreError(
                    f"A collection to copy must be in {source.uri}. Got {name}, which is not; there are: "
                    f"{', '.join(there) or 'none'}. Name one of these."
                )
        return list(dict.fromkeys(names)), {}
    left_out = {}
    for name in there:
        stamp = source.stamp(name)
        if stamp is None:
            left_out[name] = "carries no stamp of embdiff"
        elif not stamp.get("complete"):
            left_out[name] = "is not complete"
    wanted = [name for name in there if name not in left_out]
    if not wanted:
        why = "; ".join(f"{name} {reason}" for name, reason in left_out.items()) or "it has no collections"
        raise StoreError(
            f"There must be a complete collection of embdiff to copy in {source.uri}. Got none: {why}. Check the store."
        )
    return wanted, left_out


def _spec_of(source: Store, name: str) -> CollectionSpec:
    """Return what must be known to make the collection again, from its stamp."""
    stamp = source.stamp(name)
    if stamp is None or not stamp.get("complete"):
        what = "carries no stamp of embdiff" if stamp is None else "is not complete"
        raise StoreError(
            f"A collection to copy must be a complete one that embdiff made. Got {name} in {source.uri}, which {what}. "
            "Run the comparison that makes it, or name another."
        )
    try:
        index, inside, _ = split_named(str(stamp["index"]))
        params = read_parameters(index, inside, INDEXES[index], stamp["index"])
        spec = CollectionSpec(
            name,
            int(stamp["dim"]),
            check_metric(stamp["metric"]),
            IndexSpec(index, {key: int(value) for key, value in params.items()}),
            int(stamp["rows"]),
            stamp["source"],
        )
        known = spec.full_stamp(complete=True) == stamp
    except (KeyError, TypeError, ValueError):
        known = False
    if not known:
        raise StoreError(
            f"The stamp of a collection to copy must be one that this version of embdiff writes. Got another on {name} "
            f"in {source.uri}. Copy it with the version that made it."
        )
    return spec
