"""Exact nearest neighbours: rounded products propose, float64 decides, a bound says when to look again."""

from __future__ import annotations

from collections.abc import Iterator

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
    if brief.pays(queries, count, task.wanted) and _are_told_apart(task):
        return _nearest_in_bfloat16(task)
    return _nearest_in_float32(task)


def nearest_of_all(task: Task) -> tuple[IntArray, FloatArray]:
    """Do the same where the queries are the distinct vectors themselves: each pair is multiplied once."""
    count = len(task.vectors)
    if brief.pays(count, count, task.wanted) and _are_told_apart(task):
        products, candidates = symmetric.best_partners_in_bfloat16(task.stand_in, brief.candidates_for(task.wanted))
        rows, found = task.empty()
        doubtful = [
            _written(task.coarse(), part, candidates[part], products[part], rows, found) for part in _blocks(count)
        ]
        return _asked_again(task, np.concatenate(doubtful), rows, found)
    worst, candidates = symmetric.best_partners(task.stand_in, min(task.wanted + _MARGIN, count))
    rows, found = task.empty()
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


def _nearest_in_bfloat16(task: Task) -> tuple[IntArray, FloatArray]:
    wanted, coarse, doubtful = min(brief.candidates_for(task.wanted), len(task.vectors)), task.coarse(), []
    rows, found = task.empty()
    with progress("exact search", len(rows), "queries") as advance:
        for part in _blocks(len(rows)):
            products, candidates = brief.best_rows(task.stand_in, part, wanted)
            doubtful.append(_written(coarse, part, candidates, products, rows, found))
            advance(len(candidates))
    return _asked_again(task, np.concatenate(doubtful), rows, found)


def _are_told_apart(task: Task) -> bool:
    """Return whether the first look leaves few of some queries in doubt; without looking where they are few."""
    queries = len(task.queries)
    if queries < 8 * _PILOT:
        return True
    some = task.of(np.sort(np.random.default_rng(0).choice(queries, _PILOT, replace=False)))
    part, wanted = slice(0, _PILOT), min(brief.candidates_for(task.wanted), len(task.vectors))
    products, candidates = brief.best_rows(some.stand_in, part, wanted)
    doubtful = _written(some.coarse(), part, candidates, products, *some.empty())
    return len(doubtful) <= _MOST_DOUBTFUL * _PILOT


def _written(
    task: Task, part: slice, candidates: IntArray, products: FloatArray, rows: IntArray, found: FloatArray
) -> IntArray:
    """Decide the queries in ``part``, those with few promising candidates first; return which are in doubt."""
    kept = task.promising(part, products)
    order = np.argsort(kept, kind="stable")
    doubtful = []
    for start in range(0, len(order), _OF_ONE_WIDTH):
        places = order[start : start + _OF_ONE_WIDTH]
        width, queries = int(kept[places[-1]]), part.start + places
        rows[queries], found[queries], left = task.settled(
            queries, candidates[places, :width], _worst(products[places], width)
        )
        doubtful.append(queries[left])
    return np.concatenate(doubtful)


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
