"""Whether the parts of a run that was read fit each other: numbers of rows that there are, shapes that agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from embdiff.measures.similarities import Similarities
from embdiff.records import Answer, IntArray

if TYPE_CHECKING:
    from embdiff.runs.record import Run


def misfits(run: Run) -> Iterator[str]:
    """Yield what does not fit; nothing for a run as it was written. A row number that is none would be a wrong text."""
    rows, queries = len(run.corpus), len(run.queries)
    if run.query_rows is not None and not (len(run.query_rows) == queries and _within(run.query_rows, 0, rows)):
        yield "rows that query and queries"
    if run.queries.groups is not None and run.corpus.groups is None:
        yield "groups of queries and of rows"
    for answer in (*run.answers, *run.beside):
        if not _answer_fits(answer, rows, queries):
            yield f"the lists of {answer.model} and the corpus"
    for layout in run.layouts:
        if layout.xy.shape != (rows, 2) or not np.isfinite(layout.xy).all():
            yield f"the map of {layout.model} and the corpus"
    for each in run.similarities:
        if not _similarities_fit(each, queries):
            yield f"the similarities of {each.model} and the queries"
    for name, mixing in run.mixings.items():
        groups = len(mixing.groups)
        tables = (mixing.counts, mixing.share, mixing.chance)
        if any(len(table) != groups or any(len(line) != groups for line in table) for table in tables):
            yield f"the mixing of {name} and its groups"


def _within(numbers: IntArray | tuple[int, ...], low: int, stop: int) -> bool:
    array = np.asarray(numbers)
    return bool(((array >= low) & (array < stop)).all())


def _answer_fits(answer: Answer, rows: int, queries: int) -> bool:
    there, lists = answer.elsewhere, (answer.returned.rows, answer.exact.rows, answer.elsewhere.rows)
    shapes = answer.is_self.shape == answer.returned.rows.shape
    shapes = shapes and there.ranks.shape == there.rows.shape == there.similarity.shape
    return shapes and all(len(each) == queries and _within(each, -1, rows) for each in lists)


def _similarities_fit(found: Similarities, queries: int) -> bool:
    asked, lines = len(found.queries), len(found.place)
    lengths = (found.similarity, found.count, found.binned, found.expected)
    return (
        len(found.sampled) == len(found.judged) == asked
        and all(len(each) == lines for each in lengths)
        and _within(found.queries, 0, queries)
        and _within(found.place, 0, asked)
    )
