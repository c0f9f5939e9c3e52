"""Do similar pairs look similar: correlation of similarity and score over pairs of texts, AUC for two kinds of pairs.

Intervals come from the influence of each pair on the number (the first term of the delete-one jackknife), so they
assume no shape of the data: on Fisher's z scale for correlations, on the logit scale for AUC (DeLong's variance). One
pair far out moves a linear correlation more than its influence says: there all pairs are left out one by one. Of two
kinds of pairs each has a variance of its own, and the degrees of freedom are those of the rarer kind at the least.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Measure, MeasureSpec, Needs
from embdiff.measures.inputs import Undefined, Whole
from embdiff.measures.statistics.correlation import (
    FLAT,
    correlation,
    fisher_ends,
    levelled,
    mean_ranks,
    numbered,
    without_each,
    without_each_of,
)
from embdiff.measures.statistics.kinds import Kinds, error_within, kinds_of, rarer, too_few
from embdiff.measures.statistics.quantiles import Doubles, student_quantile
from embdiff.measures.statistics.resampling import Interval
from embdiff.records import Score

_UNSEEN = 6.0  # a placement so many times as far from 1 as the mean of its kind, which few pairs may not have shown


def pearson(similarity: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the linear correlation of the similarity and the score of pairs.

    ``cov(similarity, score) / (sd(similarity) sd(score))``. NaN when all similarities or all scores are equal.

    Notes
    -----
    By chance 0.

    References
    ----------
    Pearson 1895; scipy.stats.pearsonr.
    """
    x, y = _columns(similarity, score)
    # What is left of a constant column after subtracting its mean is rounding, not spread.
    return math.nan if np.ptp(x) == 0.0 or np.ptp(y) == 0.0 else correlation(x, y)


