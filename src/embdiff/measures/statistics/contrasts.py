"""Shares of two kinds of things counted query by query, and whether one is larger; one part of many against the rest.

Queries are resampled, and what is counted of them goes with them: things of one query are no independent things.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embdiff._plain import Number, Record
from embdiff.measures.statistics.quantiles import Doubles, hypergeometric, wilson
from embdiff.measures.statistics.randomisation import randomisation_p
from embdiff.measures.statistics.resampling import mean_intervals

FEWEST = 5  # queries below which nothing is said
PERMUTATIONS = 9_999
_AT_ONCE = 2**22  # values shuffled at a time


@dataclass(frozen=True)
class Contrast(Record):
    """A share among some things against the same share among others.

    Parameters
    ----------
    share, low, high : float
        Among the first, with its 95 % interval.
    other : float
        Among the others.
    difference, difference_low, difference_high : float
        ``share - other`` with its 95 % interval.
    odds : float
        Odds ratio, half a thing added to each count (Haldane and Anscombe) where one is 0.
    p : float
        Two-sided, of equal shares.
    n, n_other : int
        Things of either kind.
    queries : int
        That have things of the first kind.
    """

    share: Number
    low: Number
    high: Number
    other: Number
    difference: Number
    difference_low: Number
    difference_high: Number
    odds: Number
    p: Number
    n: int
    n_other: int
    queries: int


def contrasts(counts: Sequence[npt.ArrayLike], *, seed: int) -> list[Contrast]:
    """Compare shares among two kinds of things, for each of several properties of theirs.

    Parameters
    ----------
    counts : sequence of array of int, shape (4, q)
        For each property, query by query: things of the first kind that have it, all of the first kind, things of the
        second kind that have it, all of the second kind.
    seed : int
        Of intervals and tests.

    Returns
    -------
    list of Contrast
        NaN where there is nothing to compare; no interval and no p below 5 queries.

    Notes
    -----
    A share is a ratio of two means over queries; its interval is that of the mean of the ratio's influence values
    (the linearised bootstrap). The test flips the sign of each query's score contribution, in which the common share
    stands for both: with clusters of any size it holds its level as the number of queries grows. Where things that have
    the property are rare, it does not: of 600 queries and a property of one thing in 200 it called 15 % of true nulls
    "more" at 5 %. So p is the larger of that and Fisher's exact p of the counts divided by their design effect, and the
    intervals span Wilson's and Newcombe's of such counts (Rao and Scott).

    References
    ----------
    Davison and Hinkley, "Bootstrap Methods and their Application" (1997), section 2.7 (influence values); Hemerik,
    Goeman and Finos, JRSS B 82 (2020) 841 (score contributions with flipped signs); Rao and Scott, Biometrics 48 (1992)
    577 (counts of clusters divided by their design effect); Newcombe, Stat. Med. 17 (1998) 873 (difference of shares).
    """
    tables = [np.asarray(each, dtype=np.float64) for each in counts]
    columns = [column for table in tables for column in _influences(table)]
    within = mean_intervals(np.stack(columns, axis=1), [None] * len(columns), seed=seed) if columns else []
    return [
        _contrast(table, within[2 * at][:2], within[2 * at + 1][:2], seed) for at, table in enumerate(tables)
    ]  # fmt: skip


def _influences(table: Doubles) -> tuple[Doubles, Doubles]:
    """Return, for share and difference, one value per query whose mean it is; NaN where a query has no things."""
    having, every, also, others = table
    there = (every + others) > 0
    nothing = np.full(len(every), np.nan)
    if every.sum() == 0:
        return nothing, nothing
    share = having.sum() / every.sum()
    of_share = np.where(there, share + (having - share * every) / every[there].mean(), np.nan)
    if others.sum() == 0:
        return of_share, nothing
    other = also.sum() / others.sum()
    return of_share, of_share - np.where(there, other + (also - other * others) / others[there].mean(), np.nan)


def _contrast(table: Doubles, share: Sequence[float], difference: Sequence[float], seed: int) -> Contrast:
    having, every, also, others = (float(each.sum()) for each in table)
    queries, effect = int(np.count_nonzero(table[1])), _design_effect(table)
    value, other = (part / whole if whole else math.nan for part, whole in ((having, every), (also, others)))
    low, high, below, above, p = (math.nan,) * 5
    if queries >= FEWEST:
        ends = wilson(value, max(1, round(every / effect)))
        low, high = _wider(share, ends, (0.0, 1.0))
        if others:
            ends_other = wilson(other, max(1, round(others / effect)))
            apart = value - other
            newcombe = (
                apart - math.hypot(value - ends[0], ends_other[1] - other),
                apart + math.hypot(ends[1] - value, other - ends_other[0]),
            )
            below, above = _wider(difference, newcombe, (-1.0, 1.0))
            common = (having + also) / (every + others)
            first, second = table[0] - common * table[1], table[2] - common * table[3]
            p, _ = randomisation_p((first * others - second * every) / (every + others), seed=seed)
            p = max(p, _exact_p(having / effect, every / effect, also / effect, others / effect))
    extra = 0.5 if 0.0 in (having, also, every - having, others - also) else 0.0
    odds = (having + extra) * (others - also + extra) / max(1e-300, (every - having + extra) * (also + extra))
    return Contrast(
        value, low, high, other, value - other, below, above, odds if every and others else math.nan, p, int(every),
        int(others), queries,
    )  # fmt: skip


def _wider(resampled: Sequence[float], counted: Sequence[float], bounds: tuple[float, float]) -> tuple[float, float]:
    """Return what two intervals span, within the bounds; one that is NaN spans nothing."""
    low, high = np.nanmin([resampled[0], counted[0]]), np.nanmax([resampled[1], counted[1]])
    return float(max(bounds[0], low)), float(min(bounds[1], high))


def _design_effect(table: Doubles) -> float:
    """Return by how much queries vary more than single things would, of the kind that does so more; at least 1."""
    common = (table[0].sum() + table[2].sum()) / max(1.0, table[1].sum() + table[3].sum())
    found = 1.0
    for having, every in (table[:2], table[2:]):
        by_chance, there = common * (1 - common) * every.sum(), np.count_nonzero(every)
        if by_chance > 0 and there > 1:
            away = having - having.sum() / every.sum() * every
            found = max(found, float((away**2).sum()) * there / (there - 1) / by_chance)
    return found


def _exact_p(having: float, every: float, also: float, others: float) -> float:
    """Return the two-sided p-value of Fisher's exact test of counts, rounded to whole things."""
    first, total, labelled = round(having), round(every) + round(others), round(having) + round(also)
    counts, chances = hypergeometric(min(labelled, total), round(every), 0, total)
    tails = (float(chances[counts >= first].sum()), float(chances[counts <= first].sum()))
    return min(1.0, 2 * min(tails))


