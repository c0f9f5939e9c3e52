"""How far images and texts lie apart in the space of each model that reads both."""

from __future__ import annotations

import numpy as np

from embdiff.comparison.scored import kept_scores
from embdiff.comparison.work import Work
from embdiff.measures.base import MeasureSpec, measures_for
from embdiff.measures.modality import NEEDS, TwoKinds
from embdiff.records import Score


def modality_scores(work: Work) -> list[Score]:
    """Return the gap of every model between rows of one kind and queries of another; nothing where all are alike."""
    if work.inputs.corpus.kinds == work.inputs.queries.kinds:
        return []
    specs, found = [MeasureSpec(each, None, each.defaults) for each in measures_for(NEEDS) if each.reported], []
    for name in work.config.spaces:
        done = work.encoded[name]
        if isinstance(done.documents, np.ndarray) and done.queries is not None:
            found += kept_scores(
                work.kept, specs, TwoKinds(done.documents, done.queries, (name,)), seed=work.config.seed
            )
    return found
