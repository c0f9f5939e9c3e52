"""Tables of agreement: overlap and jaccard pair by pair, the other measures below, and the curve over k."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from embdiff.views.geometry_tables import base_name
from embdiff.views.table import Table
from embdiff.views.words import number

_FIRST = {
    "": ("overlap", "jaccard"),
    "without the index (exact neighbours)": ("exact_overlap", "exact_jaccard"),
}
# In tables of their own, whatever was chosen.
_ELSEWHERE = ("self_retrieval", "index_recall", "expected_hit")
LABELLED = ("ndcg", "map", "mrr", "rr", "recall", "precision", "hit")
_ACROSS, _MOST_ROWS, _MORE_ROWS, _MOST_DEPTHS, _FEW = 2, 60, 24, 4, 3


def agreement_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the tables of agreement, in order."""
    for how, names in _FIRST.items():
        yield from _side_by_side(payload, how, names)
    yield from _more(payload)
    yield from _curve(payload)


def score_text(score: Mapping[str, Any]) -> str:
    """Return value, interval and chance in one cell; the reason when there is no value."""
    if score["value"] is None:
        return f"n/a ({score['reason']})"
    return f"{number(score['value'], 2)} [{number(score['low'], 2)}, {number(score['high'], 2)}] {_chance(score)}"


def counted(scores: Sequence[Mapping[str, Any]]) -> str:
    """Return how many queries stand behind the scores."""
    counts = sorted({score["n"] for score in scores})
    return f"n = {counts[0]:,}" if len(counts) == 1 else f"n = {counts[0]:,} to {counts[-1]:,}"


def reasons(scores: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return each reason once, with the measure that it speaks of."""
    return tuple(dict.fromkeys(f"{score['measure']}: {score['reason']}" for score in scores if score["reason"]))


def _chance(score: Mapping[str, Any]) -> str:
    return number(score["chance"], 2)


def _columns(scores: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    columns: dict[str, list[Mapping[str, Any]]] = {}
    for score in scores:
        columns.setdefault(score["measure"], []).append(score)
    return columns


def _lines(columns: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[tuple[str, ...], ...]:
    """Return a row for each pair of collections, under who asked."""
    rows, asked = [], None
    for line in zip(*columns, strict=True):
        by = line[0]["query_model"]
        if by != asked:
            rows.append((f"asked with {by}", *("" for _ in line)))
            asked = by
        rows.append((" | ".join(line[0]["models"]), *map(score_text, line)))
    return tuple(rows)


def _side_by_side(payload: Mapping[str, Any], how: str, names: Sequence[str]) -> Iterator[Table]:
    columns = _columns([score for score in payload["scores"] if base_name(score["measure"]) in names])
    measures = list(columns)
    for start in range(0, len(measures), _ACROSS):
        shown = [columns[measure] for measure in measures[start : start + _ACROSS]]
        title = f"Agreement of neighbours between collections{', ' + how if how else ''}; {counted(shown[0])}"
        head = ("collections", *(f"{column[0]['measure']} [95 %] chance" for column in shown))
        yield Table(title, head, _lines(shown), reasons([score for column in shown for score in column]))


def _is_more(payload: Mapping[str, Any], score: Mapping[str, Any]) -> bool:
    """Return whether a score is of a chosen measure that is in no other table."""
    name = base_name(score["measure"])
    chosen = {base_name(text) for text in payload["settings"]["measures"]}
    first = {known for names in _FIRST.values() for known in names}
    return name in chosen and name not in (*first, *_ELSEWHERE, *LABELLED)


def _more(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Measures down, pairs within each: every number has its own n, as not every query has every measure."""
    scores = [score for score in payload["scores"] if _is_more(payload, score)]
    if not scores:
        return
    shown, hidden = _first_pairs(scores)
    rows: list[tuple[str, ...]] = []
    tails = {_key(tail): tail for tail in payload["tails"]}
    for measure, column in _columns(shown).items():
        for score in column:
            by = f" (asked with {score['query_model']})" if score["query_model"] else ""
            known = score["value"] is not None
            rows.append(
                (
                    measure if score is column[0] else "",
                    " | ".join(score["models"]) + by,
                    score_text(score) if known else "n/a",
                    f"{score['n']:,}" if known else "",
                )
            )
            rows += _tail_row(tails.get(_key(score)))
    said = (f"{hidden:,} more pairs are in scores.json.",) if hidden else ()
    read = (
        "kendall_tau: order of the common rows alone, from -1 to 1. spread: how far the first model's neighbours went "
        "in the second, as a share of all rows: small means near."
    )
    remarks = (*said, read, *_reasons_by_pair(shown))
    yield Table(
        "More about agreement",
        ("measure", "collections", "value [95 %] chance", "n"),
        tuple(rows),
        remarks,
    )


def _key(found: Mapping[str, Any]) -> tuple[Any, ...]:
    return found["measure"], tuple(found["models"]), found["query_model"]


def _tail_row(tail: Mapping[str, Any] | None) -> list[tuple[str, ...]]:
    """Say below an rbo what it can be, whatever stands beyond the last place of the lists."""
    if tail is None or tail["low"] is None:
        return []
    return [("", "  with any unseen tail", f"{number(tail['low'], 2)} to {number(tail['high'], 2)}", "")]


def _first_pairs(scores: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int]:
    """Return all scores of as many pairs as fit the table, at least one, and how many pairs are left out."""
    by_pair: dict[tuple[str | None, frozenset[str]], list[Mapping[str, Any]]] = {}
    for score in scores:
        by_pair.setdefault((score["query_model"], frozenset(score["models"])), []).append(score)
    pairs = list(by_pair.values())
    count = max(1, _MORE_ROWS // len(pairs[0]))
    first = {id(score) for pair in pairs[:count] for score in pair}
    return [score for score in scores if id(score) in first], max(0, len(pairs) - count)


def _reasons_by_pair(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for score in scores:
        if score["reason"]:
            found.setdefault((score["measure"], score["reason"]), []).append(" | ".join(score["models"]))
    listed = []
    for (measure, reason), pairs in found.items():
        distinct = list(dict.fromkeys(pairs))
        more = f" and {len(distinct) - _FEW:,} more" if len(distinct) > _FEW else ""
        listed.append(f"{measure} of {', '.join(distinct[:_FEW])}{more}: {reason}")
    return listed


def _curve(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Overlap at smaller depths; the other curves are in the payload."""
    k = payload["settings"]["k"]
    points = [score for score in payload["curves"] if base_name(score["measure"]) == "overlap"]
    columns = {measure: column for measure, column in _columns(points).items() if measure != f"overlap@{k}"}
    if not columns:
        return
    shown = list(columns)[-_MOST_DEPTHS:]
    rows = _lines([columns[measure] for measure in shown])
    remark = "Each interval holds by itself. The other measures by depth: --json (curves), or curves_frame()."
    title = f"Overlap by depth; {counted(points)}"
    head = ("value [95 %] chance", *(measure.replace("overlap", "") for measure in shown))
    yield Table(title, head, rows[:_MOST_ROWS], (remark,))
