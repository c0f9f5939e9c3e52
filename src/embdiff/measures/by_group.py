"""Where models differ: the gap between two models, group by group, with luck among many groups allowed for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from embdiff._plain import Number, Record
from embdiff.errors import ShapeError
from embdiff.measures.statistics.quantiles import Doubles, false_discovery
from embdiff.measures.statistics.randomisation import randomisation_p
from embdiff.measures.statistics.resampling import mean_intervals
from embdiff.records import IntArray

FEWEST = 5  # queries of a group, below which nothing is said of it


@dataclass(frozen=True)
class Gap(Record):
    """Two models on the queries of one group.

    Parameters
    ----------
    group : str
    models : tuple of str
        The higher one of this group first.
    n : int
        Queries of the group with a value in both.
    values : tuple of float
        Mean of either over these queries.
    difference, low, high : float
        Mean of first minus second with its 95 % interval.
    p, p_adjusted : float
        Of the paired randomisation test (`randomisation_p`), and adjusted for all groups and pairs
        (`false_discovery`).
    """

    group: str
    models: tuple[str, str]
    n: int
    values: tuple[Number, Number]
    difference: Number
    low: Number
    high: Number
    p: Number
    p_adjusted: Number


def gaps(
    values: Mapping[str, npt.ArrayLike], groups: Sequence[str], *, seed: int, widest: float = math.inf
) -> tuple[Gap, ...]:
    """Compare every two models on the queries of each group, the surest gap first.

    Groups with fewer than 5 queries are left out: nothing can be said of them.

    Parameters
    ----------
    values : mapping of str to array of float, shape (q,)
        Model to one value per query, NaN where undefined.
    groups : sequence of str, length q
        The group of each query.
    seed : int
        Of intervals and tests.
    widest : float
        The largest difference that the measure allows.

    Returns
    -------
    tuple of Gap
        Ordered by the end of the interval that is nearer to 0: of many groups the largest gap is luck.

    Raises
    ------
    ShapeError
        When there is not one group per value.

    References
    ----------
    Benjamini and Hochberg, JRSS B 57 (1995) 289, over all groups and pairs.
    """
    columns = {model: np.asarray(each, dtype=np.float64) for model, each in values.items()}
    if any(len(each) != len(groups) for each in columns.values()):
        raise ShapeError(
            f"There must be one group for each value. Got {len(groups)} groups and "
            f"{', '.join(str(len(each)) for each in columns.values())} values. Give the group of every query."
        )
    names = list(dict.fromkeys(groups))
    numbers = _numbers(groups, names)
    found = [
        each
        for pair in itertools.combinations(columns, 2)
        for each in _of_pair(pair, (columns[pair[0]], columns[pair[1]]), numbers, names, seed, widest)
    ]
    adjusted = false_discovery([each.p for each in found])
    tested = [replace(each, p_adjusted=float(p)) for each, p in zip(found, adjusted, strict=True)]
    return tuple(sorted(tested, key=lambda each: -each.low))


def group_means(
    values: npt.ArrayLike, groups: Sequence[str], *, seed: int, bounds: tuple[float, float] | None = None
) -> dict[str, tuple[int, float, float, float]]:
    """Return n, mean and 95 % interval of one value per query, group by group; groups below 5 queries are left out.

    Parameters
    ----------
    values : array of float, shape (q,)
        NaN where undefined.
    groups : sequence of str, length q
    seed : int
        Of the intervals.
    bounds : (low, high), optional
        Of the values, as for `mean_intervals`.
    """
    names = list(dict.fromkeys(groups))
    columns = _split(np.asarray(values, dtype=np.float64), _numbers(groups, names), len(names))
    counts = np.count_nonzero(~np.isnan(columns), axis=0)
    enough = np.flatnonzero(counts >= FEWEST).tolist()
    within = mean_intervals(columns[:, enough], [bounds] * len(enough), seed=seed) if enough else []
    return {
        names[at]: (int(counts[at]), float(np.nanmean(columns[:, at])), low, high)
        for at, (low, high, _) in zip(enough, within, strict=True)
    }


def _of_pair(
    pair: tuple[str, str], values: tuple[Doubles, Doubles], numbers: IntArray, names: Sequence[str], seed: int,
    widest: float,
) -> list[Gap]:  # fmt: skip
    known = ~np.isnan(values[0] - values[1])
    counts = np.bincount(numbers[known], minlength=len(names))
    enough = np.flatnonzero(counts >= FEWEST)
    if not enough.size:
        return []
    differences = _split(values[0] - values[1], numbers, len(names))[:, enough]
    within = mean_intervals(differences, [None] * len(enough), seed=seed)
    found = []
    for at, (low, high, _), column in zip(enough.tolist(), within, differences.T, strict=True):
        here = known & (numbers == at)
        means = [float(each[here].mean()) for each in values]
        apart, models = means[0] - means[1], pair
        if apart < 0:
            apart, low, high, means, models = -apart, -high, -low, means[::-1], (pair[1], pair[0])
        p, _ = randomisation_p(column[~np.isnan(column)], seed=seed)
        found.append(
            Gap(
                names[at], models, int(counts[at]), (means[0], means[1]), apart,
                max(low, -widest), min(high, widest), p, math.nan,
            )
        )  # fmt: skip
    return found


def _numbers(groups: Sequence[str], names: Sequence[str]) -> IntArray:
    number = {name: at for at, name in enumerate(names)}
    return np.array([number.get(group, -1) for group in groups], dtype=np.int64)


def _split(values: Doubles, numbers: IntArray, count: int) -> Doubles:
    """Return the values (q,) as a column for each group, (q, count), NaN where a query is of another one."""
    found = np.full((len(values), count), np.nan)
    inside = np.flatnonzero(numbers >= 0)
    found[inside, numbers[inside]] = values[inside]
    return found
