"""What a family of simulated scores is, and how its repetitions are run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from embdiff.records import Score

SIZES = (10, 20, 30, 50, 200, 1_000)
RARER = (5, 10, 30)  # of the rarer kind
Drawn = dict[str, tuple[float, float, float]]  # measure: value, low, high


class Family(ABC):
    """Measures that are simulated together, from one law of data."""

    name: str
    about: str  # the law, for the page
    sizes: tuple[int, ...] = SIZES

    @abstractmethod
    def truth(self, n: int) -> dict[str, float | None]:
        """Return the true value of each measure; None: its mean over the repetitions, the expectation at this n."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Draw a sample of size n and score it."""


def ends(scores: Sequence[Score]) -> Drawn:
    """Return value and interval by text form."""
    return {score.measure: (score.value, score.low, score.high) for score in scores}


def simulate(family: Family, n: int, repetitions: int, first: int = 0) -> dict[str, np.ndarray]:
    """Return values and ends, (repetitions, 3) per measure; repetition r has the seed (n, r), fixed in advance."""
    drawn = [family.draw(np.random.default_rng((n, r)), n, r) for r in range(first, first + repetitions)]
    return {name: np.array([each[name] for each in drawn]) for name in drawn[0]}


def coverage(truth: dict[str, float | None], drawn: dict[str, np.ndarray]) -> dict[str, dict[str, float | None]]:
    """Return, per measure, the share of intervals that hold the true value, and how many miss it on either side.

    Of the repetitions that have an interval; ``without`` is the share that has none. None where no repetition has one.
    """
    table = {}
    for name, rows in drawn.items():
        value, low, high = rows[~np.isnan(rows[:, 1:]).any(axis=1)].T
        every, without = rows[~np.isnan(rows[:, 0]), 0], 1 - len(value) / len(rows)
        if not len(value):
            figures = ("true", "mean", "sd", "held", "above", "below", "width")
            table[name] = {**dict.fromkeys(figures), "without": without}
            continue
        true = float(every.mean()) if truth[name] is None else float(truth[name] or 0.0)
        table[name] = {
            "true": true,
            "mean": float(value.mean()),
            "sd": float(value.std(ddof=1)),
            "held": float(((low <= true) & (true <= high)).mean()),
            "above": float((low > true).mean()),
            "below": float((high < true).mean()),
            "width": float((high - low).mean()),
            "without": without,
        }
    return table
