"""Tables of the geometry of spaces: measures down, pairs or models across, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from embdiff.views.table import Table
from embdiff.views.words import number

PAIRED = ("cka", "cknna", "rsa", "procrustes", "shape_angle", "svcca", "pwcca")
ALONE = ("anisotropy", "first_component", "norm_spread", "uniformity", "hubness", "orphans", "intrinsic_dimension")
_ACROSS, _MOST = 2, 12

_HOW = "Intervals: groups of rows left out in turn, none drawn twice (orphans: Wilson's). The last number is chance."
_READ = (
    "1 means the same geometry for cka, cknna, rsa, svcca and pwcca, 0 does for procrustes and shape_angle. pwcca is "
    "not symmetric: how much of the first space is a linear map of the second."
)


def geometry_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the tables of pairs of spaces, then those of each space alone."""
    yield from _tables(payload, PAIRED, "Geometry", "pairs", (_READ, _HOW))
    yield from _tables(payload, ALONE, "Each space alone", "models", (_HOW,))


def calibration_tables(payload: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the table of measures against shuffled rows, where that was asked for."""
    found = payload["calibrations"]
    if not found:
        return
    pairs = list(dict.fromkeys(tuple(each["models"]) for each in found))
    shown = [each for each in found if tuple(each["models"]) in pairs[:_MOST]]
    rows, before = [], None
    for each in shown:
        if each["models"] != before:
            rows.append((" | ".join(each["models"]), *("" for _ in range(6))))
        numbers = (number(each[key], 2) for key in ("observed", "null_mean", "threshold", "calibrated"))
        rows.append((f"  {each['measure']}", *numbers, number(each["p"], 4), number(each["p_holm"], 4)))
        before = each["models"]
    remarks = (
        "shuffled: mean with the second model's rows in random order; tau: what 5 % of such orders reach; above tau: "
        "0 is no more than that, 1 full agreement. Holm: over the pairs, measure by measure.",
        *(f"{measures}: {reason}" for reason, measures in _by_reason(shown).items()),
    )
    if len(pairs) > _MOST:
        remarks = (*remarks, f"The first {_MOST} of {len(pairs):,} pairs; all of them are in calibration.json.")
    head = ("collections", "value", "shuffled", "tau", "above tau", "p", "p (Holm)")
    most = max(each["permutations"] for each in found)
    yield Table(f"Against shuffled rows, {most:,} random orders", head, tuple(rows), remarks)


def _by_reason(found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    reasons: dict[str, list[str]] = {}
    for each in found:
        if each["reason"]:
            reasons.setdefault(each["reason"], []).append(each["measure"])
    return {reason: ", ".join(dict.fromkeys(measures)) for reason, measures in reasons.items()}


def base_name(measure: str) -> str:
    """Return the name of a measure without its parameters and k."""
    return measure.partition("@")[0].partition("(")[0]


def _tables(
    payload: Mapping[str, Any], names: Sequence[str], title: str, what: str, remarks: tuple[str, ...]
) -> Iterator[Table]:
    by_models: dict[str, dict[str, Mapping[str, Any]]] = {}
    for score in payload["scores"]:
        if base_name(score["measure"]) in names:
            by_models.setdefault(" | ".join(score["models"]), {})[score["measure"]] = score
    if not by_models:
        return
    shown = list(by_models)[:_MOST]
    measures = list(dict.fromkeys(measure for scores in by_models.values() for measure in scores))
    hidden = len(by_models) - len(shown)
    if hidden:
        remarks = (*remarks, f"The first {len(shown)} of {len(by_models):,} {what}; all of them are in scores.json.")
    notes = _notes([by_models[models] for models in shown])
    for start in range(0, len(shown), _ACROSS):
        columns = shown[start : start + _ACROSS]
        rows = tuple((measure, *(_cell(by_models[models].get(measure)) for models in columns)) for measure in measures)
        last = start + _ACROSS >= len(shown)
        head = ("value [95 %] chance", *columns)
        yield Table(_titled(title, by_models[columns[0]]), head, rows, (*remarks, *notes) if last else ())


def _titled(title: str, scores: Mapping[str, Mapping[str, Any]]) -> str:
    return f"{title}; n = {max(score['n'] for score in scores.values()):,} rows"


def _cell(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return ""
    if score["value"] is None:
        return "n/a"
    between = "[none]" if score["low"] is None else f"[{number(score['low'], 2)}, {number(score['high'], 2)}]"
    chance = "" if score["chance"] is None else f" {number(score['chance'], 2)}"
    return f"{number(score['value'], 2)} {between}{chance}"


def _notes(columns: Sequence[Mapping[str, Mapping[str, Any]]]) -> tuple[str, ...]:
    """Return each reason once, with the measures that it speaks of."""
    scores = [score for column in columns for score in column.values()]
    return tuple(f"{measures}: {reason}" for reason, measures in _by_reason(scores).items())
