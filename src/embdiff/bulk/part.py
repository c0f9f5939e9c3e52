"""One part: its texts in, its vectors out; and who does it: this process, or workers of a Ray cluster (`cluster`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow.parquet as pq

from embdiff._progress import Advance, feeding
from embdiff.errors import DataError
from embdiff.kept import VectorCache
from embdiff.records import Role, Space
from embdiff.sources import Encoder, Source
from embdiff.sources.parquet import label_on, rows_of, write_vectors
from embdiff.sources.tally import Tally

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Job:
    """What everybody who encodes a part has to know; plain values, to be sent to other machines.

    Parameters
    ----------
    folder : Path
        Where texts lie ready and vectors go: on one file system that all of them see.
    model : str
        The model's text form.
    role : {"document", "query"}
    label : mapping
        What is written on every file of vectors; its ``job`` tells this job from others.
    """

    folder: Path
    model: str
    role: Role
    label: Mapping[str, Any]

    @property
    def texts(self) -> Path:
        """The folder of texts."""
        return self.folder / "texts"

    @property
    def vectors(self) -> Path:
        """The folder of vectors."""
        return self.folder / "vectors"

    def texts_of(self, number: int) -> Path:
        """Return the file with the texts of a part."""
        return self.texts / part_name(number)

    def vectors_of(self, number: int) -> Path:
        """Return the file with the vectors of a part."""
        return self.vectors / part_name(number)


def part_name(number: int) -> str:
    """Return the file name of a part; names sort as parts do."""
    return f"part-{number:07d}.parquet"


def encode_part(encoder: Source, job: Job, number: int, cache: VectorCache) -> None:
    """Encode the texts of a part and write its vectors, whole or not at all.

    Raises
    ------
    EncoderError, CacheError
        As `Encoder.encode`.
    OSError
        When the file cannot be written.
    """
    corpus, tally = rows_of(job.texts_of(number)), Tally()
    if len(corpus):
        vectors = encoder.encode(corpus.items, role=job.role, cache=cache, tally=tally)
    else:
        vectors = np.empty((0, int(job.label["dim"])), dtype=np.float32)
    normalized = Space(encoder.spec, corpus.ids, vectors, encoder.stamp).normalized
    made = {"part": number, "rows": len(corpus), "encoding": tally.counts(), "normalized": normalized}
    write_vectors(job.vectors_of(number), corpus, vectors, {**job.label, **made})


def is_done(job: Job, number: int, size: int) -> bool:
    """Return whether the vectors of a part are there, of this job, whole."""
    path = job.vectors_of(number)
    if not path.is_file():
        return False
    try:
        label = label_on(path)
        rows = pq.read_metadata(path).num_rows
    except (DataError, OSError, ValueError):
        return False
    return label is not None and (label.get("job"), label.get("part"), rows) == (job.label["job"], number, size)


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

    def run(
        self, encoder: Encoder, job: Job, sizes: Sequence[int], todo: Sequence[int], advance: Advance
    ) -> Iterator[int]:
        """Encode the parts numbered so; yield the number of each when its vectors are written.

        ``encoder`` is the model, for an engine in this process; ``sizes`` are rows of all parts; ``advance`` is told
        of texts that are done, at the latest with their part.
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

    def run(
        self, encoder: Encoder, job: Job, sizes: Sequence[int], todo: Sequence[int], advance: Advance
    ) -> Iterator[int]:
        """Encode part after part; see `Engine.run`."""
        for number in todo:
            told = 0

            def some(count: int) -> None:
                nonlocal told
                told += count
                advance(count)

            with feeding(some):
                encode_part(encoder, job, number, self._cache)
            advance(sizes[number] - told)  # equal texts, and those from the cache
            yield number
