"""Spaces as inputs of measures, and how their scores are made: with an interval from leaving groups of rows out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from embdiff import exact
from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.base import MeasureSpec
from embdiff.measures.inputs import TwoLists, Undefined, truncated
from embdiff.measures.moments import Floating
from embdiff.measures.statistics.jackknife import PLAIN, Scale, groups, jackknife, no_interval
from embdiff.measures.statistics.resampling import Interval
from embdiff.measures.ties import in_one_order
from embdiff.records import BoolArray, FloatArray, IntArray, Metric, Neighbors, Score, Space


@dataclass(frozen=True, eq=False)
class OneSpace:
    """The vectors of one model, and the neighbours of every row.

    Parameters
    ----------
    space : Space, vectors of shape (n, d)
    neighbors : Neighbors, shape (m, k), optional
        Query i is row i of the rows searched, its own row left out.
    vectors : ndarray of float32, shape (m, d), optional
        The rows that ``neighbors`` is of, where they are not those of the space.
    note : str, optional
        What was sampled for the neighbours.
    """

    query_model: ClassVar[None] = None  # each is described by itself
    space: Space
    neighbors: Neighbors | None = None
    vectors: FloatArray | None = None
    note: str | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """The model."""
        return (self.space.model,)

    @property
    def k(self) -> int | None:
        """Length of the lists of neighbours."""
        return None if self.neighbors is None else self.neighbors.k

    @property
    def beside(self) -> FloatArray:
        """The rows that the neighbours are of, (m, d)."""
        return self.space.vectors if self.vectors is None else self.vectors

    def at(self, depth: int | None) -> OneSpace:
        """Return the same with the first ``depth`` neighbours of each row."""
        if depth is None or self.neighbors is None:
            return self
        return replace(self, neighbors=truncated(self.neighbors, depth))

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of one space is called with."""
        if needs == "one space":
            return (self.space.vectors,)
        if needs == "one space + neighbors":
            return self.beside, self.listed("ip")  # an inner product is no distance
        if needs == "neighbors of every row":
            return (self.listed(),)
        raise Undefined(f"this space has no {needs}")

    def listed(self, unlike: Metric | None = None) -> Neighbors:
        """Return the neighbours; those searched by the metric ``unlike`` with cosines, where vectors have length 1.

        Of such vectors the neighbours are the same by every metric.
        """
        found = self.neighbors
        if found is None:
            raise Undefined(f"the neighbours of the rows in {self.space.model} are not there")
        if found.metric != unlike or not self.space.normalized:
            return found
        inner = found.metric == "ip"
        cosines = found.similarity if inner else exact.similarity(self.beside, self.beside, found.rows, "cosine")
        return replace(found, similarity=cosines, metric="cosine")


