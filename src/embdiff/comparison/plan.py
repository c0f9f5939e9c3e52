"""What a comparison would send to services, and what that might cost; nothing is encoded and nothing sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embdiff.comparison.settings import read_inputs, resolve
from embdiff.kept import VectorCache
from embdiff.sources.existing import opened_collections
from embdiff.sources.services.planning import Plan, Planning, Wanted


def plan(
    data: Any,
    models: Sequence[Any] | None = None,
    *,
    preset: str | None = None,
    out: str | Path | None = None,
    prices: Sequence[str | float] = (),
    **given: Any,
) -> Plan:
    """Say what `embdiff.compare`, with the same arguments, would send to services.

    Parameters
    ----------
    data, models, preset, out, **given
        As for `compare`.
    prices : sequence of str or float
        Of a million tokens: ``0.02`` for every service, ``MODEL=0.13`` for one.

    Raises
    ------
    EmbdiffError
        For what `compare` would refuse before it encodes; keys, and whether a service answers, are not looked at.
    """
    config, objects = resolve(data, models, preset, given)
    planning = Planning((*config.models, *config.query_models), objects, prices)
    inputs, asking = read_inputs(data, config, given, objects), config.query_models or config.models

    def wanted(name: str) -> Wanted:
        return {
            "document": inputs.corpus.items if name in config.models else (),
            "query": inputs.queries.items if name in asking else (),
        }

    corpus = inputs.corpus
    with opened_collections(objects):
        return planning.plan(corpus.source, len(corpus), len(inputs.queries), wanted, VectorCache.at(config.cache))
