"""The parts of a job: texts cut into parts and laid ready before any model works, then encoded, part by part.

Who encodes them is this process, or workers of a Ray cluster (`cluster`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embdiff import _files
from embdiff._progress import Advance, feeding, progress
from embdiff.corpus.pieces import Pieces
from embdiff.errors import DataError
from embdiff.kept import VectorCache
from embdiff.records import Corpus, Role, Space
from embdiff.sources import Encoder, Source
from embdiff.sources.parquet import columns_of, label_on, rows_of, with_images, write_vectors
from embdiff.sources.tally import Tally

ENGINES = ("local", "ray")
_PLAN = "plan.json"
_EXAMPLES = 20


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


@dataclass(frozen=True)
class Plan:
    """The parts of a job.

    Parameters
    ----------
    sizes : list of int
        Rows of each part.
    columns : list of str
        Which there are of id, parent, text and group.
    dropped : int
        Rows left out because they hold no text, as was asked for.
    dropped_ids : list of str
        Ids of the first of them.
    notes : list of str
        What was guessed in reading.
    """

    sizes: list[int]
    columns: list[str]
    dropped: int
    dropped_ids: list[str]
    notes: list[str]

    @property
    def rows(self) -> int:
        """Rows of all parts together."""
        return sum(self.sizes)

    def missing(self, job: Job) -> list[int]:
        """Return the numbers of the parts that are not encoded yet."""
        return [number for number, size in enumerate(self.sizes) if not is_done(job, number, size)]


def lay_ready(pieces: Pieces, job: Job, part_rows: int) -> Plan:
    """Read the corpus once, check every row, and write the texts of each part where whoever encodes it finds them.

    What an earlier call has laid ready is taken as it is: the folder belongs to the same rows.

    Parameters
    ----------
    pieces : Pieces
    job : Job
    part_rows : int
        Most rows of a part.

    Returns
    -------
    Plan

    Raises
    ------
    DataError
        When a row cannot be taken; nothing has been encoded then.
    """
    path = job.folder / _PLAN
    if path.is_file():
        return Plan(**json.loads(path.read_text(encoding="utf-8")))
    shutil.rmtree(job.texts, ignore_errors=True)  # laying ready was interrupted
    for folder in (job.texts, job.vectors):
        folder.mkdir(exist_ok=True)
    sizes: list[int] = []
    dropped: list[str] = []
    notes: list[str] = []
    columns: list[str] = []
    left_out = 0
    for number, corpus in enumerate(pieces.read(part_rows)):
        columns, laid = list(columns_of(corpus)), pa.table(with_images(corpus, job.model))
        with _files.whole_file(job.texts_of(number)) as aside:
            pq.write_table(laid, aside, compression="zstd")
        sizes.append(len(corpus))
        left_out += len(corpus.dropped)
        dropped += corpus.dropped[: _EXAMPLES - len(dropped)]
        notes += [note for note in corpus.notes if note not in notes]
    plan = Plan(sizes, columns, left_out, dropped, notes)
    _files.write_json(path, asdict(plan))
    return plan


def texts_laid_ready(job: Job, plan: Plan) -> Iterator[Corpus]:
    """Yield the rows of each part, in order."""
    with progress("read", plan.rows, "rows") as advance:
        for number, size in enumerate(plan.sizes):
            corpus = rows_of(job.texts_of(number))
            if len(corpus) != size:
                raise DataError(
                    f"The texts laid ready must stay as they are. Got {len(corpus)} rows for {size} in "
                    f"{job.texts_of(number)}. Remove {job.folder} and run again."
                )
            yield corpus
            advance(size)


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
    with suppress(OSError, ValueError):
        label, rows = label_on(path) or {}, pq.read_metadata(path).num_rows
        return (label.get("job"), label.get("part"), rows) == (job.label["job"], number, size)
    return False


class Engine:
    """Encodes parts: in the process itself, with all its cores, one after the other. `cluster.Ray` does it elsewhere.

    Parameters
    ----------
    cache : VectorCache
        Where vectors are kept besides.

    Attributes
    ----------
    name : str
        As the user names it.
    workers : int
        How many models work at a time.
    """

    name, workers = "local", 1

    def __init__(self, cache: VectorCache) -> None:
        self._vectors = cache

    def run(self, encoder: Encoder, job: Job, plan: Plan, todo: Sequence[int], advance: Advance) -> None:
        """Encode the parts numbered so, in whatever order.

        ``encoder`` is the model, for an engine in this process; ``advance`` is told of texts that are done, at the
        latest with their part.
        """
        for number in todo:
            told = 0

            def some(count: int) -> None:
                nonlocal told
                told += count
                advance(count)

            with feeding(some):
                encode_part(encoder, job, number, self._vectors)
            advance(plan.sizes[number] - told)  # equal texts, and those from the cache
