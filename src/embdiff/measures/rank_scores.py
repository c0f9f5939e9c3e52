"""Measures of places as scores: mean, interval, chance level, and the reason where a query is left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from embdiff.measures.chance import check_drawn
from embdiff.measures.inference import Doubles
from embdiff.measures.mean_score import mean_score
from embdiff.measures.rank import (
    KENDALL_TAU,
    RANK_SIMILARITY,
    kendall_tau,
    lengths,
    matches,
    rank_similarity,
    truncated,
)
from embdiff.measures.rank_chance import expected_rank_similarity, expected_rbo, expected_tau
from embdiff.measures.rbo import RBO, P, rbo
from embdiff.records import IntArray, Neighbors, Score


def score_rbo(
    a: Neighbors,
    b: Neighbors,
    models: tuple[str, str],
    *,
    query_model: str | None,
    candidates: int | IntArray,
    fixed: IntArray | None = None,
    seed: int,
    p: float = P,
) -> Score:
    """Return the mean extrapolated rank-biased overlap with interval and chance level.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
    models : tuple of str
        Whose lists these are.
    query_model : str or None
        The model that queried both; None when each queried its own.
    candidates : int or ndarray of int64, shape (q,)
        Rows that a query could return: n, or n - 1 when its own row is left out.
    fixed : ndarray of int64, shape (q,), optional
        How many rows of each query's own are in both lists; for the chance level they are taken to stand first.
    seed : int
        Of the bootstrap.
    p : float
        As for `rbo.rbo`.

    Returns
    -------
    Score
        ``rbo(p=0.9)@k``. What the unseen tail leaves open is in `rbo.rbo_with_tail`; the interval here is about other
        queries. Chance is exact, for two lists drawn without replacement in random order.

    Raises
    ------
    ShapeError, ParameterError
        When the lists or numbers do not fit together.
    """
    values = rbo(a, b, p)
    chance = _mean_chance(
        lambda left, right, certain, pool: expected_rbo(left, right, certain, pool, p), a, b, values, candidates, fixed
    )
    return mean_score(RBO, values, a.k, models, query_model, chance, seed, _EMPTY, {"p": p})


def score_rank_similarity(
    a: Neighbors,
    b: Neighbors,
    models: tuple[str, str],
    *,
    query_model: str | None,
    candidates: int | IntArray,
    fixed: IntArray | None = None,
    seed: int,
) -> Score:
    """Return the mean rank similarity with interval and chance level; parameters as for `score_rbo`."""
    values = rank_similarity(a, b)
    chance = _mean_chance(expected_rank_similarity, a, b, values, candidates, fixed)
    return mean_score(RANK_SIMILARITY, values, a.k, models, query_model, chance, seed, _EMPTY)


def score_kendall_tau(
    a: Neighbors,
    b: Neighbors,
    models: tuple[str, str],
    *,
    query_model: str | None,
    candidates: int | IntArray,
    fixed: IntArray | None = None,
    seed: int,
) -> Score:
    """Return the mean of tau-b over the queries that have it, with interval and chance level.

    Parameters as for `score_rbo`. Chance is taken given how many rows each query has in common: 0, or the share of
    pairs that hold a fixed row. ``n`` is the number of queries with at least 2 common rows not all tied.
    """
    values = kendall_tau(a, b)
    certain = _drawn(a, b, candidates, fixed)[:, 2]
    common = np.bincount(matches(a.rows, b.rows).query, minlength=len(a.rows))
    known = ~np.isnan(values)
    kinds, counts = np.unique(np.stack([common, certain], axis=1)[known], axis=0, return_counts=True)
    expected = [expected_tau(int(m), int(s)) for m, s in kinds]
    chance = float(np.average(expected, weights=counts)) if len(kinds) else math.nan
    return mean_score(KENDALL_TAU, values, a.k, models, query_model, chance, seed, _NO_ORDER)


def score_curve(
    score: Callable[..., Score],
    a: Neighbors,
    b: Neighbors,
    models: tuple[str, str],
    *,
    depths: Sequence[int],
    query_model: str | None,
    candidates: int | IntArray,
    fixed: IntArray | None = None,
    seed: int,
    **parameters: float,
) -> tuple[Score, ...]:
    """Return a score at several depths: the first d neighbours of each list, for every d of ``depths``.

    Parameters
    ----------
    score : callable
        `score_rbo`, `score_rank_similarity`, `score_kendall_tau`, or ``score_overlap``, ``score_jaccard`` of
        `embdiff.measures.overlap`.
    depths : sequence of int
        Each between 1 and k.
    a, b, models, query_model, candidates, fixed, seed
        As for `score_rbo`. Fixed rows are taken to stand first, so that min(d, fixed) of them are left at depth d.
    **parameters : float
        Of the measure, such as ``p``.

    Returns
    -------
    tuple of Score
        One per depth. Each interval holds by itself: of a curve of many, 5 % miss their own true value.

    Raises
    ------
    ParameterError
        When a depth is not between 1 and k.
    """
    return tuple(
        score(
            truncated(a, depth),
            truncated(b, depth),
            models,
            query_model=query_model,
            candidates=candidates,
            fixed=None if fixed is None else np.minimum(fixed, depth),
            seed=seed,
            **parameters,
        )
        for depth in depths
    )


_EMPTY = "have no neighbours in either list"
_NO_ORDER = "have fewer than 2 common neighbours, or only tied ones,"


def _drawn(a: Neighbors, b: Neighbors, candidates: int | IntArray, fixed: IntArray | None) -> IntArray:
    """Length, length, certain rows and candidates of each query, (q, 4), after checking them."""
    left, right = lengths(a), lengths(b)
    certain = np.zeros_like(left) if fixed is None else np.asarray(fixed)
    pool = np.broadcast_to(np.asarray(candidates, dtype=np.int64), left.shape)
    check_drawn(left, right, certain, pool)
    return np.stack([left, right, certain, pool], axis=1)


def _mean_chance(
    expected: Callable[[int, int, int, int], float],
    a: Neighbors,
    b: Neighbors,
    values: Doubles,
    candidates: int | IntArray,
    fixed: IntArray | None,
) -> float:
    drawn = _drawn(a, b, candidates, fixed)[~np.isnan(values)]
    kinds, counts = np.unique(drawn, axis=0, return_counts=True)
    return float(np.average([expected(*map(int, kind)) for kind in kinds], weights=counts)) if len(kinds) else math.nan
