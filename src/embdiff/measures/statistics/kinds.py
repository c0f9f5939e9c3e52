"""Two kinds of units, such as positive and negative pairs: how many the rarer kind has says how sure a value can be."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from embdiff.measures.statistics.quantiles import Doubles

Kinds = npt.NDArray[np.bool_]
FEWEST = 5  # of the rarer kind: below, the spread of that kind is a guess, and intervals hold in 14 to 87 %
FEWEST_UNITS = 10


def kinds_of(score: Doubles) -> Kinds | None:
    """Return which units are of the kind with the higher score, (n,); None when there are not exactly two scores."""
    found = np.unique(score)
    return np.asarray(score == found[1]) if len(found) == 2 else None


def rarer(kinds: Kinds) -> int:
    """Return how many units are of the rarer kind."""
    return int(min(np.count_nonzero(kinds), np.count_nonzero(~kinds)))


def too_few(n: int, rarest: int, what: tuple[str, str] = ("pairs", "kind")) -> str | None:
    """Return why so few units, or so few of the rarest kind, give no interval and no test; None when they do."""
    units, kind = what
    if n < FEWEST_UNITS:
        return f"no interval and no test below {FEWEST_UNITS} {units} (here {n})"
    if rarest < FEWEST:
        return f"no interval and no test below {FEWEST} {units} of the rarest {kind} (here {rarest})"
    return None


def satterthwaite(variances: Doubles, free: Doubles) -> tuple[float, float]:
    """Return the standard error of a sum of independent parts, and its degrees of freedom.

    Parameters
    ----------
    variances, free : ndarray of float64, shape (m,)
        Of each part, and the degrees of freedom of that estimate.

    References
    ----------
    Satterthwaite, Biometrics Bulletin 2 (1946) 110; Welch, Biometrika 34 (1947) 28.
    """
    whole = float(variances.sum())
    if whole == 0.0:
        return 0.0, float(free.min())
    return math.sqrt(whole), whole**2 / float((variances**2 / free).sum())


def error_within(values: Doubles, kinds: Kinds | None, *, unseen: Doubles | None = None) -> tuple[float, float]:
    """Return the standard error of a mean whose kinds are drawn apart, so many of each, and its degrees of freedom.

    Without kinds it is the usual one. With kinds the variance is the sum of those of both, each from its own values;
    the degrees of freedom lie between those of the rarer kind and those of all: values of one kind say nothing of the
    other's spread.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
    kinds : ndarray of bool, shape (n,), or None
        Two or more of each.
    unseen : ndarray of float64, shape (2,), optional
        A value of each kind (False, True) that counts as half a further one: of a kind with a long tail few have seen
        the tail.
    """
    if kinds is None:
        return float(np.std(values, ddof=1)) / math.sqrt(len(values)), len(values) - 1.0
    variances, free = np.zeros(2), np.zeros(2)
    for kind in (0, 1):
        own = values[kinds == bool(kind)]
        weights = np.ones(len(own))
        if unseen is not None:
            own, weights = np.append(own, unseen[kind]), np.append(weights, 0.5)
        count, free[kind] = weights.sum(), np.count_nonzero(kinds == bool(kind)) - 1
        spread = float(weights @ (own - weights @ own / count) ** 2) / (count - 1)
        variances[kind] = spread * (free[kind] + 1) / len(values) ** 2
    return satterthwaite(variances, free)
