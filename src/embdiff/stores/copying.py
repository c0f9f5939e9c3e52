"""Copying collections with their stamps from one store to another, in batches, and checking that all arrived."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from embdiff._progress import progress
from embdiff.config import IndexSpec, check_metric
from embdiff.errors import ParameterError, StoreError
from embdiff.records import Corpus
from embdiff.stores import get_store
from embdiff.stores._fields import fit
from embdiff.stores.collection import Batch, CollectionSpec
from embdiff.stores.store import Store

_ROWS_PER_BATCH = 2_000


@dataclass(frozen=True)
class Copied:
    """One collection that is whole in the target now.

    Parameters
    ----------
    name : str
    rows, dim : int
    copied : int
        Rows written now; the others were there from a call before.
    cut : int
        Values that were cut to fit the fields of the target.
    digest : str
        SHA-256 (hex) over row numbers, ids, texts, groups and vectors, equal on both sides.
    """

    name: str
    rows: int
    dim: int
    copied: int
    cut: int
    digest: str


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
        index = re.match(r"\w+", stamp["index"])
        params = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", stamp["index"])}
        spec = CollectionSpec(
            name,
            int(stamp["dim"]),
            check_metric(stamp["metric"]),
            IndexSpec(index.group() if index else "", params),
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


class Source(Protocol):
    """What rows are copied from: a store, or anything that can be read like one."""

    uri: str

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1 that are there, by row number."""


def copy_rows(
    source: Source, target: Store, spec: CollectionSpec, *, overwrite: bool = False, doing: str = "copy"
) -> Copied:
    """Make one collection whole in the target, whatever of it is there already, and compare all rows in the end.

    Parameters
    ----------
    source : Source
        Holds the rows 0..n-1.
    target : Store
    spec : CollectionSpec
        Of n rows, the same in both.
    overwrite : bool
        Replace another collection of embdiff's of that name.
    doing : str
        What the progress bar says.

    Returns
    -------
    Copied

    Raises
    ------
    ParameterError, StoreError
        As `copy_collections`.
    """
    begun = _begun(target, spec, overwrite)
    whole = begun and target.stamp(spec.name) == spec.full_stamp(complete=True)
    digest, copied, cut = hashlib.sha256(), 0, 0
    with progress(f"{doing} {spec.name}", spec.rows, "rows") as advance:
        for part in _batches(source, spec):
            fitted, cuts = _fitted(part, target, spec)
            _add_to(digest, fitted)
            cut += cuts
            if not whole:
                copied += _insert_missing(target, spec, fitted, begun)
            advance(len(part))
    if not whole:
        target.build(spec)
        target.load(spec)
    _verify(target, spec, digest.hexdigest(), ours=not whole)
    return Copied(spec.name, spec.rows, spec.dim, copied, cut, digest.hexdigest())


def _begun(target: Store, spec: CollectionSpec, overwrite: bool) -> bool:
    """Return whether a call before has begun, or finished, this copy; else make the empty collection."""
    if spec.name in target.names():
        stamp = target.stamp(spec.name)
        if stamp is None:
            raise StoreError(
                f"A collection that is replaced must be one that embdiff made. Got {spec.name} in {target.uri}, which "
                "carries no stamp of embdiff and was left alone. Rename or drop it, or copy to another store."
            )
        if {**stamp, "complete": True} == spec.full_stamp(complete=True) and not overwrite:
            return True
        if not overwrite:
            raise StoreError(
                f"A collection to copy must not be in the target as another one. Got {spec.name} in {target.uri} with "
                "another stamp; it was left alone. Add --overwrite (overwrite=True) to replace it."
            )
        target.drop(spec.name)
    target.create(spec)
    return False


def _batches(store: Source, spec: CollectionSpec) -> Iterator[Batch]:
    """Yield all rows in order; refuse a collection in which one is missing or twice."""
    for start in range(0, spec.rows, _ROWS_PER_BATCH):
        stop = min(start + _ROWS_PER_BATCH, spec.rows)
        part = store.read(spec.name, start, stop)
        if not np.array_equal(part.rows, np.arange(start, stop)):
            raise StoreError(
                f"A collection must hold each of its rows once. Got {len(part)} rows for the numbers {start} to "
                f"{stop - 1} of {spec.name} in {store.uri}. Run the comparison that makes it again."
            )
        yield part


def _fitted(part: Batch, target: Store, spec: CollectionSpec) -> tuple[Batch, int]:
    """Cut texts and groups to what the target holds; return how many were cut."""
    corpus = Corpus(part.texts, part.ids, part.groups, source=spec.name)
    texts, groups, cuts = fit(corpus, target.field_bytes)
    return replace(part, texts=tuple(texts), groups=tuple(groups)), len(cuts)


def _insert_missing(target: Store, spec: CollectionSpec, part: Batch, begun: bool) -> int:
    """Insert what is not there yet; return the number of rows."""
    new = np.ones(len(part), dtype=bool)
    if begun:
        there = target.read(spec.name, int(part.rows[0]), int(part.rows[-1]) + 1)
        new = ~np.isin(part.rows, there.rows)
    if new.any():
        where = np.flatnonzero(new)
        ids, texts, groups = ([values[row] for row in where] for values in (part.ids, part.texts, part.groups))
        target.add(spec.name, part.rows[new], ids, texts, groups, part.vectors[new])
    return int(new.sum())


def _verify(target: Store, spec: CollectionSpec, wanted: str, *, ours: bool) -> None:
    """Read everything back; drop what was copied now and is not equal."""
    digest, count = hashlib.sha256(), target.count(spec.name)
    with progress(f"check {spec.name}", spec.rows, "rows") as advance, suppress(StoreError):
        for part in _batches(target, spec):
            _add_to(digest, part)
            advance(len(part))
    if count == spec.rows and digest.hexdigest() == wanted:
        return
    what = "was dropped again; copy it again" if ours else "was left alone; add --overwrite to replace it"
    if ours:
        target.drop(spec.name)
    raise StoreError(
        f"A copy must hold the same rows as its source. Got {count:,} rows for {spec.rows:,}, or others, in "
        f"{spec.name} of {target.uri}. It {what}."
    )


def _add_to(digest: Any, part: Batch) -> None:
    digest.update(part.rows.astype("<i8").tobytes())
    for texts in (part.ids, part.texts, part.groups):
        for text in texts:
            value = text.encode("utf-8")
            digest.update(len(value).to_bytes(8, "little") + value)
    digest.update(np.ascontiguousarray(part.vectors, dtype="<f4").tobytes())
