"""Who encodes the parts: this process, or workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from embdiff._progress import Advance, feeding
from embdiff.bulk.part import Job, encode_part
from embdiff.bulk.plan import Plan
from embdiff.encoders import Encoder
from embdiff.kept import VectorCache

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Encodes parts, in whatever order.

    Attributes
    ----------
    name : str
        As the user names it.
    workers : int
        How many models work at a time.
    """

    name: str
    workers: int

    def run(self, encoder: Encoder, job: Job, plan: Plan, todo: Sequence[int], advance: Advance) -> Iterator[int]:
        """Encode the parts numbered so; yield the number of each when its vectors are written.

        ``encoder`` is the model, for an engine in this process; ``advance`` is told of texts that are done, at the
        latest with their part.
        """


class Local:
    """The process itself, with all its cores: one part after the other.

    Parameters
    ----------
    cache : VectorCache
    """

    name, workers = "local", 1

    def __init__(self, cache: VectorCache) -> None:
        self._cache = cache

    def run(self, encoder: Encoder, job: Job, plan: Plan, todo: Sequence[int], advance: Advance) -> Iterator[int]:
        """Encode part after part; see `Engine.run`."""
        for number in todo:
            told = 0

            def some(count: int) -> None:
                nonlocal told
                told += count
                advance(count)

            with feeding(some):
                encode_part(encoder, job, number, self._cache)
            advance(plan.sizes[number] - told)  # equal texts, and those from the cache
            yield number
