"""Ranked lists and judgements as arrays, against dicts and sorting by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embdiff.measures.judged import Judged, grade
from embdiff.measures.places import trec_order


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 8), st.sampled_from([2, 1_000]))
def test_order_is_that_of_sorting_by_score_and_id(seed, queries, depth, distinct):
    """Few distinct scores give ties, many give lists that are in order already; pads may stand anywhere."""
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(20)[:depth] for _ in range(queries)])
    scores = rng.integers(0, distinct, rows.shape).astype(np.float32)
    if rng.random() < 0.5:
        scores = np.sort(scores, axis=1)[:, ::-1]
    rows = np.where(rng.random(rows.shape) < 0.2, -1, rows)
    scores = np.where(rows < 0, np.nan, scores)
    names = rng.permutation(20)
    before = rows.copy()
    found = trec_order(rows, scores, names)
    for line, row, values in zip(found.tolist(), rows.tolist(), scores.tolist(), strict=True):
        there = [
            (value, names[document], document) for document, value in zip(row, values, strict=True) if document >= 0
        ]
        expected = [document for *_, document in sorted(there, reverse=True)]
        assert line == expected + [-1] * (depth - len(expected))
    assert np.array_equal(rows, before)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([30, 3_000, 10**9]))
def test_grades_are_those_of_a_dict(seed, queries, documents):
    """Also where numbers of queries and documents share their last digits with those of others."""
    rng = np.random.default_rng(seed)
    rows = np.where(rng.random((queries, 12)) < 0.1, -1, rng.integers(0, documents, (queries, 12)))
    pairs = {
        (int(rng.integers(queries)), int(rng.choice(rows.ravel()) if rng.random() < 0.7 else rng.integers(documents)))
        for _ in range(50)
    }
    wanted = {pair: int(rng.integers(-1, 4)) for pair in sorted(pairs)}
    query, document = (np.array(part, dtype=np.int64) for part in zip(*wanted, strict=True))
    judged = Judged.of(query, document, np.array(list(wanted.values()), dtype=np.int64), queries)
    found = grade(rows, judged).grades
    for at, line in enumerate(rows.tolist()):
        expected = [wanted.get((at, document), 0) if document >= 0 else 0 for document in line]
        assert found[at].tolist() == expected
