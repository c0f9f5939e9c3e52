"""Tables of spaces: their geometry, measures against shuffled rows, their similarities, and cut-offs carried over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from embdiff.measures.calibration import Calibration
from embdiff.measures.similarities import Distribution
from embdiff.measures.thresholds import CarryOver
from embdiff.records import Score
from embdiff.views.agreement_tables import needing
from embdiff.views.numbers import estimate, number
from embdiff.views.table import Table, once, pivoted
from embdiff.views.words import by_reason, with_chance

_PAIRED = ("two spaces", "two neighbors of every row")
_ALONE = ("one space", "one space + neighbors", "neighbors of every row")
_ACROSS, _MOST = 2, 12
_LEVELS = ("0.05", "0.5", "0.95", "0.99")
_HOW = "Intervals: groups of rows left out in turn, none drawn twice (orphans: Wilson's). The last number is chance."
_READ = (
    "1 means the same geometry for cka, cknna, rsa, svcca and pwcca, 0 does for procrustes and shape_angle. pwcca is "
    "not symmetric: how much of the first space is a linear map of the second."
)

_APART = (
    "The distance between the mean of the images and the mean of the texts, of vectors of length 1, from 0 to 2; the "
    "last number is what the same vectors would show, dealt out at random. Across a gap all cosines are low: a cut-off "
    "that was chosen for texts means nothing there."
)


def geometry_tables(scores: Sequence[Score]) -> Iterator[Table]:
    """Yield the tables of pairs of spaces, then those of each space alone: measures down, a few across at a time."""
    yield from _geometry(needing(scores, *_PAIRED), "Geometry", "pairs", (_READ, _HOW))
    yield from _geometry(needing(scores, *_ALONE), "Each space alone", "models", (_HOW,))
    yield from _geometry(needing(scores, "images + texts"), "Images and texts in one space", "models", (_APART,))


def _geometry(scores: Iterable[Score], title: str, what: str, remarks: Sequence[str]) -> Iterator[Table]:
    scores = list(scores)
    named = list(dict.fromkeys(" | ".join(score.models) for score in scores))
    shown = [score for score in scores if " | ".join(score.models) in named[:_MOST]]
    if shown:
        cells = (("", score.measure, " | ".join(score.models), with_chance(score)) for score in shown)
        reasons = by_reason((score.reason, score.measure) for score in shown)
        said = (*remarks, *_rest(named, what, "scores"), *reasons)
        rows = max(score.n for score in shown)
        yield from pivoted(f"{title}; n = {rows:,} rows", "value [95 %] chance", cells, said, _ACROSS)


def _rest(every: Sequence[object], what: str, file: str) -> list[str]:
    """Say how many are not shown, and where they are."""
    over = f"The first {_MOST} of {len(every):,} {what}; all of them are in {file}.json."
    return [over] if len(every) > _MOST else []


def calibration_tables(found: Sequence[Calibration]) -> Iterator[Table]:
    """Yield the table of measures against shuffled rows, where that was asked for."""
    if not found:
        return
    pairs = list(dict.fromkeys(each.models for each in found))
    shown = [each for each in found if each.models in pairs[:_MOST]]
    head = ("value", "shuffled", "tau", "above tau", "p", "p (Holm)")
    cells = []
    for each in shown:
        tested = (each.observed, each.null_mean, each.threshold, each.calibrated)
        numbers = (*(number(value, 2) for value in tested), number(each.p, 4), number(each.p_holm, 4))
        pair, named = " | ".join(each.models), f"  {each.measure}"
        cells += [(pair, named, *cell) for cell in zip(head, numbers, strict=True)]
    remarks = (
        "shuffled: mean with the second model's rows in random order; tau: what 5 % of such orders reach; above tau: "
        "0 is no more than that, 1 full agreement. Holm: over the pairs, measure by measure.",
        *by_reason((each.reason, each.measure) for each in shown),
        *_rest(pairs, "pairs", "calibration"),
    )
    most = max(each.permutations for each in found)
    yield from pivoted(f"Against shuffled rows, {most:,} random orders", "collections", cells, remarks)


def similarity_tables(found: Sequence[Distribution]) -> Iterator[Table]:
    """Yield the table of what similarities each model gives."""
    if not found:
        return
    models = list(dict.fromkeys(each.model for each in found))
    rows = once(
        (
            each.model + ("" if each.query_model == each.model else f" (asked with {each.query_model})"),
            each.population,
            f"{each.n:,}",
            *(number(each.quantiles[level]) for level in _LEVELS),
        )
        for each in found
        if each.model in models[:_MOST]
    )
    remarks = (
        "The cosine that so many of the pairs stay below, whatever metric the run searched with.",
        *_rest(models, "models", "similarities"),
    )
    head = ("model", "pairs", "n", *(f"{float(level):.0%}" for level in _LEVELS))
    yield Table("Similarities of each model (cosine)", head, tuple(rows), remarks)


def cutoff_table(from_model: str, to_model: str, carried: Sequence[CarryOver], most: int | None = None) -> Table:
    """Return the cut-offs of one model and what they are in another; of what is to be known of some the first."""
    reasons = by_reason((each.reason, f"{each.at:g}, {each.by}") for each in carried)
    hidden = len(reasons[most:]) if most is not None else 0
    rows = once(
        (
            f"{each.at:g}",
            each.by,
            _rate(each, each.rate_from),
            estimate(each.value, each.low, each.high),
            _rate(each, each.rate_to),
        )
        for each in carried
    )
    queries, pairs = (carried[0].n, carried[0].pairs) if carried else (0, 0)
    remarks = (
        "Cut-offs are cosine similarities and pass what is at least as similar. Pass rate: of all pairs of a query "
        "and a document other than its own.",
        "Intervals: queries resampled, documents held fixed.",
        *reasons[:most],
        *([f"{hidden:,} more: --all"] if hidden else []),
    )
    title = f"Cut-offs of {from_model} in {to_model}; {queries:,} queries, {pairs:,} pairs"
    return Table(title, ("cut-off", "keeping the", "it is", "becomes [95 %]", "it is"), tuple(rows), remarks)


def _rate(each: CarryOver, rate: float) -> str:
    """Return a rate as shown; a pass rate may be tiny, and has three digits that count."""
    if each.by != "pass rate" or not math.isfinite(rate):
        return number(rate, 4)
    return f"{rate:.3g}"
