"""What is to be encoded, cut into parts of known size: checked and laid ready before any model works."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate

import pyarrow as pa
import pyarrow.parquet as pq

from embdiff import _files
from embdiff._progress import progress
from embdiff.bulk.part import Job, is_done
from embdiff.corpus.pieces import Pieces
from embdiff.errors import DataError
from embdiff.records import Corpus
from embdiff.sources.parquet import columns_of, rows_of

_PLAN = "plan.json"
_EXAMPLES = 20


@dataclass(frozen=True)
class Plan:
    """The parts of a job.

    Parameters
    ----------
    sizes : list of int
        Rows of each part.
    groups : bool
        Whether rows have groups.
    dropped : int
        Rows left out because they hold no text, as was asked for.
    dropped_ids : list of str
        Ids of the first of them.
    notes : list of str
        What was guessed in reading.
    """

    sizes: list[int]
    groups: bool
    dropped: int
    dropped_ids: list[str]
    notes: list[str]

    @property
    def rows(self) -> int:
        """Rows of all parts together."""
        return sum(self.sizes)

    @property
    def starts(self) -> list[int]:
        """Number of the first row of each part."""
        return [0, *accumulate(self.sizes)][:-1]

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
    grouped, left_out = False, 0
    for number, corpus in enumerate(pieces.read(part_rows)):
        with _files.whole_file(job.texts_of(number)) as aside:
            pq.write_table(pa.table(columns_of(corpus)), aside, compression="zstd")
        sizes.append(len(corpus))
        grouped = corpus.groups is not None
        left_out += len(corpus.dropped)
        dropped += corpus.dropped[: _EXAMPLES - len(dropped)]
        notes += [note for note in corpus.notes if note not in notes]
    plan = Plan(sizes, grouped, left_out, dropped, notes)
    _files.write_json(path, asdict(plan))
    return plan


def corpus_of(pieces: Pieces, part_rows: int) -> Corpus:
    """Return all rows at once, for a model that learns from them."""
    parts = list(pieces.read(part_rows))
    grouped = parts[0].groups is not None
    return Corpus(
        tuple(item for part in parts for item in part.items),
        tuple(name for part in parts for name in part.ids),
        tuple(group for part in parts for group in part.groups or ()) if grouped else None,
        source=pieces.source,
        ids_given=parts[0].ids_given,
    )


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
