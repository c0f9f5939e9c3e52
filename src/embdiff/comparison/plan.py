"""What a comparison would send to services, and what that might cost; nothing is encoded and nothing sent."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embdiff._plain import Record
from embdiff.comparison.settings import read_inputs, resolve
from embdiff.errors import ParameterError
from embdiff.kept import VectorCache
from embdiff.records import Role
from embdiff.sources.derived import shape_of
from embdiff.sources.existing import opened_collections
from embdiff.sources.services.planning import Planned, planned
from embdiff.specs import SERVICES, ModelSpec


@dataclass(frozen=True)
class Plan(Record):
    """What a comparison would send.

    Parameters
    ----------
    source : str
        Of the corpus.
    rows, queries : int
    services : tuple of Planned
    others : tuple of str
        Models that are no services: they get nothing sent by embdiff.
    """

    source: str
    rows: int
    queries: int
    services: tuple[Planned, ...]
    others: tuple[str, ...]


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
    names = tuple(dict.fromkeys((*config.models, *config.query_models)))
    forms = {name: form for name in names if isinstance(form := objects.get(name, name), str)}
    services = _sent({name: form for name, form in forms.items() if form.partition(":")[0] in SERVICES})
    of = prices_of(prices, services, "a service among the models")
    inputs, cache = read_inputs(data, config, given, objects), VectorCache.at(config.cache)
    asking = config.query_models or config.models
    counted = []
    with opened_collections(objects):
        for name, form in services.items():
            wanted: dict[Role, Sequence[str]] = {
                "document": inputs.corpus.items if name in config.models else (),
                "query": inputs.queries.items if name in asking else (),
            }
            counted.append(planned(name, form, wanted, cache, of.get(name)))
    others = tuple(name for name in names if forms.get(name, "").partition(":")[0] not in SERVICES)
    return Plan(inputs.corpus.source, len(inputs.corpus), len(inputs.queries), tuple(counted), others)


def _sent(services: Mapping[str, str]) -> dict[str, str]:
    """Return the services that are sent texts, by the first name of each: variants come from one pass."""
    found: dict[str, str] = {}
    for name, form in services.items():
        full = str(shape_of(ModelSpec.parse(form))[0])
        if full not in found.values():
            found[name] = full
    return found


def prices_of(prices: Sequence[str | float], models: Collection[str], what: str) -> dict[str, float]:
    """Return the price of each model that has one; one that is named wins. ``what`` they are, for the message."""
    everywhere, named = None, {}
    for text in map(str, prices):
        name, _, number = text.rpartition("=")
        try:
            price = float(number)
        except ValueError:
            price = math.nan
        if not 0 <= price < math.inf or (name and name not in models):
            raise ParameterError(
                f"A price must be written NUMBER, or MODEL=NUMBER of {what}, per million tokens. Got {text!r}. "
                "Write --price 0.02."
            )
        if name:
            named[name] = price
        else:
            everywhere = price
    return {name: everywhere for name in models if everywhere is not None} | named
