"""What two unrelated lists would share: exact expectations, for lists drawn without replacement from the candidates."""

from __future__ import annotations

import math

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.records import IntArray


def expected_shared(left: int, right: int, certain: int, candidates: int) -> float:
    """Return the expected number of rows that two lists share.

    Parameters
    ----------
    left, right : int
        Lengths of the lists.
    certain : int
        Rows that both hold for certain (a query's own).
    candidates : int
        Rows that a query could return, the certain ones included.

    Returns
    -------
    float
        ``s + (left - s) (right - s) / (candidates - s)``.
    """
    pool = candidates - certain
    return certain + ((left - certain) * (right - certain) / pool if pool else 0.0)


def expected_jaccard(left: int, right: int, certain: int, candidates: int) -> float:
    """Return the expected ``|A n B| / |A u B|``, parameters as for `expected_shared`; NaN when both are empty.

    The number i of further common rows is hypergeometric, ``C(m, i) C(N - m, n - i) / C(N, n)`` with m, n and N less
    the certain rows; the ratio is averaged over it.
    """
    if left + right == 0:
        return math.nan
    pool, m, n = candidates - certain, left - certain, right - certain
    shared = np.arange(max(0, m + n - pool), min(m, n) + 1)
    logs = np.array([_log_choose(m, int(i)) + _log_choose(pool - m, n - int(i)) for i in shared])
    ratio = (certain + shared) / (left + right - certain - shared)
    return float(np.average(ratio, weights=np.exp(logs - logs.max())))


def expected_hits(k: int, expected: int, candidates: int) -> float:
    """Return the chance that k rows drawn from ``candidates`` hold one of ``expected``: ``1 - C(n-e, k) / C(n, k)``."""
    if expected + k > candidates:
        return 1.0
    # A product of ratios below 1: no number ever gets large.
    return 1.0 - math.prod((candidates - expected - i) / (candidates - i) for i in range(k))


def check_drawn(left: IntArray, right: IntArray, certain: IntArray, candidates: IntArray) -> None:
    """Refuse lists that could not have been drawn like that; all arrays (q,).

    Raises
    ------
    ShapeError
        When there is not one number of certain rows per query.
    ParameterError
        When a list is longer than the candidates, or shorter than its certain rows.
    """
    if certain.shape != left.shape:
        raise ShapeError(
            f"fixed must have one number for each of the {len(left)} queries. Got shape {certain.shape}. "
            "Count the own rows of every query."
        )
    longest = np.maximum(left, right)
    short = np.flatnonzero(longest > candidates)
    if short.size:
        at = int(short[0])
        raise ParameterError(
            f"Candidates must be at least as many as the neighbours in a list. Got {candidates[at]} candidates and a "
            f"list of {longest[at]}. Pass the number of rows that a query could return."
        )
    wrong = np.flatnonzero((certain < 0) | (certain > np.minimum(left, right)))
    if wrong.size:
        at = int(wrong[0])
        raise ParameterError(
            f"fixed must be between 0 and the length of both lists. Got {certain[at]} for query {at}, whose lists hold "
            f"{left[at]} and {right[at]} rows. Count only own rows found in both lists."
        )


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
