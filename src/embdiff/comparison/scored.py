"""Measures of one comparison: what was kept of an earlier one is found again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from embdiff.kept import Kept
from embdiff.measures.base import MeasureSpec, is_built_in
from embdiff.measures.inputs import Inputs
from embdiff.measures.score import scores
from embdiff.records import Score

T = TypeVar("T")


def kept_scores(kept: Kept, specs: Sequence[MeasureSpec], inputs: Inputs, *, seed: int) -> list[Score]:
    """Return the scores of measures from the same inputs, in their order."""
    return by_measure(kept, scores, specs, inputs, seed=seed)


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
