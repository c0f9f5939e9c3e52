"""The state of the judgements as tables for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from embdiff.judging.line import State
from embdiff.views import table
from embdiff.views.agreement_tables import noise_tables
from embdiff.views.labelled_tables import difference_table, score_table
from embdiff.views.table import Line, Table
from embdiff.views.words import estimate


def show(state: State) -> None:
    """Print the state on stdout."""
    table.show(
        *(Line(line, "bold") for line in _head(state)),
        Line(""),
        *(part for each in tables(state) for part in (each, Line(""))),
        *(Line(f"* {note}", "dim") for note in state.notes),
        Line(f"Judgements: {state.qrels}"),
    )


def tables(state: State) -> Iterator[Table]:
    """Yield what stands in which table, in order."""
    found = state.verdict
    if not found.scores:
        return
    yield score_table(found.scores, found.differences)
    if found.differences:
        yield difference_table(found.differences[0], "judged queries")
    yield from noise_tables(state.noise)
    if found.plans:
        rows = tuple(
            (" - ".join(plan.models), estimate(plan.difference, plan.low, plan.high), plan.words)
            for plan in found.plans
        )
        remarks = (
            "From the difference and its spread so far, 80 % power, 5 %, Holm over the pairs. The range is that of the "
            "interval of the difference; the spread is taken as observed.",
        )
        head = ("models", "difference [95 %]", "more")
        yield Table(f"What would settle it ({found.plans[0].measure})", head, rows, remarks)


def _head(state: State) -> Iterator[str]:
    counts = state.verdict.counts
    yield (
        f"{counts['judged']:,} documents judged ({counts['relevant']:,} relevant), {counts['skipped']:,} skipped; "
        f"{counts['done']:,} queries done, {counts['begun']:,} begun; "
        f"{counts['left']:,} documents of {counts['queries']:,} queries left to judge"
    )
    if not state.verdict.scores:
        yield "No query is done yet, so that there is nothing to score."
    if state.set_aside:
        yield (
            f"{state.set_aside:,} judgements in the log are of queries, documents or texts that this run does not "
            "have: they stay in the log and are not counted."
        )
