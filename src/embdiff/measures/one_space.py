"""Measures of one space from its vectors: how they are declared, and scored with a jackknife interval."""

from __future__ import annotations

import math
from collections.abc import Callable

from embdiff.measures.base import Measure, MeasureSpec, Parameter
from embdiff.measures.statistics.jackknife import PLAIN, Scale, jackknife
from embdiff.records import Score, Space


def left_out(empty: int, rows: int) -> str | None:
    """Say how many rows have no direction; None when all do."""
    return f"{empty} of {rows} rows have length 0 and are left out" if empty else None


def score_of_one(
    measure: Measure,
    space: Space,
    value: float,
    without: list[float],
    *,
    chance: float,
    n: int,
    note: str | None = None,
    scale: Scale = PLAIN,
    **parameters: float,
) -> Score:
    """Return the record of a value with its interval.

    Parameters
    ----------
    measure : Measure
    space : Space
    value : float
        NaN when undefined.
    without : list of float
        The value without each group of rows, for the jackknife.
    chance : float
    n : int
        Rows behind it.
    note : str, optional
        What else is to be said.
    scale : Scale
        On which the interval is taken.
    **parameters : float
        Of the measure, for its text form.
    """
    low, high, method = jackknife(value, without, measure.range, scale=scale)
    known = math.isfinite(value)
    return Score(
        measure=str(MeasureSpec(measure, None, parameters)),
        models=(space.model,),
        value=value,
        low=low,
        high=high,
        chance=chance if known else math.nan,
        n=n,
        interval=method,
        reason=note if known else f"undefined: {measure.undefined_when}" + (f"; {note}" if note else ""),
    )


def measure_of_one(
    function: Callable[..., float],
    summary: str,
    formula: str,
    direction: str,
    bounds: tuple[float, float],
    invariances: tuple[str, ...],
    undefined_when: str,
    chance: str,
    reference: str,
    **parameters: Parameter,
) -> Measure:
    """Return the record of a measure of one space; it does not depend on the order of the rows."""
    return Measure(
        name=function.__name__,
        function=function,
        summary=summary,
        formula=formula,
        needs="one space",
        direction=direction,
        range=bounds,
        symmetric=True,
        invariances=(*invariances, "order of the rows"),
        undefined_when=undefined_when,
        chance=chance,
        reference=reference,
        cutoff=False,
        parameters=parameters,
    )
