"""Do similar pairs look similar: correlation of similarity and score over pairs of texts, AUC for two kinds of pairs.

Intervals come from the influence of each pair on the number (the first term of the delete-one jackknife), so they
assume no shape of the data: on Fisher's z scale for correlations, on the logit scale for AUC (DeLong's variance). One
pair far out moves a linear correlation more than its influence says: there all pairs are left out one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import Measure
from embdiff.measures.statistics.quantiles import wilson
from embdiff.records import FloatArray, Metric, Score

Doubles = npt.NDArray[np.float64]
FEWEST = 4  # pairs below which no interval is given


def pair_similarity(left: FloatArray, right: FloatArray, metric: Metric) -> Doubles:
    """Return the similarity of each pair of rows in float64, higher = closer; NaN for cosine with a zero vector.

    Parameters
    ----------
    left, right : ndarray of float32, shape (n, d)
    metric : {"cosine", "ip", "l2"}
        l2 gives the negative squared distance.
    """
    if left.shape != right.shape or left.ndim != 2:
        raise ShapeError(
            f"Both sides of the pairs must have one shape (n, d). Got {left.shape} and {right.shape}. "
            "Encode both with one model."
        )
    a, b = left.astype(np.float64), right.astype(np.float64)
    if metric == "l2":
        return np.asarray(-np.einsum("nd,nd->n", a - b, a - b))
    products = np.einsum("nd,nd->n", a, b)
    if metric == "ip":
        return np.asarray(products)
    lengths = np.sqrt(np.einsum("nd,nd->n", a, a) * np.einsum("nd,nd->n", b, b))
    return np.asarray(np.divide(products, lengths, out=np.full(len(a), np.nan), where=lengths > 0))


def average_ranks(values: npt.ArrayLike) -> Doubles:
    """Return ranks from 1, equal values sharing the mean of their places; (n,)."""
    array = np.asarray(values, dtype=np.float64)
    _, back, counts = np.unique(array, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(((last - counts + 1 + last) / 2.0)[back])


def pearson(similarity: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the linear correlation of two columns; NaN when one is constant."""
    x, y = _columns(similarity, score)
    a, b = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    # What is left of a constant column after subtracting its mean is rounding, not spread.
    constant = np.ptp(x) == 0.0 or np.ptp(y) == 0.0
    return math.nan if constant or scale == 0.0 else max(-1.0, min(1.0, float(a @ b) / scale))


