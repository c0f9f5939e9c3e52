"""How well the vectors of one model ask the collection of another: by a map, or as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from embdiff import exact
from embdiff._plain import Number, Record
from embdiff.alignment.maps import Map
from embdiff.exact import FileVectors
from embdiff.measures.inputs import OneSearch, TwoLists
from embdiff.measures.overlap import overlap
from embdiff.measures.score import score
from embdiff.records import FloatArray, IntArray, Method, Metric, Neighbors, Score

HALF = 0.5  # of its own neighbours: where fewer are found again, a warning says so
_SHIFTS = 20

Verdict = Literal["none", "few", "most"]


@dataclass(frozen=True)
class Reach(Record):
    """How well the vectors of one model ask the collection of another.

    Parameters
    ----------
    query_model, model : str
        Whose vectors ask, and whose collection.
    method : str or None
        The map between them; None: the vectors ask as they are.
    dims : tuple of (int, int)
        Of the query model, and of the collection.
    rows : int
        Rows that the map was fitted on; 0 without one.
    scale, penalty : float
        As in `Map`, NaN where there is none.
    rank : int
        Of the map; 0 without one.
    centred, unit : bool
        Whether the mean of either space was taken off, and whether vectors were brought to length 1.
    recovery : Score
        ``overlap@k`` of the neighbours found by vectors of the query model with those found by the collection's own
        model, over rows of the corpus that the map did not see, the row itself left out.
    by_luck : float
        The same where each row is asked with the vector of another: what rows that everybody finds give away.
    self_retrieval : Score
        Whether such a row finds itself first.
    """

    query_model: str
    model: str
    method: Method | None
    dims: tuple[int, int]
    rows: int
    scale: Number
    penalty: Number
    rank: int
    centred: bool
    unit: bool
    recovery: Score
    by_luck: Number
    self_retrieval: Score

    @property
    def bar(self) -> float:
        """What a recovery has to exceed to mean something: chance, or luck where that is more."""
        return max(self.recovery.chance, self.by_luck)

    @property
    def verdict(self) -> Verdict:
        """``none``: no more neighbours than by chance; ``few``: less than half of them; ``most``."""
        if not self.recovery.low > self.bar:
            return "none"
        return "most" if self.recovery.value >= HALF else "few"

    @property
    def k(self) -> int:
        """How many neighbours are looked for."""
        return int(self.recovery.measure.partition("@")[2])


def reach(
    asking: FloatArray,
    target: FloatArray | FileVectors,
    rows: IntArray,
    *,
    metric: Metric,
    k: int,
    seed: int,
    models: tuple[str, str],
    by: Map | None = None,
    dim: int | None = None,
    fitted: int = 0,
) -> Reach:
    """Say how many neighbours vectors in another model's space find that the model's own vectors of the same rows find.

    Parameters
    ----------
    asking : ndarray of float32, shape (m, e)
        Vectors of rows of the corpus, made by the other model and mapped by maps that did not see them.
    target : ndarray of float32, shape (n, e)
        Vectors of the whole corpus, made by the model of the collection.
    rows : ndarray of int64, shape (m,)
    metric, k, seed, models
        As for `align`.
    by : Map, optional
        The map that is used in the end; None: vectors ask as they are.
    dim : int, optional
        Of the other model.
    fitted : int
        Rows that ``by`` was fitted on.
    """
    k = max(1, min(k, (len(target) - 1) // 2))
    index, theirs = exact.Index(target, metric), target[rows]
    lists = [index.search(vectors, k, leave_out=rows) for vectors in (asking, theirs)]
    apart = exact.Index(target, "l2") if metric == "ip" else index  # by inner product longer vectors stand first
    own = _alike(rows, apart.search(theirs, 1))
    asks, model = models
    recovery = score(f"overlap@{k}", TwoLists(lists[0], lists[1], (model,), asks, len(target) - 1), seed=seed)
    empty = np.zeros(lists[0].rows.shape, dtype=np.float32)
    search = OneSearch(
        lists[0], lists[0], index.search(asking, 1), empty, own, (model,), asks, len(target), len(target)
    )
    return Reach(
        asks, model, None if by is None else by.method, (asking.shape[1] if dim is None else dim, asking.shape[1]),
        fitted, math.nan if by is None else by.scale, math.nan if by is None else by.penalty,
        0 if by is None else by.rank, by is not None, metric == "cosine", recovery, _by_luck(*lists),
        score("self_retrieval", search, seed=seed),
    )  # fmt: skip


def _alike(rows: IntArray, nearest: Neighbors) -> list[IntArray]:
    """Return for each row those that are equal to it, itself among them: finding one of them is finding itself."""
    found: list[list[int]] = [[int(row), int(first)] for row, first in zip(rows, nearest.rows[:, 0], strict=True)]
    if nearest.ties is not None:
        for query, row in zip(nearest.ties.query, nearest.ties.row, strict=True):
            found[query].append(int(row))
    return [np.unique(np.array(each, dtype=np.int64)) for each in found]


def _by_luck(found: Neighbors, native: Neighbors) -> float:
    """Return the mean overlap where each row is given the list of another, over up to 20 ways to deal them."""
    shifts = np.unique(np.linspace(1, max(1, len(found.rows) - 1), _SHIFTS).astype(np.int64))
    own = replace(native, ties=None)
    dealt = (replace(found, rows=np.roll(found.rows, int(shift), axis=0), ties=None) for shift in shifts)
    return float(np.mean([np.nanmean(overlap(each, own)) for each in dealt]))
