"""Is one model's mean above another's: paired randomisation test, interval, effect size, what n queries can show.

Both models answered the same queries, so everything works on the differences per query. Queries are resampled or
flipped, their neighbours held fixed: the answer is about other queries of the same kind on this corpus.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from embdiff._plain import Number, Record
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.statistics.kinds import Kinds, error_within, rarer, too_few
from embdiff.measures.statistics.quantiles import Doubles, holm, student_p, student_quantile
from embdiff.measures.statistics.randomisation import PERMUTATIONS, randomisation_p
from embdiff.measures.statistics.resampling import Interval, mean_intervals


@dataclass(frozen=True)
class PairedTest(Record):
    """Two models on the same queries.

    Parameters
    ----------
    measure : str
        Text form, for example ``ndcg@10``.
    models : tuple of str
        First and second.
    n : int
        Queries where both values are defined.
    difference : float
        Mean over these queries of first minus second; NaN for n = 0.
    low, high : float
        95 % interval of the difference; NaN where there is none.
    interval : {"bootstrap-t", "bca", "student", "none"}
        As in `resampling.mean_intervals`.
    p : float
        Two-sided, of the paired randomisation test: how often random signs give a mean as far
        from 0 (`randomisation_p`). Of two kinds of units: of Student's test, each kind with a variance of its own.
    p_holm : float
        Adjusted for all pairs of a table; equal to ``p`` for a single test.
    permutations : int
        Random signs drawn; 0 when all of them were tried (the test is exact), or it is Student's.
    effect : float
        Cohen's d_z: mean over standard deviation of the differences; NaN when that is 0.
    detectable : float
        The smallest difference that n such queries show with 80 % power in a two-sided test at 5 %; NaN where the
        standard deviation is 0 or unknown, and where no difference that the measure allows is as large.
    unequal : int
        Queries on which the models differ at all; the others carry no information for the test.
    reason : str or None
        Why a part is undefined, or queries are left out.
    test : {"randomisation", "student"}
        Whose the p-value is.
    """

    measure: str
    models: tuple[str, str]
    n: int
    difference: Number
    low: Number
    high: Number
    interval: str
    p: Number
    p_holm: Number
    permutations: int
    effect: Number
    detectable: Number
    unequal: int
    reason: str | None = None
    test: str = "randomisation"


def detectable_difference(differences: npt.ArrayLike, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest true difference that so many queries of this spread show.

    ``(t(1 - alpha / 2) + t(power)) s / sqrt(n)``, t the quantiles of Student's distribution with n - 1 degrees of
    freedom and s the standard deviation of the differences observed.

    Parameters
    ----------
    differences : array of float, shape (n,)
    alpha : float
        Two-sided level of the test.
    power : float
        Chance that the test rejects, in [0.5, 1).

    Returns
    -------
    float
        Above 0; NaN with fewer than 2 differences, or when all are equal.

    Notes
    -----
    It depends on the spread alone, not on the difference observed: it is not the "observed power".

    References
    ----------
    Bloom, "Minimum detectable effects", Evaluation Review 19 (1995) 547; Sakai 2016 (for retrieval).
    """
    array = np.asarray(differences, dtype=np.float64).ravel()
    if not (0.0 < alpha < 1.0 and 0.5 <= power < 1.0):
        raise ParameterError(
            f"alpha must be between 0 and 1, power from 0.5 to below 1. Got {alpha:g} and {power:g}. "
            "Pass for example 0.05 and 0.8."
        )
    if len(array) < 2 or (array == array[0]).all():
        return math.nan
    return _detectable(float(array.std(ddof=1)) / math.sqrt(len(array)), len(array) - 1, alpha, power)


def _detectable(error: float, free: float, alpha: float = 0.05, power: float = 0.8) -> float:
    return (student_quantile(1 - alpha / 2, free) + student_quantile(power, free)) * error


def paired_test(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    models: tuple[str, str],
    *,
    measure: str,
    seed: int,
    permutations: int = PERMUTATIONS,
    widest: float = math.inf,
) -> PairedTest:
    """Compare two models on the same queries.

    Parameters
    ----------
    first, second : array of float, shape (q,)
        One value per query, in the same order; NaN where undefined. Such queries are left out for both.
    models : tuple of str
    measure : str
        Text form.
    seed : int
        Of the test and of the interval; the result for two models is the same whatever else is tested.
    permutations : int
        Random signs where there are too many to try all.
    widest : float
        The largest difference that the measure allows: the interval ends there, and a detectable difference that is
        not below it is none.

    Returns
    -------
    PairedTest

    Raises
    ------
    ShapeError
        When the models have not the same number of values.
    """
    differences = _differences(first, second)
    within = mean_intervals(differences[:, None], [None], seed=seed)[0]
    return _tested(differences, within, models, measure, seed, permutations, widest)


