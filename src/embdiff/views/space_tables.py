"""Tables of spaces: their geometry, measures against shuffled rows, their similarities, and cut-offs carried over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from embdiff.measures.calibration import Calibration
from embdiff.measures.similarities import Distribution
from embdiff.measures.thresholds import CarryOver
from embdiff.records import Score
from embdiff.views.agreement_tables import needing
from embdiff.views.table import Table
from embdiff.views.words import between, by_reason, number

_PAIRED = ("two spaces", "two neighbors of every row")
_ALONE = ("one space", "one space + neighbors", "neighbors of every row")
_ACROSS, _MOST = 2, 12
_LEVELS = ("0.05", "0.5", "0.95", "0.99")
_HOW = "Intervals: groups of rows left out in turn, none drawn twice (orphans: Wilson's). The last number is chance."
_READ = (
    "1 means the same geometry for cka, cknna, rsa, svcca and pwcca, 0 does for procrustes and shape_angle. pwcca is "
    "not symmetric: how much of the first space is a linear map of the second."
)


def geometry_tables(scores: Sequence[Score]) -> Iterator[Table]:
    """Yield the tables of pairs of spaces, then those of each space alone: measures down, a few across at a time."""
    yield from _geometry(needing(scores, *_PAIRED), "Geometry", "pairs", (_READ, _HOW))
    yield from _geometry(needing(scores, *_ALONE), "Each space alone", "models", (_HOW,))


def _geometry(scores: Iterable[Score], title: str, what: str, remarks: tuple[str, ...]) -> Iterator[Table]:
    by_models: dict[str, dict[str, Score]] = {}
    for score in scores:
        by_models.setdefault(" | ".join(score.models), {})[score.measure] = score
    shown = list(by_models)[:_MOST]
    measures = list(dict.fromkeys(measure for found in by_models.values() for measure in found))
    if len(by_models) > len(shown):
        remarks = (*remarks, f"The first {len(shown)} of {len(by_models):,} {what}; all of them are in scores.json.")
    notes = by_reason((each.reason, each.measure) for models in shown for each in by_models[models].values())
    for start in range(0, len(shown), _ACROSS):
        columns = shown[start : start + _ACROSS]
        rows = tuple((measure, *(_cell(by_models[models].get(measure)) for models in columns)) for measure in measures)
        most = max(score.n for score in by_models[columns[0]].values())
        said = (*remarks, *notes) if start + _ACROSS >= len(shown) else ()
        yield Table(f"{title}; n = {most:,} rows", ("value [95 %] chance", *columns), rows, said)


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    if not math.isfinite(score.value):
        return "n/a"
    interval = between(score.low, score.high, 2) if math.isfinite(score.low) else "[none]"
    chance = f" {number(score.chance, 2)}" if math.isfinite(score.chance) else ""
    return f"{number(score.value, 2)} {interval}{chance}"


def calibration_tables(found: Sequence[Calibration]) -> Iterator[Table]:
    """Yield the table of measures against shuffled rows, where that was asked for."""
    if not found:
        return
    pairs = list(dict.fromkeys(each.models for each in found))
    shown = [each for each in found if each.models in pairs[:_MOST]]
    rows, before = [], None
    for each in shown:
        if each.models != before:
            rows.append((" | ".join(each.models), *("" for _ in range(6))))
        numbers = (number(value, 2) for value in (each.observed, each.null_mean, each.threshold, each.calibrated))
        rows.append((f"  {each.measure}", *numbers, number(each.p, 4), number(each.p_holm, 4)))
        before = each.models
    remarks = (
        "shuffled: mean with the second model's rows in random order; tau: what 5 % of such orders reach; above tau: "
        "0 is no more than that, 1 full agreement. Holm: over the pairs, measure by measure.",
        *by_reason((each.reason, each.measure) for each in shown),
    )
    if len(pairs) > _MOST:
        remarks = (*remarks, f"The first {_MOST} of {len(pairs):,} pairs; all of them are in calibration.json.")
    head = ("collections", "value", "shuffled", "tau", "above tau", "p", "p (Holm)")
    most = max(each.permutations for each in found)
    yield Table(f"Against shuffled rows, {most:,} random orders", head, tuple(rows), remarks)


def similarity_tables(found: Sequence[Distribution]) -> Iterator[Table]:
    """Yield the table of what similarities each model gives."""
    if not found:
        return
    models = list(dict.fromkeys(each.model for each in found))
    rows, before = [], None
    for each in (each for each in found if each.model in models[:_MOST]):
        asked = "" if each.query_model == each.model else f" (asked with {each.query_model})"
        named = each.model + asked if each.model != before else ""
        rows.append((named, each.population, f"{each.n:,}", *(number(each.quantiles[level]) for level in _LEVELS)))
        before = each.model
    remarks = ["The cosine that so many of the pairs stay below, whatever metric the run searched with."]
    if len(models) > _MOST:
        remarks.append(f"The first {_MOST} of {len(models):,} models; all of them are in similarities.json.")
    head = ("model", "pairs", "n", *(f"{float(level):.0%}" for level in _LEVELS))
    yield Table("Similarities of each model (cosine)", head, tuple(rows), tuple(remarks))


def cutoff_table(from_model: str, to_model: str, carried: Sequence[CarryOver]) -> Table:
    """Return the cut-offs of one model and what they are in another."""
    rows, before = [], None
    for each in carried:
        old = f"{each.at:g}" if each.at != before else ""
        cutoff = f"{number(each.value)} {between(each.low, each.high)}" if math.isfinite(each.value) else "n/a"
        rows.append((old, each.by, _rate(each, each.rate_from), cutoff, _rate(each, each.rate_to)))
        before = each.at
    queries, pairs = (carried[0].n, carried[0].pairs) if carried else (0, 0)
    remarks = (
        "Cut-offs are cosine similarities and pass what is at least as similar. Pass rate: of all pairs of a query "
        "and a document other than its own.",
        "Intervals: queries resampled, documents held fixed.",
        *dict.fromkeys(f"{each.at:g}, {each.by}: {each.reason}" for each in carried if each.reason),
    )
    title = f"Cut-offs of {from_model} in {to_model}; {queries:,} queries, {pairs:,} pairs"
    return Table(title, (from_model, "keeping the", "it is", f"{to_model} [95 %]", "it is"), tuple(rows), remarks)


def _rate(each: CarryOver, rate: float) -> str:
    """Return a rate as shown; a pass rate may be tiny, and has three digits that count."""
    if each.by != "pass rate" or not math.isfinite(rate):
        return number(rate, 4)
    return f"{rate:.3g}"
