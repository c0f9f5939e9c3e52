"""What a collection is: all that is known before it is made, its rows, and which vectors it takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.exact import norms
from embdiff.records import FloatArray, IntArray, Metric
from embdiff.specs import IndexSpec

STAMP_SCHEMA = 1
# Beyond these lengths databases lose rows without a word, or give wrong similarities: Milvus Lite leaves out rows whose
# squared distance is above 1e30, and LanceDB and a Milvus server those whose squared length is zero in float32.
LONGEST, SHORTEST = 1e14, 1e-17
_CHECK = "Check what the model returns for it."
_LEAVE = "Leave these rows out, or use the metric l2 or ip."


@dataclass(frozen=True)
class CollectionSpec:
    """Everything that must be known to make, find and search one collection.

    Parameters
    ----------
    name : str
        As `collection_name` made it.
    dim : int
        Dimension of the vectors.
    metric : {"cosine", "ip", "l2"}
    index : IndexSpec
        How to index, and how to search.
    rows : int
        Number of rows when complete.
    stamp : mapping
        Provenance of vectors and corpus, JSON-able.
    """

    name: str
    dim: int
    metric: Metric
    index: IndexSpec
    rows: int
    stamp: Mapping[str, Any]

    def full_stamp(self, *, complete: bool) -> dict[str, Any]:
        """Return what is written on the collection, as JSON gives it back.

        Parameters
        ----------
        complete : bool
            False from `Store.create` on, True from the end of `Store.build`: a collection left half-made differs
            from the one wanted by its stamp alone.
        """
        full = {
            "schema": STAMP_SCHEMA,
            "complete": complete,
            "rows": self.rows,
            "dim": self.dim,
            "metric": self.metric,
            # Search parameters are left out: another nprobe asks the same collection.
            "index": str(IndexSpec(self.index.name, self.index.build_params)),
            "source": self.stamp,
        }
        return dict(json.loads(json.dumps(full, allow_nan=False)))


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a collection, by row number.

    Parameters
    ----------
    rows : ndarray of int64, shape (m,)
        Row numbers, ascending.
    ids, texts, groups : tuple of str, length m
        As stored; a group is "" for none.
    vectors : ndarray of float32, shape (m, d)
    """

    rows: IntArray
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    groups: tuple[str, ...]
    vectors: FloatArray

    def __len__(self) -> int:
        return len(self.rows)

    def followed_by(self, other: Batch) -> Batch:
        """Return the rows of both, which must come in this order."""
        if not len(self) or not len(other):
            return self if len(self) else other
        return Batch(
            np.concatenate([self.rows, other.rows]),
            self.ids + other.ids,
            self.texts + other.texts,
            self.groups + other.groups,
            np.concatenate([self.vectors, other.vectors]),
        )


def check_vectors(vectors: FloatArray, spec: CollectionSpec, place: Callable[[int], str] = "query {}".format) -> None:
    """Refuse vectors that no store should be asked to take or to look for: databases differ in what they do with them.

    Parameters
    ----------
    vectors : ndarray of float32, shape (m, d)
    spec : CollectionSpec
        The collection they are for.
    place : callable, optional
        How to call the vector of a number; ``query 0``... by default.

    Raises
    ------
    ShapeError
        When they have another dimension than the collection.
    ParameterError
        When a value is NaN or infinite, a vector is 1e14 long or more, or, under the metric cosine, zero or shorter
        than 1e-17.
    """
    if vectors.ndim != 2 or vectors.shape[1] != spec.dim:
        raise ShapeError(
            f"Vectors for {spec.name} must have its dimension, {spec.dim}. Got an array of shape {vectors.shape}. "
            "Use the model that the collection was made with."
        )
    length = norms(vectors)
    wrong = [
        (~np.isfinite(length), "finite", _CHECK),
        (length >= LONGEST, f"shorter than {LONGEST:g} (databases square lengths in float32)", _CHECK),
    ]
    if spec.metric == "cosine":
        zero = "other than zero for the metric cosine (zero has no direction)"
        short = f"at least {SHORTEST:g} long for the metric cosine (the square of less is lost in float32)"
        wrong += [(length == 0, zero, _LEAVE), (length < SHORTEST, short, _LEAVE)]
    for which, what, remedy in wrong:
        bad = np.flatnonzero(which)
        if bad.size:
            raise ParameterError(
                f"Vectors must be {what}. Got one that is not in {place(int(bad[0]))}, {bad.size} in all. {remedy}"
            )
