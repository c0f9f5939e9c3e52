"""How far a variant in lower precision is from its model in float32, measured on the user's own texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from embdiff import exact
from embdiff.encoders import Encoder, float32_of, get_encoder
from embdiff.encoders.cache import VectorCache
from embdiff.measures.overlap import score_overlap
from embdiff.records import FloatArray

ROWS, K = 500, 10


def measure_variant(
    name: str, encoder: Encoder, items: Sequence[str], vectors: FloatArray, cache: VectorCache, seed: int
) -> dict[str, Any]:
    """Compare a variant with its model in float32 on rows drawn from the corpus; nothing is done for other models.

    Parameters
    ----------
    name : str
        The model as typed.
    encoder : Encoder
    items : sequence of str, length n
    vectors : ndarray of float32, shape (n, d)
        The variant's, of these texts as documents.
    cache : VectorCache
    seed : int
        Of the draw and of the interval.

    Returns
    -------
    dict
        Empty, or ``variant``: the float32 model, cosine (mean and lowest), and ``overlap@k`` with n, interval and
        chance, None where there are too few different texts. All of the rows drawn, searched among themselves: in the
        whole corpus, where neighbours lie closer together, fewer are shared.
    """
    twin = float32_of(name, encoder)
    if twin is None:
        return {}
    different = np.unique(np.asarray(items, dtype=object), return_index=True)[1]
    rows = np.sort(np.random.default_rng(seed).permutation(different)[:ROWS])
    here = vectors[rows]
    there = get_encoder(twin, cache=cache).encode([items[row] for row in rows], cache=cache)
    a, b = here.astype(np.float64), there.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = np.sum(a * b, axis=1)[lengths > 0] / lengths[lengths > 0]
    facts: dict[str, Any] = {
        "of": twin,
        "rows": len(rows),
        "corpus_rows": len(items),
        "cosine_mean": float(cosines.mean()) if len(cosines) else None,
        "cosine_lowest": float(cosines.min()) if len(cosines) else None,
        "overlap": None,
    }
    k = min(K, len(rows) - 2)  # with all but one as neighbours there would be nothing to choose
    if k > 0 and (lengths > 0).all():
        own = np.arange(len(rows), dtype=np.int64)
        lists = [exact.search(each, each, k, "cosine", leave_out=own) for each in (here, there)]
        score = score_overlap(lists[0], lists[1], (name, twin), query_model=None, candidates=len(rows) - 1, seed=seed)
        facts["overlap"] = {key: score.to_dict()[key] for key in ("measure", "value", "low", "high", "chance", "n")}
    return {"variant": facts}
