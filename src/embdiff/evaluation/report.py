"""An evaluation as tables for people at a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from embdiff.evaluation.outcome import UNITS, Confusion, Outcome
from embdiff.evaluation.together import Gain
from embdiff.headline import Headline
from embdiff.measures.differences import Differences
from embdiff.measures.scope import KEPT, CutOff
from embdiff.views import answer as answering
from embdiff.views.facts import models_told
from embdiff.views.labelled_tables import by_group_table, change_table, difference_table, score_table, standing_table
from embdiff.views.numbers import estimate, number
from embdiff.views.table import Line, Part, Table
from embdiff.views.tables import encoding_table

_CONFUSIONS_SHOWN = 5
_NOTES = 3
_GROUPS, _BESIDE = 6, 3  # groups, and models in their table, that stand on one screen


def answer(found: Outcome, differences: Sequence[Differences], how: str, headline: Headline) -> Iterator[Part]:
    """Yield what fits on one screen: a line for each model, the notes that matter, the finding last."""
    yield Line(f"Task {found.task} ({how}): {found.about}", "dim")
    yield Line("")
    yield standing_table(found.scores, differences)
    yield Line("")
    if found.by_group and len(found.by_group) <= _GROUPS and len(found.models) <= _BESIDE:
        yield from by_group_table(found.by_group)
        yield Line("")
    elif found.by_group:
        yield Line(f"The scores of each of {len(found.by_group):,} groups: --all")
    if found.cuts and len(found.cuts) <= _GROUPS:
        yield from _cut_table(found.cuts)
        yield Line("")
    yield from answering.some_notes(found.notes, _NOTES, "--all")
    yield Line("")
    yield from answering.finding(headline)


def parts(found: Outcome, differences: Sequence[Differences], how: str, headline: Headline) -> Iterator[Part]:
    """Yield all lines and tables of an evaluation; ``how`` says how the task was found."""
    yield Line(f"Task {found.task} ({how}): {found.about}", "bold")
    yield Line("")
    for table in tables(found, differences):
        yield table
        yield Line("")
    yield Line("How", "bold")
    about = {model.model: model.about for model in found.models if model.about}
    for key, value in [*found.protocol.items(), *about.items()]:
        yield Line(f"  {key}: {value}", "dim")
    yield from (Line(f"* {note}") for note in found.notes)
    yield Line("")
    yield from answering.finding(headline, whole=True)


def tables(found: Outcome, differences: Sequence[Differences]) -> list[Table]:
    """Return what stands in which table, in order."""
    unit = UNITS[found.task]
    return [
        score_table(found.scores, differences),
        *(score_table(scores, (), f"Scores in {name}") for name, scores in found.by_file.items()),
        *by_group_table(found.by_group),
        *(difference_table(each, unit) for each in differences[:1]),
        *change_table(found.noise, unit),
        *_cut_table(found.cuts),
        *_together_tables(found.together),
        *_draw_table(found),
        *_confusion_tables(found.confusions),
        *encoding_table(models_told(model.to_dict() for model in found.models)),
    ]


def _together_tables(together: Sequence[Gain]) -> Iterator[Table]:
    fused = [gain for gain in together if gain.way == "fusion"]
    if not fused:
        return
    remarks = (
        "The two lists merged by reciprocal rank fusion, against the higher one alone. not shown: neither a gain nor a "
        f"loss (paired test, Holm, 5 %){_seen([gain.detectable for gain in fused])}.",
        "The higher one is chosen by the same queries, which flatters it: gains are rather larger than shown. p of a "
        "gain is of both models, so that this choice makes none.",
    )
    measures = list(dict.fromkeys(gain.measure for gain in fused))
    head = ("models", "both [95 %]", "higher one alone", "difference [95 %]", "p (Holm)", "both")
    for measure in measures:
        rows = tuple(
            (*_gain_row(gain), number(gain.p_holm, 4), gain.answer) for gain in fused if gain.measure == measure
        )
        title = f"Would using both help? {measure} of the merged lists, n = {fused[0].n:,}"
        yield Table(title, head, rows, remarks if measure == measures[-1] else ())
    yield _union_table([gain for gain in together if gain.way == "union"])


def _seen(detectable: Sequence[float]) -> str:
    """Say which gain would be seen for any of the pairs."""
    known = [each for each in detectable if math.isfinite(each)]
    if not known:
        return "; from these queries nothing is known of what would be seen"
    return f"; with this many queries one of {number(max(known))} would usually be detected for any pair here"


def _union_table(gains: Sequence[Gain]) -> Table:
    head = ("models", "either [95 %]", "each alone", "documents", "as many of the higher one", "difference [95 %]")
    rows = []
    for gain in gains:
        models, value, higher, difference = _gain_row(gain)
        alone = " | ".join(map(number, gain.alone))
        rows.append((models, value, alone, number(gain.documents, 0), higher, difference))
    remarks = (
        "An upper limit: what a perfect merger of both lists could find (oracle). Either list has more documents than "
        "one, so it is also compared with the higher model alone, read to as many documents for each query.",
    )
    return Table(f"{gains[0].measure} of all that is among the first 100 of either list", head, tuple(rows), remarks)


def _gain_row(gain: Gain) -> tuple[str, str, str, str]:
    return (
        " + ".join(gain.models),
        estimate(gain.value, gain.low, gain.high),
        f"{number(gain.compared[gain.models.index(gain.higher)])} {gain.higher}",
        estimate(gain.difference, gain.difference_low, gain.difference_high),
    )


def _cut_table(cuts: Sequence[CutOff]) -> Iterator[Table]:
    if not cuts:
        return
    rows = tuple(
        (each.model, estimate(each.value, each.low, each.high), number(each.kept, 2),
         estimate(each.passed, each.passed_low, each.passed_high, 2, 2))
        for each in cuts
    )  # fmt: skip
    remarks = ("n/a at an end of the interval: so few texts do not bound it.",)
    unbounded = any(math.isnan(each.low) or math.isnan(each.high) for each in cuts)
    head = ("model", "cut-off [95 %]", "known kept", "others that pass [95 %]")
    title = f"The cut-off that {KEPT:.0%} of {cuts[0].n:,} texts of known classes reach, and {cuts[0].others:,} others"
    yield Table(title, head, rows, remarks if unbounded else ())


def _draw_table(found: Outcome) -> Iterator[Table]:
    if found.draws:
        rows = tuple((model, " ".join(number(value, 4) for value in values)) for model, values in found.draws.items())
        yield Table("probe_accuracy, draw by draw", ("model", "accuracy of each draw"), rows)


def _confusion_tables(confusions: Sequence[Confusion]) -> Iterator[Table]:
    for each in confusions:
        rows = tuple(
            (pair["class"], pair["taken_for"] or "(none)", f"{pair['texts']:,} of {pair['of']:,}")
            for pair in each["pairs"][:_CONFUSIONS_SHOWN]
        )
        if rows:
            title = f"Confused in {each['in']} but not in {each['not_in']}: {each['texts']:,} texts"
            yield Table(title, ("class", "taken for", "texts"), rows)
