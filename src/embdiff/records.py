"""The records that travel between the rooms: plain, frozen, without behaviour beyond their own checks.

Row numbers are used inside, string ids at the edges. Vectors and similarities are float32, rows int64.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from embdiff._corpus import Corpus, Qrels, Row, digest_of, first_repeated
from embdiff._picture import Kind, Picture
from embdiff._plain import BoolArray, FloatArray, IntArray, Number, Record, plain
from embdiff._ragged import Ragged, RaggedRow
from embdiff.errors import ShapeError

__all__ = [
    "Answer", "BoolArray", "Corpus", "ElsewhereRows", "FloatArray", "IntArray", "Kind", "Method",
    "Metric", "Neighbors", "Picture", "Qrels", "Ragged", "RaggedRow", "Role", "Row", "Score", "Shape", "Space", "Stamp",
    "Ties", "digest_of", "first_repeated",
]  # fmt: skip
Metric = Literal["cosine", "ip", "l2"]
Method = Literal["procrustes", "ridge", "low-rank"]  # how one space is mapped into another
Role = Literal["document", "query"]
Shape = Literal["dense", "sparse", "tokens"]  # what a model makes of a text: a vector, weights, a vector for each token
_ROWS = 16_384  # rows looked at together


UNPINNED = "unpinned"  # the revision of a model that nothing pins down: a user's own object


@dataclass(frozen=True)
class Stamp(Record):
    """Where vectors came from. Written on every collection; vectors of different stamps are never mixed.

    Parameters
    ----------
    model : str
        The resolved model, for example ``st:sentence-transformers/all-MiniLM-L6-v2``.
    revision : str
        Commit, package version or SHA-256 of the weights: whatever pins the model down.
    dim : int
        Dimension of the vectors.
    prompt, query_prompt : str
        Text put before every document and every query ("" for none).
    max_tokens : int or None
        Longest input in tokens; what is longer is truncated by the model. None when there is no limit.
    precision : str
        Numeric precision the model ran in, for example ``float32``.
    fitted_on : str or None
        Digest of the corpus for models fitted on it (LSA).
    backend : str or None
        What ran the model, where the user chose: ``onnx``, ``openvino``. None for the library's own way.
    preprocessing : str or None
        What is done with an image before the model sees it. None for models of text, and where the revision tells.
    """

    model: str
    revision: str
    dim: int
    prompt: str = ""
    query_prompt: str = ""
    max_tokens: int | None = None
    precision: str = "float32"
    fitted_on: str | None = None
    backend: str | None = None
    preprocessing: str | None = None

    def fingerprint(self) -> str:
        """Return 16 hex digits that differ whenever any part of the stamp differs."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Space:
    """One model's vectors of one corpus.

    Parameters
    ----------
    model : str
        The spec as the user typed it.
    ids : tuple of str, length n
    vectors : ndarray of float32, shape (n, d)
        Finite.
    stamp : Stamp
        Provenance.
    """

    model: str
    ids: tuple[str, ...]
    vectors: FloatArray
    stamp: Stamp

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.ids):
            raise ShapeError(
                f"A space must have one vector for each of its {len(self.ids)} ids. Got an array of shape "
                f"{self.vectors.shape} from {self.model}. Return an array of shape (n, d)."
            )

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return int(self.vectors.shape[1])

    @property
    def normalized(self) -> bool:
        """Whether every vector has Euclidean norm 1 within 1e-3."""
        for start in range(0, len(self.vectors), _ROWS):
            norms = np.linalg.norm(self.vectors[start : start + _ROWS].astype(np.float64), axis=1)
            if not np.all(np.abs(norms - 1.0) < 1e-3):
                return False
        return True


