"""Images and texts in one space: how far the two kinds lie apart in it, whatever they show or say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from embdiff.measures.base import Measure, MeasureSpec, Needs
from embdiff.measures.inputs import Undefined, Whole
from embdiff.measures.moments import check_space
from embdiff.measures.row_pairs import unit_rows
from embdiff.measures.statistics.quantiles import Doubles, student_quantile
from embdiff.records import FloatArray, Score

NEEDS: Needs = "images + texts"


@dataclass(frozen=True, eq=False)
class TwoKinds(Whole):
    """One model's vectors of items of one kind and of another.

    Parameters
    ----------
    rows : ndarray of float32, shape (n, d)
        Of the corpus.
    queries : ndarray of float32, shape (q, d)
    models : tuple of str
        The model.
    """

    query_model: ClassVar[None] = None
    rows: FloatArray
    queries: FloatArray
    models: tuple[str, ...]

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of two kinds is called with."""
        if needs != NEEDS:
            raise Undefined(f"vectors of two kinds have no {needs}")
        return self.rows, self.queries


def modality_gap(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the distance between the means of the two kinds, of vectors of length 1.

    ``|mean_i x_i/|x_i| - mean_j y_j/|y_j||``.

    Parameters
    ----------
    x : array of float, shape (n, d)
    y : array of float, shape (q, d)
        Rows of length 0 have no direction and are left out.

    Returns
    -------
    float
        In [0, 2]: 0 when images and texts lie in one place, 2 when each kind is one point, opposite the other. NaN when
        no row of one of the kinds has a direction.

    Notes
    -----
    By chance the root mean square of that distance when the same vectors are dealt out to the two kinds at random.

    References
    ----------
    Liang et al. 2022, arXiv 2203.02053.
    """
    kinds = _units(x), _units(y)
    if not all(map(len, kinds)):
        return math.nan
    return float(np.linalg.norm(kinds[0].mean(axis=0) - kinds[1].mean(axis=0)))


def _units(vectors: npt.ArrayLike) -> Doubles:
    return unit_rows(check_space(vectors))[0].astype(np.float64)


@dataclass(frozen=True)
class Apart:
    """The distance of two means: Welch's interval along the line between them, as a first-order (delta) approximation.

    That is good where the gap is many times its chance level; near it the distance is biased upwards.
    """

    @classmethod
    def scores(cls, specs: Sequence[MeasureSpec], inputs: TwoKinds, seed: int) -> list[Score]:
        """Return the score of each measure."""
        return [cls._score(spec, inputs) for spec in specs]

    @staticmethod
    def _score(spec: MeasureSpec, inputs: TwoKinds) -> Score:
        x, y = (_units(vectors) for vectors in inputs.arguments(spec.measure.needs))
        n, q = len(x), len(y)
        if min(n, q) < 2:
            return Score.undefined(spec, inputs.models, "each kind must have two vectors with a direction", n=n + q)
        apart = x.mean(axis=0) - y.mean(axis=0)
        value = float(np.linalg.norm(apart))
        every = np.concatenate([x, y])
        spread = float(((every - every.mean(axis=0)) ** 2).sum()) / (n + q - 1)
        found = Score(
            str(spec), inputs.models, value, math.nan, math.nan, math.sqrt(spread * (1 / n + 1 / q)), n + q,
            reason=f"of {n:,} rows and {q:,} queries",
        )  # fmt: skip
        if not value:
            return found
        parts = [np.var(kind @ (apart / value), ddof=1) / len(kind) for kind in (x, y)]
        error = math.sqrt(sum(parts))
        if not error:
            return found
        free = error**4 / sum(part**2 / (count - 1) for part, count in zip(parts, (n, q), strict=True))
        reach = student_quantile(0.975, free) * error
        return replace(found, low=max(0.0, value - reach), high=min(2.0, value + reach), interval="student")


MODALITY_GAP = Measure(
    function=modality_gap,
    needs=NEEDS,
    direction="images and texts lie further apart",
    range=(0.0, 2.0),
    symmetric=True,
    invariances=("rotation", "scaling", "scaling of single rows", "order of the rows"),
    cutoff=False,
    scorer=Apart(),
)
