"""Measures of one comparison: what was kept of an earlier one is found again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from embdiff.comparison.work import Work
from embdiff.kept import Kept
from embdiff.measures.base import MeasureSpec, is_built_in
from embdiff.measures.differences import Differences, between_models
from embdiff.measures.inputs import Inputs
from embdiff.measures.score import scores
from embdiff.records import Answer, Score

T = TypeVar("T")
Labelled = tuple[tuple[Score, ...], tuple[tuple[str | None, Differences], ...]]


def kept_scores(kept: Kept, specs: Sequence[MeasureSpec], inputs: Inputs, *, seed: int) -> list[Score]:
    """Return the scores of measures from the same inputs, in their order."""
    return by_measure(kept, scores, specs, inputs, seed=seed)


def labelled_scores(
    work: Work, specs: Sequence[MeasureSpec], lists: Callable[[Answer, str | None], Inputs], *, tested: bool = True
) -> Labelled:
    """Score every collection, and what stands beside them, by labels; test the collections that were asked alike.

    Parameters
    ----------
    work : Work
    specs : sequence of MeasureSpec
    lists : callable
        ``lists(answer, query model or None)``: what the measures are taken from.
    tested : bool
        Whether differences are wanted.

    Returns
    -------
    scores : tuple of Score
        Measure by measure.
    differences : tuple of (str or None, Differences)
        For each query model; None: each model queried its own.
    """
    crossed, seed = bool(work.config.query_models), work.config.seed
    groups: dict[str | None, list[Score]] = {}
    for answer in work.answers:
        asks = answer.query_model if crossed else None
        groups.setdefault(asks, []).extend(kept_scores(work.kept, specs, lists(answer, asks), seed=seed))
    beside = [score for each in work.beside for score in kept_scores(work.kept, specs, lists(each, None), seed=seed)]
    every = [score for scores in (*groups.values(), beside) for score in scores]
    return tuple(every[at] for first in range(len(specs)) for at in range(first, len(every), len(specs))), tuple(
        (asks, each)
        for asks, scores in groups.items()
        if tested
        for each in work.kept.call(between_models, [*scores, *beside], seed=seed)
    )


def by_measure(
    kept: Kept, function: Callable[..., Sequence[T]], specs: Sequence[MeasureSpec], inputs: Inputs, **named: int
) -> list[T]:
    """Return ``function(specs, inputs, **named)``, one result for each measure.

    Nobody vouches for the code of other packages' measures: only results of those of embdiff are kept and found again.
    """
    ours = tuple(str(spec) for spec in specs if is_built_in(spec.measure))
    others = [spec for spec in specs if not is_built_in(spec.measure)]
    again = iter(kept.call(function, ours, inputs, **named) if ours else ())
    computed = iter(function(others, inputs, **named) if others else ())
    return [next(again if is_built_in(spec.measure) else computed) for spec in specs]
