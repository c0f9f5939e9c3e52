"""Scores of measures that follow from sums over rows: one pass for all values, one for all intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from embdiff.measures.base import MeasureSpec
from embdiff.measures.inputs import Undefined
from embdiff.measures.moments import Floating, Moments, Pass, check_pair
from embdiff.measures.spaces import Estimate, Jackknifed, OneSpace, TwoSpaces
from embdiff.measures.statistics.jackknife import counted_twice, groups, pairs
from embdiff.records import IntArray, Score

SHUFFLES = 5  # random orders whose mean is a chance level: a sum over n rows hardly varies between them


@dataclass(frozen=True, kw_only=True)
class FromSums(Jackknifed):
    """A measure of two spaces that follows from `Moments`.

    Intervals are by a jackknife over 20 groups of rows, those of ``exact`` measures shortened by their leverage
    (Hinkley 1977).

    Parameters
    ----------
    value : callable
        ``value(sums, **parameters)``.
    chance : callable, optional
        The chance level of sums. None: the mean over 5 random orders of the rows, a pass for each.
    exact : bool
        Whether products must be made in float64, and there must be more rows than dimensions: one in float32 loses
        directions that vary by less than 3e-4 of the largest.
    tangent : callable, optional
        Of a value that hangs on pairs of rows where spaces have nothing in common: ``tangent(sums)`` returns it as a
        linear function of sums, along which what the groups count twice is found.
    fewest : int
        Rows that it needs.
    spread_out : str
        Why it is undefined for spaces that have spread.
    """

    value: Callable[..., float]
    chance: Callable[[Moments], float] | None = None
    exact: bool = False
    tangent: Callable[[Moments], Callable[[Moments], float]] | None = None
    fewest: int = 2
    spread_out: str = "the rows of a space are all equal, or all equally far apart"

    @classmethod
    def scores(cls, specs: Sequence[MeasureSpec], inputs: OneSpace | TwoSpaces, seed: int) -> list[Score]:
        """Return the scores from one pass for all of them."""
        try:
            x, y = check_pair(*inputs.arguments("two spaces"))
        except Undefined as why:
            return [Score.undefined(spec, inputs.models, str(why)) for spec in specs]
        rows = Pass.over(x, y, np.float64 if any(spec.measure.scorer.exact for spec in specs) else None)
        total = rows.moments()
        kinds = [_Taken(spec.measure.scorer, spec.parameters, total) for spec in specs]
        _leave_out(kinds, rows, total, seed)
        _shuffle(kinds, rows, total, seed)
        return [kind.estimate().score(spec, inputs.models) for kind, spec in zip(kinds, specs, strict=True)]

    def of_orders(self, spec: MeasureSpec, x: Floating, y: Floating) -> Callable[[IntArray], float]:
        """Return the value with the rows of y in a given order: only what both spaces share is summed again."""
        rows = Pass.over(x, y, np.float64)
        total = rows.moments()
        return lambda order: self.value(rows.reordered(total, order), **spec.parameters)


class _Taken:
    """A measure of some sums; where there is a tangent, its values without one and without two groups."""

    def __init__(self, kind: FromSums, parameters: Mapping[str, float], total: Moments) -> None:
        self.kind, self._total = kind, total
        self._of = partial(kind.value, **parameters)
        self._value = self._of(total)
        self._one: list[float] = []
        self._shuffled: list[float] = []
        known = math.isfinite(self._value)
        self._tangent = kind.tangent(total) if kind.tangent is not None and known else None
        self._along = (self._tangent(total) if self._tangent else math.nan, list[float](), list[float]())

    def without(self, rest: Moments, less: Iterable[Moments]) -> None:
        """Take the sums without one group, and those without it and each of the groups beside it."""
        self._one.append(self._of(rest))
        if self._tangent is not None:
            self._along[1].append(self._tangent(rest))
            self._along[2].extend(map(self._tangent, less))

    def shuffled(self, sums: Moments) -> None:
        """Take the sums after shuffling the rows of one space."""
        if self.kind.chance is None:
            self._shuffled.append(self._of(sums))

    def estimate(self) -> Estimate:
        """Return what was found."""
        kind, total = self.kind, self._total
        # Where one space is fitted to another with so many coefficients, the jackknife is too wide by the mean leverage
        # (Hinkley, Technometrics 19 (1977) 285). Up to one half, as far as simulation bears it out
        # (docs/calibration.md): beyond, the interval stays wide.
        leverage = sum(total.dims) / max(1, total.n)
        if kind.chance is not None:
            chance = kind.chance(total)
        else:
            chance = float(np.mean(self._shuffled)) if self._shuffled else math.nan
        return Estimate(
            self._value,
            total.n,
            self._one,
            chance,
            factor=1 - leverage if kind.exact and leverage <= 0.5 else 1.0,
            twice=0.0 if self._tangent is None else counted_twice(*self._along, most=True),
            why=self._why(max(total.dims)),
        )

    def _why(self, largest: int) -> str:
        n = self._total.n
        if self.kind.exact and n <= largest:
            return f"there must be more rows than dimensions, there are {n} rows of up to {largest} dimensions"
        if n < self.kind.fewest:
            return f"there must be at least {self.kind.fewest} rows, there are {n}"
        return self.kind.spread_out if self._total.has_spread else FromSums.spread_out


def _leave_out(kinds: Sequence[_Taken], rows: Pass, total: Moments, seed: int) -> None:
    """Pass over the rows once, group by group; two groups beside each other are left out together, too.

    The first two groups are held to the end, for they stand beside the last.
    """
    parts = groups(total.n, seed=seed)
    together = pairs(len(parts)) if any(taken.kind.tangent for taken in kinds) else []
    held: dict[int, Moments] = {}
    for at in range(len(parts)):
        beside = [other for one, other in together if one == at]
        for group in {at, *beside} - held.keys():
            held[group] = rows.moments(parts[group])
        rest = total - held[at]
        less = [rest - held[other] for other in beside]
        for taken in kinds:
            taken.without(rest, less)
        if at >= 2:
            del held[at]


def _shuffle(kinds: Sequence[_Taken], rows: Pass, total: Moments, seed: int) -> None:
    """Pass over random orders of the rows where a chance level needs them, for all measures together."""
    rng = np.random.default_rng(seed)
    for _ in range(SHUFFLES if any(taken.kind.chance is None for taken in kinds) and total.has_spread else 0):
        sums = rows.reordered(total, rng.permutation(total.n))
        for taken in kinds:
            taken.shuffled(sums)
