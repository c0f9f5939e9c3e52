"""How a database is asked for nearest rows: in calls it can take, until it is settled who is among the nearest."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import numpy as np

from embdiff._progress import progress, silent
from embdiff.errors import StoreError
from embdiff.exact import first
from embdiff.records import FloatArray, IntArray, Neighbors
from embdiff.stores.collection import CollectionSpec, Vectors, check_vectors

Lists = tuple[IntArray, FloatArray]
Ask = Callable[[Vectors, int], Lists]
_LONGEST_TIE = 100  # Milvus Lite spends 0.1 ms on every hit


def nothing(queries: int, width: int) -> Lists:
    """Return lists of which every place is a pad: rows int64 (q, width) of -1, similarities float32 of NaN."""
    return np.full((queries, width), -1, dtype=np.int64), np.full((queries, width), np.nan, dtype=np.float32)


def in_calls(ask: Ask, step: int, name: str, queries: Vectors, width: int) -> Lists:
    """Return what ``ask`` returns, asked for at most ``step`` queries at a time; one call alone shows no progress.

    Parameters
    ----------
    ask : callable
        ``ask(queries, width)`` returns rows int64 and similarities float32, both (q, width), padded as `nothing`.
    step : int
    name : str
        Of the collection, for the progress.
    queries : ndarray of float32, shape (q, d), or Ragged of q rows
    width : int
    """
    lists = [nothing(0, width)]
    quietly = silent() if len(queries) <= step else nullcontext()
    with quietly, progress(f"search {name}", len(queries), "queries") as advance:
        for start in range(0, len(queries), step):
            part = queries[start : start + step]
            lists.append(ask(part, width))
            advance(len(part))
    rows, similarity = zip(*lists, strict=True)
    return np.concatenate(rows), np.concatenate(similarity)


def nearest(ask: Ask, spec: CollectionSpec, vectors: Vectors, k: int, most: int, step: int, where: str) -> Neighbors:
    """Return the k nearest rows of each query as `Store.search` does, of what a database is asked for.

    Parameters
    ----------
    ask : callable
        See `in_calls`.
    spec : CollectionSpec
    vectors : ndarray of float32, shape (q, d), or Ragged of q rows
    k : int
    most : int
        The longest list that the store gives; an index may give shorter ones.
    step : int
        For how many queries a call can ask.
    where : str
        The store, for messages.

    Raises
    ------
    ShapeError, ParameterError
        When the vectors do not fit the collection.
    StoreError
        As `lengthened`.
    """
    check_vectors(vectors, spec)
    most = min(most, spec.rows, spec.index.params.get("ef", most))
    rows, similarity = settled(partial(in_calls, ask, step, spec.name), vectors, min(k, spec.rows), most)
    return lengthened(rows, similarity, k, spec, where)


def settled(ask: Ask, queries: Vectors, k: int, most: int) -> Lists:
    """Return lists of length k in which equal similarities stand by row number, also where the list ends.

    A database returns any k of the rows that tie for the last places, so that equal texts would make equal models
    look different. One row more than k shows where a list ends in a tie; those lists are asked again, 100 rows
    longer. Should even more rows tie, the last places stay as the database chose.

    Parameters
    ----------
    ask : callable
        See `in_calls`.
    queries : ndarray of float32, shape (q, d), or Ragged of q rows
    k : int
        Length of the lists, at most ``most``.
    most : int
        The longest list that can be asked for.

    Returns
    -------
    rows : ndarray of int64, shape (q, k)
    similarity : ndarray of float32, shape (q, k)
    """
    rows, similarity = first(*ask(queries, min(k + 1, most)))
    tied = np.flatnonzero(similarity[:, k - 1] == similarity[:, -1]) if k + 1 < most else np.empty(0, dtype=np.int64)
    rows, similarity = rows[:, :k].copy(), similarity[:, :k].copy()
    if tied.size:
        rows[tied], similarity[tied] = first(*ask(queries[tied], min(k + _LONGEST_TIE, most)), k)
    return rows, similarity


def lengthened(rows: IntArray, similarity: FloatArray, k: int, spec: CollectionSpec, where: str) -> Neighbors:
    """Return lists as neighbours of length k, padded with -1 and NaN where there are fewer rows.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, m)
        As `settled` returns them, of all m <= k rows that there are to find; an approximate index may find fewer.
    similarity : ndarray of float32, shape (q, m)
    k : int
    spec : CollectionSpec
    where : str
        The store, for the message.

    Raises
    ------
    StoreError
        When ``flat``, which looks at every row, has found fewer; sparse rows that share no weight are not found.
    """
    found = (rows >= 0).sum(axis=1)
    if spec.index.name == "flat" and spec.shape != "sparse" and (found < rows.shape[1]).any():
        short = int(np.argmin(found))
        raise StoreError(
            f"A flat search must find as many rows as it is asked for. Got {found[short]:,} of {rows.shape[1]:,} for "
            f"query {short} from {spec.name} in {where}: the database left rows out. "
            "Run again; if that stays, make it anew."
        )
    missing = ((0, 0), (0, k - rows.shape[1]))
    rows = np.pad(rows, missing, constant_values=-1)
    similarity = np.pad(similarity, missing, constant_values=np.nan)
    return Neighbors(rows, similarity, spec.metric, str(spec.index))
