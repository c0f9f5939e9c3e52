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
    within = mean_interval(known, seed=seed, bounds=measure.range)
    text = str(MeasureSpec(measure, k, parameters or {}))
    return score_of_values(text, values, models, query_model, chance, within, f"{left_out} and")


def score_of_values(
    measure: str,
    values: Doubles,
    models: tuple[str, ...],
    query_model: str | None,
    chance: float,
    within: tuple[float, float, str],
    left_out: str,
) -> Score:
    """Return the mean of the defined values as a `Score`.

    Parameters
    ----------
    measure : str
        Text form.
    values : ndarray of float64, shape (q,)
        NaN where the measure is undefined.
    models, query_model, chance
        As in `Score`.
    within : tuple of (float, float, str)
        Lower and upper end of the interval, and how it was made.
    left_out : str
        What stands between "3 of 9 queries" and "are left out" when some have no value.
    """
    known = values[~np.isnan(values)]
    low, high, method = within
    missing = len(values) - len(known)
    reason = f"{missing} of {len(values)} queries {left_out} are left out" if missing else None
    return Score(
        measure=measure,
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
