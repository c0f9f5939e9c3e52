"""What the page draws as figures beyond scores: cut-offs carried over, which groups find which, what models cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from embdiff.kept import Kept
from embdiff.measures.mixing import joined
from embdiff.measures.similarities import Similarities, few_cutoffs
from embdiff.measures.thresholds import carry_rates, cuts_at
from embdiff.runs import Run

CUTOFFS, OTHERS = 3, 3  # each cut-off of each other model is resampled 2,000 times: about a second with 1,000 queries
MATRICES, WIDEST_MATRIX = 4, 24  # matrices scroll
RATES = 101  # steps of the slider, from one pair to all of them


def cutoffs(run: Run, kept: Kept | None = None) -> dict[str, Any] | None:
    """Return what a few cut-offs of the first model are in the next ones, by pass rate.

    Returns
    -------
    dict or None
        ``from``, ``to`` (models), ``more`` (models left out), ``queries``, ``pairs``, ``rows`` (``at``, ``rate`` and,
        for each of ``to``, ``value``, ``low`` and ``high``, None where undefined), ``remarks``, and ``rates`` (shares
        of pairs that pass) with ``lines``: the cut-offs of every model at these; None without two models whose
        similarities the run keeps.
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
        **_same_rates(usable, carried[0].pairs),
    }


def _same_rates(usable: Sequence[Similarities], pairs: int) -> dict[str, Any]:
    """Return, from one pair that passes to all of them, the cut-off of every model with the same share of pairs."""
    rates = np.geomspace(1.0 / pairs, 1.0, RATES).tolist() if pairs > 1 else []
    return {"rates": rates, "lines": [{"model": each.model, "cuts": cuts_at(each, rates)} for each in usable]}


def mixing(run: Run) -> dict[str, Any] | None:
    """Return the matrices of groups among nearest rows.

    Returns
    -------
    dict or None
        ``k``, ``models`` (each with ``model``, ``groups``, ``share`` and ``chance``) and ``more`` (models left out),
        and ``own``: of every model and group the share of its own; None without groups. Beyond 24 groups the smallest
        stand together in ``models``.
    """
    fitting = [(model, each) for model, each in run.mixings.items() if len(each.groups) > 1]
    if not fitting:
        return None
    return {
        "k": min(run.config.k, len(run.corpus) - 1),
        "models": [{"model": model, **joined(each, WIDEST_MATRIX).to_dict()} for model, each in fitting[:MATRICES]],
        "own": [
            {
                "model": model,
                "groups": each.groups,
                **{name: [line[at] for at, line in enumerate(getattr(each, name))] for name in ("share", "chance")},
            }
            for model, each in fitting
        ],
        "more": max(0, len(fitting) - MATRICES),
    }
