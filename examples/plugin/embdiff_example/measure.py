"""A measure of two lists: how often both begin with the same row."""

import numpy as np

from embdiff.measures import Measure
from embdiff.records import Neighbors


def same_first(a: Neighbors, b: Neighbors) -> np.ndarray:
    """Return, per query, ``1 if both lists begin with the same row, else 0``.

    Notes
    -----
    By chance 1 / n.

    References
    ----------
    An example.
    """
    return (a.rows[:, 0] == b.rows[:, 0]).astype(np.float64)


SAME_FIRST = Measure(
    function=same_first,
    summary="share of queries whose lists begin with the same row",
    needs="two neighbors",
    direction="the models agree on the nearest row",
    range=(0.0, 1.0),
    symmetric=True,
    invariances=("order of the queries",),
    reported=False,  # only where it is asked for: --measure same_first
)
