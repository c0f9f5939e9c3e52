"""What the page draws as figures beyond scores: cut-offs carried over, which groups find which, what models cost."""

from __future__ import annotations

from typing import Any

from embdiff.kept import Kept
from embdiff.measures.mixing import joined
from embdiff.measures.similarities import few_cutoffs
from embdiff.measures.thresholds import carry_rates
from embdiff.runs import Run
from embdiff.views.agreement_tables import needing
from embdiff.views.facts import Facts

CUTOFFS, OTHERS = 3, 3  # each cut-off of each other model is resampled 2,000 times: about a second with 1,000 queries
MATRICES, WIDEST_MATRIX = 4, 24  # matrices scroll
_VECTOR_NUMBER = 4  # bytes of a float32


def cutoffs(run: Run, kept: Kept | None = None) -> dict[str, Any] | None:
    """Return what a few cut-offs of the first model are in the next ones, by pass rate.

    Returns
    -------
    dict or None
        ``from``, ``to`` (models), ``more`` (models left out), ``queries``, ``pairs``, ``rows`` (``at``, ``rate`` and,
        for each of ``to``, ``value``, ``low`` and ``high``, None where undefined) and ``remarks``; None without two
        models whose similarities the run keeps.
    """
    usable = [each for each in run.similarities if each.reason is None]
    if len(usable) < 2:
        return None
    first, others = usable[0], usable[1 : 1 + OTHERS]
    cuts = few_cutoffs(run.distributions, first.model, CUTOFFS)
    again = Kept(None) if kept is None else kept
    columns = [again.call(carry_rates, first, other, cuts, seed=run.config.seed) for other in others]
    rows = [
        {
            "at": at,
            "rate": cells[0].rate_from,
            "cells": [{"value": cell.value, "low": cell.low, "high": cell.high} for cell in cells],
        }
        for at, cells in zip(cuts, zip(*columns, strict=True), strict=True)
    ]
    carried = [cell for cells in zip(*columns, strict=True) for cell in cells]
    return {
        "from": first.model,
        "to": [other.model for other in others],
        "more": len(usable) - 1 - len(others),
        "queries": carried[0].n,
        "pairs": carried[0].pairs,
        "rows": rows,
        "remarks": list(dict.fromkeys(f"{each.at:g}: {each.reason}" for each in carried if each.reason)),
    }


def mixing(run: Run) -> dict[str, Any] | None:
    """Return the matrices of groups among nearest rows.

    Returns
    -------
    dict or None
        ``k``, ``models`` (each with ``model``, ``groups``, ``share`` and ``chance``) and ``more`` (models left out);
        None without groups. Beyond 24 groups the smallest stand together.
    """
    fitting = [(model, each) for model, each in run.mixings.items() if len(each.groups) > 1]
    if not fitting:
        return None
    return {
        "k": min(run.config.k, len(run.corpus) - 1),
        "models": [{"model": model, **joined(each, WIDEST_MATRIX).to_dict()} for model, each in fitting[:MATRICES]],
        "more": max(0, len(fitting) - MATRICES),
    }


def costs(facts: Facts) -> dict[str, Any]:
    """Return seconds a text, bytes a vector and (with labels) quality, for each model that was encoded."""
    hits = needing(facts.run.scores, "neighbors + expected rows")
    quality = hits[0].measure if hits else None
    own = {
        score.models[0]: score.value
        for score in hits
        if score.measure == quality and score.models == (score.query_model,)
    }
    found = [
        {
            "model": model.model,
            "seconds": model.seconds["encode"] / len(facts.run.corpus),
            "bytes": model.stamp.dim * _VECTOR_NUMBER,
            "quality": own.get(model.model),
        }
        for model in facts.manifest.models
        if model.stamp and model.collection
    ]
    return {"costs": found, "quality": quality}