def spearman(similarity: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the rank correlation of the similarity and the score of pairs: ``Pearson correlation of average ranks``.

    NaN when all similarities or all scores are equal. Similarities that differ by rounding alone are equal.

    Notes
    -----
    By chance 0.

    References
    ----------
    Spearman 1904; scipy.stats.spearmanr; the main score of STS tasks in MTEB.
    """
    x, y = _columns(similarity, score)
    return pearson(_ranks(levelled(x)), _ranks(y))


def auc(similarity: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the chance that a positive pair is more similar than a negative one, equal ones counting half.

    ``(rank sum of positives - p (p + 1) / 2) / (p q) for p positive and q negative pairs``. The score is NaN when there
    is only one kind of pair. Similarities that differ by rounding alone are equal.

    Parameters
    ----------
    similarity : array of float, shape (n,)
    score : array of float, shape (n,)
        Two different values; the higher one marks the positive pairs.

    Notes
    -----
    By chance 0.5.

    References
    ----------
    Hanley and McNeil 1982; DeLong, DeLong and Clarke-Pearson 1988 for the interval.
    """
    x, positive = _two_kinds(similarity, score)
    count = int(positive.sum())
    ranks = _ranks(levelled(x))
    return float((ranks[positive].sum() - count * (count + 1) / 2.0) / (count * (len(x) - count)))


def _ranks(column: Doubles) -> Doubles:
    return mean_ranks(numbered(column))


def _columns(similarity: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Doubles, Doubles]:
    x, y = np.asarray(similarity, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise ShapeError(
            "Similarities and scores must be two columns of one length, two pairs or more. "
            f"Got shapes {x.shape} and {y.shape}. Give one score for each pair."
        )
    return x, y


def _two_kinds(similarity: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    x, y = _columns(similarity, score)
    kinds = np.unique(y)
    if len(kinds) != 2:
        raise ParameterError(
            f"auc needs two kinds of pairs. Got {len(kinds)} different scores. Use spearman, or label pairs 0 and 1."
        )
    return x, np.asarray(y == kinds[1])


@dataclass(frozen=True, eq=False)
class ScoredPairs(Whole):
    """Pairs of texts with the score people gave them.

    Parameters
    ----------
    similarity : ndarray of float64, shape (n,)
        NaN (a zero vector) is left out.
    score : ndarray of float64, shape (n,)
    models : tuple of one str
    """

    similarity: Doubles
    score: Doubles
    models: tuple[str, ...]
    query_model: str | None = None
    units: ClassVar[str] = "pairs"

    def arguments(self, needs: str) -> tuple[Doubles, Doubles]:
        """Return similarity and score of the pairs that have both; similarities equal but for rounding are equal."""
        known = ~np.isnan(self.similarity)
        if needs != NEEDS:
            raise Undefined(f"pairs have no {needs}")
        if np.count_nonzero(known) < 2:
            raise Undefined(f"there are fewer than two {self.units}")
        return levelled(self.similarity[known]), self.score[known]


@dataclass(frozen=True)
class FromInfluence:
    """One number over all pairs; its interval from how far each pair pulls it.

    Parameters
    ----------
    influence : callable
        ``influence(similarity, score)``: the pull of each pair, (n,), mean 0.
    ends : callable
        ``ends(value, pulls, similarity, score)``: interval and method.
    chance : float
    kinds : bool
        Whether the scores stand for two kinds of pairs.
    """

    influence: Callable[[Doubles, Doubles], Doubles]
    ends: Callable[[float, Doubles, Doubles, Doubles], Interval]
    chance: float = 0.0
    kinds: bool = False

    @classmethod
    def scores(cls, specs: Sequence[MeasureSpec], inputs: Any, _seed: int) -> list[Score]:
        """Return the scores; ``per_query`` holds pseudo-values, value + pull, one per pair: their mean is the value."""
        return [spec.measure.scorer._score(spec, inputs) for spec in specs]

    def _score(self, spec: MeasureSpec, pairs: ScoredPairs) -> Score:
        known = ~np.isnan(pairs.similarity)
        left_out = int(np.count_nonzero(~known))
        note = f"{left_out} of {len(known)} {pairs.units} with a zero vector are left out" if left_out else None
        n = len(known) - left_out
        try:
            x, y = pairs.arguments(spec.measure.needs)
            if self.kinds and len(np.unique(y)) == 1:
                raise Undefined(f"there is only one kind of {pairs.units}")
            value = float(spec.measure.function(x, y))
            if math.isnan(value):
                raise Undefined("all similarities or all scores are equal")
        except Undefined as why:
            reason = "; ".join(filter(None, (str(why), note)))
            return replace(Score.undefined(spec, pairs.models, reason, n=n), chance=self.chance)
        pulls = self.influence(x, y)
        kinds = kinds_of(y)
        few = too_few(n, n if kinds is None else rarer(kinds), (pairs.units, "kind"))
        low, high, method = (math.nan, math.nan, "none") if few else self.ends(value, pulls, x, y)
        values = np.full(len(known), np.nan)
        values[known] = value + pulls
        return Score(
            str(spec), pairs.models, value, low, high, self.chance, n,
            interval=method, reason="; ".join(filter(None, (few, note))) or None, per_query=tuple(values.tolist()),
        )  # fmt: skip


def _pulls(columns: tuple[Doubles, Doubles], pulls: Sequence[Doubles]) -> Doubles:
    """Return the influence on a correlation of two centred columns, from those on its covariance and variances."""
    x, y = columns
    cross, left, right = (float(np.mean(part)) for part in (x * y, x * x, y * y))
    r = cross / math.sqrt(left * right)
    away = [pull - pull.mean() for pull in pulls]
    return np.asarray(away[0] / math.sqrt(left * right) - r / 2.0 * (away[1] / left + away[2] / right))


def pearson_influence(similarity: Doubles, score: Doubles) -> Doubles:
    """Return how far each pair pulls the linear correlation, (n,)."""
    x, y = similarity - similarity.mean(), score - score.mean()
    return _pulls((x, y), [x * y, x * x, y * y])


def spearman_influence(similarity: Doubles, score: Doubles) -> Doubles:
    """Return how far each pair pulls the rank correlation, (n,).

    Ranks are means over the other pairs, so every pair also moves the ranks of all others (Hajek's projection).
    """
    x, y = ((_ranks(column) - 0.5) / len(score) - 0.5 for column in (similarity, score))
    return _pulls(
        (x, y),
        [
            x * y + _shift(similarity, y) + _shift(score, x),
            x * x + 2.0 * _shift(similarity, x),
            y * y + 2.0 * _shift(score, y),
        ],
    )


def _shift(column: Doubles, weight: Doubles) -> Doubles:
    """Return, per pair i, the mean over j of weight[j] where column[j] > column[i], half where equal; (n,)."""
    back = numbered(column)
    sums = np.bincount(back, weights=weight)
    above = sums[::-1].cumsum()[::-1] - sums
    return np.asarray((above + sums / 2.0)[back] / len(column))


def auc_influence(similarity: Doubles, score: Doubles) -> Doubles:
    """Return how far each pair pulls the area under the curve, (n,): DeLong's placement values."""
    x, positive = _two_kinds(similarity, score)
    count, other = int(positive.sum()), int((~positive).sum())
    everywhere, within = _ranks(x), np.empty(len(x))
    within[positive], within[~positive] = _ranks(x[positive]), _ranks(x[~positive])
    share = np.where(positive, (everywhere - within) / other, 1.0 - (everywhere - within) / count)
    away = share - np.where(positive, share[positive].mean(), share[~positive].mean())
    return np.asarray(away * len(x) / np.where(positive, count, other))


def _auc_ends(value: float, pulls: Doubles, _similarity: Doubles, score: Doubles) -> Interval:
    """Return the interval on the logit scale, which is Fisher's of ``2 value - 1``.

    The placements of a kind crowd near 1 with a tail that few pairs may not have shown: half a pair is added to each,
    `_UNSEEN` times as far from 1 as the mean, at most where a pair says nothing (1/2). Without it, of 5 positive pairs
    among 200 and an area of .92, the interval holds in 88 %; with it in 96 %.
    """
    positive = score == score.max()
    far = max(0.5, 1.0 - _UNSEEN * (1.0 - value)) if value >= 0.5 else min(0.5, _UNSEEN * value)
    shares = np.array([np.mean(~positive), np.mean(positive)])
    error, free = error_within(pulls, positive, unseen=(far - value) / shares)
    low, high, method = fisher_ends(2.0 * value - 1.0, 2.0 * error, free, rarer(positive))
    return (low + 1.0) / 2.0, (high + 1.0) / 2.0, method


def _spearman_ends(value: float, pulls: Doubles, similarity: Doubles, score: Doubles) -> Interval:
    """Return the interval on Fisher's z scale; of two kinds of pairs that of auc, of which it is a multiple then."""
    kinds = kinds_of(score)
    if kinds is None:
        return fisher_ends(value, *error_within(pulls, None), len(score))
    low, high, method = _auc_ends(auc(similarity, score), auc_influence(similarity, score), similarity, score)
    # The mean ranks of the kinds differ by n (auc - 1/2).
    steep = len(score) * float(np.std(kinds)) / float(np.std(_ranks(similarity)))
    return steep * (low - 0.5), steep * (high - 0.5), method


def _pearson_ends(value: float, pulls: Doubles, similarity: Doubles, score: Doubles) -> Interval:
    """Return the jackknife interval, or that of the influence where there is none."""
    kinds, n = kinds_of(score), len(score)
    error, free = error_within(pulls, kinds)
    ends = None
    if 1.0 - value * value >= FLAT and error >= FLAT:
        ends = _left_out_interval(value, similarity, score, kinds)
    fewer = n if kinds is None else rarer(kinds)
    return fisher_ends(value, error, free, fewer) if ends is None else (*ends, "jackknife")


def _left_out_interval(
    value: float, similarity: Doubles, score: Doubles, kinds: Kinds | None
) -> tuple[float, float] | None:
    """Return the jackknife interval of Pearson's correlation on Fisher's z scale, its bias taken off.

    None when without some pair the others are on one line (z is infinite). Miller, Biometrika 61 (1974) 1; of two kinds
    of pairs, so many of each, the pairs of each are left out in turn: Arvesen, Ann. Math. Statist. 40 (1969) 2076.
    """
    without = without_each(similarity, score) if kinds is None else without_each_of(similarity, kinds)
    if not (np.abs(without) < 1 - 1e-12).all():
        return None
    n, z, left = len(without), math.atanh(value), np.arctanh(without)
    if kinds is None:
        middle, free = n * z - (n - 1) * float(left.mean()), n - 1.0
        error = math.sqrt((n - 1) / n * float(((left - left.mean()) ** 2).sum()))
    else:
        counts = np.where(kinds, kinds.sum(), (~kinds).sum())
        middle = z + sum((own.sum() - 1.0) * (z - float(left[own].mean())) for own in (kinds, ~kinds))
        # Pseudo-values of a kind weigh by its share of the pairs.
        error, free = error_within((counts - 1.0) * left * n / counts, kinds)
    reach = student_quantile(0.975, free) * error
    return min(value, math.tanh(middle - reach)), max(value, math.tanh(middle + reach))


NEEDS: Needs = "pairs + scores"

SPEARMAN = Measure(
    function=spearman,
    needs=NEEDS,
    direction="similarity follows the score more closely",
    range=(-1.0, 1.0),
    symmetric=True,
    invariances=("order of the pairs", "any rising change of similarities or scores"),
    cutoff=False,
    scorer=FromInfluence(spearman_influence, _spearman_ends),
)
PEARSON = SPEARMAN.variant(
    function=pearson,
    invariances=("order of the pairs", "shift and positive scaling of similarities or scores"),
    scorer=FromInfluence(pearson_influence, _pearson_ends),
)
AUC = SPEARMAN.variant(
    function=auc,
    direction="positive pairs are set apart from negative ones",
    range=(0.0, 1.0),
    symmetric=False,
    invariances=("order of the pairs", "any rising change of the similarities"),
    scorer=FromInfluence(auc_influence, _auc_ends, chance=0.5, kinds=True),
)
