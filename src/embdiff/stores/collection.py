"""What a collection is: its name, all that is known before it is made, its rows, and which vectors it takes."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.exact import norms
from embdiff.indexes import IndexSpec
from embdiff.records import FloatArray, IntArray, Metric, Ragged, Shape

STAMP_SCHEMA = 2
Vectors = FloatArray | Ragged  # float32 (m, d) for the shape dense, else rows of unequal length
FIELDS = ("row", "id", "text", "group", "vector")  # of a row, in a database that has names for them
# Beyond these lengths databases lose rows without a word, or give wrong similarities: Milvus Lite leaves out rows whose
# squared distance is above 1e30, and LanceDB and a Milvus server those whose squared length is zero in float32.
LONGEST, SHORTEST = 1e14, 1e-17
_CHECK = "Check what the model returns for it."
_LEAVE = "Leave these rows out, or use the metric l2 or ip."


def collection_name(run: str, model: str, fingerprint: str) -> str:
    """Return the name of a model's collection, legal in every store.

    Parameters
    ----------
    run : str
        Label of the run.
    model : str
        The full text form of the model.
    fingerprint : str
        Fingerprint of the model's stamp.

    Returns
    -------
    str
        Letters, digits and ``_``, at most 255 characters, no digit first: readable parts of run and model, and a
        hash of all three arguments whole, so that no two models and no two runs share a collection.
    """
    whole = hashlib.sha256("\0".join((run, model, fingerprint)).encode("utf-8", "surrogatepass")).hexdigest()
    name = f"{_slug(run)[:60] or 'run'}_{_slug(model)[:120] or 'model'}_{whole[:12]}"
    return f"c_{name}" if name[0].isdigit() else name


def _slug(text: str) -> str:
    """Return the ASCII letters and digits of a text, accents taken off, other runs of characters as one ``_``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")


@dataclass(frozen=True)
class CollectionSpec:
    """Everything that must be known to make, find and search one collection.

    Parameters
    ----------
    name : str
        As `collection_name` made it.
    dim : int
        Dimension of the vectors; of sparse ones how many places for weights there are, of tokens that of each vector.
    metric : {"cosine", "ip", "l2"}
    index : IndexSpec
        How to index, and how to search.
    rows : int
        Number of rows when complete.
    stamp : mapping
        Provenance of vectors and corpus, JSON-able.
    shape : {"dense", "sparse", "tokens"}
        What a row holds: a vector; weights; or a unit vector for each token, searched by MaxSim. Of weights and of unit
        vectors the inner product is searched (metric ip).
    """

    name: str
    dim: int
    metric: Metric
    index: IndexSpec
    rows: int
    stamp: Mapping[str, Any]
    shape: Shape = "dense"

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
            "shape": self.shape,
            "metric": self.metric,
            # Search parameters are left out: another nprobe asks the same collection.
            "index": str(IndexSpec(self.index.name, self.index.build_params)),
            "source": self.stamp,
        }
        return dict(json.loads(json.dumps(full, allow_nan=False)))


def read_stamp(text: str | bytes | None) -> dict[str, Any] | None:
    """Return the stamp that a store keeps as JSON; None where there is none, or a text that embdiff does not write."""
    with suppress(ValueError, RecursionError):
        stamp = json.loads(text or "null")
        if isinstance(stamp, dict) and isinstance(stamp.get("source"), dict):
            return stamp if all(type(stamp.get(key)) is int for key in ("rows", "dim")) else None
    return None


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a collection, by row number.

    Parameters
    ----------
    rows : ndarray of int64, shape (m,)
        Row numbers, ascending.
    ids, texts, groups : tuple of str, length m
        As stored; a group is "" for none.
    vectors : ndarray of float32, shape (m, d), or Ragged of m rows
    """

    rows: IntArray
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    groups: tuple[str, ...]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> Batch:
        """Return the rows at the places start..stop-1; all of them are these, their vectors left where they lie."""
        if start == 0 and stop >= len(self):
            return self
        some = slice(start, stop)
        return Batch(self.rows[some], self.ids[some], self.texts[some], self.groups[some], self.vectors[some])

    def followed_by(self, other: Batch) -> Batch:
        """Return the rows of both, which must come in this order."""
        if not len(self) or not len(other):
            return self if len(self) else other
        rows, vectors = np.concatenate([self.rows, other.rows]), _joined(self.vectors, other.vectors)
        return Batch(rows, self.ids + other.ids, self.texts + other.texts, self.groups + other.groups, vectors)


def _joined(first: Vectors, second: Vectors) -> Vectors:
    if isinstance(first, Ragged) and isinstance(second, Ragged):
        return Ragged.joined((first, second))
    return np.concatenate([dense(first), dense(second)])


def dense(vectors: Vectors) -> FloatArray:
    """Return vectors as the table that they are, of one for each row; raises ShapeError for others."""
    if isinstance(vectors, Ragged):
        raise ShapeError("There must be one vector for each row. Got rows of unequal length. Name a dense model.")
    return vectors


def shape_of(vectors: Vectors) -> tuple[Shape, int]:
    """Return what rows hold, and their dimension; of sparse ones the smallest that it can be."""
    if not isinstance(vectors, Ragged):
        return "dense", int(vectors.shape[1]) if vectors.ndim == 2 else 0
    if vectors.columns is None:
        return "tokens", int(vectors.values.shape[1])
    return "sparse", 1 + int(vectors.columns.max(initial=-1))


def check_vectors(vectors: Vectors, spec: CollectionSpec, ids: Sequence[str] | None = None, first: int = 0) -> None:
    """Refuse vectors that no store should be asked to take or to look for: databases differ in what they do with them.

    Parameters
    ----------
    vectors : ndarray of float32, shape (m, d), or Ragged of m rows
    spec : CollectionSpec
        The collection they are for.
    ids : sequence of str, length m, optional
        Of the rows that the vectors belong to, for messages; without them they are queries.
    first : int
        Number of the first row.

    Raises
    ------
    ShapeError
        When they have another dimension than the collection.
    ParameterError
        When a value is NaN or infinite, a vector is 1e14 long or more, or, under the metric cosine, zero or shorter
        than 1e-17.
    """
    shape, dim = shape_of(vectors)
    if shape != spec.shape or dim > spec.dim or (shape != "sparse" and dim != spec.dim):
        raise ShapeError(
            f"Vectors for {spec.name} must be {spec.shape}, of dimension {spec.dim}. Got {shape} ones of {dim}. "
            "Use the model that the collection was made with."
        )
    values = vectors.values if isinstance(vectors, Ragged) else vectors
    length = norms(values if values.ndim == 2 else values[:, None])  # of a weight, or of a token's vector, too
    of = np.repeat(np.arange(len(vectors)), vectors.counts) if isinstance(vectors, Ragged) else np.arange(len(vectors))
    wrong = [
        (~np.isfinite(length), "finite", _CHECK),
        (length >= LONGEST, f"shorter than {LONGEST:g} (databases square lengths in float32)", _CHECK),
    ]
    if spec.metric == "cosine":
        zero = "other than zero for the metric cosine (zero has no direction)"
        short = f"at least {SHORTEST:g} long for the metric cosine (the square of less is lost in float32)"
        wrong += [(length == 0, zero, _LEAVE), (length < SHORTEST, short, _LEAVE)]
    for which, what, remedy in wrong:
        bad = np.unique(of[which])
        if bad.size:
            at = int(bad[0])
            where = f"query {at}" if ids is None else f"row {first + at} (id {ids[at]!r})"
            raise ParameterError(f"Vectors must be {what}. Got one that is not in {where}, {bad.size} in all. {remedy}")