def _differences(first: npt.ArrayLike, second: npt.ArrayLike) -> Doubles:
    """Return first minus second of every query, (q,), NaN where either is undefined."""
    one, two = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if one.shape != two.shape or one.ndim != 1:
        raise ShapeError(
            f"Both models must have one value for each of the same queries. Got {one.shape} and {two.shape}. "
            "Pass the values per query, in the same order, NaN where undefined."
        )
    return one - two


def _tested(
    every: Doubles, within: Interval, models: tuple[str, str], measure: str, seed: int, permutations: int, widest: float
) -> PairedTest:
    differences = every[~np.isnan(every)]
    n, equal = len(differences), bool(len(differences)) and bool((differences == differences[0]).all())
    p, drawn = randomisation_p(differences, seed=seed, permutations=permutations)
    low, high, method = within
    mean = float(differences.mean()) if n else math.nan
    detectable = detectable_difference(differences)
    return PairedTest(
        measure=measure,
        models=models,
        n=n,
        difference=mean,
        low=max(low, min(mean, -widest)),
        high=min(high, max(mean, widest)),
        interval=method,
        p=p,
        p_holm=p,
        permutations=drawn,
        effect=math.nan if n < 2 or equal else mean / float(differences.std(ddof=1)),
        detectable=math.nan if detectable >= widest else detectable,
        unequal=int(np.count_nonzero(differences)),
        reason=_reason(len(every), n, equal, hopeless=detectable >= widest),
    )


def _tested_by_kind(every: Doubles, kinds: Kinds, models: tuple[str, str], measure: str, widest: float) -> PairedTest:
    """Return Student's test of the mean difference, its variance the sum of those of both kinds."""
    known = ~np.isnan(every)
    differences, kinds = every[known], kinds[known]
    n = len(differences)
    mean, few = float(differences.mean()) if n else math.nan, too_few(n, rarer(kinds))
    error, free = (math.nan, math.nan) if few else error_within(differences, kinds)
    some = error > 0.0
    reach = student_quantile(0.975, free) * error if some else math.nan
    detectable = _detectable(error, free) if some else math.nan
    p = student_p(mean / error, free) if some else 1.0 if mean == 0.0 and not few else math.nan
    left_out = _reason(len(every), n, not few and not some, hopeless=detectable >= widest)
    return PairedTest(
        measure=measure,
        models=models,
        n=n,
        difference=mean,
        low=max(mean - reach, min(mean, -widest)) if some else math.nan,
        high=min(mean + reach, max(mean, widest)) if some else math.nan,
        interval="student" if some else "none",
        p=p,
        p_holm=p,
        permutations=0,
        effect=mean / (error * math.sqrt(n)) if some else math.nan,
        detectable=math.nan if detectable >= widest else detectable,
        unequal=int(np.count_nonzero(differences)),
        reason="; ".join(filter(None, (few, left_out))) or None,
        test="student",
    )


def _reason(queries: int, n: int, equal: bool, *, hopeless: bool) -> str | None:
    if queries == 0:
        return "there are no queries"
    parts = [f"{queries - n} of {queries} queries are undefined for a model and are left out"] if n < queries else []
    if n and equal:
        parts.append(f"all {n} differences are equal: there is no interval, effect size or detectable difference")
    if hopeless:
        parts.append(f"{n} queries of such spread would show no difference that the measure allows")
    return "; ".join(parts) or None


def paired_tests(
    values: Mapping[str, npt.ArrayLike],
    *,
    measure: str,
    seed: int,
    permutations: int = PERMUTATIONS,
    widest: float = math.inf,
    kinds: Kinds | None = None,
) -> tuple[PairedTest, ...]:
    """Compare every two models, with p-values adjusted by Holm's method over all pairs.

    Parameters
    ----------
    values : mapping of str to array of float, shape (q,)
        Model to one value per query, all in the same order of queries.
    measure, seed, permutations, widest
        As for `paired_test`.
    kinds : ndarray of bool, shape (q,), optional
        Which of two kinds each unit is of, where there are so many of each by design and the values are pseudo-values,
        mean and pull: random signs know nothing of how few the rarer kind has, so the test is Student's.

    Returns
    -------
    tuple of PairedTest
        (first, second), (first, third), ... in the order of the mapping; empty for a single model.
    """
    pairs = list(itertools.combinations(values, 2))
    if not pairs:
        return ()
    columns = [_differences(values[a], values[b]) for a, b in pairs]
    if kinds is not None:
        tests = [
            _tested_by_kind(differences, kinds, pair, measure, widest)
            for pair, differences in zip(pairs, columns, strict=True)
        ]
    else:
        ends = mean_intervals(np.stack(columns, axis=1), [None] * len(pairs), seed=seed)
        tests = [
            _tested(differences, within, pair, measure, seed, permutations, widest)
            for pair, differences, within in zip(pairs, columns, ends, strict=True)
        ]
    adjusted = holm([test.p for test in tests])
    return tuple(replace(test, p_holm=float(p)) for test, p in zip(tests, adjusted, strict=True))
