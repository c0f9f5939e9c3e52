"""How many neighbours two lists share: overlap and Jaccard, per query and as scores."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from embdiff.measures.rank import RANK_SIMILARITY, blocks, lengths, shared_rows
from embdiff.measures.score import of_random_lists
from embdiff.measures.statistics.quantiles import Doubles, hypergeometric, ratio
from embdiff.measures.ties import have_ties, jaccard_of_tied, shared_in_any_order
from embdiff.records import IntArray, Neighbors


def overlap(a: Neighbors, b: Neighbors) -> Doubles:
    """Return, per query, the share of the k nearest neighbours that two lists have in common: ``|A n B| / k``.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
        Lists of the same queries; the rows within a list are distinct, -1 pads and matches nothing.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]. Lists that came back short are still divided by k, so that a missing result counts as not shared.
        NaN when both lists of a query are empty.

    Raises
    ------
    ShapeError
        When the lists differ in shape, or k is 0.

    Notes
    -----
    By chance k / (n - 1), the query's own row left out; k / n when it can be returned.

    References
    ----------
    Huh et al. 2024, arXiv 2405.07987 (mutual k-NN); Wang et al. 2022.
    """
    shared, left, right = _counts(a, b)
    out: Doubles = shared / a.k
    out[left + right == 0] = np.nan
    return out


def jaccard(a: Neighbors, b: Neighbors) -> Doubles:
    """Return, per query, the neighbours in both lists over those in either: ``|A n B| / |A u B|``.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
        As for `overlap`.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [0, 1]; the union holds what was really returned, so short lists are not punished. For full lists
        J = o / (2 - o), per query (not for the means). NaN when both lists of a query are empty.

    Raises
    ------
    ShapeError
        When the lists differ in shape, or k is 0.

    Notes
    -----
    By chance the exact expectation over the hypergeometric number of common rows; near k / (2n - k) when k is small.

    References
    ----------
    Jaccard 1901; for embeddings Wang et al. 2022.
    """
    if have_ties(a, b):
        return np.concatenate([jaccard_of_tied(one, two) for _, one, two in blocks(a, b)])
    shared, left, right = _counts(a, b)
    return ratio(shared, left + right - shared)


def _counts(a: Neighbors, b: Neighbors) -> tuple[Doubles, IntArray, IntArray]:
    """Return |A n B|, on the mean over the orders of ties, |A| and |B| per query, all (q,)."""
    shared = np.empty(len(a.rows))
    for part, one, two in blocks(a, b):
        tied = have_ties(one, two)
        shared[part] = shared_in_any_order(one, two, [a.k])[:, 0] if tied else shared_rows(one.rows, two.rows)
    return shared, lengths(a), lengths(b)


def expected_shared(left: int, right: int, certain: int, candidates: int) -> float:
    """Return the expected number of rows that two lists share.

    Parameters
    ----------
    left, right : int
        Lengths of the lists.
    certain : int
        Rows that both hold for certain (a query's own).
    candidates : int
        Rows that a query could return, the certain ones included.

    Returns
    -------
    float
        ``s + (left - s) (right - s) / (candidates - s)``.
    """
    pool = candidates - certain
    return certain + ((left - certain) * (right - certain) / pool if pool else 0.0)


def expected_jaccard(left: int, right: int, certain: int, candidates: int) -> float:
    """Return the expected ``|A n B| / |A u B|``, parameters as for `expected_shared`; NaN when both are empty.

    The ratio is averaged over how many rows they share (`hypergeometric`).
    """
    if left + right == 0:
        return math.nan
    shared, law = hypergeometric(left, right, certain, candidates)
    return float(law @ (shared / (left + right - shared)))


OVERLAP = RANK_SIMILARITY.variant(
    function=overlap,
    ties=True,
    needs="two neighbors",
    direction="more neighbours in common",
    invariances=(*RANK_SIMILARITY.invariances, "order of the neighbours within a list"),
    scorer=replace(RANK_SIMILARITY.scorer, expected=of_random_lists(expected_shared, share=True)),
)
JACCARD = OVERLAP.variant(
    function=jaccard,
    scorer=replace(OVERLAP.scorer, expected=of_random_lists(expected_jaccard)),
)
EXACT_OVERLAP = OVERLAP.variant(
    name="exact_overlap",
    summary="overlap of the exact neighbours: what the models differ by, index aside",
    reported=False,
    exact_of="overlap",
)
EXACT_JACCARD = JACCARD.variant(
    name="exact_jaccard",
    summary="jaccard of the exact neighbours: what the models differ by, index aside",
    reported=False,
    exact_of="jaccard",
)
