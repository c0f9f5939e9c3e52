"""The noise floor of an evaluation: what half precision and another batch size change of the first measure."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from embdiff.measures.noise import Again, Change, change, half_precision, sampled
from embdiff.records import FloatArray, IntArray, Score

FROM_A_FILE = "the vectors were read from a file, not encoded"

Scored = Callable[[FloatArray, FloatArray, IntArray], Score]


def changes(
    score: Scored, documents: FloatArray, asked: FloatArray, again: Again | None, *, what: str, seed: int
) -> list[Change]:
    """Return what the same model again changes of a measure.

    Parameters
    ----------
    score : callable
        Takes documents (n, d), asked vectors (m, d) and which of the units these are (m,), and returns the score of
        the measure over these units.
    documents, asked : ndarray of float32, shapes (n, d) and (q, d)
    again : Again or None
        Some of ``asked``, encoded one by one; None for vectors that were ready.
    what : str
        What the units are called: queries, test texts.
    seed : int
        Of the intervals.
    """
    every = np.arange(len(asked), dtype=np.int64)
    plain = score(documents, asked, every)
    (low_documents, reason), (low_asked, why) = half_precision(documents), half_precision(asked)
    if reason or why:
        first = undefined(plain, "float16", f"{reason or why}")
    else:
        first = change(plain, score(low_documents, low_asked, every), "float16", seed=seed)
    if again is None:
        return [first, undefined(plain, "batch", FROM_A_FILE)]
    before = score(documents, asked[again.rows], again.rows)
    after = score(documents, again.vectors, again.rows)
    return [first, change(before, after, "batch", seed=seed, note=sampled(again.rows, len(asked), what))]


def undefined(score: Score, how: str, reason: str) -> Change:
    """Return a change that there is not."""
    nan = math.nan
    return Change(score.measure, score.models[0], how, score.value, nan, nan, nan, nan, 0, score.n, reason)
