"""Judgements given on the live page: of a query typed there, one result at a time; not blind, and said to be so."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

from embdiff.errors import ParameterError
from embdiff.judging.book import Book, TypedQueries, qrels_beside
from embdiff.runs import Run

JUDGE = "live page"  # stands in the log: models could be seen beside the results


class Labels:
    """Keeps typed queries of a run, and what is said of their results, where ``embdiff judge`` finds both.

    Parameters
    ----------
    folder : Path
        Of the run; files stand beside it.
    run : Run
    """

    def __init__(self, folder: Path, run: Run) -> None:
        self._typed, self._path, self._run = TypedQueries.beside(folder), qrels_beside(folder), run
        self._lock = threading.Lock()

    @cached_property
    def _texts(self) -> tuple[dict[str, str], dict[str, str]]:
        """Id to text, of the run's own queries and of its rows."""
        asked, rows = (dict(zip(part.ids, part.items, strict=True)) for part in (self._run.queries, self._run.corpus))
        return asked, rows

    def keep(self, text: str, lists: Mapping[str, Sequence[str]]) -> int:
        """Keep a query, to be judged later, and return how many there are; ``lists`` as for `TypedQueries.add`."""
        return self._typed.add(text, lists)

    def label(self, text: str, lists: Mapping[str, Sequence[str]], document: str, grade: int) -> int:
        """Add a judgement of one result of a typed query, and return how many of its results have one.

        Parameters
        ----------
        text : str
            Of the query.
        lists : mapping of str to sequence of str
            What each model returns to it: what ``embdiff judge`` asks about.
        document : str
            Id of a row.
        grade : int
            0 (not relevant) to 9.

        Raises
        ------
        ParameterError
            When there is no such row or grade, or another session adds judgements.
        """
        asked, rows = self._texts
        if document not in rows:
            raise ParameterError(
                f"A label must be of a row of this run. Got the id {document[:100]!r}. Label a result shown."
            )
        with self._lock, closing(Book(self._path, write=True)) as book:
            self.keep(text, lists)
            typed = {each.id: each.text for each in self._typed.read()}
            query = next(name for name, each in typed.items() if each == text)
            book.add((query, text), (document, rows[document]), grade, JUDGE)
            latest = book.latest({**asked, **typed}, rows)
            book.write_qrels(latest.values())
        return sum(name == query for name, _ in latest)
