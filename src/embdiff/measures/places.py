"""Where rows stand in a list: their place in it, or their exact rank where the list does not hold them."""

from __future__ import annotations

import numpy as np

from embdiff.errors import ShapeError
from embdiff.records import ElsewhereRows, IntArray, Neighbors

_CHUNK = 2**18  # row numbers sorted at a time


def ranks_of(rows: IntArray, listed: Neighbors, elsewhere: ElsewhereRows) -> IntArray:
    """Return the rank of given rows in an answer: their place in the list, else their exact rank.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, m)
        Rows to look up for each query; -1 pads.
    listed : Neighbors, shape (q, k)
        The answer's list: what was returned, or the exact neighbours. The rows within a list are distinct.
    elsewhere : ElsewhereRows, of the same q queries
        Exact ranks of rows that the answer does not hold.

    Returns
    -------
    ndarray of int64, shape (q, m)
        From 1; -1 for a pad, and for a row that neither knows.

    Raises
    ------
    ShapeError
        When the number of queries differs.
    """
    q = len(rows)
    if not q == len(listed.rows) == len(elsewhere.rows):
        raise ShapeError(
            f"Rows, list and ranks must be of the same queries. Got {q}, {len(listed.rows)} and "
            f"{len(elsewhere.rows)}. Pass one line for each query."
        )
    out = np.full(rows.shape, -1, dtype=np.int64)
    places = np.broadcast_to(np.arange(1, listed.k + 1), listed.rows.shape)
    step = max(1, _CHUNK // max(1, rows.shape[1] + listed.k + elsewhere.rows.shape[1]))
    for start in range(0, q, step):
        part = slice(start, start + step)
        # The list comes first: of two keys that are equal, the first is found.
        known = np.concatenate([listed.rows[part], elsewhere.rows[part]], axis=1)
        ranks = np.concatenate([places[part], elsewhere.ranks[part]], axis=1)
        out[part] = _looked_up(rows[part], known, ranks)
    return out


def _looked_up(rows: IntArray, known: IntArray, ranks: IntArray) -> IntArray:
    """Look up all queries at once: one number per (query, row), sorted."""
    stride = 1 + int(max(rows.max(initial=0), known.max(initial=0)))
    query = np.arange(len(rows), dtype=np.int64)[:, None] * stride
    there = known >= 0
    keys, values = (query + known)[there], ranks[there]
    if not keys.size:
        return np.full(rows.shape, -1, dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    asked = query + rows
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where((rows >= 0) & (keys[at] == asked), values[at], -1)
