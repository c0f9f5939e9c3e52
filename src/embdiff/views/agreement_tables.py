"""Tables of neighbours' scores. Which table a score stands in follows from what its measure needs, whoever made it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from embdiff.measures import get_measure
from embdiff.measures.rbo import Tail
from embdiff.records import Score
from embdiff.views.facts import Facts
from embdiff.views.numbers import estimate, number
from embdiff.views.table import Table, once, pivoted
from embdiff.views.words import AGAIN, by_reason, counted, spec_of, with_chance

Key = TypeVar("Key")

JUDGED, GROUPED = "neighbors + qrels", "neighbors + own group"
_GRIDS = {
    "neighbors + own rows": "Does a query find itself? Share of queries whose own row comes first",
    "returned + exact neighbors": "What the index lost: share of the exact neighbours that it returned",
    "neighbors + expected rows": "Expected results: share of queries with one among their neighbours",
}
_SETS, _OTHERS = "two neighbors", ("two ordered neighbors", "ranks in the other space", "two spaces + neighbors")
_AGAIN = "the same model again"
_ACROSS, _MORE_ROWS, _MOST_DEPTHS = 2, 24, 4
_READ = (
    "kendall_tau: order of the common rows alone, from -1 to 1. spread: how far the first model's neighbours went "
    "in the second, as a share of all rows: small means near."
)


def needing(scores: Iterable[Score], *needs: str) -> list[Score]:
    """Return the scores whose measure needs one of these."""
    return [score for score in scores if (spec := spec_of(score)) and spec.measure.needs in needs]


def is_again(score: Score) -> bool:
    """Return whether a score is of a model compared with itself."""
    return bool(needing([score], _AGAIN))


def _is_exact(score: Score) -> bool:
    spec = spec_of(score)
    return spec is not None and spec.measure.exact_of is not None


def agreement_tables(facts: Facts) -> Iterator[Table]:
    """Yield the tables of agreement: sets of neighbours pair by pair, all other measures, the curve over k."""
    sets = needing(facts.run.scores, _SETS)
    for exactly, how in ((False, ""), (True, ", without the index (exact neighbours)")):
        yield from _side_by_side([score for score in sets if _is_exact(score) == exactly], how)
    strangers = [score for score in facts.run.scores if len(score.models) == 2 and spec_of(score) is None]
    yield from _more([*needing(facts.run.scores, *_OTHERS), *strangers], facts.run.tails)
    yield from _curve(facts)


def noise_tables(scores: Iterable[Score]) -> Iterator[Table]:
    """Yield the noise floor: the same model again, beside what two models share."""
    again = [score for score in scores if is_again(score)]
    if not again:
        return
    most: dict[str, int] = {}
    for score in again:
        most[_how(score)] = max(most.get(_how(score), 0), score.n)
    cells = []
    for score in again:
        model, asks, how = score.models[0], score.query_model, _how(score)
        named = model if asks in (None, model) else f"{model}, asked with {asks}"
        cells.append(("", named, f"{how}, n = {most[how]:,}", estimate(score.value, score.low, score.high, around=2)))
    ways = "; ".join(f"{how}: {words}" for how, words in AGAIN.items())
    remark = (
        f"Overlap of a model's neighbours with its own. {ways}. What two models do not share says something only "
        "beyond this."
    )
    reasons = by_reason((score.reason, _how(score)) for score in again)
    k = again[0].measure.partition("@")[2]
    yield from pivoted(f"The same model again: overlap@{k} [95 %]", "collection", cells, (remark, *reasons))


def grid_tables(facts: Facts) -> Iterator[Table]:
    """Yield tables of one measure each: query models down, collections across."""
    for needs, words in _GRIDS.items():
        found = needing(facts.run.scores, needs)
        for measure, scores in _by(found, lambda score: score.measure).items():
            about = words if measure == found[0].measure else get_measure(measure).measure.summary
            cells = (
                ("", (facts.crossed and score.query_model) or "its own model", score.models[0], with_chance(score))
                for score in scores
            )
            title = f"{about}; {measure} [95 %] chance, {counted([score.n for score in scores])}"
            yield from pivoted(title, "asked with", cells, _reasons(scores))


def _how(score: Score) -> str:
    return score.measure.partition("@")[0].removeprefix("noise_")


def _reasons(scores: Iterable[Score]) -> list[str]:
    return by_reason((score.reason, score.measure) for score in scores)


def _by(scores: Iterable[Score], key: Callable[[Score], Key]) -> dict[Key, list[Score]]:
    found: dict[Key, list[Score]] = {}
    for score in scores:
        found.setdefault(key(score), []).append(score)
    return found


def _by_pair(scores: Iterable[Score], column: Callable[[str], str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield cells with a row for each pair of collections, under who asked."""
    for score in scores:
        asked = f"asked with {score.query_model}" if score.query_model else ""
        yield asked, " | ".join(score.models), column(score.measure), with_chance(score)