def against_the_rest(values: npt.ArrayLike, parts: npt.ArrayLike, *, seed: int) -> tuple[Doubles, Doubles]:
    """Return how much higher the mean is in each part than in the rest, and the one-sided p-value of that.

    Parameters
    ----------
    values : array of float, shape (q,)
        One per query, finite.
    parts : array of bool, shape (m, q)
        Which queries are in each part; parts may share queries.
    seed : int

    Returns
    -------
    differences, p : ndarray of float64, shape (m,)
        NaN for a part that has no queries, or all.

    Notes
    -----
    Permutation test: the values are shuffled over the queries 9,999 times,
    ``p = (1 + #{shuffled >= observed}) / 10,000``.

    References
    ----------
    Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39 (the added 1).
    """
    array, inside = np.asarray(values, dtype=np.float64), np.asarray(parts, dtype=np.float64)
    sizes, q = inside.sum(axis=1), len(array)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = inside @ array / sizes
        differences = np.where((sizes > 0) & (sizes < q), means - (array.sum() - inside @ array) / (q - sizes), np.nan)
    rng, reached = np.random.default_rng(seed), np.zeros(len(inside))
    observed = (inside @ array)[:, None] - 1e-12 * max(1.0, float(np.abs(array).sum()))
    step = max(1, _AT_ONCE // max(1, q))
    for start in range(0, PERMUTATIONS, step):
        shuffled = np.tile(array[:, None], (1, min(step, PERMUTATIONS - start)))
        reached += (inside @ rng.permuted(shuffled, axis=0) >= observed).sum(axis=1)
    return differences, np.where(np.isnan(differences), np.nan, (1 + reached) / (PERMUTATIONS + 1))
