"""Scores of models on labels, and their differences, as tables: what every labelled result shows alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len

from embdiff.measures.differences import Differences
from embdiff.measures.noise import Change
from embdiff.records import Score
from embdiff.views.numbers import estimate, number
from embdiff.views.table import Table, once
from embdiff.views.words import AGAIN, by_reason

_MEASURES, _MODELS, _REASONS, _WIDTH = 3, 9, 3, 80
_NUMBER, _INTERVAL, _LETTERS, _BETWEEN = 6, 17, 4, 3  # columns of a terminal


def standing_table(scores: Sequence[Score], differences: Sequence[Differences]) -> Table:
    """Return a line for each model, best first: its values, and the letters of its tie groups in the first measure."""
    every = list(dict.fromkeys(score.measure for score in scores))
    measures = _fitting(every[:_MEASURES], [score.models[0] for score in scores])
    values = {(score.measure, score.models[0]): score for score in scores}
    letters = next((each.letters for each in differences if each.measure == measures[0]), {})
    first = [score for score in scores if score.measure == measures[0]]
    ordered = sorted(first, key=lambda each: -each.value if math.isfinite(each.value) else math.inf)
    rows = tuple(
        (
            score.models[0],
            *(number(values[measure, score.models[0]].value) for measure in measures),
            f"[{number(score.low)}, {number(score.high)}]",
            letters.get(score.models[0], ""),
        )
        for score in ordered[:_MODELS]
    )
    left = len(ordered) - _MODELS
    more = [f"{left:,} more model{'s' * (left > 1)}: --all"] if left > 0 else []
    reasons = by_reason((score.reason, score.measure) for score in scores if score.measure in measures)
    title = f"n = {ordered[0].n:,}; chance {number(ordered[0].chance)} of {measures[0]}"
    return Table(title, ("model", *measures, "95 % of the first", "same"), rows, (*more, *reasons[:_REASONS]))


def _fitting(measures: Sequence[str], models: Sequence[str]) -> Sequence[str]:
    """Return the first measures, as many as stand beside the longest name in a line of 80 columns; one at least."""
    for count in range(len(measures), 1, -1):
        numbers = sum(max(_NUMBER, len(measure)) for measure in measures[:count])
        if max(map(cell_len, models)) + numbers + _INTERVAL + _LETTERS + _BETWEEN * (count + 2) <= _WIDTH:
            return measures[:count]
    return measures[:1]


def by_group_table(by_group: Mapping[str, Sequence[Score]]) -> Iterator[Table]:
    """Yield the first measure by the values of a column, a line each; nothing where none was named."""
    every = [score for scores in by_group.values() for score in scores]
    if not every:
        return
    measure, models = every[0].measure, list(dict.fromkeys(score.models[0] for score in every))
    rows = []
    for name, scores in by_group.items():
        first = {score.models[0]: score for score in scores if score.measure == measure}
        known = [score for score in first.values() if math.isfinite(score.value)]
        told = [f"{known[0].n:,}" if known else "", number(known[0].chance) if known else ""]
        rows.append((name, *told, *(estimate(e.value, e.low, e.high) for e in (first[model] for model in models))))
    reasons = by_reason((score.reason, name) for name, scores in by_group.items() for score in scores[:1])
    remark = "Each interval is of that group alone: many groups are looked at. The other measures: --json."
    yield Table(f"{measure} by group", ("group", "n", "chance", *models), tuple(rows), (remark, *reasons[:_REASONS]))


def score_table(scores: Sequence[Score], differences: Sequence[Differences], title: str = "Scores") -> Table:
    """Return every score with interval, chance, n and the letters of its tie groups, and the reasons below."""
    letters = {each.measure: each.letters for each in differences}
    rows = once(
        (
            score.measure,
            score.models[0],
            estimate(score.value, score.low, score.high, 4),
            *((number(score.chance), f"{score.n:,}") if math.isfinite(score.value) else ("", "")),
            letters.get(score.measure, {}).get(score.models[0], ""),
        )
        for score in scores
    )
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
            estimate(test.difference, test.low, test.high),
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
            AGAIN[each.how],
            estimate(each.difference, each.low, each.high, 4, 4),
            f"{each.changed:,} of {each.n:,}",
        )
        for each in changes
    )
    remarks = (
        f"A difference between models no larger than this is not theirs. changed: {unit} with another value.",
        *by_reason((each.reason, each.how) for each in changes),
    )
    head = ("model", "again", "change [95 %]", "changed")
    yield Table(f"The same model again: change of {changes[0].measure}", head, rows, remarks)
