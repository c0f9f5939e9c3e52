"""A run as columns and JSON-able values: what its files hold, and what makes two runs equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embdiff.records import Answer, Neighbors

if TYPE_CHECKING:
    from embdiff.runs.record import Run


def neighbor_columns(run: Run, answers: Sequence[Answer], which: str) -> dict[str, Any]:
    """Return the ``returned`` or ``exact`` neighbours, one row for each (answer, query, rank), padding left out."""
    blocks: list[dict[str, Any]] = []
    for answer in answers:
        neighbors: Neighbors = getattr(answer, which)
        query, place = np.nonzero(neighbors.rows >= 0)
        rows = neighbors.rows[query, place]
        block = {
            "query_id": _names(run.queries.ids, query),
            "query_model": np.full(len(query), answer.query_model, dtype=object),
            "model": np.full(len(query), answer.model, dtype=object),
            "rank": place.astype(np.int64) + 1,
            "id": _names(run.corpus.ids, rows),
            "distance": neighbors.distance[query, place],
            "similarity": neighbors.similarity[query, place],
        }
        if which == "returned":
            block["self"] = answer.is_self[query, place]
        blocks.append(block)
    return _stack(blocks)


def elsewhere_columns(run: Run, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the rows that only other collections returned, one row for each (answer, query, row)."""
    blocks: list[dict[str, Any]] = []
    for answer in answers:
        there = answer.elsewhere
        query, place = np.nonzero(there.rows >= 0)
        blocks.append(
            {
                "query_id": _names(run.queries.ids, query),
                "query_model": np.full(len(query), answer.query_model, dtype=object),
                "model": np.full(len(query), answer.model, dtype=object),
                "id": _names(run.corpus.ids, there.rows[query, place]),
                "rank": there.ranks[query, place],
                "similarity": there.similarity[query, place],
            }
        )
    return _stack(blocks)


def layout_columns(run: Run) -> dict[str, Any]:
    """Return the maps, one row for each (model, corpus row)."""
    return _stack(
        [
            {
                "model": np.full(len(run.corpus), layout.model, dtype=object),
                "id": np.array(run.corpus.ids, dtype=object),
                "x": layout.xy[:, 0],
                "y": layout.xy[:, 1],
            }
            for layout in run.layouts
        ]
    )


def _stack(blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return blocks of columns one below the other."""
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]} if blocks else {}


def _names(ids: Sequence[str], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    named: npt.NDArray[Any] = np.array(ids, dtype=object)[rows]
    return named


def groups_json(run: Run) -> dict[str, Any]:
    """Return mixing matrices by model and all group tests as JSON-able values."""
    return {
        "k": min(run.config.k, len(run.corpus) - 1),
        "mixing": {model: mixing.to_dict() for model, mixing in run.mixings.items()},
        "tests": [{"model": model, **test.to_dict()} for model, test in run.tests],
    }


def agreement_json(run: Run) -> dict[str, Any]:
    """Return the curves over k, the tails of rbo, and what the same model again changes, as JSON-able values."""
    return {
        "curves": [score.to_dict() for score in run.curves],
        "tails": [dict(tail) for tail in run.tails],
        "changes": [dict(change) for change in run.changes],
    }


def differences_json(run: Run) -> list[dict[str, Any]]:
    """Return how the collections differ in the measures of expected results, as JSON-able values."""
    return [{"query_model": asks, **each.to_dict()} for asks, each in run.differences]
