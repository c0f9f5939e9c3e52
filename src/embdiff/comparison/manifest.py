"""What a run says of itself: versions, resolved models, timings, and everything that was cut or left out."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from embdiff._optional import versions
from embdiff.comparison.expected import Expected
from embdiff.comparison.sampling import describe_sample
from embdiff.comparison.settings import Inputs
from embdiff.comparison.shelved import Shelved
from embdiff.comparison.work import Placed, Work
from embdiff.encoded import Encoded
from embdiff.ranked import Ranked
from embdiff.runs import STORE_FILE
from embdiff.settings import RunConfig


def describe(work: Work, store_uri: str, expected: Expected | None) -> dict[str, Any]:
    """Return the manifest as JSON-able values, when all else is done; all times in seconds."""
    config, inputs, cache = work.config, work.inputs, work.vectors
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "seed": config.seed,
        "store": store_uri if config.store else f"milvus:{STORE_FILE}",
        "corpus_digest": inputs.corpus.digest(),
        "queries_digest": inputs.queries.digest(),
        "self": {"dropped": inputs.own.drop, "marked": inputs.own.mark, "most": inputs.own.most},
        "cache": cache.describe(),
        "results": cache.results.describe(),
        "memory": _memory(config, work.encoded),
        "on_disk": work.on_disk,
        "sample": describe_sample(work),
        "models": [
            *(_model(name, inputs, each, work.placed.get(name)) for name, each in work.encoded.items()),
            *(_model(name, inputs, each, work.shelved[name]) for name, each in work.ranked.items()),
        ],
        "searches": [
            {
                "query_model": asks,
                "model": name,
                "index": here.returned.index,
                "queries": len(here.returned.rows),
                "store_queries": here.store_queries,
                "short_lists": int(((here.returned.rows < 0) & (here.exact.rows >= 0)).any(axis=1).sum()),
                "seconds": here.seconds,
                "asked": here.asked,
            }
            for (asks, name), here in work.searches.items()
        ],
        "baseline": work.words and dict(work.words),
        "rankings": [
            {
                "model": name,
                "about": each.ranking.about,
                "short_lists": _short(work, name),
                "no_collection": work.shelved[name].why_not,
            }
            for name, each in work.ranked.items()
        ],
        "expected": expected and {"own": expected.own, "absent": expected.absent},
    }


def _memory(config: RunConfig, encoded: Mapping[str, Encoded]) -> dict[str, Any] | None:
    """Return what was allowed, and whose vectors are held in memory whatever that was: those of no file."""
    if config.memory is None:
        return None
    held = {
        name: int(each.documents.nbytes)
        for name, each in encoded.items()
        if each.documents is not None and (each.read is None or each.read.read_from == "a collection")
    }
    return {"given": config.memory, "held": held}


def _short(work: Work, name: str) -> int:
    """Return how many lists of a model that ranks texts are shorter than k."""
    lists = next(each.returned.rows for each in work.beside if each.model == name)
    return int((lists < 0).any(axis=1).sum())


def _model(name: str, inputs: Inputs, encoded: Encoded | Ranked, placed: Placed | Shelved | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "model": name,
        "stamp": encoded.stamp.to_dict(),
        "fingerprint": encoded.stamp.fingerprint(),
        "encoding": {**encoded.facts, "truncated_ids": _truncated(inputs, encoded)},
        "seconds": encoded.seconds,
        "collection": None,
    }
    if placed is None or placed.spec is None or placed.placement is None:
        return facts
    collection = {
        "name": placed.spec.name,
        "dim": placed.spec.dim,  # two more than the model's where zero vectors were kept
        "shape": placed.spec.shape,
        "metric": placed.spec.metric,
        "index": str(placed.spec.index),
        "reused": placed.placement.reused,
        "resumed": placed.placement.resumed,
        "rows": placed.spec.rows,
        "cut": [
            {"id": cut.id, "field": cut.field, "bytes": cut.bytes_before, "kept": cut.bytes_kept}
            for cut in placed.placement.cuts
        ],
    }
    seconds = {**encoded.seconds, **placed.placement.seconds}
    return {**facts, "seconds": seconds, "normalized": placed.spec.stamp["normalized"], "collection": collection}


def _truncated(inputs: Inputs, encoded: Encoded | Ranked) -> dict[str, list[str]]:
    """Return the ids of the texts of which the model sees only the beginning, by role."""
    ids = {"document": inputs.corpus.ids, "query": inputs.queries.ids}
    return {role: [ids[role][row] for row in rows if row < len(ids[role])] for role, rows in encoded.tally.truncated}
