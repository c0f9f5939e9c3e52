"""A map fitted on rows that two models encoded, and scored on rows that the fit did not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff._settings import typed
from embdiff.alignment.maps import Map, check_method, fit
from embdiff.alignment.reach import Reach, reach
from embdiff.errors import ParameterError, ShapeError
from embdiff.exact import FileVectors
from embdiff.indexes import check_metric
from embdiff.records import FloatArray, IntArray, Method, Metric

LEAST_ROWS = 20  # different rows that a map is fitted on
MOST_ROWS = 5_000  # rows that it is fitted on at most
ASKED = 1_000  # rows that are asked to score it: a standard error of .016 at most
FOLDS = 5
K = 10


@dataclass(frozen=True, eq=False)
class Alignment:
    """A map into another space, and how well it does.

    Parameters
    ----------
    whole : Map
        Fitted on all rows drawn.
    parts : tuple of Map
        Each fitted on all but a fifth of them.
    fold : ndarray of int64, shape (n,)
        For each row of the corpus the part that did not see it; -1 for rows that none saw.
    reach : Reach
        How well the parts map the rows that they did not see.
    """

    whole: Map
    parts: tuple[Map, ...]
    fold: IntArray
    reach: Reach

    def map(self, vectors: FloatArray, rows: IntArray | None = None) -> FloatArray:
        """Return vectors of the source model in the space of the target.

        Parameters
        ----------
        vectors : ndarray of float32, shape (m, d)
        rows : ndarray of int64, shape (m,), optional
            The row of the corpus that each is the vector of, -1 for none: it is mapped by a map that did not see it.

        Returns
        -------
        ndarray of float32, shape (m, e)
        """
        vectors = _table(vectors, "vectors")
        if vectors.shape[1] != len(self.whole.matrix):
            raise ShapeError(
                f"Vectors to be mapped must have the {len(self.whole.matrix)} dimensions of the source. Got shape "
                f"{vectors.shape}. Encode with the source's model."
            )
        mapped = self.whole(vectors)
        if rows is None:
            return mapped
        part = np.where(rows >= 0, self.fold[rows], -1)
        for number, each in enumerate(self.parts):
            here = part == number
            mapped[here] = each(vectors[here])
        return mapped

    def __repr__(self) -> str:
        return (
            f"Alignment({self.whole.method}, {self.reach.dims[0]} -> {self.reach.dims[1]} dimensions, "
            f"{self.reach.rows} rows: {self.reach.recovery.measure} {self.reach.recovery.value:.3f})"
        )


@typed
def align(
    source: FloatArray,
    target: FloatArray | FileVectors,
    method: Method = "procrustes",
    *,
    rows: IntArray | None = None,
    metric: Metric = "cosine",
    k: int = K,
    seed: int = 0,
    models: tuple[str, str] = ("source", "target"),
) -> Alignment:
    """Fit a map from the space of one model into that of another, and score it on rows that it did not see.

    Parameters
    ----------
    source : ndarray of float32, shape (m, d)
        Vectors of rows of a corpus; with cosine only their directions count.
    target : ndarray of float32, shape (n, e)
        The other model's vectors of the whole corpus.
    method : {"procrustes", "ridge", "low-rank"}
        An orthogonal map with one scale; linear regression with a penalty; the same of a lower rank. All are centred.
    rows : ndarray of int64, shape (m,), optional
        The rows of the corpus that ``source`` has, each once; by default all of them.
    metric : {"cosine", "ip", "l2"}
        What neighbours are by.
    k : int
        Neighbours to be found again, 1 to (n - 1) / 2; more are cut to that.
    seed : int
        Of rows drawn, parts and intervals.
    models : tuple of (str, str)
        What the two are called in scores.

    Returns
    -------
    Alignment

    Raises
    ------
    UnknownNameError
        For another method.
    ShapeError
        When the arrays do not fit together.
    ParameterError
        When fewer than 20 rows differ, or vectors cannot be used with the metric.

    Notes
    -----
    Of more than 5,000 rows so many are drawn. They are dealt into five parts, rows that are equal into one, and five
    maps fitted on four parts each; every row is mapped by the one that did not see it. Up to 1,000 of them are asked.

    References
    ----------
    Schoenemann, Psychometrika 31 (1966) 1; Schoenemann and Carroll, Psychometrika 35 (1970) 245 (scale); Hoerl and
    Kennard, Technometrics 12 (1970) 55; Allen, Technometrics 16 (1974) 125 (leave-one-out); Izenman, J. Multivariate
    Anal. 5 (1975) 248; Mukherjee and Zhu, Stat. Anal. Data Min. 4 (2011) 612 (reduced-rank ridge regression).
    """
    check_method(method)
    check_metric(metric)
    source, target = _table(source, "source"), _table(target, "target")
    if k < 1:
        raise ParameterError(f"k must be at least 1. Got {k}. Ask for a neighbour or more.")
    rows = np.arange(len(source)) if rows is None else np.asarray(rows)
    _check_rows(rows, source, target, metric)
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(rows))[:MOST_ROWS])
    source, rows = source[drawn], rows[drawn]
    theirs = target[rows]
    part = _dealt(source, rng, models[0])
    whole = fit(source, theirs, method, metric=metric)
    parts = tuple(fit(source[part != each], theirs[part != each], method, metric=metric) for each in range(FOLDS))
    fold = np.full(len(target), -1, dtype=np.int64)
    fold[rows] = part
    asked = np.sort(rng.permutation(len(rows))[:ASKED])
    asking = np.stack([parts[part[row]](source[row : row + 1])[0] for row in asked])
    found = reach(asking, target, rows[asked], metric=metric, k=k, seed=seed, models=models, by=whole,
                  dim=source.shape[1], fitted=len(rows))  # fmt: skip
    return Alignment(whole, parts, fold, found)


def _dealt(source: FloatArray, rng: np.random.Generator, name: str) -> IntArray:
    """Return to which part each row (m,) is dealt; rows that are equal to one, so that no map has seen an equal one."""
    kind = np.unique(source, axis=0, return_inverse=True)[1].reshape(-1)
    kinds = int(kind.max(initial=-1)) + 1
    refuse_few(kinds, "different vectors", name)
    part: IntArray = rng.permutation(kinds)[kind] % FOLDS
    return part


def refuse_few(count: int, what: str, where: str) -> None:
    """Refuse to fit a map on fewer rows than tell anything."""
    if count < LEAST_ROWS:
        raise ParameterError(
            f"A map between two models must be fitted on at least {LEAST_ROWS} {what}, and on hundreds to be any good. "
            f"Got {count} in {where}. Add rows, or leave the map out (--align)."
        )


def _table(vectors: Any, name: str) -> Any:
    """Return vectors as a table; those that stay in their file as they are."""
    if isinstance(vectors, FileVectors):
        return vectors
    try:
        found = np.ascontiguousarray(vectors, dtype=np.float32)
    except (TypeError, ValueError):
        found = np.zeros(0, dtype=np.float32)
    if found.ndim != 2 or found.shape[1] == 0:
        raise ShapeError(
            f"{name} must be a table of vectors (n, d). Got {repr(vectors)[:60]}. Give numbers, a vector a row."
        )
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise ParameterError(
            f"Vectors must be finite. Got NaN or infinity in row {row} of {name}. Check what the model returns for it."
        )
    return found


def _check_rows(rows: IntArray, source: FloatArray, target: FloatArray | FileVectors, metric: Metric) -> None:
    """Refuse rows that are not one for each vector of the source, and zero vectors where directions count."""
    if (
        not np.issubdtype(rows.dtype, np.integer)
        or rows.shape != (len(source),)
        or (len(rows) and not 0 <= rows.min() <= rows.max() < len(target))
    ):
        raise ShapeError(
            f"Each vector of the source must be of a row of the target, which has {len(target)}. Got {len(source)} "
            f"vectors and rows of shape {rows.shape}. Give vectors of the same rows, or name theirs (rows=)."
        )
    different, counts = np.unique(rows, return_counts=True)
    if len(different) < len(rows):
        again = different[counts > 1]
        raise ShapeError(
            f"Each row must be named once. Got row {again[0]} more than once ({len(again)} such). Leave repeated rows "
            "out."
        )
    zero = np.flatnonzero(~source.any(axis=1)) if metric == "cosine" else np.zeros(0, dtype=np.int64)
    if zero.size:
        raise ParameterError(
            f"With the metric cosine every vector must have a direction. Got a zero vector of source for row "
            f"{rows[zero[0]]} ({zero.size} in all). Leave these rows out, or take the metric l2 or ip."
        )
