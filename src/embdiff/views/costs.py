"""What each model costs, and which no other beats: bytes of a vector, milliseconds of a query, and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from embdiff.views.facts import Facts, Model, Search
from embdiff.views.table import Table

_ALIKE = 1.1  # times: two searches that differ by less are as fast


def costs(facts: Facts) -> dict[str, Any]:
    """Return what each model with a collection costs, and its value in the headline.

    Returns
    -------
    dict
        ``costs``: ``model``, ``seconds`` a text (of texts that were encoded now, for it or for another variant of the
        same model; None where none was, and ``why``), ``encoded`` (how many), ``bytes`` a vector, ``search`` (seconds
        a query, warm), ``value``, ``low`` and ``high`` of ``quality``, the measure of the headline, None without
        labels, and ``front``: whether no other model is at least as good, small and fast, and better in one of these.
    """
    standings = {each.model: each for each in facts.run.headline.standings}
    models = [model for model in facts.manifest.models if model.stamp and model.collection]
    rates = _rates(models)
    searched = {each.model: spent for each in facts.manifest.searches if (spent := _of_a_query(each)) is not None}
    found = []
    for model in models:
        done, mine = model.encoding, standings.get(model.model)
        rate = rates.get(_pass(model))
        read = done is None or done.joined is not None
        found.append(
            {
                "model": model.model,
                "seconds": 1.0 / rate if rate else None,
                "why": None if rate else "its vectors were ready" if read else "cached",
                "encoded": done.encoded if done else 0,
                "bytes": int(done.bytes_per_vector) if done and done.bytes_per_vector else 4 * model.stamp.dim,  # type: ignore[union-attr]
                "search": searched.get(model.model),
                **{name: getattr(mine, name) if mine else None for name in ("value", "low", "high")},
            }
        )
    told = [{**each, "front": _on_front(each, found)} for each in found]
    return {"costs": told, "quality": facts.run.headline.measure}


def _of_a_query(search: Search) -> float | None:
    """Return the seconds of a query where a model asked its own collection; None where nothing was timed."""
    warm, count = search.seconds.get("warm"), search.seconds.get("warm_queries")
    return warm / count if warm and count and search.query_model == search.model else None


def _pass(model: Model) -> str:
    """Return what tells the models that one pass of encoding served: variants of one model share it."""
    done = model.encoding
    return (done.full if done and done.full else (done.form if done else None)) or model.model


def _rates(models: Sequence[Model]) -> dict[str, float]:
    """Return how many texts a second each pass encoded, where one did."""
    found: dict[str, float] = {}
    for each in models:
        if each.encoding and each.encoding.texts_per_second:
            found.setdefault(_pass(each), each.encoding.texts_per_second)
    return found


def _on_front(cost: Mapping[str, Any], every: Sequence[Mapping[str, Any]]) -> bool | None:
    """Return whether no other model beats this one; None where nothing says what it is worth."""
    if cost["value"] is None or math.isnan(cost["value"]):
        return None
    return not any(_beats(other, cost) for other in every if other is not cost and other["value"] is not None)


def _beats(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Return whether a model is at least as good, small and fast as another, and better in one of these."""
    here, there = _milliseconds(a), _milliseconds(b)
    slower, faster = here > _ALIKE * there, there > _ALIKE * here
    if a["value"] < b["value"] or a["bytes"] > b["bytes"] or slower:
        return False
    return bool(a["value"] > b["value"] or a["bytes"] < b["bytes"] or faster)


def _milliseconds(cost: Mapping[str, Any]) -> float:
    """Return the milliseconds of a query, encoded and searched; what was not timed counts as nothing."""
    return 1000.0 * ((cost["seconds"] or 0.0) + (cost["search"] or 0.0))


def cost_tables(facts: Facts) -> Iterator[Table]:
    """Yield what each model costs beside what it is worth; nothing where there is but one."""
    found = costs(facts)
    every = found["costs"]
    if len(every) < 2:
        return
    rows = tuple(
        (
            each["model"],
            "" if each["value"] is None else f"{each['value']:.3f} [{each['low']:.3f}, {each['high']:.3f}]",
            f"{each['bytes']:,}",
            "" if each["search"] is None else f"{1000 * each['search']:.2g}",
            "" if each["seconds"] is None else f"{1000 * each['seconds']:.3g}",
            {True: "front", False: "beaten", None: ""}[each["front"]],
        )
        for each in sorted(every, key=lambda each: each["bytes"])
    )
    remarks = [
        "front: no other has at least this value in as few bytes and as little time (a query encoded and searched; "
        "10 % aside), and is ahead in one of these. Differences of value may be luck: see its intervals and tests.",
        "Searched is what the store of this run holds: float32, also for vectors that stand for 8 bits or one.",
    ]
    head = ("model", found["quality"] or "quality", "bytes/vector", "ms/query", "ms/text", "")
    yield Table("What each model costs, and is worth [95 %]", head, rows, tuple(remarks))
