"""Second-order cosine: whether a query stands to its neighbours alike in two spaces."""

from __future__ import annotations

import math

import numpy as np

from embdiff.errors import ShapeError
from embdiff.exact import similarity
from embdiff.measures.base import Measure
from embdiff.measures.inference import Doubles
from embdiff.measures.mean_score import mean_score
from embdiff.measures.rank import blocks
from embdiff.records import FloatArray, Neighbors, Score

_NO_PROFILE = "have no neighbours, or no similarity other than 0,"


def second_order_cosine(
    a: Neighbors, b: Neighbors, queries: tuple[FloatArray, FloatArray], vectors: tuple[FloatArray, FloatArray]
) -> Doubles:
    """Return, per query, the cosine of its similarity profiles in A and B over the neighbours in either.

    With U = A u B, ``x_j = cos_A(query, j)`` and ``y_j = cos_B(query, j)`` for j in U: ``x . y / (|x| |y|)``.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
        Lists of the same queries; the rows within a list are distinct, -1 pads.
    queries : two ndarrays of float32, shapes (q, d_A) and (q, d_B)
        The queries' vectors in A and in B; the spaces may differ in dimension.
    vectors : two ndarrays of float32, shapes (n, d_A) and (n, d_B)
        The rows' vectors in A and in B.

    Returns
    -------
    ndarray of float64, shape (q,)
        In [-1, 1]. The profiles are not centred, and cosines of embeddings are mostly positive: values near 1 are
        common for unrelated models too (see `calibration`). NaN where both lists are empty or a profile is 0.

    Raises
    ------
    ShapeError, ParameterError
        When the arrays do not fit together, or a vector has no direction.

    References
    ----------
    Hamilton, Leskovec and Jurafsky 2016 (EMNLP, local neighbourhood measure); as in ReSi (Klabunde et al.).
    """
    if len(vectors[0]) != len(vectors[1]):
        raise ShapeError(
            f"Two spaces must have the same rows. Got {len(vectors[0])} and {len(vectors[1])}. "
            "Encode one corpus with both models."
        )
    out = np.full(len(a.rows), np.nan)
    for part, one, two in blocks(a, b):
        union = np.sort(np.concatenate([one.rows, two.rows], axis=1), axis=1)
        union[:, 1:][union[:, 1:] == union[:, :-1]] = -1
        x, y = (
            np.nan_to_num(similarity(q[part], rows, union, "cosine")).astype(np.float64)
            for q, rows in zip(queries, vectors, strict=True)
        )
        product = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
        cosine = np.full(len(x), np.nan)
        np.divide((x * y).sum(axis=1), product, out=cosine, where=product > 0)
        out[part] = np.clip(cosine, -1.0, 1.0)
    return out


def score_second_order_cosine(
    a: Neighbors,
    b: Neighbors,
    queries: tuple[FloatArray, FloatArray],
    vectors: tuple[FloatArray, FloatArray],
    models: tuple[str, str],
    *,
    query_model: str | None,
    seed: int,
) -> Score:
    """Return the mean second-order cosine with interval; its chance level depends on the spaces and is NaN here.

    Parameters as for `second_order_cosine` and `score_spread`. `calibration.calibrate` finds the chance level by
    permutation.
    """
    values = second_order_cosine(a, b, queries, vectors)
    return mean_score(SECOND_ORDER_COSINE, values, a.k, models, query_model, math.nan, seed, _NO_PROFILE)


SECOND_ORDER_COSINE = Measure(
    name="second_order_cosine",
    function=second_order_cosine,
    summary="cosine of the similarities of a query to all neighbours in either list, in A and in B",
    formula="x . y / (|x| |y|), x_j = cos_A(query, j) and y_j = cos_B(query, j) for j in A u B",
    needs="two spaces + neighbors",
    direction="more alike profiles of similarity",
    range=(-1.0, 1.0),
    symmetric=True,
    invariances=(
        "order of the queries",
        "order of the neighbours within a list",
        "rotation and scaling of either space",
    ),
    undefined_when="both lists of a query are empty, or all its similarities are 0",
    chance="depends on the spaces, often near 1: permutation calibration",
    reference="Hamilton, Leskovec and Jurafsky 2016; ReSi (Klabunde et al. 2024)",
)
