"""Lists of chunks as lists of documents: against a plain loop, and chance against the exact expectation of a hit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embdiff import exact
from embdiff.measures.judged import Judged, JudgedLists, grade
from embdiff.measures.pages import Pages
from embdiff.measures.places import across_the_end, name_ranks
from embdiff.measures.score import scores
from embdiff.records import Neighbors


def by_hand(rows, similarity, parents):
    """Every document once, by its best chunk; equal ones by id descending."""
    best: dict[str, float] = {}
    for row, value in zip(rows, similarity, strict=True):
        if row >= 0:
            best[parents[row]] = max(value, best.get(parents[row], -math.inf))
    return sorted(sorted(best, reverse=True), key=lambda name: -best[name])


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=30), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_the_best_chunk_counts(parents, depth, seed):
    pages, rng = Pages.of(parents), np.random.default_rng(seed)
    vectors = rng.normal(size=(len(parents), 3)).astype(np.float32).round(1)  # some are equal
    vectors[~vectors.any(axis=1)] = 1.0
    queries = rng.normal(size=(4, 3)).astype(np.float32)
    deep = pages.deep(depth)
    found = exact.search(queries, vectors, deep, "cosine")
    listed = pages.best(found, name_ranks(pages.names), depth)
    whole = exact.search(queries, vectors, len(parents), "cosine")
    assert listed.rows.shape == (4, min(depth, len(set(parents))))
    crossing = 0
    for query in range(4):
        # what is tied has one similarity, that of the nearest of the tie
        similarity = whole.similarity[query]
        if whole.ties is not None:
            similarity = similarity[whole.ties.before[query]]
        wanted = by_hand(whole.rows[query], similarity, parents)
        assert [pages.names[page] for page in listed.rows[query]] == wanted[:depth]
        values = {
            name: max(s for r, s in zip(whole.rows[query], similarity, strict=True) if parents[r] == name)
            for name in wanted
        }
        crossing += len(wanted) > depth and values[wanted[depth]] == values[wanted[depth - 1]]
    told = across_the_end(listed)
    assert (told or "0 of").startswith(f"{crossing} of") if crossing else told is None


def test_lists_keep_their_order_and_pads_stand_last():
    pages = Pages.of(["x", "x", "y", "z", "y"])
    rows = np.array([[1, 0, 2, -1, 3], [4, 3, 2, 1, 0], [-1, -1, 2, 4, 2]])
    assert pages.lists(rows).tolist() == [[0, 1, 2, -1, -1], [1, 2, 0, -1, -1], [1, -1, -1, -1, -1]]
    empty = Neighbors(np.full((2, 3), -1), np.full((2, 3), np.nan, dtype=np.float32), "cosine")
    assert pages.best(empty, name_ranks(pages.names), 2).rows.tolist() == [[-1, -1], [-1, -1]]


@pytest.mark.parametrize(("counts", "k"), [([1, 1, 1, 5], 3), ([2] * 40, 10), ([9, 1, 1, 30, 4] * 60, 10)])
def test_chance_is_that_of_chunks_drawn_at_random(counts, k):
    parents = [str(page) for page, count in enumerate(counts) for _ in range(count)]
    pages, n = Pages.of(parents), len(parents)
    wanted = [0, 3, 3, len(counts) - 1]
    judged = Judged.of(np.arange(4), np.array(wanted), np.ones(4), 4)
    drawn = pages.by_chance(judged, k, 0)
    nothing = grade(np.full((4, k), -1), judged)
    hit, recall = scores([f"hit@{k}", f"recall@{k}"], JudgedLists(nothing, ("m",), n, drawn=drawn))
    exactly = np.mean([1 - math.comb(n - counts[page], k) / math.comb(n, k) for page in wanted])
    assert hit.chance == pytest.approx(exactly, abs=4 * 0.5 / math.sqrt(20_000))
    assert recall.chance == hit.chance  # one document each
    assert (drawn.grades > 0).sum(axis=1).max() == 1
