"""An earlier run beside one of today: opened, held against what is asked before it is encoded, and drift from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embdiff._names import resolved
from embdiff.comparison import load
from embdiff.comparison.relisted import list_scores, refuse_unlike, relisted
from embdiff.comparison.settings import Inputs, read_inputs, resolve
from embdiff.deciding.measured import own_share
from embdiff.deciding.pairing import pairs
from embdiff.decision import Drift, Moved
from embdiff.measures.base import get_measure
from embdiff.records import Score
from embdiff.runs import Run
from embdiff.settings import RunConfig

_MOVED = 10


@dataclass(frozen=True, eq=False)
class Earlier:
    """A run that was made before, and what it is called."""

    run: Run
    label: str

    @classmethod
    def at(cls, place: str | Path) -> Earlier:
        """Open a run folder."""
        return cls(load(place).run, resolved(place).name)


def looked_at(data: Any, models: Any, options: Mapping[str, Any]) -> tuple[RunConfig, Inputs]:
    """Return settings and inputs of what `compare` would do, so that they can be refused before anything is encoded."""
    given = {name: value for name, value in options.items() if name != "preset"}
    config, objects = resolve(data, models, options.get("preset"), given)
    return config, read_inputs(data, config, given, objects)


def refuse_drift(
    data: Any, models: Any, options: Mapping[str, Any], earlier: Earlier, current: str | None = None
) -> None:
    """Refuse a comparison from which no drift could be told, before anything is encoded."""
    config, inputs = looked_at(data, models, options)
    refuse_unlike(inputs, earlier.run, crossed=bool(config.query_models))
    pairs(config.models, earlier.run.config.models, earlier.label, current)


def drift(run: Run, earlier: Earlier, current: str | None = None) -> tuple[Drift, ...]:
    """Return how far each model is from itself in an earlier run of the same rows and queries.

    It speaks of these rows and queries, all of which are there: nothing is inferred, so that there is no interval. What
    is within the noise floor of either run is no drift.

    Parameters
    ----------
    run : Run
    earlier : Earlier
    current : str, optional
        The model of the earlier run that all are held against; by default the one of the same name.
    """
    with run.origin.reading(), earlier.run.origin.reading():
        work = relisted(run, earlier.run, earlier.label)
        spec = get_measure(f"overlap@{work.config.k}")
        found = []
        for name, before in pairs(run.config.models, earlier.run.config.models, earlier.label, current):
            score = list_scores(work, spec, before or "", name)[0]
            old = (before or "").removesuffix(f" in {earlier.label}")
            found.append(_drift(run, earlier.run, name, old, before or "", work.config.k, score))
    return tuple(found)


def _drift(run: Run, then: Run, name: str, old: str, before: str, k: int, score: Score) -> Drift:
    per_query = np.asarray(score.per_query, dtype=np.float64)
    order = np.argsort(per_query, kind="stable")
    moved = [int(row) for row in order if per_query[row] < 1.0 - 1e-9]
    shares = (own_share(each, model) for each, model in ((run, name), (then, old)))
    noise = min((k * share for share in shares if math.isfinite(share)), default=math.nan)
    return Drift(
        name, before, k, k * score.value, noise, len(per_query), len(moved),
        tuple(Moved(run.queries.ids[row], run.queries.items[row], k * float(per_query[row])) for row in moved[:_MOVED]),
        _settings(run, then, name, old),
    )  # fmt: skip


def _settings(run: Run, then: Run, name: str, old: str) -> tuple[str, ...]:
    """Say what of a model's stamp is another than before."""
    now, before = (
        next(each["stamp"] for each in one.manifest["models"] if each["model"] == model)
        for one, model in ((run, name), (then, old))
    )
    return tuple(f"{key} {before.get(key)} then, {value} now" for key, value in now.items() if before.get(key) != value)
