"""Facts → one JSON-able dict: what ``to_dict()`` and ``--json`` give to scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from embdiff._plain import Record, plain
from embdiff.views.facts import Facts
from embdiff.views.why import told
from embdiff.views.words import general_notes

VERSION = 1
_FROM_RUN = ("scores", "calibrations", "curves", "tails")
_FROM_MANIFEST = ("models", "baseline", "rankings", "searches", "sample", "memory", "on_disk")
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
        "headline": run.headline.to_dict(),
        "decision": plain(run.decision),
        "reaches": [{**each.to_dict(), "verdict": each.verdict} for each in run.reaches],
        **{name: plain(getattr(run, name)) for name in _FROM_RUN},
        **{name: manifest[name] for name in _FROM_MANIFEST},
        "results": plain(facts.results),
        "similarities": [each.to_dict() for each in run.distributions],
        "changes": _named("query_model", run.changes),
        "differences": _named("query_model", run.differences),
        "disagreement": plain(facts.disagreement),
        "groups": {
            "k": min(run.config.k, len(run.corpus) - 1),
            "mixing": plain(run.mixings),
            "tests": _named("model", run.tests),
        },
        "mutual": plain(facts.mutual),
        "why": told(run),
        "manifest": {key: manifest[key] for key in _TOLD},
        "unseen": list(run.unseen),
        "notes": general_notes(facts),
    }


def _named(key: str, pairs: Iterable[tuple[str | None, Record]]) -> list[dict[str, Any]]:
    return [{key: name, **each.to_dict()} for name, each in pairs]
