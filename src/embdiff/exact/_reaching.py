"""The rows that are as close as something already found: all that is asked of a further block of rows."""

from __future__ import annotations

from threading import Lock

import numpy as np

from embdiff.exact import _brief as brief
from embdiff.exact._largest import above
from embdiff.exact._pairs import pair_similarity
from embdiff.exact._surrogate import Surrogate
from embdiff.exact._task import Task
from embdiff.exact._threads import in_parts
from embdiff.records import FloatArray, IntArray

_MOST_PER_QUERY = 64  # rows that reach it, on average; beyond, the first k are found by themselves as fast
_PAIRS_AT_A_TIME = 2**15


def reaching(task: Task, least: FloatArray) -> tuple[IntArray, FloatArray] | None:
    """Return the rows that are at least as similar to each query as ``least``, the first ``task.wanted`` of them.

    Parameters
    ----------
    task : Task
    least : ndarray of float32, shape (q,)

    Returns
    -------
    rows : ndarray of int64, shape (q, m)
        Most similar first, equal ones by row; -1 where there are fewer than m.
    similarity : ndarray of float32, shape (q, m)
        -inf beside -1.

    None where a look in bfloat16 does not pay, or leaves too many in question.
    """
    queries, dim = task.stand_in.left.shape
    if not brief.pays(queries, dim, len(task.vectors), task.wanted):
        return None
    pairs = _above(task.stand_in, least, _MOST_PER_QUERY * queries)
    if pairs is None:
        return None
    asked, rows = pairs
    found = _similarity(task, asked, rows)
    reach = found >= least[asked]
    return _in_lines(task, asked[reach], rows[reach], found[reach])


def _above(stand_in: Surrogate, least: FloatArray, most: int) -> tuple[IntArray, IntArray] | None:
    """Return the queries and rows, (m,) each, of all rounded products from which ``least`` may be reached."""
    left, right = brief.rounded(stand_in.left), stand_in.right
    coarse = brief.with_slack(stand_in, brief.rounded_away(stand_in.left, left))
    # Below the band, not at its edge: what is equal to it may reach ``least``.
    low = np.nextafter(coarse.band(slice(None), least[:, None])[0], np.float32(-np.inf))
    asked: list[IntArray] = []
    rows: list[IntArray] = []
    lock, count = Lock(), 0

    def look_through(part: slice) -> None:
        nonlocal count
        for start, products in brief.tiles(left, brief.rounded(right[part])):
            down, across, _ = above(products, low[start : start + len(products)])
            with lock:
                count += len(down)
                if count > most:
                    return
                asked.append(down + start)
                rows.append(across + part.start)

    in_parts(look_through, len(right), brief.TILE)
    return None if count > most else (np.concatenate(asked), np.concatenate(rows))


def _similarity(task: Task, asked: IntArray, rows: IntArray) -> FloatArray:
    found = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _PAIRS_AT_A_TIME):
        part = slice(start, start + _PAIRS_AT_A_TIME)
        found[part] = pair_similarity(task.queries[asked[part]], task.vectors, rows[part, None], task.metric)[:, 0]
    return found


def _in_lines(task: Task, asked: IntArray, vectors: IntArray, found: FloatArray) -> tuple[IntArray, FloatArray]:
    """Replace distinct vectors by their rows and set out the first ``wanted`` of each query in a line of its own."""
    counts = np.minimum(task.groups.counts[vectors], task.wanted)
    rows = task.groups.rows(vectors, counts)
    asked, found = np.repeat(asked, counts), np.repeat(found, counts)
    order = np.lexsort((rows, -found, asked))
    asked, rows, found = asked[order], rows[order], found[order]
    place = np.arange(len(asked)) - np.searchsorted(asked, asked)
    kept = place < task.wanted
    shape = (len(task.queries), int(place[kept].max(initial=-1)) + 1)
    lines, similarity = np.full(shape, -1, dtype=np.int64), np.full(shape, -np.inf, dtype=np.float32)
    lines[asked[kept], place[kept]] = rows[kept]
    similarity[asked[kept], place[kept]] = found[kept]
    return lines, similarity
