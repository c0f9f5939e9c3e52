"""What measures are taken from: one record for each kind of need, which knows how to hand itself to a measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import BoolArray, FloatArray, IntArray, Neighbors
from embdiff.ties import cut, of_queries


class Undefined(Exception):  # noqa: N818 - no error: a score says so
    """A measure that cannot be taken from these inputs; the text is the reason."""


class Inputs(Protocol):
    """What every record of inputs tells.

    Attributes
    ----------
    models : tuple of str
        The one or two models (collections) that a score speaks of.
    query_model : str or None
        The model whose vectors queried; None when each model queried its own collection.
    needs : tuple of str
        The kinds of `embdiff.measures.base.Needs` that it can serve.
    """

    @property
    def models(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def query_model(self) -> str | None: ...  # noqa: D102

    @property
    def k(self) -> int | None:
        """Depth at which measures with a cut-off are taken unless they name another."""
        ...

    def at(self, depth: int | None) -> Inputs:
        """Return the same, cut to a depth."""
        ...

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure's function is called with.

        Raises
        ------
        Undefined
            When it is not there.
        """
        ...


class Whole:
    """Inputs that have no depth: they are the same, however deep a measure is taken."""

    @property
    def k(self) -> int | None:
        """None: there is no depth."""
        return None

    def at(self, depth: int | None) -> Self:
        """Return the same."""
        return self


def truncated(neighbors: Neighbors, depth: int) -> Neighbors:
    """Return the first ``depth`` neighbours of each list, shape (q, depth).

    Raises
    ------
    ParameterError
        When ``depth`` is not between 1 and k.
    """
    if not 1 <= depth <= neighbors.k:
        raise ParameterError(
            f"A depth must be between 1 and {neighbors.k}, the length of the lists. Got {depth}. "
            "Search with a larger k, or ask for fewer neighbours."
        )
    return neighbors if depth == neighbors.k else cut(neighbors, depth)


