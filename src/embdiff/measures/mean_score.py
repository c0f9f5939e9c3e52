"""From one value per query to a `Score`: the mean, its interval, and the reason where queries are left out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from embdiff.measures.base import Measure, MeasureSpec
from embdiff.measures.inference import Doubles
from embdiff.measures.resampling import mean_interval
from embdiff.records import Score


def mean_score(
    measure: Measure,
    values: Doubles,
    k: int,
    models: tuple[str, str],
    query_model: str | None,
    chance: float,
    seed: int,
    left_out: str,
    parameters: Mapping[str, float] | None = None,
) -> Score:
    """Return the mean of the defined values with the interval of `resampling.mean_interval`.

    Parameters
    ----------
    measure : Measure
        Its range must be finite: it bounds the interval.
    values : ndarray of float64, shape (q,)
        NaN where the measure is undefined.
    k, parameters
        As in the text form of the score.
    models, query_model, chance
        As in `Score`.
    seed : int
        Of the bootstrap.
    left_out : str
        Says of the queries without a value why: "have no neighbours in either list".
    """
    known = values[~np.isnan(values)]
    low, high, method = mean_interval(known, seed=seed, bounds=measure.range)
    missing = len(values) - len(known)
    reason = f"{missing} of {len(values)} queries {left_out} and are left out" if missing else None
    return Score(
        measure=str(MeasureSpec(measure, k, parameters or {})),
        models=models,
        value=float(known.mean()) if known.size else math.nan,
        low=low,
        high=high,
        chance=chance,
        n=len(known),
        query_model=query_model,
        interval=method,
        reason=reason if len(values) else "there are no queries",
        per_query=tuple(values.tolist()),
    )