@dataclass(frozen=True, eq=False)
class TwoSpaces:
    """Two models' spaces of the same rows."""

    query_model: ClassVar[None] = None
    a: OneSpace
    b: OneSpace

    @property
    def models(self) -> tuple[str, ...]:
        """Both models."""
        return self.a.models + self.b.models

    @property
    def k(self) -> int | None:
        """Length of the lists of neighbours."""
        return self.a.k

    @property
    def note(self) -> str | None:
        """What was sampled for the neighbours."""
        return self.a.note

    def at(self, depth: int | None) -> TwoSpaces:
        """Return the same with the first ``depth`` neighbours of each row."""
        return TwoSpaces(self.a.at(depth), self.b.at(depth))

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of two spaces is called with.

        Raises
        ------
        ShapeError
            When the spaces are not of the same ids in the same order.
        """
        if needs == "two spaces":
            _same_rows(self.a.space, self.b.space)
            return self.a.space.vectors, self.b.space.vectors
        if needs == "two neighbors of every row":
            listed = self.a.listed("l2"), self.b.listed("l2")  # what is aligned are inner products
            return tuple(in_one_order(lists, seed=side) for side, lists in enumerate(listed))
        raise Undefined(f"these spaces have no {needs}")

    def lists(self) -> TwoLists:
        """Return the neighbours of every row as lists to compare, with the vectors of the rows."""
        first, second = self.a.listed(), self.b.listed()
        left, right = self.a.beside, self.b.beside
        directed = all(bool(side.any(axis=1).all()) for side in (left, right))
        missing = {} if directed else {"two spaces + neighbors": "vectors of length 0 have no direction"}
        rows = np.arange(len(first.rows), dtype=np.int64)
        return TwoLists(
            first, second, self.models, candidates=len(rows) - 1, vectors=((left, right), (left, right)), rows=rows,
            missing=missing,
        )  # fmt: skip


def _same_rows(a: Space, b: Space) -> None:
    if a.ids == b.ids:
        return
    shorter = min(len(a.ids), len(b.ids))
    at = next((row for row in range(shorter) if a.ids[row] != b.ids[row]), shorter)
    raise ShapeError(
        f"Two spaces must hold the same ids in the same order. Got {len(a.ids)} ids in {a.model} and {len(b.ids)} in "
        f"{b.model}, which differ from row {at} on. Encode the same items with both models."
    )


def check_every_row(lists: Neighbors) -> None:
    """Refuse lists whose queries are not the rows of the corpus, own row left out.

    Raises
    ------
    ParameterError
        When a list holds a row number from n on, or the query's own.
    """
    n = len(lists.rows)
    wrong = (lists.rows >= n) | (lists.rows == np.arange(n)[:, None])
    if wrong.any():
        at = int(np.flatnonzero(wrong.any(axis=1))[0])
        raise ParameterError(
            f"Each of the {n} queries must be the row of its number, its own row left out. "
            f"Got {lists.rows[at].tolist()} as the neighbours of row {at}. "
            "Search every row of the corpus, leaving each out of its own list."
        )


@dataclass(frozen=True, eq=False)
class Estimate:
    """A value over rows, and all that its score is made of.

    Parameters
    ----------
    value : float
        NaN when undefined.
    n : int
        Rows behind it.
    without : sequence of float
        The value without each group of rows, for the jackknife.
    chance : float
    scale, factor, twice
        Of the interval, see `embdiff.measures.statistics.jackknife.jackknife`.
    within : tuple of (float, float, str), optional
        An interval of another kind, and which.
    note : str, optional
        What else is to be said.
    why : str, optional
        Why the value is undefined, if anything better can be said than the measure does.
    """

    value: float
    n: int
    without: Sequence[float] = ()
    chance: float = math.nan
    scale: Scale = PLAIN
    factor: float = 1.0
    twice: float = 0.0
    within: Interval | None = None
    note: str | None = None
    why: str | None = None

    def score(self, spec: MeasureSpec, models: tuple[str, ...], note: str | None = None) -> Score:
        """Return the score of a measure; ``note``: what was sampled."""
        known = math.isfinite(self.value)
        low, high, method = self.within or jackknife(
            self.value, self.without, spec.measure.range, scale=self.scale, factor=self.factor, twice=self.twice
        )
        why = None
        if not known:
            why = self.why or f"undefined: {spec.measure.undefined_when}"
        elif method == "none":
            why = no_interval(self.n)
        return Score(
            measure=str(spec),
            models=models,
            value=self.value,
            low=low,
            high=high,
            chance=self.chance if known else math.nan,
            n=self.n,
            interval=method,
            reason="; ".join(filter(None, (why, self.note, note))) or None,
        )


@dataclass(frozen=True, kw_only=True)
class Jackknifed:
    """A value over all rows, with an interval from leaving groups of rows out.

    Parameters
    ----------
    estimate : callable, optional
        ``estimate(*arguments, seed=seed, **parameters)`` returns an `Estimate`, or raises `Undefined`. None: the
        function of the measure is called again without each group of rows, and there is no chance level.
    fast : callable, optional
        ``fast(x, y)`` of a measure of two spaces returns its value with the rows of y in a given order, as a function
        of that order: for calibration, where calling the measure again would be slow.
    """

    estimate: Callable[..., Estimate] | None = None
    fast: Callable[[Floating, Floating], Callable[[IntArray], float]] | None = None

    @classmethod
    def scores(cls, specs: Sequence[MeasureSpec], inputs: OneSpace | TwoSpaces, seed: int) -> list[Score]:
        """Return each score by itself."""
        return [_score(spec, inputs.at(spec.k), seed) for spec in specs]

    def of_orders(self, spec: MeasureSpec, x: Floating, y: Floating) -> Callable[[IntArray], float]:
        """Return the value of two spaces with the rows of y in a given order, as a function of that order."""
        if self.fast is not None:
            return self.fast(x, y)
        return lambda order: float(spec.measure.function(x, y[order], **spec.parameters))


JACKKNIFE = Jackknifed()


def _score(spec: MeasureSpec, inputs: OneSpace | TwoSpaces, seed: int) -> Score:
    needs, rows = spec.measure.needs, 0
    estimate = (spec.measure.scorer or JACKKNIFE).estimate
    try:
        arguments = inputs.arguments(needs)
        rows = _rows(arguments[0])
        if estimate is None:
            found = _by_calling_again(spec, arguments, seed)
        else:
            found = estimate(*arguments, seed=seed, **spec.parameters)
    except Undefined as why:
        return Score.undefined(spec, inputs.models, f"undefined: {why}", n=rows)
    return found.score(spec, inputs.models, inputs.note if "neighbors" in needs else None)


def _by_calling_again(spec: MeasureSpec, arguments: tuple[Any, ...], seed: int) -> Estimate:
    n = _rows(arguments[0])
    without = []
    for part in groups(n, seed=seed):
        kept = np.ones(n, dtype=np.bool_)
        kept[part] = False
        rest = [_rest(each, kept) for each in arguments]
        without.append(float(spec.measure.function(*rest, **spec.parameters)))
    return Estimate(float(spec.measure.function(*arguments, **spec.parameters)), n, without)


def _rows(argument: Neighbors | FloatArray) -> int:
    return len(argument.rows if isinstance(argument, Neighbors) else argument)


def _rest(argument: Neighbors | FloatArray, kept: BoolArray) -> Neighbors | FloatArray:
    """Leave rows out; nothing is searched again, so lists of neighbours become shorter."""
    if not isinstance(argument, Neighbors):
        return argument[kept]
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)  # the last is where the pads look
    rows, similarity = number[argument.rows[kept]], argument.similarity[kept]
    order = np.argsort(rows < 0, axis=1, kind="stable")
    rows, similarity = (np.take_along_axis(each, order, axis=1) for each in (rows, similarity))
    similarity[rows < 0] = np.nan
    return Neighbors(rows, similarity, argument.metric, argument.index)
