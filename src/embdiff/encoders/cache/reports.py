"""What housekeeping says of a cache: its spaces, and files that are not sound or may go."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SpaceInfo:
    """One space of a cache.

    Parameters
    ----------
    name : str
        Of its folder.
    model, revision : str
        From its stamp; "?" when that cannot be read.
    role, precision : str
    dim, vectors : int
        A vector may be kept twice after a crash: the count is of what is kept.
    shards, bytes : int
    unfinished : int
        Journals: of running processes, or left by killed ones.
    unused_days : float
        Days since it was last of use.
    """

    name: str
    model: str
    revision: str
    role: str
    precision: str
    dim: int
    vectors: int
    shards: int
    bytes: int
    unfinished: int
    unused_days: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """A file of a cache that is not sound, or that `prune` removes.

    Parameters
    ----------
    file : str
        Relative to the cache.
    model : str
        "results: KIND" for kept results.
    why : str
    bytes : int
    """

    file: str
    model: str
    why: str
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)