@dataclass(frozen=True, eq=False)
class Ties:
    """Which neighbours of a list are equally near, so that their order means nothing (`embdiff.ties`).

    Parameters
    ----------
    before : ndarray of int64, shape (q, k)
        How many rows are nearer than the tie in which each neighbour stands; its place, from 0, where it stands alone.
    size : ndarray of int64, shape (q, k)
        How many rows are in that tie, those for which the list has no place included; 1 where it stands alone.
    query, row : ndarray of int64, shape (m,)
        Rows that are tied with the last neighbour of a query and for which its list has no place; queries ascending.
    """

    before: IntArray
    size: IntArray
    query: IntArray
    row: IntArray


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The k nearest rows of each query, closest first.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, k)
        Row numbers of the corpus; -1 pads a list that came back short.
    similarity : ndarray of float32, shape (q, k)
        Higher is closer: cosine, inner product, or the *negative* squared Euclidean distance; NaN pads.
    metric : {"cosine", "ip", "l2"}
    index : str
        Text form of the index searched, ``"exact"`` for the exact answer.
    ties : Ties or None
        None where every neighbour is farther than the one before it.
    """

    rows: IntArray
    similarity: FloatArray
    metric: Metric
    index: str = "exact"
    ties: Ties | None = None

    def __post_init__(self) -> None:
        if self.rows.shape != self.similarity.shape or self.rows.ndim != 2:
            raise ShapeError(
                "Rows and similarities of neighbours must have one shape (q, k). "
                f"Got {self.rows.shape} and {self.similarity.shape}. Pass two arrays of the same shape."
            )

    @property
    def distance(self) -> FloatArray:
        """What people see: squared Euclidean distance for l2, else the similarity itself; shape (q, k)."""
        return np.float32(0.0) - self.similarity if self.metric == "l2" else self.similarity  # 0 - x: never -0.0

    @property
    def apart(self) -> FloatArray:
        """What other programs take for a distance, small where rows are close, (q, k): squared L2, 1 - cosine, - ip."""
        return np.float32(self.metric == "cosine") - self.similarity

    @property
    def k(self) -> int:
        """Length of each list, padding included."""
        return int(self.rows.shape[1])


@dataclass(frozen=True)
class Score(Record):
    """One number with all that is needed to read it.

    Parameters
    ----------
    measure : str
        Text form, for example ``overlap@10``.
    models : tuple of str
        The one or two models (collections) it speaks of.
    value, low, high : float
        Estimate and 95 % interval; NaN when undefined.
    chance : float
        What unrelated models would get; NaN where there is no such level.
    n : int
        Number of units (queries, rows) behind the value.
    query_model : str or None
        The model whose vectors queried; None when each model queried its own collection.
    interval : str
        How the interval was made: ``wilson``, ``bca``, ``bootstrap-t``, ``student``, ``jackknife`` or ``none``.
    reason : str or None
        Why a part is undefined.
    per_query : tuple of float or None
        The values behind the mean, in query order.
    """

    measure: str
    models: tuple[str, ...]
    value: Number
    low: Number
    high: Number
    chance: Number
    n: int
    query_model: str | None = None
    interval: str = "none"
    reason: str | None = None
    per_query: tuple[float, ...] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def undefined(
        cls, measure: object, models: tuple[str, ...], reason: str, *, query_model: str | None = None, n: int = 0
    ) -> Score:
        """Return a score that there is not, and why; ``measure`` in text form, or what has one."""
        nan = np.nan
        return cls(str(measure), models, nan, nan, nan, nan, n, query_model, reason=reason)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values: ``null`` where a number is undefined, never ``NaN``."""
        return {**dict.fromkeys(("measure", "models", "query_model")), **plain(self)}


@dataclass(frozen=True, eq=False)
class Answer:
    """What one collection answered to one query model's vectors.

    Parameters
    ----------
    model : str
        The collection's model, as typed.
    query_model : str
        The model whose vectors queried, as typed; equal to ``model`` when it queried its own collection.
    returned : Neighbors, shape (q, k)
        As the store returned them.
    exact : Neighbors, shape (q, k)
        The exact answer to the same queries.
    is_self : ndarray of bool, shape (q, k)
        Where a returned row is the query itself (same id or identical text).
    elsewhere : ElsewhereRows
        Rows that another collection returned and this one did not, with their exact place here.
    """

    model: str
    query_model: str
    returned: Neighbors
    exact: Neighbors
    is_self: BoolArray
    elsewhere: ElsewhereRows


@dataclass(frozen=True, eq=False)
class ElsewhereRows:
    """Exact rank and similarity, in one collection, of rows that only other collections returned.

    Parameters
    ----------
    rows : ndarray of int64, shape (q, m)
        Row numbers, -1 pads.
    ranks : ndarray of int64, shape (q, m)
        Exact rank from 1, -1 pads.
    similarity : ndarray of float32, shape (q, m)
        NaN pads.
    """

    rows: IntArray
    ranks: IntArray
    similarity: FloatArray
