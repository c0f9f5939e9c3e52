"""Scores of a run, taken once: those made before from the same inputs by the same code are found again."""

from __future__ import annotations

from collections.abc import Sequence

from embdiff.kept import call
from embdiff.measures.base import MeasureSpec, is_built_in
from embdiff.measures.inputs import Inputs
from embdiff.measures.score import scores
from embdiff.records import Score


def kept_scores(specs: Sequence[MeasureSpec], inputs: Inputs, *, seed: int) -> list[Score]:
    """Return a score for each measure, in their order.

    What was kept is vouched for by embdiff's own code: a measure of another package is taken anew each time.
    """
    own = [spec for spec in specs if is_built_in(spec.measure)]
    found: dict[str, Score] = {}
    if own:
        texts = tuple(map(str, own))
        found |= zip(texts, call(scores, texts, inputs, seed=seed), strict=True)
    others = [spec for spec in specs if str(spec) not in found]
    found |= zip(map(str, others), scores(others, inputs, seed=seed), strict=True)
    return [found[str(spec)] for spec in specs]