def spearman(similarity: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the linear correlation of the average ranks of two columns; NaN when one is constant."""
    x, y = _columns(similarity, score)
    return pearson(average_ranks(x), average_ranks(y))


def auc(similarity: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Return the share of (positive, negative) couples whose positive pair is more similar, equal ones counting half.

    Parameters
    ----------
    similarity : array of float, shape (n,)
    score : array of float, shape (n,)
        Two different values; the higher one marks the positive pairs.
    """
    x, positive = _two_kinds(similarity, score)
    count = int(positive.sum())
    ranks = average_ranks(x)
    return float((ranks[positive].sum() - count * (count + 1) / 2.0) / (count * (len(x) - count)))


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


def influence(name: str, similarity: Doubles, score: Doubles) -> Doubles:
    """Return how far each pair pulls the number, (n,): mean 0, standard deviation / sqrt(n) is the standard error.

    Parameters
    ----------
    name : {"pearson", "spearman", "auc"}
    similarity, score : ndarray of float64, shape (n,)
    """
    if name == "auc":
        return _auc_influence(similarity, score)
    if name == "pearson":
        x, y = similarity - similarity.mean(), score - score.mean()
        pulls = [x * y, x * x, y * y]
    else:
        # Ranks are means over the other pairs, so every pair also moves the ranks of all others (Hajek's projection).
        n = len(score)
        x, y = ((average_ranks(column) - 0.5) / n - 0.5 for column in (similarity, score))
        pulls = [
            x * y + _shift(similarity, y) + _shift(score, x),
            x * x + 2.0 * _shift(similarity, x),
            y * y + 2.0 * _shift(score, y),
        ]
    cross, left, right = (float(np.mean(part)) for part in (x * y, x * x, y * y))
    r = cross / math.sqrt(left * right)
    away = [pull - pull.mean() for pull in pulls]
    return np.asarray(away[0] / math.sqrt(left * right) - r / 2.0 * (away[1] / left + away[2] / right))


def _shift(column: Doubles, weight: Doubles) -> Doubles:
    """Return, per pair i, the mean over j of weight[j] where column[j] > column[i], half where equal; (n,)."""
    _, back = np.unique(column, return_inverse=True)
    sums = np.bincount(back, weights=weight)
    above = sums[::-1].cumsum()[::-1] - sums
    return np.asarray((above + sums / 2.0)[back] / len(column))


def _auc_influence(similarity: Doubles, score: Doubles) -> Doubles:
    x, positive = _two_kinds(similarity, score)
    count, other = int(positive.sum()), int((~positive).sum())
    everywhere, within = average_ranks(x), np.empty(len(x))
    within[positive], within[~positive] = average_ranks(x[positive]), average_ranks(x[~positive])
    share = np.where(positive, (everywhere - within) / other, 1.0 - (everywhere - within) / count)
    away = share - np.where(positive, share[positive].mean(), share[~positive].mean())
    return np.asarray(away * len(x) / np.where(positive, count, other))


def score_pairs(measure: str, similarity: Doubles, score: Doubles, model: str) -> Score:
    """Return one number over all pairs, its interval and the pull of each pair.

    Parameters
    ----------
    measure : {"pearson", "spearman", "auc"}
    similarity, score : ndarray of float64, shape (n,)
        Pairs whose similarity is NaN (a zero vector) are left out.
    model : str

    Returns
    -------
    Score
        ``per_query`` holds pseudo-values, value + pull, one per pair (NaN for those left out): their mean is the value.
    """
    known = ~np.isnan(similarity)
    x, y = similarity[known], score[known]
    left_out = int(np.count_nonzero(~known))
    reason = f"{left_out} of {len(score)} pairs with a zero vector are left out" if left_out else None
    one_kind = measure == "auc" and len(np.unique(y)) == 1
    value = _FUNCTIONS[measure](x, y) if len(x) >= 2 and not one_kind else math.nan
    if math.isnan(value):
        why = "all similarities or all scores are equal" if len(x) >= 2 else "there are fewer than two pairs"
        why = "there is only one kind of pair" if one_kind else why
        return _undefined(measure, model, len(x), why if reason is None else f"{why}; {reason}")
    pulls = influence(measure, x, y)
    low, high, method = _interval(measure, value, pulls, x, y)
    values = np.full(len(score), np.nan)
    values[known] = value + pulls
    if method == "none":
        reason = f"no interval for fewer than {FEWEST} pairs" + ("" if reason is None else f"; {reason}")
    return Score(
        measure, (model,), value, low, high, _CHANCE[measure], len(x),
        interval=method, reason=reason, per_query=tuple(values.tolist()),
    )  # fmt: skip


def _undefined(measure: str, model: str, n: int, reason: str) -> Score:
    return Score(measure, (model,), math.nan, math.nan, math.nan, _CHANCE[measure], n, reason=reason)


def _interval(
    measure: str, value: float, pulls: Doubles, similarity: Doubles, score: Doubles
) -> tuple[float, float, str]:
    n = len(pulls)
    if n < FEWEST:
        return math.nan, math.nan, "none"
    error = float(np.std(pulls, ddof=1)) / math.sqrt(n)
    bend = {"auc": value * (1.0 - value)}.get(measure, 1.0 - value * value)
    # 3.84 / (n + 3.84): what Wilson's interval gives when nothing was ever wrong, on the smaller kind for auc.
    if bend < 1e-12 or error < 1e-12:
        if measure == "auc":
            fewer = int(np.bincount(np.unique(score, return_inverse=True)[1]).min())
            return *wilson(value, fewer), "wilson"
        low, high = wilson((value + 1.0) / 2.0, n)
        return 2.0 * low - 1.0, 2.0 * high - 1.0, "wilson"
    if measure == "pearson":
        ends = _left_out_interval(value, similarity, score)
        if ends is not None:
            return *ends, "jackknife"
    z = _t_quantile(n - 1) * error / bend
    if measure == "auc":
        middle = math.log(value / (1.0 - value))
        return 1.0 / (1.0 + math.exp(z - middle)), 1.0 / (1.0 + math.exp(-z - middle)), "influence"
    return math.tanh(math.atanh(value) - z), math.tanh(math.atanh(value) + z), "influence"


def _left_out_interval(value: float, similarity: Doubles, score: Doubles) -> tuple[float, float] | None:
    """Return the jackknife interval of Pearson's correlation on Fisher's z scale, its bias taken off.

    None when without some pair the others are on one line (z is infinite). Miller, Biometrika 61 (1974) 1.
    """
    without = without_each(similarity, score)
    if not (np.abs(without) < 1 - 1e-12).all():
        return None
    n, z, left = len(without), math.atanh(value), np.arctanh(without)
    middle = n * z - (n - 1) * float(left.mean())
    reach = _t_quantile(n - 1) * math.sqrt((n - 1) / n * float(((left - left.mean()) ** 2).sum()))
    return min(value, math.tanh(middle - reach)), max(value, math.tanh(middle + reach))


def without_each(similarity: Doubles, score: Doubles) -> Doubles:
    """Return Pearson's correlation without each pair, (n,), from sums; NaN where the others do not vary."""
    n, x, y = len(score), similarity - similarity.mean(), score - score.mean()
    # Without pair i the centred sums are less x_i^2, and the new means are -x_i / (n - 1).
    share = n / (n - 1)
    xx, yy, xy = (float(a @ b) - share * a * b for a, b in ((x, x), (y, y), (x, y)))
    below = np.sqrt(np.maximum(xx, 0.0) * np.maximum(yy, 0.0))
    return np.asarray(np.divide(xy, below, out=np.full(n, np.nan), where=below > 0))


def _t_quantile(free: int) -> float:
    """Return the two-sided 95 % quantile of Student's t, expanded in 1 / free (Fisher and Cornish 1960)."""
    z = NormalDist().inv_cdf(0.975)
    first, second = (z**3 + z) / 4.0, (5 * z**5 + 16 * z**3 + 3 * z) / 96.0
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384.0
    return float(z + first / free + second / free**2 + third / free**3)


_FUNCTIONS: dict[str, Callable[[npt.ArrayLike, npt.ArrayLike], float]] = {
    "pearson": pearson,
    "spearman": spearman,
    "auc": auc,
}
_CHANCE = {"pearson": 0.0, "spearman": 0.0, "auc": 0.5}
_DIRECTION = "similarity follows the score more closely"

SPEARMAN = Measure(
    name="spearman",
    function=spearman,
    summary="rank correlation of the similarity and the score of pairs",
    formula="Pearson correlation of average ranks",
    needs="pairs + scores",
    direction=_DIRECTION,
    range=(-1.0, 1.0),
    symmetric=True,
    invariances=("order of the pairs", "any rising change of similarities or scores"),
    undefined_when="all similarities or all scores are equal",
    chance="0",
    reference="Spearman 1904; scipy.stats.spearmanr; the main score of STS tasks in MTEB",
    cutoff=False,
)
PEARSON = Measure(
    name="pearson",
    function=pearson,
    summary="linear correlation of the similarity and the score of pairs",
    formula="cov(similarity, score) / (sd(similarity) sd(score))",
    needs="pairs + scores",
    direction=_DIRECTION,
    range=(-1.0, 1.0),
    symmetric=True,
    invariances=("order of the pairs", "shift and positive scaling of similarities or scores"),
    undefined_when="all similarities or all scores are equal",
    chance="0",
    reference="Pearson 1895; scipy.stats.pearsonr",
    cutoff=False,
)
AUC = Measure(
    name="auc",
    function=auc,
    summary="chance that a positive pair is more similar than a negative one, equal ones counting half",
    formula="(rank sum of positives - p (p + 1) / 2) / (p q) for p positive and q negative pairs",
    needs="pairs + scores",
    direction="positive pairs are set apart from negative ones",
    range=(0.0, 1.0),
    symmetric=False,
    invariances=("order of the pairs", "any rising change of the similarities"),
    undefined_when="there is only one kind of pair",
    chance="0.5",
    reference="Hanley and McNeil 1982; DeLong, DeLong and Clarke-Pearson 1988 for the interval",
    cutoff=False,
)
