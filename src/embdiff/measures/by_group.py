"""Where models differ: means and gaps group by group, with luck among many groups allowed for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
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
    pairs = list(itertools.combinations(columns, 2))
    if not pairs:
        return ()
    apart = np.stack([columns[a] - columns[b] for a, b in pairs], axis=1)
    found = []
    for each in group_means(apart, groups, seed=seed):
        here, models = each.rows, pairs[each.column]
        means = [float(columns[model][here].mean()) for model in models]
        low, high = max(each.low, -widest), min(each.high, widest)
        if means[0] < means[1]:
            low, high, means, models = -high, -low, means[::-1], (models[1], models[0])
        p, _ = randomisation_p(apart[here, each.column], seed=seed)
        difference = means[0] - means[1]
        found.append(Gap(each.group, models, len(here), (means[0], means[1]), difference, low, high, p, math.nan))
    adjusted = false_discovery([each.p for each in found])
    tested = [replace(each, p_adjusted=float(p)) for each, p in zip(found, adjusted, strict=True)]
    return tuple(sorted(tested, key=lambda each: -each.low))


@dataclass(frozen=True, eq=False)
class GroupMean:
    """The mean of one column over the queries of a group where it is defined (``rows``), with its 95 % interval."""

    group: str
    column: int
    rows: IntArray
    mean: float
    low: float
    high: float


def group_means(
    values: Doubles, groups: Sequence[str | None], *, seed: int, bounds: tuple[float, float] | None = None
) -> Iterator[GroupMean]:
    """Yield the mean of every column in each group; of fewer than 5 queries nothing is said.

    Each group is resampled by itself, all columns at once: the cost is that of all queries once, however many groups.

    Parameters
    ----------
    values : ndarray of float64, shape (q, m)
        NaN where undefined.
    groups : sequence of (str or None), length q
        None for a query of no group.
    seed : int
        Of the intervals.
    bounds : (low, high), optional
        Of the values, as for `mean_intervals`.
    """
    members: dict[str, list[int]] = {}
    for at, group in enumerate(groups):
        if group is not None:
            members.setdefault(group, []).append(at)
    for group, places in members.items():
        rows = np.array(places, dtype=np.int64)
        inside = values[rows]
        known = ~np.isnan(inside)
        enough = np.flatnonzero(known.sum(axis=0) >= FEWEST)
        within = mean_intervals(inside[:, enough], [bounds] * len(enough), seed=seed) if len(enough) else []
        for column, (low, high, _) in zip(enough.tolist(), within, strict=True):
            here = known[:, column]
            yield GroupMean(group, column, rows[here], float(inside[here, column].mean()), low, high)
