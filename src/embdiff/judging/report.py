"""The state of the judgements as tables for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from embdiff.judging.line import Judging
from embdiff.judging.scoring import JudgedScores
from embdiff.judging.second import Combined, SecondJudge
from embdiff.records import Score
from embdiff.views import answer, table
from embdiff.views.agreement_tables import noise_tables
from embdiff.views.labelled_tables import difference_table, score_table, standing_table
from embdiff.views.numbers import estimate, number
from embdiff.views.table import Line, Table, one_line

_NOTES, _PLANS, _PAIR = 2, 3, 40


def show(judging: Judging, *, everything: bool = False) -> None:
    """Print on stdout what the judgements say, and how far they are: on one screen, or everything."""
    found = judging.score()
    notes = (*found.notes, *judging.notes)
    table.show(
        *(Line(line, "dim") for line in _head(found, judging.set_aside)),
        Line(""),
        *(part for each in _shown(found, judging.noise, everything) for part in (each, Line(""))),
        *of_all(judging.of_all_queries()),
        *(part for each in judging.second() for part in second_lines(each, everything)),
        *answer.some_notes(notes, len(notes) if everything else _NOTES, "--all"),
        Line(""),
        *answer.finding(found.headline, whole=everything),
        Line(f"Judgements: {judging.book.path}"),
    )


def _shown(found: JudgedScores, noise: Sequence[Score], everything: bool) -> Iterator[Table]:
    if everything:
        yield from tables(found, noise)
    elif found.scores:
        yield standing_table(found.scores, found.differences)
        if found.plans:
            rows = tuple((one_line(" - ".join(plan.models), _PAIR), plan.words) for plan in found.plans[:_PLANS])
            more = (f"{len(found.plans) - _PLANS:,} more pairs: --all",) if len(found.plans) > _PLANS else ()
            yield Table(f"What would settle it ({found.plans[0].measure})", (), rows, more)


def tables(found: JudgedScores, noise: Sequence[Score]) -> Iterator[Table]:
    """Yield what stands in which table, in order; ``noise``: what the same model again changes of the neighbours."""
    if not found.scores:
        return
    yield score_table(found.scores, found.differences)
    if found.differences:
        yield difference_table(found.differences[0], "judged queries")
    yield from noise_tables(noise)
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


def second_lines(found: SecondJudge, everything: bool) -> Iterator[Line | Table]:
    """Yield what the labels of a judge model are worth, and what they give together with those of people."""
    agreement = found.agreement
    unsaid = f"; to {found.unsaid:,} it gave no grade" if found.unsaid else ""
    yield Line(f"{found.judge}: {found.labels:,} labels{unsaid}.")
    if agreement.n:
        yield Line(
            f"It says the same as you of {number(agreement.same, 2)} of {agreement.n:,} documents "
            f"({agreement.queries:,} queries) that both judged: Cohen's kappa "
            f"{estimate(agreement.kappa, agreement.low, agreement.high, 2, 2)}; 0 is chance, 1 always the same."
        )
    if found.reason:
        yield Line(f"Its labels do not count: {found.reason}.")
    else:
        shown = [each for each in found.combined if everything or len(each.models) == 1]
        rows = tuple((*_mean(each), number(each.weight, 2), number(each.width, 2)) for each in shown)
        first = found.combined[0]
        title = (
            f"{first.measure} by both: {first.n:,} queries by you and {first.more:,} by it alone, "
            f"{number(100 * found.share, 0)} % of the labels"
        )
        remarks = (
            "Prediction-powered means: your labels correct those of the model. Weight: how far its labels are used. "
            "Width: of the interval, over that of your labels alone.",
        )
        yield Table(title, ("models", "mean or difference [95 %]", "weight", "width"), rows, remarks)
    yield Line("")


def of_all(found: Sequence[Combined]) -> Iterator[Line | Table]:
    """Yield what the judgements say of all queries of the run, where disputed ones were drawn rather."""
    if found:
        title = f"{found[0].measure} over all queries of the run, by {found[0].n:,} drawn with known probabilities"
        yield Table(title, ("models", "mean or difference [95 %]"), tuple(map(_mean, found)))
        yield Line("")


def _mean(each: Combined) -> tuple[str, str]:
    return one_line(" - ".join(each.models), _PAIR), estimate(each.value, each.low, each.high)


def _head(found: JudgedScores, set_aside: int) -> Iterator[str]:
    counts = found.counts
    plural = "s" * (counts["judged"] != 1)
    yield (
        f"{counts['judged']:,} document{plural} judged ({counts['relevant']:,} relevant), "
        f"{counts['skipped']:,} skipped; "
        f"{counts['done']:,} queries done, {counts['begun']:,} begun; "
        f"{counts['left']:,} documents of {counts['queries']:,} queries left to judge"
    )
    if set_aside:
        yield (
            f"{set_aside:,} judgements in the log are of queries, documents or texts that this run does not "
            "have: they stay in the log and are not counted."
        )
