"""Maps of spaces in two dimensions, turned so that the eye can compare them. Maps only: neighbours come from elsewhere.

Every map loses most neighbourhoods; how many it keeps is measured and told with it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from embdiff import exact
from embdiff._optional import require
from embdiff._plain import Number
from embdiff.records import FloatArray, IntArray, Metric

KEPT_K = 10
KEPT_ROWS = 1_000  # rows asked for what the map keeps: a standard error of .01 at most
UMAP_NEIGHBORS = 15
_FLAT = 1e-6  # extent of the second axis over that of the first: below, it is rounding
_BLOCK = 2**22  # numbers converted at a time

Doubles = npt.NDArray[np.float64]
LayoutMethod = Literal["pca", "umap"]


@dataclass(frozen=True, eq=False)
class Layout:
    """A map of one model's space in two dimensions, to look at. Neighbours are never taken from it.

    Parameters
    ----------
    model : str
    method : {"pca", "umap"}
    xy : ndarray of float32, shape (n, 2)
        Centred; the mean squared radius is 1.
    kept : float
        Share of the k true neighbours that are among the k nearest in the map; NaN when not known.
    k, kept_rows : int
        Neighbours counted, and rows asked for them.
    reason : str or None
        Why it is not the kind of map that was asked for.
    """

    model: str
    method: LayoutMethod
    xy: FloatArray
    kept: Number = math.nan
    k: int = 0
    kept_rows: int = 0
    reason: str | None = None


def layouts(
    spaces: Mapping[str, FloatArray], metric: Metric, *, method: LayoutMethod = "pca", seed: int = 0
) -> tuple[Layout, ...]:
    """Lay out several spaces of the same rows, each turned towards the first.

    Parameters
    ----------
    spaces : mapping of str to ndarray of float32, shape (n, d)
        Vectors by model; dimensions may differ, n >= 2 may not.
    metric : {"cosine", "ip", "l2"}
        What neighbours are by; UMAP is fed with them, and ``kept`` counts them.
    method : {"pca", "umap"}
    seed : int
        Of UMAP and of the rows asked for ``kept``.

    Returns
    -------
    tuple of Layout
        In the order of ``spaces``. Where UMAP has no map of a space, the principal plane stands in its place and
        ``reason`` says why.

    Raises
    ------
    MissingDependencyError
        When UMAP is asked for and umap-learn is not installed.
    """
    found: list[Layout] = []
    for model, vectors in spaces.items():
        drawn: LayoutMethod = "pca"
        xy, reason = principal_plane(vectors), None
        if method == "umap":
            reason = _without_umap(xy)
            mapped = None if reason else _umap(vectors, metric, xy, seed)
            if mapped is not None and np.isfinite(mapped).all():
                xy, drawn = mapped, "umap"
            else:
                reason = reason or "it returned no finite map"
        xy = turned(xy, found[0].xy.astype(np.float64)) if found else scaled(xy)
        found.append(with_kept(Layout(model, drawn, xy.astype(np.float32), reason=reason), vectors, metric, seed))
    return tuple(found)


def _without_umap(plane: Doubles) -> str | None:
    """Return why there is no map by UMAP that starts from this plane, if there is none.

    UMAP divides the start by its extent along each axis, and no force ever leaves a line.
    """
    if len(plane) <= UMAP_NEIGHBORS:
        return f"it needs more than {UMAP_NEIGHBORS} rows"
    extent = np.ptp(plane, axis=0)
    if extent[1] > _FLAT * extent[0]:
        return None
    return f"all rows lie {'on a line' if extent[0] > 0 else 'in one point'}, where it has nothing to unfold"


def principal_plane(vectors: FloatArray) -> Doubles:
    """Return the coordinates of each row on the first two principal axes, (n, 2); zeros where there is no variance.

    Each axis points so that its largest coefficient is positive: the same vectors give the same map everywhere.
    """
    centre = vectors.mean(axis=0, dtype=np.float64)
    step = max(1, _BLOCK // vectors.shape[1])
    moments = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step].astype(np.float64) - centre
        moments += block.T @ block
    axes = np.linalg.eigh(moments)[1][:, ::-1][:, :2]
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    plane = np.zeros((len(vectors), 2))
    for start in range(0, len(vectors), step):
        plane[start : start + step, : axes.shape[1]] = (
            vectors[start : start + step].astype(np.float64) - centre
        ) @ axes
    return plane


def scaled(plane: Doubles) -> Doubles:
    """Centre a map and bring its mean squared radius to 1; a map without extent stays as it is."""
    plane = plane - plane.mean(axis=0)
    radius = math.sqrt(float((plane**2).sum(axis=1).mean()))
    return plane / radius if radius > 0 else plane


def turned(plane: Doubles, towards: Doubles) -> Doubles:
    """Rotate or mirror a map so that its rows lie as near as possible to those of another (orthogonal Procrustes).

    References
    ----------
    Schoenemann, Psychometrika 31 (1966) 1.
    """
    plane = scaled(plane)
    left, _, right = np.linalg.svd(plane.T @ scaled(towards))
    rotated: Doubles = plane @ (left @ right)
    return rotated


def with_kept(layout: Layout, vectors: FloatArray, metric: Metric, seed: int) -> Layout:
    """Add how many of the true neighbours of a sample of rows are among as many nearest ones in the map."""
    rows = len(vectors)
    k = min(KEPT_K, rows - 1)
    usable = np.flatnonzero(vectors.any(axis=1)) if metric == "cosine" else np.arange(rows)
    if k < 1 or len(usable) < k + 1:
        return replace(layout, k=k, kept_rows=0)
    asked = np.sort(np.random.default_rng(seed).permutation(len(usable))[:KEPT_ROWS])
    true = _neighbors(vectors[usable], asked, k, metric)
    seen = _neighbors(np.ascontiguousarray(layout.xy[usable]), asked, k, "l2")
    shared = (true[:, :, None] == seen[:, None, :]).any(axis=2).mean()
    return replace(layout, k=k, kept=float(shared), kept_rows=len(asked))


def _neighbors(vectors: FloatArray, asked: IntArray, k: int, metric: Metric) -> IntArray:
    found = exact.search(np.ascontiguousarray(vectors[asked]), vectors, k, metric, leave_out=asked.astype(np.int64))
    return found.rows


def _umap(vectors: FloatArray, metric: Metric, start: Doubles, seed: int) -> Doubles:
    """Lay out with UMAP (McInnes et al. 2018), fed with our exact neighbours and started from the principal plane."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an optional part of umap-learn that nobody asks for
        umap: Any = require("umap", "umap", "A map by UMAP")
    rows = np.arange(len(vectors), dtype=np.int64)
    near = exact.search(vectors, vectors, UMAP_NEIGHBORS, metric)
    distance = near.distance if metric == "l2" else np.maximum(0.0, 1.0 - near.similarity)
    # UMAP wants each row first in its own list, at distance 0.
    own = np.argsort(near.rows != rows[:, None], axis=1, kind="stable")
    knn = np.take_along_axis(near.rows, own, axis=1), np.take_along_axis(distance, own, axis=1)
    knn[0][:, 0], knn[1][:, 0] = rows, 0.0
    mapper = umap.UMAP(
        n_neighbors=UMAP_NEIGHBORS,
        metric="euclidean" if metric == "l2" else "cosine",
        precomputed_knn=(*knn, None),
        init=(scaled(start) * 5.0).astype(np.float32),
        random_state=seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numba, and that UMAP cannot place new rows without its own index
        plane: Doubles = np.asarray(mapper.fit_transform(vectors), dtype=np.float64)
    return plane
