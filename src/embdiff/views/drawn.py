"""Which rows of a run the page holds: all, or of very many those that its lists need and some drawn at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.measures.retrieval import lost_by_index
from embdiff.records import Answer, IntArray
from embdiff.runs import Run

MOST_ROWS = 100_000  # dots that a map draws and points at in a tenth of a second; a report of about 20 MB


@dataclass(frozen=True, eq=False)
class Drawn:
    """Rows of the corpus that the page holds, and their places there.

    Parameters
    ----------
    rows : ndarray of int64, shape (m,), or None
        In order; None: all.
    total : int
        Rows of the corpus.
    brief, words : str
        What is to be said of them, in short and in full; "" where all are there.
    """

    rows: IntArray | None
    total: int
    brief: str = ""
    words: str = ""

    def of(self, values: Any) -> Any:
        """Return the values of these rows, of an array or a sequence with one for each row."""
        if self.rows is None:
            return values
        return values[self.rows] if isinstance(values, np.ndarray) else [values[row] for row in self.rows.tolist()]

    def places(self, rows: npt.ArrayLike) -> IntArray:
        """Return the place of each row; what is below 0 stays, and of rows that are not there it is ``len(rows)``."""
        asked = np.asarray(rows, dtype=np.int64)
        if self.rows is None:
            return asked
        at = np.searchsorted(self.rows, asked)
        there = self.rows[np.minimum(at, len(self.rows) - 1)] == asked
        return np.where(asked < 0, asked, np.where(there, at, len(self.rows)))


def drawn_rows(run: Run) -> Drawn:
    """Return the rows to show: every one that asks, is returned or expected; the rest of 100,000 at random."""
    total = len(run.corpus)
    if total <= MOST_ROWS:
        return Drawn(None, total)
    needed = np.zeros(total, dtype=bool)
    for rows in _needed(run):
        needed[rows[rows >= 0]] = True
    named, seed = int(needed.sum()), run.config.seed
    others = np.flatnonzero(~needed)
    chosen = np.random.default_rng(seed).permutation(others)[: max(0, MOST_ROWS - named)]
    needed[chosen] = True
    brief = f"{named + len(chosen):,} of {total:,} rows drawn"
    words = f"{brief}: {named:,} that ask or are returned, {len(chosen):,} of the others at random (seed {seed})."
    return Drawn(np.flatnonzero(needed), total, f"{brief}.", words)


def shown_answers(run: Run) -> list[Answer]:
    """Return the lists that the page shows: those of the run, and whatever disagreement is counted against."""
    against = (answer for pair in run.disputing for answer in pair)
    return list({id(answer): answer for answer in (*run.shown, *against)}.values())


def _needed(run: Run) -> Iterator[IntArray]:
    if run.query_rows is not None:
        yield np.array(run.query_rows, dtype=np.int64)
    for answer in shown_answers(run):
        yield answer.returned.rows
        yield answer.elsewhere.rows
        yield lost_by_index(answer.returned, answer.exact)
    if run.expected is not None:
        for rows in run.expected.relevant_rows(run.queries.ids, run.corpus):
            yield np.array(rows, dtype=np.int64)
