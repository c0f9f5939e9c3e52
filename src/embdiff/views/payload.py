"""Facts → one JSON-able dict: what ``to_dict()`` and ``--json`` give to scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from embdiff._plain import Record, plain
from embdiff.views.facts import Facts
from embdiff.views.words import NOTES

VERSION = 1
_TOLD = ("created", "versions", "machine", "seed", "store", "self", "cache", "expected")


def build(facts: Facts) -> dict[str, Any]:
    """Return everything that a view shows, and more, as JSON-able values."""
    run, manifest = facts.run, facts.run.manifest
    return {
        "payload": VERSION,
        "path": None if facts.path is None else str(facts.path),
        "settings": run.config.model_dump(mode="json"),
        "corpus": {
            "source": run.corpus.source,
            "rows": len(run.corpus),
            "groups": sorted(set(run.corpus.groups or ())),
            "dropped": list(run.corpus.dropped),
            "notes": list(dict.fromkeys((*run.corpus.notes, *run.queries.notes))),
        },
        "queries": {"source": run.queries.source, "count": len(run.queries), "shown": facts.shown},
        "models": manifest["models"],
        "results": plain(facts.results),
        "scores": plain(run.scores),
        "calibrations": plain(run.calibrations),
        "similarities": [each.to_dict() for each in run.distributions],
        "curves": plain(run.curves),
        "tails": plain(run.tails),
        "changes": _named("query_model", run.changes),
        "differences": _named("query_model", run.differences),
        "disagreement": plain(facts.disagreement),
        "baseline": manifest["baseline"],
        "groups": {
            "k": min(run.config.k, len(run.corpus) - 1),
            "mixing": plain(run.mixings),
            "tests": _named("model", run.tests),
        },
        "mutual": _mutual(facts),
        "searches": manifest["searches"],
        "sample": manifest["sample"],
        "memory": manifest["memory"],
        "on_disk": manifest["on_disk"],
        "manifest": {key: manifest[key] for key in _TOLD},
        "notes": list(NOTES),
    }


def _named(key: str, pairs: Iterable[tuple[str | None, Record]]) -> list[dict[str, Any]]:
    return [{key: name, **each.to_dict()} for name, each in pairs]


def _mutual(facts: Facts) -> list[dict[str, Any]]:
    """Return which queries find each other, by id, the finder first."""
    ids = facts.run.queries.ids
    return [
        {
            "query_model": each.query_model,
            "model": each.model,
            "both": [[ids[a], ids[b]] for a, b in each.both.tolist()],
            "one_way": [[ids[a], ids[b]] for a, b in each.one_way.tolist()],
            "neither": each.neither,
        }
        for each in facts.mutual
    ]
