"""Scores of models on labels, and their differences, as tables: what every labelled result shows alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from embdiff.measures.differences import Differences
from embdiff.measures.noise import Change
from embdiff.records import Score
from embdiff.views.table import Table
from embdiff.views.words import between, by_reason, number

_AGAIN = {
    "index": "returned against exact",
    "float16": "vectors in float16",
    "batch": "texts one by one",
}


def score_table(scores: Sequence[Score], differences: Sequence[Differences], title: str = "Scores") -> Table:
    """Return every score with interval, chance, n and the letters of its tie groups, and the reasons below."""
    letters = {each.measure: each.letters for each in differences}
    rows, before = [], None
    for score in scores:
        model, known = score.models[0], math.isfinite(score.value)
        rows.append(
            (
                score.measure if score.measure != before else "",
                model,
                f"{number(score.value, 4)} {between(score.low, score.high)}" if known else "n/a",
                number(score.chance) if known else "",
                f"{score.n:,}" if known else "",
                letters.get(score.measure, {}).get(model, ""),
            )
        )
        before = score.measure
    remarks = by_reason(
        (score.reason, score.models[0] if math.isfinite(score.value) else f"{score.models[0]} {score.measure}")
        for score in scores
    )
    if letters:
        remarks.insert(0, "same: models that share a letter cannot be told apart (paired test, Holm, 5 %)")
    return Table(title, ("measure", "model", "value [95 %]", "chance", "n", "same"), tuple(rows), tuple(remarks))


def difference_table(difference: Differences, unit: str) -> Table:
    """Return the paired tests of one measure; ``unit`` names what is paired, in the plural."""
    rows = tuple(
        (
            " - ".join(test.models),
            f"{number(test.difference)} {between(test.low, test.high)}",
            number(test.p_holm, 4),
            number(test.effect, 2),
            number(test.detectable),
        )
        for test in difference.tests
    )
    remarks = (
        f"detectable: the smallest difference that so many {unit} show with 80 % power; effect: mean over standard "
        "deviation of the differences. The other measures: --json.",
        *by_reason((test.reason, " - ".join(test.models)) for test in difference.tests),
    )
    head = ("models", "difference [95 %]", "p (Holm)", "effect", "detectable")
    return Table(f"Differences in {difference.measure}, paired over {unit}", head, rows, remarks)


def change_table(changes: Sequence[Change], unit: str) -> Iterator[Table]:
    """Yield what the same model again changes of a measure, where that is known; ``unit``: what it is a mean over."""
    if not changes:
        return
    rows = tuple(
        (
            each.model,
            _AGAIN[each.how],
            f"{number(each.difference, 4)} {between(each.low, each.high, 4)}"
            if math.isfinite(each.difference)
            else "n/a",
            f"{each.changed:,} of {each.n:,}",
        )
        for each in changes
    )
    remarks = (
        f"A difference between models no larger than this is not theirs. changed: {unit} with another value.",
        *dict.fromkeys(f"{each.how}: {each.reason}" for each in changes if each.reason),
    )
    head = ("model", "again", "change [95 %]", "changed")
    yield Table(f"The same model again: change of {changes[0].measure}", head, rows, remarks)
