"""Three measures as another package would register them: a copy of overlap, one of a space, one of judged lists."""

from dataclasses import replace

import numpy as np

from embdiff.measures import Measure
from embdiff.measures.overlap import OVERLAP


def longest_row(x):
    """The length of the longest row over the mean length."""
    lengths = np.linalg.norm(np.asarray(x, dtype=np.float64), axis=1)
    return float(lengths.max() / lengths.mean()) if lengths.any() else float("nan")


def second_place(graded, k):
    """1 where the second document of a list is relevant."""
    depth = min(k, graded.grades.shape[1])
    return (graded.grades[:, 1:depth][:, :1] >= graded.level).sum(axis=1).astype(np.float64)


COPIED_OVERLAP = replace(OVERLAP, name="copied_overlap", summary="what overlap is, under another name")
LONGEST_ROW = Measure(
    name="longest_row",
    function=longest_row,
    summary="length of the longest row over the mean length",
    formula="max |x_i| / mean |x_i|",
    needs="one space",
    direction="one row is longer than the others",
    range=(1.0, float("inf")),
    symmetric=True,
    invariances=("rotation", "scaling", "order of the rows"),
    undefined_when="all rows have length 0",
    chance="nobody worked it out",
    reference="none: an example",
    cutoff=False,
)
SECOND_PLACE = Measure(
    name="second_place",
    function=second_place,
    summary="share of queries whose second document is relevant",
    formula="1 if the second document is relevant, else 0",
    needs="neighbors + qrels",
    direction="more second places are relevant",
    range=(0.0, 1.0),
    symmetric=False,
    invariances=("order of the queries",),
    undefined_when="there are no judged queries",
    chance="nobody worked it out",
    reference="none: an example",
)
