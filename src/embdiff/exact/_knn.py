"""Exact nearest neighbours: rounded products propose, float64 decides, a bound says when to look again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from embdiff._progress import progress
from embdiff.exact import _brief as brief
from embdiff.exact import _few as few
from embdiff.exact import _symmetric as symmetric
from embdiff.exact._task import Task
from embdiff.records import FloatArray, IntArray

_BLOCK = 4_096  # queries per call, what faiss works in; with 1,024 it is half again as slow, below 512 up to five times
_MARGIN = 8  # candidates beyond k, so that rounding and ties rarely need the full scan
_TILE = (1_024, 4_096)  # queries and rows that faiss multiplies at a time: 6 % faster than its 4,096 and 1,024
_PILOT = 256  # queries that show whether bfloat16 tells these rows apart
_MOST_DOUBTFUL = 0.1  # of them; above, float32 alone is faster
_OF_ONE_WIDTH = 512  # queries whose candidates are decided together


def nearest(task: Task) -> tuple[IntArray, FloatArray]:
    """Return the first ``task.wanted`` rows of each query and their similarity, both (q, wanted)."""
    queries, dim = task.stand_in.left.shape
    count = len(task.vectors)
    if few.pays(queries, dim, count):
        worst, candidates = few.best_rows(task.stand_in, min(task.wanted + _MARGIN, count))
        return task.decided(slice(0, queries), candidates, worst)
    if brief.pays(queries, dim, count, task.wanted) and _are_told_apart(task):
        return _nearest_at_a_look(task)
    return _nearest_in_float32(task)


def nearest_of_all(task: Task) -> tuple[IntArray, FloatArray]:
    """Do the same where the queries are the distinct vectors themselves: each pair is multiplied once."""
    count, dim = task.vectors.shape
    rows, found = task.empty()
    if brief.pays_for_all_pairs(dim) and _are_told_apart(task):
        look = symmetric.look_at_partners(task.stand_in, min(brief.candidates_for(task.wanted), count))
        doubtful = [
            part.start + _settled(task.of(part), look.of(part), rows[part], found[part]) for part in _blocks(count)
        ]
        return _asked_again(task, np.concatenate(doubtful), rows, found)
    worst, candidates = symmetric.best_partners(task.stand_in, min(task.wanted + _MARGIN, count))
    for part in _blocks(count):
        rows[part], found[part] = task.decided(part, candidates[part], worst[part])
    return rows, found


def _nearest_in_float32(task: Task) -> tuple[IntArray, FloatArray]:
    import faiss

    left, right, count = task.stand_in.left, task.stand_in.right, min(task.wanted + _MARGIN, len(task.vectors))
    rows, found = task.empty()
    faiss.cvar.distance_compute_blas_query_bs, faiss.cvar.distance_compute_blas_database_bs = _TILE
    with progress("exact search", len(left), "queries") as advance:
        for part in _blocks(len(left)):
            products, candidates = faiss.knn(left[part], right, count, faiss.METRIC_INNER_PRODUCT)
            kept = int(task.promising(part, products).max())
            rows[part], found[part] = task.decided(part, candidates[:, :kept], _worst(products, kept))
            advance(len(candidates))
    return rows, found


def _nearest_at_a_look(task: Task) -> tuple[IntArray, FloatArray]:
    rows, found = task.empty()
    doubtful = []
    with progress("exact search", len(rows), "queries") as advance:
        for part in _blocks(len(rows)):
            some = task.of(part)
            doubtful.append(part.start + _settled(some, _look(some), rows[part], found[part]))
            advance(part.stop - part.start)
    return _asked_again(task, np.concatenate(doubtful), rows, found)


def _look(task: Task) -> brief.Look:
    return brief.look(task.stand_in, min(brief.candidates_for(task.wanted), len(task.vectors)))


def _are_told_apart(task: Task) -> bool:
    """Return whether a look at some of the queries leaves few of them in doubt; true where there are few queries."""
    queries = len(task.queries)
    if queries < 8 * _PILOT:
        return True
    some = task.of(np.sort(np.random.default_rng(0).choice(queries, _PILOT, replace=False)))
    return len(_settled(some, _look(some), *some.empty())) <= _MOST_DOUBTFUL * _PILOT


def _settled(task: Task, look: brief.Look, rows: IntArray, found: FloatArray) -> IntArray:
    """Write the answer of each query that was looked at; return those for which it is in doubt."""
    task = replace(task, stand_in=look.stand_in)
    kept = task.promising(slice(None), look.products)
    order = np.argsort(kept, kind="stable")  # those with few promising candidates first
    doubtful = []
    for start in range(0, len(order), _OF_ONE_WIDTH):
        some = order[start : start + _OF_ONE_WIDTH]
        width = int(kept[some[-1]])
        worst = _worst(look.products[some], width)
        rows[some], found[some], unsure = task.settled(some, look.rows[some, :width], worst)
        doubtful.append(some[unsure])
    return np.sort(np.concatenate(doubtful))


def _worst(products: FloatArray, kept: int) -> FloatArray:
    """Return what no product exceeds beyond the first ``kept`` columns of products, largest first."""
    return np.asarray(products[:, min(kept, products.shape[1] - 1)])


def _asked_again(task: Task, doubtful: IntArray, rows: IntArray, found: FloatArray) -> tuple[IntArray, FloatArray]:
    if doubtful.size:
        rows[doubtful], found[doubtful] = _nearest_in_float32(task.of(doubtful))
    return rows, found


def _blocks(queries: int) -> Iterator[slice]:
    start = 0
    while start < queries:
        stop = start + _BLOCK if queries - start >= 2 * _BLOCK else queries  # the last takes the rest: none is small
        yield slice(start, stop)
        start = stop
