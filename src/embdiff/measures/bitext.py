"""Parallel texts: is the nearest text of the other side the one that says the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from embdiff.measures.base import Measure, Needs
from embdiff.measures.inputs import Undefined, Whole
from embdiff.measures.score import PerQuery
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import IntArray, Neighbors
from embdiff.ties import entries

NEEDS: Needs = "parallel texts"


@dataclass(frozen=True, eq=False)
class Sides(Whole):
    """Pairs of texts that say the same, and the nearest text of the other side of each; each side has a text once.

    Parameters
    ----------
    forth, back : Neighbors, shapes (l, 1) and (r, 1)
        The nearest right text of each left one, and the nearest left text of each right one; -1 pads.
    left, right : ndarray of int64, shape (n,)
        Of each pair which left and which right text it is, from 0. A text may be in several pairs: each of its
        partners is right.
    models : tuple of one str
    """

    forth: Neighbors
    back: Neighbors
    left: IntArray
    right: IntArray
    models: tuple[str, ...]
    query_model: None = None

    def arguments(self, needs: str) -> tuple[Any, ...]:
        """Return what a measure of parallel texts is called with."""
        if needs != NEEDS:
            raise Undefined(f"parallel texts have no {needs}")
        return self.forth, self.back, self.left, self.right


def right_found(forth: Neighbors, back: Neighbors, left: IntArray, right: IntArray) -> Doubles:
    """Return, per pair, whether the partner is the nearest right text: ``partners nearest / texts equally near``.

    Returns
    -------
    ndarray of float64, shape (n,)
        1 or 0; a share where several texts are equally near; 0 where nothing is found.

    Notes
    -----
    By chance partners of the left text / right texts, mean over pairs.

    References
    ----------
    Artetxe and Schwenk 2019 (Tatoeba, LASER), error rate = 1 - this; Muennighoff et al. 2023 (MTEB, bitext mining).
    """
    return _found(forth, left, right)


def left_found(forth: Neighbors, back: Neighbors, left: IntArray, right: IntArray) -> Doubles:
    """Return, per pair, whether the partner is the nearest left text: ``partners nearest / texts equally near``.

    Returns
    -------
    ndarray of float64, shape (n,)
        As `right_found`.

    Notes
    -----
    By chance partners of the right text / left texts, mean over pairs.

    References
    ----------
    Artetxe and Schwenk 2019 (Tatoeba, LASER), error rate = 1 - this; Muennighoff et al. 2023 (MTEB, bitext mining).
    """
    return _found(back, right, left)


def bitext(forth: Neighbors, back: Neighbors, left: IntArray, right: IntArray) -> Doubles:
    """Return, per pair, how often its texts find each other: ``(right found + left found) / 2``.

    Returns
    -------
    ndarray of float64, shape (n,)
        0, 1/2 or 1, or a share between where texts are equally near.

    Notes
    -----
    By chance the mean of that of both ways.

    References
    ----------
    Artetxe and Schwenk 2019 (Tatoeba, LASER): accuracy both ways.
    """
    return (right_found(forth, back, left, right) + left_found(forth, back, left, right)) / 2


def _found(nearest: Neighbors, asking: IntArray, partner: IntArray) -> Doubles:
    """Return, per pair, the share of the nearest texts of the one that are its partners."""
    every = entries(nearest)
    first = every.take(every.before == 0)
    width = 1 + int(max(first.row.max(initial=0), partner.max(initial=0)))
    true = np.isin(first.query * width + first.row, asking * width + partner)
    shares = np.bincount(first.query, weights=true / first.size, minlength=len(nearest.rows))
    return np.asarray(shares[asking])


def _partners(asking: IntArray, partner: IntArray, texts: int) -> float:
    """Return the mean over pairs of the share of texts that are partners."""
    width = 1 + int(partner.max(initial=0))
    of = np.unique(asking * width + partner) // width
    return float(np.bincount(of)[asking].mean() / texts) if len(asking) else math.nan


def _forth_by_chance(sides: Sides, _values: Doubles, _seed: int) -> float:
    return _partners(sides.left, sides.right, len(sides.back.rows))


def _back_by_chance(sides: Sides, _values: Doubles, _seed: int) -> float:
    return _partners(sides.right, sides.left, len(sides.forth.rows))


def _both_by_chance(sides: Sides, values: Doubles, seed: int) -> float:
    return (_forth_by_chance(sides, values, seed) + _back_by_chance(sides, values, seed)) / 2


BITEXT = Measure(
    function=bitext,
    needs=NEEDS,
    direction="more texts lie next to what says the same in the other language",
    range=(0.0, 1.0),
    symmetric=True,
    invariances=("order of the pairs", "rotation and scaling of the space"),
    undefined_when="there are no pairs",
    cutoff=False,
    scorer=PerQuery(_both_by_chance, nothing="there are no pairs"),
)
RIGHT_FOUND = BITEXT.variant(
    function=right_found,
    symmetric=False,
    scorer=PerQuery(_forth_by_chance, nothing="there are no pairs"),
)
LEFT_FOUND = RIGHT_FOUND.variant(function=left_found, scorer=PerQuery(_back_by_chance, nothing="there are no pairs"))
