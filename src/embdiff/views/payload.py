"""Records → one JSON-able dict, from which everything that people see is rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embdiff.records import Answer, plain
from embdiff.runs import Run
from embdiff.views.disputed import disagreement, item

VERSION = 1
DISPUTED = 20  # of the most disputed queries and rows, where not everything is wanted

NOTES = (
    "Agreement says how much the models differ on this data, not which one to prefer: for that, labels or expected "
    "results are needed.",
    "Intervals are 95 %: queries resampled, each query's neighbours held fixed. Chance is what two unrelated rankings "
    "of the same rows would share.",
    "index_recall is what the index lost against the exact answer; overlap between collections is what the models "
    "changed, seen through the index; exact_overlap is the same without the index.",
)


def build(run: Run, *, queries: int | None = None, path: Path | None = None) -> dict[str, Any]:
    """Return everything a view needs, as JSON-able values.

    Parameters
    ----------
    run : Run
    queries : int, optional
        Results of the first so many queries only; all by default.
    path : Path, optional
        The run folder.
    """
    shown = len(run.queries) if queries is None else min(queries, len(run.queries))
    return {
        "payload": VERSION,
        "path": None if path is None else str(path),
        "settings": run.config.model_dump(mode="json"),
        "corpus": {
            "source": run.corpus.source,
            "rows": len(run.corpus),
            "groups": sorted(set(run.corpus.groups or ())),
            "dropped": list(run.corpus.dropped),
            "notes": list(dict.fromkeys((*run.corpus.notes, *run.queries.notes))),
        },
        "queries": {"source": run.queries.source, "count": len(run.queries), "shown": shown},
        "models": run.manifest["models"],
        "results": [query_result(run, row) for row in range(shown)],
        "scores": plain(run.scores),
        "calibrations": plain(run.calibrations),
        "similarities": [each.to_dict() for each in run.distributions],
        "curves": plain(run.curves),
        "tails": plain(run.tails),
        "changes": _named("query_model", run.changes),
        "differences": _named("query_model", run.differences),
        "disagreement": disagreement(run, None if queries is None else max(shown, DISPUTED)),
        "baseline": run.manifest.get("baseline"),
        "groups": {
            "k": min(run.config.k, len(run.corpus) - 1),
            "mixing": plain(run.mixings),
            "tests": _named("model", run.tests),
        },
        "mutual": mutual_finds(run),
        "searches": run.manifest["searches"],
        "sample": run.manifest.get("sample"),
        "memory": run.manifest.get("memory"),
        "on_disk": run.manifest.get("on_disk", []),
        "manifest": {key: run.manifest[key] for key in ("created", "versions", "machine", "seed", "store", "self")}
        | {"cache": run.manifest.get("cache", {}), "expected": run.manifest.get("expected")},
        "notes": list(NOTES),
    }


def _named(key, pairs):
    return [{key: name, **each.to_dict()} for name, each in pairs]


def query_result(run: Run, row: int) -> dict[str, Any]:
    """Return one query with its neighbours in every collection."""
    return {
        "row": row,
        "id": run.queries.ids[row],
        "text": run.queries.items[row],
        "group": run.queries.groups[row] if run.queries.groups else None,
        "expected": sorted(run.expected.judgements.get(run.queries.ids[row], ())) if run.expected else None,
        "answers": [
            _with_hit({"query_model": answer.query_model, "model": answer.model}, _neighbors(run, answer, row))
            for answer in run.shown
        ],
        "baseline": _baseline_list(run, row),
    }


def _baseline_list(run: Run, row: int) -> dict[str, Any] | None:
    """Return the list of bm25 where it stood beside the models without being named among them."""
    if run.baseline is None or run.baseline in run.shown:
        return None
    answer = run.baseline
    return _with_hit({"query_model": answer.query_model, "model": answer.model}, _neighbors(run, answer, row))


def _with_hit(answer: dict[str, Any], neighbors: list[dict[str, Any]]) -> dict[str, Any]:
    """Add the neighbours, and the rank of the first expected one (None for a miss, or where nothing is expected)."""
    ranks = [entry["rank"] for entry in neighbors if entry["expected"]]
    return {**answer, "expected_rank": ranks[0] if ranks else None, "neighbors": neighbors}


def _neighbors(run: Run, answer: Answer, row: int) -> list[dict[str, Any]]:
    wanted = run.expected.judgements.get(run.queries.ids[row], {}) if run.expected else {}
    returned = answer.returned
    listed = []
    for place, found in enumerate(returned.rows[row]):
        if found < 0:
            break
        shown = item(run, int(found))
        listed.append(
            {
                "rank": place + 1,
                **shown,
                "distance": float(returned.distance[row, place]),
                "similarity": float(returned.similarity[row, place]),
                "self": bool(answer.is_self[row, place]),
                "expected": wanted.get(shown["id"], 0) > 0 if run.expected else None,
            }
        )
    return listed


def mutual_finds(run: Run) -> list[dict[str, Any]]:
    """Return, for each answer, which queries find each other, in one direction only, or not at all.

    Only for queries taken from the corpus. ``both`` and ``one_way`` list pairs of query ids (the finder first);
    ``neither`` counts the pairs where no query finds the other.
    """
    if run.query_rows is None:
        return []
    query_of = {row: query for query, row in enumerate(run.query_rows)}
    ids = run.queries.ids
    pairs = len(ids) * (len(ids) - 1) // 2
    listed = []
    for answer in run.answers:
        finds = {
            (query, query_of[int(row)])
            for query, rows in enumerate(answer.returned.rows)
            for row in rows
            if int(row) in query_of and query_of[int(row)] != query
        }
        both = sorted(pair for pair in finds if pair[0] < pair[1] and pair[::-1] in finds)
        one_way = sorted(pair for pair in finds if pair[::-1] not in finds)
        listed.append(
            {
                "query_model": answer.query_model,
                "model": answer.model,
                "both": [[ids[a], ids[b]] for a, b in both],
                "one_way": [[ids[a], ids[b]] for a, b in one_way],
                "neither": pairs - len(both) - len(one_way),
            }
        )
    return listed