def _side_by_side(scores: Sequence[Score], how: str) -> Iterator[Table]:
    if scores:
        title = f"Agreement of neighbours between collections{how}; {counted([score.n for score in scores])}"
        cells = _by_pair(scores, lambda measure: f"{measure} [95 %] chance")
        yield from pivoted(title, "collections", cells, _reasons(scores), _ACROSS)


def _more(scores: Sequence[Score], tails: Iterable[Tail]) -> Iterator[Table]:
    """Measures down, pairs within each: every number has its own n, as not every query has every measure."""
    if not scores:
        return
    pairs = list(_by(scores, lambda score: (score.query_model, frozenset(score.models))).values())
    count = max(1, _MORE_ROWS // len(pairs[0]))
    first = {id(score) for pair in pairs[:count] for score in pair}
    shown = [score for score in scores if id(score) in first]
    open_ends: dict[tuple[str, tuple[str, ...], str | None], Tail] = {
        (tail.measure, tail.models, tail.query_model): tail for tail in tails
    }
    rows: list[tuple[str, ...]] = []
    for measure, column in _by(shown, lambda score: score.measure).items():
        for score in column:
            n = f"{score.n:,}" if math.isfinite(score.value) else ""
            rows.append((measure, _pair(score), with_chance(score), n))
            tail = open_ends.get((score.measure, score.models, score.query_model))
            if tail and math.isfinite(tail.low):  # what it can be, whatever stands beyond the last place of the lists
                between = f"{number(tail.low, 2)} to {number(tail.high, 2)}"
                rows.append((measure, "  with any unseen tail", between, ""))
    said = (f"{len(pairs) - count:,} more pairs are in scores.json.",) if len(pairs) > count else ()
    reasons = by_reason((score.reason, f"{score.measure} of {_pair(score)}") for score in shown)
    head = ("measure", "collections", "value [95 %] chance", "n")
    yield Table("More about agreement", head, tuple(once(rows)), (*said, _READ, *reasons))


def _pair(score: Score) -> str:
    return " | ".join(score.models) + (f" (asked with {score.query_model})" if score.query_model else "")


def _curve(facts: Facts) -> Iterator[Table]:
    """Overlap at smaller depths; the other curves are in the payload."""
    whole = f"overlap@{facts.run.config.k}"
    columns = _by(facts.run.curves, lambda score: score.measure)
    depths = [measure for measure in columns if measure.startswith("overlap@") and measure != whole][-_MOST_DEPTHS:]
    if depths:
        points = [score for measure in depths for score in columns[measure]]
        remark = "Each interval holds by itself. The other measures by depth: --json (curves), or curves_frame()."
        title = f"Overlap by depth; {counted([score.n for score in points])}"
        cells = _by_pair(points, lambda measure: measure.removeprefix("overlap"))
        yield from pivoted(title, "value [95 %] chance", cells, (remark,))
