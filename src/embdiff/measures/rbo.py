"""Rank-biased overlap: agreement at every depth, early depths weighing most, and what the unseen tail leaves open."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff._plain import Number, Record
from embdiff.errors import ParameterError
from embdiff.measures.base import Parameter
from embdiff.measures.rank import RANK_SIMILARITY, blocks, lengths, shared_at_depth
from embdiff.measures.score import of_random_lists
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.measures.ties import have_ties, shared_in_any_order
from embdiff.records import IntArray, Neighbors

P = 0.9  # puts 86 % of the weight on the first 10 places


@dataclass(frozen=True, eq=False)
class Rbo:
    """Rank-biased overlap per query, and what the lists leave open.

    Parameters
    ----------
    value : ndarray of float64, shape (q,)
        RBO_ext: the agreement at the last depth is taken to go on for ever (equation 32 of the reference).
    low : ndarray of float64, shape (q,)
        RBO_min: the least that any continuation of the two lists can give (equation 11).
    high : ndarray of float64, shape (q,)
        RBO_min + RBO_res: the most that any continuation can give (equation 30). It takes lists without end: in a
        small corpus the true bound is a little lower.

    All three lie in [0, 1], low <= value <= high; NaN where both lists are empty. ``low`` to ``high`` is not a
    confidence interval: it is about the unseen tail of these queries, not about other queries.
    """

    value: Doubles
    low: Doubles
    high: Doubles


@dataclass(frozen=True)
class Tail(Record):
    """What the unseen tail leaves open of an rbo score.

    Parameters
    ----------
    measure : str
        Text form of the score.
    models : tuple of str
    query_model : str or None
        As in `Score`.
    low, high : float
        Means over queries of the least and the most that any continuation of the lists can give; NaN without lists.
    """

    measure: str
    models: tuple[str, str]
    query_model: str | None
    low: Number
    high: Number


def rbo(a: Neighbors, b: Neighbors, p: float = P) -> Doubles:
    """Return, per query, the rank-biased overlap: agreement at every depth, early depths weighing most, extrapolated.

    ``(1 - p) sum over d of p^(d-1) |A_1:d n B_1:d| / d; from k on with the agreement at k (RBO_ext)``.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
        Lists of the same queries, closest first; the rows within a list are distinct, -1 pads at the end.
    p : float
        In (0, 1): the chance that a reader goes on to the next place. 1 / (1 - p) places are read on average.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]; 0 where one list is empty, NaN when both lists of a query are empty.

    Raises
    ------
    ShapeError
        When the lists differ in shape, or k is 0.
    ParameterError
        When p is not in (0, 1).

    Notes
    -----
    By chance agreement at depth d is d / (n - 1), the query's own row left out: exact.

    References
    ----------
    Webber, Moffat and Zobel, "A similarity measure for indefinite rankings", ACM TOIS 28(4) (2010) 20, equations 11, 30
    and 32; ties as in Corsi and Urbano, "The Treatment of Ties in Rank-Biased Overlap", SIGIR 2024 (RBO^a).
    """
    return rbo_with_tail(a, b, p).value


def rbo_with_tail(a: Neighbors, b: Neighbors, p: float = P) -> Rbo:
    """Return RBO_ext with the bounds for the unseen tail; parameters and errors as for `rbo`.

    Lists of unequal length s <= l are treated as in the reference, section 4.2 and 4.4: the shorter one is taken to
    go on agreeing with the longer one as it did until its end.
    """
    if not 0.0 < p < 1.0:
        raise ParameterError(f"p of rbo must be above 0 and below 1. Got {p:g}. Write for example rbo(p=0.9)@10.")
    value, low, residual = (np.empty(len(a.rows)) for _ in range(3))
    for part, one, two in blocks(a, b):
        tied = have_ties(one, two)
        shared = shared_in_any_order(one, two, range(1, a.k + 1)) if tied else shared_at_depth(one.rows, two.rows)
        sizes = np.sort(np.stack([lengths(one), lengths(two)]), axis=0)
        value[part] = _extrapolated(shared, sizes[0], sizes[1], p)
        low[part] = _least(shared, p)
        residual[part] = _residual(np.floor(shared[:, -1]).astype(np.int64), sizes[0], sizes[1], p)
    high = np.clip(low + residual, 0.0, 1.0)
    low = np.clip(low, 0.0, high)
    # All three are sums of many terms: the last digits must not put them in the wrong order.
    value = np.clip(value, low, high)
    for column in (value, low, high):
        column[lengths(a) + lengths(b) == 0] = np.nan
    return Rbo(value, low, high)


def _extrapolated(shared: npt.NDArray[Any], short: IntArray, long: IntArray, p: float) -> Doubles:
    """Equation 32: the agreement seen, the shorter list carried on to l, then both carried on for ever."""
    depth = np.arange(1, shared.shape[1] + 1)
    weight = p**depth
    seen = (np.where(depth <= long[:, None], shared, 0) / depth) @ weight
    powers, terms = (np.concatenate([[0.0], np.cumsum(column)]) for column in (weight, weight / depth))
    at_short = np.take_along_axis(shared, np.maximum(short, 1)[:, None] - 1, axis=1)[:, 0]
    agreement = np.where(short > 0, at_short / np.maximum(short, 1), 0.0)
    carried = agreement * ((powers[long] - powers[short]) - short * (terms[long] - terms[short]))
    last = np.where(short > 0, shared[:, -1] - at_short, 0) / np.maximum(long, 1) + agreement
    out: Doubles = (1 - p) / p * (seen + carried) + last * p**long
    return out


def _least(shared: npt.NDArray[Any], p: float) -> Doubles:
    """Equation 11: nothing more is ever shared. Beyond the longer list ``shared`` stands still and adds nothing."""
    depth = np.arange(1, shared.shape[1] + 1)
    last = shared[:, -1]
    out: Doubles = (1 - p) / p * ((shared - last[:, None]) @ (p**depth / depth) - last * math.log1p(-p))
    return out


def _residual(last: IntArray, short: IntArray, long: IntArray, p: float) -> Doubles:
    """Equation 30: how much everything that could still be shared would add; f is the depth where all is shared."""
    full = short + long - last
    depth = np.arange(1, int(full.max(initial=1)) + 1)
    terms = np.concatenate([[0.0], np.cumsum(p**depth / depth)])
    beyond = short * (terms[full] - terms[short]) + long * (terms[full] - terms[long])
    tail = last * (-math.log1p(-p) - terms[full])
    out: Doubles = p**short + p**long - p**full - (1 - p) / p * (beyond + tail)
    return out


def expected_rbo(left: int, right: int, certain: int, candidates: int, p: float) -> float:
    """Return the expected RBO_ext of two lists drawn without replacement from the candidates, in random order.

    Parameters
    ----------
    left, right : int
        Lengths of the lists.
    certain : int
        Rows that both hold for certain, first in both.
    candidates : int
        Rows that a query could return, the certain ones included.
    p : float
        Of rbo.

    Returns
    -------
    float
        In [0, 1]. RBO_ext is linear in the common rows X_d at each depth, so their expectations, with s certain rows
        ``s + (d - s)^2 / (candidates - s)``, are put in their places. NaN when both lists are empty.

    References
    ----------
    Webber, Moffat and Zobel 2010, ACM TOIS 28(4):20, equation 32.
    """
    short, long = sorted((left, right))
    if long == 0:
        return math.nan
    if short == 0:
        return 0.0
    depth = np.arange(1, long + 1)
    pool = candidates - certain
    free = np.maximum(depth - certain, 0) * np.maximum(np.minimum(depth, short) - certain, 0)
    shared = np.minimum(depth, certain) + (free / pool if pool else 0.0)
    at_short = float(shared[short - 1])
    tail = depth[short:]
    inside = float((shared / depth) @ p**depth) + float((at_short * (tail - short) / (short * tail)) @ p**tail)
    carried = (float(shared[-1]) - at_short) / long + at_short / short
    return (1 - p) / p * inside + carried * p**long


RBO = RANK_SIMILARITY.variant(
    function=rbo,
    ties=True,
    direction="more neighbours in common, at earlier places",
    parameters={"p": Parameter(P, 0.01, 0.999, "chance of reading on to the next place")},
    scorer=replace(RANK_SIMILARITY.scorer, expected=of_random_lists(expected_rbo)),
    tail=rbo_with_tail,
)