@dataclass(frozen=True, eq=False)
class TwoLists:
    """Lists of two models for the same queries, and what else is known of them.

    Parameters
    ----------
    a, b : Neighbors, shape (q, k)
    models : tuple of str
        Whose lists these are: two models, or one that was asked again in another way.
    query_model : str or None
    candidates : int or ndarray of int64, shape (q,)
        Rows that a query could return: n, or n - 1 when its own row is left out.
    fixed : ndarray of int64, shape (q,), optional
        How many rows of each query's own are in both lists: they are there for certain, not by luck. For the chance
        level of ranks they are taken to stand first.
    ranks : ndarray of int64 or float64, shape (q, k), optional
        Exact rank in B, from 1, of each neighbour in A, of a row that is tied there the mean of its tie; -1 pads.
    own : ndarray of bool, shape (q, k), optional
        Which of A's neighbours are rows of the query's own: in B they stand first for certain.
    vectors : tuple of two pairs of ndarray of float32, optional
        The queries' vectors in A and in B, (q, d_A) and (q, d_B), and the rows', (n, d_A) and (n, d_B).
    rows : ndarray of int64, shape (q,), optional
        The row that each query is.
    missing : mapping of str to str
        Why there are no ranks or vectors: a need and its reason.
    """

    a: Neighbors
    b: Neighbors
    models: tuple[str, ...]
    query_model: str | None = None
    candidates: int | IntArray = 0
    fixed: IntArray | None = None
    ranks: IntArray | Doubles | None = None
    own: BoolArray | None = None
    vectors: tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]] | None = None
    rows: IntArray | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def k(self) -> int:
        """Length of the lists."""
        return self.a.k

    def at(self, depth: int | None) -> TwoLists:
        """Return the first ``depth`` neighbours of each list; min(depth, fixed) fixed rows are left."""
        if depth is None or depth == self.k:
            return self
        return replace(
            self,
            a=truncated(self.a, depth),
            b=truncated(self.b, depth),
            fixed=None if self.fixed is None else np.minimum(self.fixed, depth),
            ranks=None if self.ranks is None else self.ranks[:, :depth],
            own=None if self.own is None else self.own[:, :depth],
        )

    def of(self, which: IntArray) -> TwoLists:
        """Return the same of some queries, each named once, ascending."""

        def some(values: Any) -> Any:
            return None if values is None else values[which]

        return replace(
            self,
            a=of_queries(self.a, which),
            b=of_queries(self.b, which),
            candidates=self.candidates if np.ndim(self.candidates) == 0 else some(self.candidates),
            fixed=some(self.fixed),
            ranks=some(self.ranks),
            own=some(self.own),
            vectors=None if self.vectors is None else (tuple(map(some, self.vectors[0])), self.vectors[1]),
            rows=some(self.rows),
        )

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of two lists is called with."""
        if needs in self.missing:
            raise Undefined(self.missing[needs])
        if needs == "ranks in the other space" and self.ranks is not None:
            return self.ranks, self.candidates
        if needs == "two spaces + neighbors" and self.vectors is not None:
            return self.a, self.b, *self.vectors
        if needs in ("two neighbors", "two ordered neighbors"):
            return self.a, self.b
        if needs == "the same model again":  # the same list again is the same, whatever is tied in it
            return replace(self.a, ties=None), replace(self.b, ties=None)
        raise Undefined(f"these lists have no {needs}")

    def drawn(self) -> IntArray:
        """Return length of A, length of B, certain rows and candidates of each query, (q, 4), after checking them.

        Raises
        ------
        ShapeError
            When there is not one number of certain rows per query.
        ParameterError
            When a list is longer than the candidates, or shorter than its certain rows.
        """
        left, right = (np.count_nonzero(each.rows >= 0, axis=1) for each in (self.a, self.b))
        certain = np.zeros_like(left) if self.fixed is None else np.asarray(self.fixed)
        pool = np.broadcast_to(np.asarray(self.candidates, dtype=np.int64), left.shape)
        _check_drawn(left, right, certain, pool)
        return np.stack([left, right, certain, pool], axis=1)


def _check_drawn(left: IntArray, right: IntArray, certain: IntArray, candidates: IntArray) -> None:
    """Refuse lists that could not have been drawn like that; all arrays (q,)."""
    if certain.shape != left.shape:
        raise ShapeError(
            f"fixed must have one number for each of the {len(left)} queries. Got shape {certain.shape}. "
            "Count the own rows of every query."
        )
    longest = np.maximum(left, right)
    short = np.flatnonzero(longest > candidates)
    if short.size:
        at = int(short[0])
        raise ParameterError(
            f"Candidates must be at least as many as the neighbours in a list. Got {candidates[at]} candidates and a "
            f"list of {longest[at]}. Pass the number of rows that a query could return."
        )
    wrong = np.flatnonzero((certain < 0) | (certain > np.minimum(left, right)))
    if wrong.size:
        at = int(wrong[0])
        raise ParameterError(
            f"fixed must be between 0 and the length of both lists. Got {certain[at]} for query {at}, whose lists hold "
            f"{left[at]} and {right[at]} rows. Count only own rows found in both lists."
        )


@dataclass(frozen=True, eq=False)
class OneSearch(Whole):
    """What one collection returned, and what it should have.

    Parameters
    ----------
    returned, exact : Neighbors, shape (q, k)
        From the store, and the exact answer.
    nearest : Neighbors, shape (q, 1)
        The exact nearest row with nothing left out.
    similarity : ndarray of float32, shape (q, k)
        Exact similarity of the returned rows, NaN pads.
    own : sequence of q arrays of int64
        The rows with the text of each query.
    models : tuple of one str
    query_model : str or None
    candidates : int or ndarray of int64, shape (q,)
        Rows that a query could return.
    documents : int
        Rows of the corpus.
    expected : sequence of q arrays of int64, optional
        The rows that each query should find; empty where nothing is known.
    """

    returned: Neighbors
    exact: Neighbors
    nearest: Neighbors
    similarity: FloatArray
    own: Sequence[IntArray]
    models: tuple[str, ...]
    query_model: str | None
    candidates: int | IntArray
    documents: int
    expected: Sequence[IntArray] | None = None

    @property
    def k(self) -> int:
        """Length of the lists: what a search returned is judged as deep as it was asked."""
        return self.returned.k

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of one search is called with."""
        if needs == "neighbors + own rows":
            return self.nearest, self.own
        if needs == "returned + exact neighbors":
            return self.returned, self.exact, self.similarity
        if needs == "neighbors + expected rows" and self.expected is not None:
            return self.returned, self.expected
        raise Undefined(f"this search has no {needs}")
