"""Where rows stand in a list: their place in it, or their exact rank; and what else is known of the rows of lists."""

from __future__ import annotations

import numpy as np

from embdiff.errors import ShapeError
from embdiff.records import BoolArray, ElsewhereRows, IntArray, Neighbors

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
        there = known >= 0
        out[part] = look_up(rows[part], np.nonzero(there)[0], known[there], ranks[there], -1)
    return out


def look_up(rows: IntArray, lines: IntArray, known: IntArray, values: IntArray, missing: int) -> IntArray:
    """Return what is known of the rows of each line, such as of the documents in each query's list.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, m)
        -1 pads.
    lines, known, values : ndarray of int64, shape (n,)
        Line, row and value; of two values for one row the first counts.
    missing : int
        For a pad, and for a row of which nothing is known.

    Returns
    -------
    ndarray of int64, shape (q, m)
    """
    # One number per (line, row), sorted, so that one look-up answers for all lines.
    stride = 1 + int(max(rows.max(initial=0), known.max(initial=0)))
    keys = lines * stride + known
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    out = np.full(rows.shape, missing, dtype=np.int64)
    if keys.size:
        asked = np.arange(len(rows), dtype=np.int64)[:, None] * stride + rows
        likely = np.flatnonzero(_may_be(keys, asked) & (rows >= 0))
        some = asked.reshape(-1)[likely]
        place = np.minimum(np.searchsorted(keys, some), len(keys) - 1)
        out.reshape(-1)[likely] = np.where(keys[place] == some, values[place], missing)
    return out


def _may_be(keys: IntArray, asked: IntArray) -> BoolArray:
    """Return where a number can be among the keys: mostly little is known, and the others are sorted out.

    One bit of a table for the last digits of each key; a number that shares them with a key is looked up in vain.
    """
    size = 1 << min(22, max(10, (16 * len(keys)).bit_length()))
    table = np.zeros(size, dtype=bool)
    table[keys & (size - 1)] = True
    found: BoolArray = table[asked & (size - 1)]
    return found
