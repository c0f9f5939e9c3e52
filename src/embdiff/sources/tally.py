"""What encoding with one model came to: texts, tokens, padding, time and memory, counted while it runs; precision."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from embdiff._plain import Number
from embdiff.records import IntArray, Role, Score

_GIVEN = ("texts", "images", "duplicates", "cached", "encoded", "seconds")


@dataclass(frozen=True)
class Variant:
    """How far a variant in lower precision is from its model in float32, as `embdiff.variants` measures it.

    ``elsewhere``: it is no variant, but a service that runs a model of the same name. ``overlap``: how many neighbours
    they share; None where there are too few different texts.
    """

    of: str
    rows: int
    corpus_rows: int
    among: int
    whole: bool
    cosine_mean: Number
    cosine_lowest: Number
    overlap: Score | None
    role: str = "document"
    elsewhere: bool = False


@dataclass
class Tally:
    """What became of the texts given to one model.

    Parameters
    ----------
    texts : int
        Given, equal ones counted each time.
    duplicates : int
        Equal to an earlier one of the same call.
    cached : int
        Found in the cache.
    encoded : int
        Encoded now; ``texts = duplicates + cached + encoded``.
    images : int
        How many of those given are images.
    seconds : float
        Wall time of encoding, counting of tokens included, loading and cache not.
    tokens, padded : int
        Tokens that the model saw of the texts encoded now, without and with padding; 0 when it does not count tokens.
    counted : bool
        Whether the model counts tokens.
    truncated : list of (str, ndarray of int64)
        For each call its role, and the rows of which the model sees only the beginning, those from the cache included.
    """

    texts: int = 0
    duplicates: int = 0
    cached: int = 0
    encoded: int = 0
    images: int = 0
    seconds: float = field(default=0.0, compare=False)
    tokens: int = field(default=0, compare=False)
    padded: int = field(default=0, compare=False)
    counted: bool = field(default=False, compare=False)
    truncated: list[tuple[Role, IntArray]] = field(default_factory=list, compare=False)

    def add_batch(self, lengths: IntArray) -> None:
        """Count a batch of texts with so many tokens each, int64 (b,): all are padded to the longest."""
        self.tokens += int(lengths.sum())
        self.padded += int(lengths.max(initial=0)) * len(lengths)

    def add(self, other: Tally, *, known: bool) -> None:
        """Add what became of other texts; ``known``: they were encoded for another model, and not again."""
        for name in ("texts", "duplicates", "images"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.cached += other.cached + (other.encoded if known else 0)
        self.counted, self.truncated = other.counted, [*self.truncated, *other.truncated]
        if not known:
            for name in ("encoded", "seconds", "tokens", "padded"):
                setattr(self, name, getattr(self, name) + getattr(other, name))

    def counts(self) -> dict[str, Any]:
        """Return what can be added up, JSON-able: what `figures` takes."""
        truncated = sum(len(rows) for _, rows in self.truncated)
        return {**vars(self), "truncated": truncated, "peak_memory_bytes": peak_memory()}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values; rates and padding are None where nothing was encoded or no tokens are counted."""
        return figures(self.counts())


def figures(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return rates and shares beside what was counted, of one tally or of several added up.

    Parameters
    ----------
    counts : mapping
        As `Tally.counts` returns it.

    Returns
    -------
    dict
        JSON-able; rates and padding are None where nothing was encoded or no tokens are counted.
    """
    rate = 1 / counts["seconds"] if counts["encoded"] and counts["seconds"] else None
    counted, texts, tokens, cut = (counts[name] for name in ("counted", "texts", "tokens", "truncated"))
    known = counted and tokens > 0
    return {
        **{name: counts[name] for name in _GIVEN},
        "texts_per_second": counts["encoded"] * rate if rate else None,
        "tokens": tokens if known else None,
        "tokens_per_second": tokens * rate if rate and known else None,
        "padded_per_token": counts["padded"] / tokens if known else None,
        "truncated": cut if counted else None,
        "truncated_share": cut / texts if counted and texts else None,
        "peak_memory_bytes": counts["peak_memory_bytes"],
    }


def added(several: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the counts of several tallies together; of their peaks the highest, as they may be of one process."""
    found = list(several)
    peaks = [counts["peak_memory_bytes"] for counts in found if counts["peak_memory_bytes"] is not None]
    return {
        **{name: sum(counts[name] for counts in found) for name in (*_GIVEN, "tokens", "padded", "truncated")},
        "counted": any(counts["counted"] for counts in found),
        "peak_memory_bytes": max(peaks, default=None),
    }


def peak_memory() -> int | None:
    """Return the most memory that this process has held so far, in bytes; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most) if sys.platform == "darwin" else int(most) * 1024  # macOS counts bytes, Linux kibibytes
