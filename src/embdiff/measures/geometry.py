"""Scores of the geometry of two spaces: one pass for the values, one for the intervals, whatever is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from embdiff.errors import ParameterError, ShapeError
from embdiff.measures.alignment_distance import PROCRUSTES, SHAPE_ANGLE, angle, distance
from embdiff.measures.base import Measure, MeasureSpec
from embdiff.measures.cca import PWCCA, SVCCA, VARIANCE, mean_correlation, weighted_correlation
from embdiff.measures.cka import CKA, CKA_BIASED, FEWEST, biased, biased_chance, debiased, tangent
from embdiff.measures.moments import Floating, Moments, Pass, check_pair
from embdiff.measures.statistics.jackknife import counted_twice, groups, jackknife, pairs
from embdiff.records import Score, Space

SHUFFLES = 5  # random orders whose mean is a chance level: a sum over n rows hardly varies between them


@dataclass(frozen=True)
class _Kind:
    """How a measure follows from sums: its value, its chance level (None: by random orders), its precision.

    A value that hangs on pairs of rows where spaces have nothing in common is followed along its tangent, too.
    """

    measure: Measure
    value: Callable[[Moments], float]
    chance: Callable[[Moments], float] | None
    exact: bool = False
    tangent: Callable[[Moments], Callable[[Moments], float]] | None = None


_KINDS = {
    kind.measure.name: kind
    for kind in (
        _Kind(CKA, debiased, lambda _: 0.0, tangent=tangent),
        _Kind(CKA_BIASED, biased, biased_chance),
        _Kind(PROCRUSTES, distance, None),
        _Kind(SHAPE_ANGLE, angle, None),
        # A product in float32 loses directions that vary by less than 3e-4 of the largest.
        _Kind(SVCCA, mean_correlation, None, exact=True),
        _Kind(PWCCA, weighted_correlation, None, exact=True),
    )
}
GEOMETRY = tuple(_KINDS)


def score_geometry(
    a: Space, b: Space, *, seed: int, measures: Sequence[str] = GEOMETRY, variance: float = VARIANCE
) -> tuple[Score, ...]:
    """Return measures of the geometry of two spaces, each with n, interval and chance level.

    Parameters
    ----------
    a, b : Space, vectors of shapes (n, d1) and (n, d2)
        Of the same ids in the same order.
    seed : int
        Of the jackknife's groups and of the random orders.
    measures : sequence of str
        Any of ``cka``, ``cka_biased``, ``procrustes``, ``shape_angle``, ``svcca``, ``pwcca``.
    variance : float
        Share of the variance that ``svcca`` keeps.

    Returns
    -------
    tuple of Score
        In the order asked for. Intervals by a jackknife over 20 groups of rows, those of ``svcca`` and ``pwcca``
        shortened by their leverage (Hinkley 1977). Chance is 0 for ``cka`` and exact for
        ``cka_biased``; for the others the mean over 5 random orders of the rows, a pass for each.

    Raises
    ------
    ShapeError
        When the spaces are not of the same ids.
    ParameterError
        When a measure is none of these.
    """
    kinds = [_kind(name, variance) for name in measures]
    x, y = _checked(a, b)
    rows = Pass.over(x, y, np.float64 if any(kind.exact for kind in kinds) else None)
    total = rows.moments()
    left_out = _left_out(kinds, rows, total, seed)
    chances = _chances(kinds, rows, total, seed)
    return tuple(
        _score(left, (a.model, b.model), total, chance, variance)
        for left, chance in zip(left_out, chances, strict=True)
    )


def score_cka(a: Space, b: Space, *, seed: int) -> Score:
    """Return ``cka`` as `score_geometry` does."""
    return score_geometry(a, b, seed=seed, measures=("cka",))[0]


def score_cka_biased(a: Space, b: Space, *, seed: int) -> Score:
    """Return ``cka_biased`` as `score_geometry` does; the interval keeps the bias: see the chance level."""
    return score_geometry(a, b, seed=seed, measures=("cka_biased",))[0]


def score_procrustes(a: Space, b: Space, *, seed: int) -> Score:
    """Return ``procrustes`` as `score_geometry` does."""
    return score_geometry(a, b, seed=seed, measures=("procrustes",))[0]


def score_shape_angle(a: Space, b: Space, *, seed: int) -> Score:
    """Return ``shape_angle`` as `score_geometry` does."""
    return score_geometry(a, b, seed=seed, measures=("shape_angle",))[0]


def score_svcca(a: Space, b: Space, *, variance: float = VARIANCE, seed: int) -> Score:
    """Return ``svcca(variance=...)`` as `score_geometry` does."""
    return score_geometry(a, b, seed=seed, measures=("svcca",), variance=variance)[0]


def score_pwcca(a: Space, b: Space, *, seed: int) -> Score:
    """Return ``pwcca`` as `score_geometry` does."""
    return score_geometry(a, b, seed=seed, measures=("pwcca",))[0]


def same_rows(a: Space, b: Space) -> None:
    """Refuse two spaces that are not of the same ids in the same order.

    Raises
    ------
    ShapeError
        With the first row that differs.
    """
    if a.ids == b.ids:
        return
    shorter = min(len(a.ids), len(b.ids))
    at = next((row for row in range(shorter) if a.ids[row] != b.ids[row]), shorter)
    raise ShapeError(
        f"Two spaces must hold the same ids in the same order. Got {len(a.ids)} ids in {a.model} and {len(b.ids)} in "
        f"{b.model}, which differ from row {at} on. Encode the same items with both models."
    )


def _checked(a: Space, b: Space) -> tuple[Floating, Floating]:
    same_rows(a, b)
    return check_pair(a.vectors, b.vectors)


def _kind(name: str, variance: float) -> _Kind:
    if name not in _KINDS:
        raise ParameterError(
            f"A measure of the geometry of two spaces must be one of {', '.join(GEOMETRY)}. Got {name!r}. "
            "Take one of these."
        )
    kind = _KINDS[name]
    if name == "svcca":
        return _Kind(kind.measure, lambda sums: mean_correlation(sums, variance), kind.chance, kind.exact)
    return kind


class _LeftOut:
    """Values without each group of rows; where there is a tangent, its values without one and without two groups."""

    def __init__(self, kind: _Kind, total: Moments) -> None:
        self.kind = kind
        self.value = kind.value(total)
        self.one: list[float] = []
        known = math.isfinite(self.value)
        self._tangent = kind.tangent(total) if kind.tangent is not None and known else None
        self._along = (self._tangent(total) if self._tangent else math.nan, list[float](), list[float]())

    def add(self, rest: Moments, less: Iterable[Moments]) -> None:
        """Take the sums without one group, and those without it and each of the groups beside it."""
        self.one.append(self.kind.value(rest))
        if self._tangent is not None:
            self._along[1].append(self._tangent(rest))
            self._along[2].extend(map(self._tangent, less))

    @property
    def twice(self) -> float:
        """Variance that the groups count twice."""
        return 0.0 if self._tangent is None else counted_twice(*self._along, most=True)


def _left_out(kinds: Sequence[_Kind], rows: Pass, total: Moments, seed: int) -> list[_LeftOut]:
    """Pass over the rows once, group by group; two groups beside each other are left out together, too.

    The first two groups are held to the end, for they stand beside the last.
    """
    parts = groups(total.n, seed=seed)
    together = pairs(len(parts)) if any(kind.tangent for kind in kinds) else []
    values = [_LeftOut(kind, total) for kind in kinds]
    held: dict[int, Moments] = {}
    for at in range(len(parts)):
        beside = [other for one, other in together if one == at]
        for group in {at, *beside} - held.keys():
            held[group] = rows.moments(parts[group])
        rest = total - held[at]
        less = [rest - held[other] for other in beside]
        for left in values:
            left.add(rest, less)
        if at >= 2:
            del held[at]
    return values


def _chances(kinds: Sequence[_Kind], rows: Pass, total: Moments, seed: int) -> list[float]:
    """Take closed forms where there are any; else the mean over random orders, one pass for all measures together."""
    drawn: list[list[float]] = [[] for _ in kinds]
    rng = np.random.default_rng(seed)
    for _ in range(SHUFFLES if any(kind.chance is None for kind in kinds) and total.has_spread else 0):
        shuffled = rows.moments(partner=rng.permutation(total.n))
        for kind, values in zip(kinds, drawn, strict=True):
            if kind.chance is None:
                values.append(kind.value(shuffled))
    return [
        (float(np.mean(values)) if values else math.nan) if kind.chance is None else kind.chance(total)
        for kind, values in zip(kinds, drawn, strict=True)
    ]


def _score(left_out: _LeftOut, models: tuple[str, str], total: Moments, chance: float, variance: float) -> Score:
    kind, value = left_out.kind, left_out.value
    known = math.isfinite(value)
    low, high, method = jackknife(
        value, left_out.one, kind.measure.range, shortened=_shortened(kind, total), twice=left_out.twice
    )
    parameters = {"variance": variance} if kind.measure is SVCCA else {}
    return Score(
        measure=str(MeasureSpec(kind.measure, None, parameters)),
        models=models,
        value=value,
        low=low,
        high=high,
        chance=chance if known else math.nan,
        n=total.n,
        interval=method,
        reason=_no_interval(method) if known else _why(kind, total),
    )


def _shortened(kind: _Kind, total: Moments) -> float:
    """Return 1 less the mean leverage where one space is fitted to another with so many coefficients.

    Without it the jackknife is too wide by that much (Hinkley, Technometrics 19 (1977) 285). Up to one half, as far as
    simulation bears it out (docs/calibration.md): beyond, the interval stays wide.
    """
    leverage = (len(total.x) + len(total.y)) / max(1, total.n)
    return 1 - leverage if kind.exact and leverage <= 0.5 else 1.0


def _no_interval(method: str) -> str | None:
    return "there is no interval: without some of the rows the value is undefined" if method == "none" else None


def _why(kind: _Kind, total: Moments) -> str:
    """Say why a value is undefined."""
    largest = max(len(total.x), len(total.y))
    if kind.exact and total.n <= largest:
        return f"there must be more rows than dimensions, there are {total.n} rows of up to {largest} dimensions"
    fewest = FEWEST if kind.measure is CKA else 2
    if total.n < fewest:
        return f"there must be at least {fewest} rows, there are {total.n}"
    if kind.measure is PWCCA and total.has_spread:
        return "two or more canonical correlations are 1: there are too few rows for their weights to be unique"
    return "the rows of a space are all equal, or all equally far apart"
