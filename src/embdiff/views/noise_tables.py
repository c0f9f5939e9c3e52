"""The noise floor as a table: the same model again, beside what two models share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from embdiff.views.table import Table
from embdiff.views.words import number

_COLUMNS = {"noise_index": "index", "noise_float16": "float16", "noise_batch": "batch"}
_READ = (
    "Overlap of a model's neighbours with its own. index: returned against exact; float16: vectors in half precision; "
    "batch: queries encoded again one by one. What two models do not share says something only beyond this."
)


def noise_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the table, where the run has these scores."""
    lines: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for score in payload["scores"]:
        name = score["measure"].partition("@")[0]
        if name in _COLUMNS:
            lines.setdefault((score["models"][0], score["query_model"]), {})[name] = score
    if not lines:
        return
    first = next(iter(lines.values()))
    k = next(iter(first.values()))["measure"].partition("@")[2]
    rows = tuple(
        (model if asks == model else f"{model}, asked with {asks}", *(_cell(scores.get(name)) for name in _COLUMNS))
        for (model, asks), scores in lines.items()
    )
    head = ("collection", *(f"{words}, n = {_count(lines, name)}" for name, words in _COLUMNS.items()))
    notes = dict.fromkeys(
        f"{_COLUMNS[name]}: {score['reason']}"
        for scores in lines.values()
        for name, score in scores.items()
        if score["reason"]
    )
    yield Table(f"The same model again: overlap@{k} [95 %]", head, rows, (_READ, *notes))


def _count(lines: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]], name: str) -> str:
    return f"{max((scores[name]['n'] for scores in lines.values() if name in scores), default=0):,}"


def _cell(score: Mapping[str, Any] | None) -> str:
    if score is None or score["value"] is None:
        return "n/a"
    return f"{number(score['value'])} [{number(score['low'], 2)}, {number(score['high'], 2)}]"
