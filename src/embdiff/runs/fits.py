"""Whether the parts of a run that was read fit each other: numbers of rows that there are, shapes that agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from embdiff.causes import SHORT, Why
from embdiff.clusters import Parts
from embdiff.layouts import Layout
from embdiff.measures import Mixing
from embdiff.measures.similarities import Similarities
from embdiff.records import Answer, IntArray, Neighbors


def misfits(
    rows: int,
    queries: int,
    query_rows: Sequence[int] | None,
    answers: Iterable[Answer],
    layouts: Iterable[Layout],
    similarities: Iterable[Similarities],
    mixings: Mapping[str, Mixing],
    parts: Parts,
    why: Iterable[Why],
) -> Iterator[str]:
    """Yield what does not fit; nothing for a run as it was written. A row number that is none would be a wrong text.

    Parameters
    ----------
    rows, queries : int
        How many there are.
    query_rows, answers, layouts, similarities, mixings, parts, why
        As in a `Run`.
    """
    if query_rows is not None and not (len(query_rows) == queries and _within(query_rows, 0, rows)):
        yield "rows that query and queries"
    for answer in answers:
        if not _answer_fits(answer, rows, queries):
            yield f"the lists of {answer.model} and the corpus"
    for layout in layouts:
        if layout.xy.shape != (rows, 2) or not np.isfinite(layout.xy).all():
            yield f"the map of {layout.model} and the corpus"
    for each in similarities:
        if not _similarities_fit(each, queries):
            yield f"the similarities of {each.model} and the queries"
    for name, mixing in mixings.items():
        groups = len(mixing.groups)
        tables = (mixing.counts, mixing.share, mixing.chance)
        if any(len(table) != groups or any(len(line) != groups for line in table) for table in tables):
            yield f"the mixing of {name} and its groups"
    if parts.names and not (
        parts.of_row.shape == (rows,)
        and parts.of_query.shape == (queries,)
        and _within(parts.of_row, 0, len(parts.names))
        and _within(parts.of_query, -1, len(parts.names))
    ):
        yield "the groups or clusters and the corpus"
    strange = (each.models for each in why if not _why_fits(each, rows, queries))
    yield from (f"why {' and '.join(models)} differ and the corpus" for models in strange)


def _within(numbers: IntArray | Sequence[int], low: int, stop: int) -> bool:
    array = np.asarray(numbers)
    return bool(((array >= low) & (array < stop)).all())


def _answer_fits(answer: Answer, rows: int, queries: int) -> bool:
    there, lists = answer.elsewhere, (answer.returned.rows, answer.exact.rows, answer.elsewhere.rows)
    shapes = answer.is_self.shape == answer.returned.rows.shape
    shapes = shapes and there.ranks.shape == there.rows.shape == there.similarity.shape
    shapes = shapes and all(len(each) == queries and _within(each, -1, rows) for each in lists)
    return (
        shapes
        and _within(there.ranks, -1, rows + 1)
        and all(_ties_fit(each, rows, queries) for each in (answer.returned, answer.exact))
    )


def _ties_fit(lists: Neighbors, rows: int, queries: int) -> bool:
    ties = lists.ties
    return ties is None or (
        ties.before.shape == ties.size.shape == lists.rows.shape
        and len(ties.query) == len(ties.row)
        and _within(ties.before, 0, max(rows, lists.k))
        and _within(ties.size, 1, rows + 1)
        and _within(ties.query, 0, queries)
        and _within(ties.row, 0, rows)
    )


def _similarities_fit(found: Similarities, queries: int) -> bool:
    asked, lines = len(found.queries), len(found.place)
    lengths = (found.similarity, found.count, found.binned, found.expected)
    return (
        len(found.sampled) == len(found.judged) == asked
        and all(len(each) == lines for each in lengths)
        and _within(found.queries, 0, queries)
        and _within(found.place, 0, asked)
    )


def _why_fits(found: Why, rows: int, queries: int) -> bool:
    shown = [each for cause in found.causes for each in cause.examples]
    return (
        found.query.shape == found.row.shape == found.bits.shape == (len(found.query),)
        and _within(found.query, 0, queries)
        and bool((np.diff(found.query) >= 0).all())
        and _within(found.row, 0, rows)
        and _within(found.bits, 0, 1 << len(SHORT))
        and _within([each.query for each in shown], 0, queries)
        and _within([row for each in shown for row in (each.row, each.instead) if row is not None], 0, rows)
    )
