"""Neighbour lists made for tests."""

import numpy as np
from hypothesis import strategies as st

from embdiff.measures.inputs import TwoLists
from embdiff.measures.score import score
from embdiff.records import Neighbors


def scored(measure, a, b, models=("a", "b"), *, query_model=None, candidates=0, seed=0, **more):
    """The score of a measure of two lists."""
    return score(measure, TwoLists(a, b, models, query_model, candidates, **more), seed=seed)


def listed(rows):
    rows = np.asarray(rows, dtype=np.int64)
    similarity = np.where(rows < 0, np.nan, -np.arange(rows.shape[1]) / 100).astype(np.float32)
    return Neighbors(rows, similarity, "cosine")


@st.composite
def lists(draw, count=2, pads=True):
    """Lists of distinct rows of one corpus, cut short by -1 here and there."""
    n, q = draw(st.integers(2, 30)), draw(st.integers(1, 8))
    k = draw(st.integers(1, n))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    out = []
    for _ in range(count):
        rows = rng.permuted(np.tile(np.arange(n), (q, 1)), axis=1)[:, :k]
        if pads and draw(st.booleans()):
            rows[np.arange(k) >= rng.integers(0, k + 1, q)[:, None]] = -1
        out.append(listed(rows))
    return n, out
