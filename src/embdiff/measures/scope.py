"""What a model lets through by one cut-off on the nearest similarity: texts of the known classes, and others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from embdiff._plain import Number, Record
from embdiff.measures.pairs import ScoredPairs
from embdiff.measures.statistics.kinds import Kinds
from embdiff.measures.statistics.quantiles import Doubles, log_binomial, wilson

KEPT = 0.95  # of the texts of known classes


class ScoredTexts(ScoredPairs):
    """Texts to classify, the similarity to the nearest training text of each, and 1 for a known class, else 0."""

    units: ClassVar[str] = "texts"


@dataclass(frozen=True)
class CutOff(Record):
    """The cut-off of one model that lets 95 % of the texts of known classes through.

    Parameters
    ----------
    model : str
    value, low, high : float
        The similarity, and its 95 % interval; NaN at an end that so few texts do not bound.
    n : int
        Texts of known classes that it rests on.
    kept : float
        Share of these that reach it: 95 % or just above.
    passed, passed_low, passed_high : float
        Share of the other texts that reach it too, and the 95 % interval at this very cut-off.
    others : int
        How many there are of these.
    """

    model: str
    value: Number
    low: Number
    high: Number
    n: int
    kept: Number
    passed: Number
    passed_low: Number
    passed_high: Number
    others: int


def cut_off(model: str, similarity: Doubles, known: Kinds) -> CutOff | None:
    """Return the highest cut-off that 95 % of the texts of known classes reach; None where there are none of a kind.

    Parameters
    ----------
    model : str
    similarity : ndarray of float64, shape (n,)
        To the nearest training text; NaN (a zero vector) is left out.
    known : ndarray of bool, shape (n,)
        Whether a text is of a known class.

    Notes
    -----
    The interval needs no shape of the data: it lies between two of the sorted similarities, of which the binomial
    distribution says how often they enclose the true quantile. The share of others that pass is Wilson's.

    References
    ----------
    Hendrycks and Gimpel, ICLR 2017 (nearest texts in the place of the softmax: Sun et al., ICML 2022);
    Conover, Practical Nonparametric Statistics, 3rd ed. 1999, section 3.2.
    """
    there = ~np.isnan(similarity)
    inside, outside = np.sort(similarity[there & known]), similarity[there & ~known]
    n = len(inside)
    if not n or not len(outside):
        return None
    value = float(inside[math.floor((1.0 - KEPT) * n + 1e-9)])
    below, above = quantile_places(n, 1.0 - KEPT)
    passed = float(np.mean(outside >= value))
    return CutOff(
        model,
        value,
        math.nan if below < 0 else float(inside[below]),
        math.nan if above >= n else float(inside[above]),
        n,
        float(np.mean(inside >= value)),
        passed,
        *wilson(passed, len(outside)),
        len(outside),
    )


def quantile_places(n: int, share: float, level: float = 0.95) -> tuple[int, int]:
    """Return between which of n sorted values, counted from 0, a quantile lies; -1 and n: below and above all.

    Parameters
    ----------
    n : int
    share : float
        Which quantile, in (0, 1).
    level : float
        Of the interval.
    """
    counts = np.arange(n + 1)
    logs = np.array([log_binomial(n, int(k)) for k in counts])
    reached = np.cumsum(np.exp(logs + counts * math.log(share) + (n - counts) * math.log1p(-share)))
    tail = (1.0 - level) / 2.0
    return int(np.searchsorted(reached, tail, side="right")) - 1, int(np.searchsorted(reached, 1.0 - tail))
