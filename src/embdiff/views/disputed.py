"""Disagreement first: the queries and the rows that the models treat most differently, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from embdiff.measures.disagreement import (
    item_disagreement,
    item_switches,
    mean_of_known,
    most_disputed,
    query_disagreement,
)
from embdiff.measures.hubs import occurrences
from embdiff.measures.overlap import overlap
from embdiff.measures.rbo import P
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import Answer
from embdiff.runs import Run

QUERIES_BY = f"mean over the pairs of 1 - rbo(p={P:g})"
ITEMS_BY = "mean over the pairs of |queries that return the row in A - in B| / queries"


def item(run: Run, row: int) -> dict[str, Any]:
    """Return one corpus row as shown: id, text and group."""
    return {
        "id": run.corpus.ids[row],
        "text": run.corpus.items[row],
        "group": run.corpus.groups[row] if run.corpus.groups else None,
    }


def disagreement(run: Run, most: int | None = None) -> dict[str, Any] | None:
    """Return queries and rows by how much the models disagree about them, the most disputed first.

    Parameters
    ----------
    run : Run
    most : int, optional
        Only the first so many of each; by default all.

    Returns
    -------
    dict or None
        ``pairs`` (collections and who asked them), ``queries_by`` and ``items_by`` (what they are ordered by), ``n``
        (queries), ``chance`` (what the lists of unrelated models would give the queries on average), ``queries``
        (``row, id, text, value, overlap``: value and the mean of 1 - overlap@k) and ``items`` (``row, id, text, group,
        value, only_one, place_change, returned``: ``only_one`` counts queries to which one of a pair returns the row
        and the other does not, over all pairs; ``place_change`` is the mean difference of its places where they are
        known; ``returned`` says to how many queries each collection returns it). None without two lists to compare.
        bm25 counts where it was named among the models, or where there is but one model.
    """
    pairs = run.disputing
    if not pairs:
        return None
    lists = [(a.returned, b.returned) for a, b in pairs]
    values = query_disagreement(lists)
    by_overlap = query_disagreement(lists, overlap)
    return {
        "pairs": [{"models": [a.model, b.model], "query_models": [a.query_model, b.query_model]} for a, b in pairs],
        "queries_by": f"{QUERIES_BY}@{run.config.k}",
        "items_by": ITEMS_BY,
        "n": len(run.queries),
        "chance": _chance(run, pairs),
        "queries": [
            {
                "row": int(row),
                "id": run.queries.ids[row],
                "text": run.queries.items[row],
                "value": float(values[row]),
                "overlap": float(by_overlap[row]),
            }
            for row in most_disputed(values, most)
        ],
        "items": _items(run, pairs, most),
    }


def row_values(pairs: list[tuple[Answer, Answer]], rows: int) -> Doubles:
    """Return how differently often the collections return each row, float64 (rows,); NaN where none returns it."""
    values = item_disagreement([(a.returned, b.returned) for a, b in pairs], rows)
    returned = {id(answer): occurrences(answer.returned.rows, rows) for pair in pairs for answer in pair}
    values[np.sum(list(returned.values()), axis=0) == 0] = np.nan  # there is nothing to dispute
    return values


def column(returned: Mapping[str, Any], crossed: bool) -> str:
    """Return what the column is called that says to how many queries a collection returns a row."""
    return f"{returned['model']} asked with {returned['query_model']}" if crossed else str(returned["model"])


def _items(run: Run, pairs: list[tuple[Answer, Answer]], most: int | None) -> list[dict[str, Any]]:
    rows = len(run.corpus)
    answers = list({id(answer): answer for pair in pairs for answer in pair}.values())
    counts = [occurrences(answer.returned.rows, rows) for answer in answers]
    values = row_values(pairs, rows)
    switches = [item_switches(a, b, rows) for a, b in pairs]
    only_one = np.sum([each.only_first + each.only_second for each in switches], axis=0)
    moved = mean_of_known(np.stack([each.place_change for each in switches]))
    return [
        {
            "row": int(row),
            **item(run, int(row)),
            "value": float(values[row]),
            "only_one": int(only_one[row]),
            "place_change": None if np.isnan(moved[row]) else float(moved[row]),
            "returned": [
                {"query_model": answer.query_model, "model": answer.model, "queries": int(count[row])}
                for answer, count in zip(answers, counts, strict=True)
            ],
        }
        for row in most_disputed(values, most)
    ]


def _chance(run: Run, pairs: list[tuple[Answer, Answer]]) -> float | None:
    """Return 1 - the chance level of rbo, mean over the pairs; None where a run of an earlier version has none."""
    wanted = {(a.model, b.model) for a, b in pairs}
    measure = f"rbo(p={P:g})@{run.config.k}"
    known = [1.0 - score.chance for score in run.curves if score.measure == measure and score.models in wanted]
    return float(np.mean(known)) if known and np.isfinite(known).all() else None
