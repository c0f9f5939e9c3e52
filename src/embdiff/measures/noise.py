"""The same model again: how much of a difference between two models rounding, batching and the index make alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from embdiff._plain import Number, Record
from embdiff.measures.overlap import OVERLAP
from embdiff.measures.statistics.kinds import Kinds, error_within, rarer, too_few
from embdiff.measures.statistics.quantiles import Doubles, student_quantile
from embdiff.measures.statistics.resampling import interval
from embdiff.records import FloatArray, IntArray, Score

BATCH, FLOAT16 = 128, 1_000  # queries encoded again one by one, and searched again in half precision
SHARE = 0.05  # of the time of encoding: the most that encoding again one by one may take
LEAST = 10  # queries that are encoded again nevertheless: with fewer nothing could be said
_ALONE = 192  # characters that could be encoded in a batch while a text alone has its turn


@dataclass(frozen=True, eq=False)
class Again:
    """Vectors of some texts, encoded again one by one.

    Parameters
    ----------
    rows : ndarray of int64, shape (m,)
        Which of the texts, ascending.
    vectors : ndarray of float32, shape (m, d), or None
        None where the model cannot do so.
    reason : str or None
        Why there are none.
    """

    rows: IntArray
    vectors: FloatArray | None
    reason: str | None = None


def drawn(count: int, most: int, *, seed: int) -> IntArray:
    """Return so many of ``range(count)``, ascending; all of them when they are no more."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most]).astype(np.int64)


def drawn_again(sizes: IntArray, encoded: int, most: int, *, seed: int, texts: int = 1) -> IntArray:
    """Return which units to encode again one by one, ascending: no more than `SHARE` of the time of encoding allows.

    Time is counted in characters, so that the same units are drawn on every machine and for every model. A text alone
    takes up to twice as long per character as one in a batch, and has a turn of its own.

    Parameters
    ----------
    sizes : ndarray of int64, shape (n,)
        Characters of each unit.
    encoded : int
        Characters that are encoded in batches.
    most : int
        The most units, however short they are.
    seed : int
    texts : int
        In each unit.
    """
    order = np.random.default_rng(seed).permutation(len(sizes))
    cost = np.cumsum(2 * sizes[order] + _ALONE * texts)
    allowed = int(np.searchsorted(cost, SHARE * encoded, side="right"))
    return drawn(len(sizes), min(most, max(LEAST, allowed)), seed=seed)


def sampled(rows: IntArray, count: int, what: str = "queries") -> str | None:
    """Say that some were drawn; None when it is all of them."""
    return None if len(rows) == count else f"{len(rows):,} of {count:,} {what} were sampled"


def half_precision(vectors: FloatArray) -> tuple[FloatArray, str | None]:
    """Return vectors rounded to float16 and back, and why they cannot be used where that is so.

    Beyond 65,504 float16 has no number, and what is below 3e-8 becomes 0.
    """
    with np.errstate(over="ignore"):
        rounded: FloatArray = vectors.astype(np.float16).astype(np.float32)
    if not np.isfinite(rounded).all():
        return rounded, "float16 cannot hold numbers beyond 65,504"
    if (vectors.any(axis=1) & ~rounded.any(axis=1)).any():
        return rounded, "vectors become zero in float16"
    return rounded, None


@dataclass(frozen=True)
class Change(Record):
    """What the same model again changes of a labelled measure.

    Parameters
    ----------
    measure, model : str
    how : str
        ``float16``: vectors in half precision; ``batch``: texts encoded again one by one.
    value, again : float
        Over the same units; NaN when undefined.
    difference, low, high : float
        ``again - value`` with its 95 % interval.
    changed : int
        Units with another value.
    n : int
        Units.
    reason : str or None
        What was sampled, or why it is undefined.
    """

    measure: str
    model: str
    how: str
    value: Number
    again: Number
    difference: Number
    low: Number
    high: Number
    changed: int
    n: int
    reason: str | None = None


def change(
    value: Score, again: Score, how: str, *, seed: int, note: str | None = None, kinds: Kinds | None = None
) -> Change:
    """Compare two scores of one model over the same units, paired.

    The interval is that of the mean difference of the values per unit; when no unit changed there is nothing to
    resample, and it is [0, 0]. Of two ``kinds`` of units, (n,), each has a variance of its own.
    """
    per_unit = [np.asarray(each.per_query or (), dtype=np.float64) for each in (value, again)]
    known = math.isfinite(value.value) and math.isfinite(again.value)
    differences = per_unit[1] - per_unit[0] if known else np.zeros(0)
    there = np.isfinite(differences)  # a unit that is left out has no value to change
    differences, kinds = differences[there], None if kinds is None or not known else kinds[there]
    low, high, few = _ends(differences, kinds, seed) if known else (math.nan, math.nan, None)
    undefined = again if math.isfinite(value.value) else value
    reason = "; ".join(filter(None, (few if known else undefined.reason or "undefined", note))) or None
    return Change(
        value.measure,
        value.models[0],
        how,
        value.value,
        again.value,
        again.value - value.value,
        low,
        high,
        int(np.count_nonzero(differences)),
        value.n,
        reason,
    )


def _ends(differences: Doubles, kinds: Kinds | None, seed: int) -> tuple[float, float, str | None]:
    """Return the ends of the interval of a mean difference, or why there are none."""
    if not differences.any():
        return 0.0, 0.0, None
    if kinds is None:
        return *interval(differences, seed=seed, bounds=None)[:2], None
    few = too_few(len(differences), rarer(kinds))
    if few is not None:
        return math.nan, math.nan, few
    error, free = error_within(differences, kinds)
    mean, reach = float(differences.mean()), student_quantile(0.975, free) * error
    return mean - reach, mean + reach, None


NOISE_INDEX = OVERLAP.variant(
    name="noise_index",
    summary="overlap of the neighbours an index returned with the exact ones of the same model",
    needs="the same model again",
    direction="more of the same neighbours: less of a difference comes from the index",
    scorer=replace(OVERLAP.scorer, left_out="have no neighbours and"),
    best=None,
)
NOISE_FLOAT16 = NOISE_INDEX.variant(
    name="noise_float16",
    summary="overlap of the exact neighbours of vectors in half precision with those of the same vectors in float32",
    direction="more of the same neighbours: less of a difference comes from rounding",
)
NOISE_BATCH = NOISE_INDEX.variant(
    name="noise_batch",
    summary="overlap of the exact neighbours of queries encoded again one by one with those of the same queries",
    direction="more of the same neighbours: less of a difference comes from batching",
)
