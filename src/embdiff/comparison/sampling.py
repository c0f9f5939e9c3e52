"""Asking a random sample of the rows instead of all: who is asked, how many are needed, how far off that may be.

The rows asked are a sample; the rows they are searched among never are: each query sees the whole corpus.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from embdiff.comparison.settings import Inputs
from embdiff.comparison.work import Work
from embdiff.measures.overlap import overlap
from embdiff.records import Answer
from embdiff.search import compared_pairs
from embdiff.settings import worst_case

_Z = NormalDist().inv_cdf(0.975)


def queries_needed(deviation: float, half_width: float, rows: int) -> int:
    """Return how many of ``rows`` queries give a 95 % interval of ``half_width`` to either side.

    n0 = (1.96 sd / h)^2, and n0 / (1 + n0 / N) as they are drawn without replacement (Cochran 1977, section 4.4).
    """
    endless = (_Z * deviation / half_width) ** 2
    return max(2, math.ceil(endless / (1.0 + endless / rows)))


def spare(pilot: int) -> float:
    """Return by how much to enlarge a deviation seen in a pilot, two of its own standard errors: 6 % at 500."""
    return 1.0 + 2.0 / math.sqrt(2.0 * (pilot - 1))


def half_width(values: Sequence[float] | np.ndarray[Any, Any], rows: int) -> float:
    """Return the half-width of the 95 % interval for the mean over all ``rows`` queries, of which ``values`` are some.

    1.96 sd / sqrt(q), times sqrt(1 - q / N): a sample that is most of the rows is hardly off.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if len(known) < 2:
        return math.nan
    return float(_Z * known.std(ddof=1) / math.sqrt(len(known)) * math.sqrt(max(0.0, 1.0 - len(known) / rows)))


def describe_sample(work: Work) -> dict[str, Any] | None:
    """Return what was sampled and how far off it may be, as JSON-able values; None when every row was asked."""
    config, inputs, pilot = work.config, work.inputs, work.pilot
    if inputs.sampled_from is None:
        return None
    achieved = list(_achieved(inputs, work.answers))
    known = [each["half_width"] for each in achieved if each["half_width"] is not None]
    return {
        "asked": len(inputs.queries),
        "of": inputs.sampled_from,
        "seed": config.seed,
        "chosen": "half_width" if config.half_width is not None else "size" if config.sample == "auto" else "given",
        "wanted_half_width": config.half_width,
        "pilot": None if pilot is None else {"queries": pilot.queries, "deviation": pilot.deviation},
        "worst_case": worst_case(len(inputs.queries), inputs.sampled_from),
        "half_width": max(known, default=None),
        "measure": f"overlap@{config.k}",
        "pairs": achieved,
    }


def _achieved(inputs: Inputs, answers: Sequence[Answer]) -> Iterator[dict[str, Any]]:
    for a, b in compared_pairs(answers):
        values = overlap(a.returned, b.returned)
        width = half_width(values, len(inputs.corpus))
        yield {
            "models": [a.model, b.model],
            "query_models": [a.query_model, b.query_model],
            "value": _null(float(np.nanmean(values)) if np.isfinite(values).any() else math.nan),
            "half_width": _null(width),
        }


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value
