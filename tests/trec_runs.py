"""Runs and judgements as trec_eval reads them, graded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from embdiff.measures.judged import Graded, Judged, grade
from embdiff.measures.places import trec_order


def grade_run(
    run: Mapping[str, Mapping[str, float]], judgements: Mapping[str, Mapping[str, int]], *, level: int = 1
) -> tuple[tuple[str, ...], Graded]:
    """Grade a run given as query id → {document id → score}, as trec_eval -c does.

    Parameters
    ----------
    run : mapping
        Queries without judgements are left out.
    judgements : mapping
        Query id → {document id → grade}. Judged queries that the run lacks have an empty list, and count as 0.
    level : int
        The lowest grade that counts as relevant.

    Returns
    -------
    queries : tuple of str
        In the order of the judgements.
    graded : Graded
    """
    queries = tuple(judgements)
    lists = [run.get(name, {}) for name in queries]
    names = sorted({document for each in lists for document in each})
    row_of = {name: row for row, name in enumerate(names)}
    lengths = np.array([len(each) for each in lists], dtype=np.int64)
    shape = (len(queries), int(lengths.max(initial=0)))
    filled = np.arange(shape[1]) < lengths[:, None]
    rows, scores = np.full(shape, -1, dtype=np.int64), np.zeros(shape)
    rows[filled] = [row_of[document] for each in lists for document in each]
    scores[filled] = [score for each in lists for score in each.values()]
    ordered = trec_order(rows, scores, np.arange(len(names), dtype=np.int64))
    return queries, grade(ordered, Judged.from_qrels(judgements, queries, row_of), level=level)
