"""Result lists of a database, made into arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from embdiff.errors import StoreError
from embdiff.records import FloatArray, IntArray, Metric, Neighbors

Lists = tuple[IntArray, FloatArray]
_LONGEST_TIE = 100  # Milvus Lite spends 0.1 ms on every hit


def to_arrays(hits: Sequence[Any], width: int, metric: Metric) -> Lists:
    """Return rows int64 (q, width) and similarities float32 (q, width) of q lists, padded with -1 and NaN.

    Parameters
    ----------
    hits : sequence of length q
        Each with ``ids`` and ``distances``, best first, at most ``width`` long.
    width : int
    metric : Metric
        For l2 the distance is the squared Euclidean one and is negated.
    """
    rows = np.full((len(hits), width), -1, dtype=np.int64)
    similarity = np.full((len(hits), width), np.nan, dtype=np.float32)
    for query, found in enumerate(hits):
        rows[query, : len(found.ids)] = found.ids
        similarity[query, : len(found.ids)] = found.distances
    return rows, -similarity if metric == "l2" else similarity


def settled(ask: Callable[[FloatArray, int], Lists], queries: FloatArray, k: int, most: int) -> Lists:
    """Return lists of length k in which equal similarities stand by row number, also where the list ends.

    A database returns any k of the rows that tie for the last places, so that equal texts would make equal models
    look different. One row more than k shows where a list ends in a tie; those lists are asked again, 100 rows
    longer. Should even more rows tie, the last places stay as the database chose.

    Parameters
    ----------
    ask : callable
        ``ask(queries, width)`` returns lists of that width.
    queries : ndarray of float32, shape (q, d)
    k : int
        Length of the lists, at most ``most``.
    most : int
        The longest list that can be asked for.

    Returns
    -------
    rows : ndarray of int64, shape (q, k)
    similarity : ndarray of float32, shape (q, k)
    """
    rows, similarity = _by_row(*ask(queries, min(k + 1, most)))
    tied = np.flatnonzero(similarity[:, k - 1] == similarity[:, -1]) if k + 1 < most else np.empty(0, dtype=np.int64)
    rows, similarity = rows[:, :k].copy(), similarity[:, :k].copy()
    if tied.size:
        longer_rows, longer = _by_row(*ask(queries[tied], min(k + _LONGEST_TIE, most)))
        rows[tied], similarity[tied] = longer_rows[:, :k], longer[:, :k]
    return rows, similarity


def lengthened(rows: IntArray, similarity: FloatArray, k: int, metric: Metric, index: str, where: str) -> Neighbors:
    """Return lists as neighbours of length k, padded with -1 and NaN where there are fewer rows.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, m)
        As `settled` returns them, of all m <= k rows that there are to find; an approximate index may find fewer.
    similarity : ndarray of float32, shape (q, m)
    k : int
    metric : Metric
    index : str
        Text form.
    where : str
        What was searched, for the message.

    Raises
    ------
    StoreError
        When ``flat``, which looks at every row, has found fewer.
    """
    found = (rows >= 0).sum(axis=1)
    if index == "flat" and (found < rows.shape[1]).any():
        short = int(np.argmin(found))
        raise StoreError(
            f"A flat search must find as many rows as it is asked for. Got {found[short]:,} of {rows.shape[1]:,} for "
            f"query {short} from {where}: the database left rows out. Run again; if that stays, make it anew."
        )
    missing = ((0, 0), (0, k - rows.shape[1]))
    rows = np.pad(rows, missing, constant_values=-1)
    return Neighbors(rows, np.pad(similarity, missing, constant_values=np.nan), metric, index)


def _by_row(rows: IntArray, similarity: FloatArray) -> Lists:
    """Sort each list by similarity, then row; pads stay last because NaN sorts last."""
    order = np.lexsort((rows, -similarity), axis=1)
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(similarity, order, axis=1)
