"""Two spaces whose queries are a finite population: what old vectors find of the new ones' neighbours is known exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from embdiff import exact
from embdiff.comparison.relisted import relisted
from embdiff.comparison.work import Work
from embdiff.deciding import mapping
from embdiff.encoding import Encoded
from embdiff.records import Answer, Corpus, ElsewhereRows, Qrels, Stamp
from embdiff.runs import Run
from embdiff.settings import RunConfig
from embdiff.sources.tally import Tally

K, ROWS, DIM, POPULATION = 10, 80, 16, 8_000
GAINS = 1 / np.log2(np.arange(2, K + 2))


@dataclass(frozen=True)
class World:
    """Rows in the spaces of two models, and all queries that there are.

    Parameters
    ----------
    old, new : ndarray of float32, shapes (n, d) and (n, e)
    asking : ndarray of float32, shape (p, e)
        The queries in the new space.
    expects : ndarray of int64, shape (p,)
        The row that each is to find.
    """

    old: np.ndarray
    new: np.ndarray
    asking: np.ndarray
    expects: np.ndarray

    @cached_property
    def mapped(self) -> np.ndarray:
        """The old rows as `decide` leads them over, unit."""
        led, _ = mapping._led(self.old, self.new, self.run(np.arange(10)), ("old", "new"))
        return unit(led)

    def loss(self, rows: np.ndarray, judged: bool) -> float:
        """Return what all queries lose where they ask other vectors of the rows: of the neighbours, or of nDCG."""
        anew, beside = (np.argsort(-self.asking @ each.T, axis=1)[:, :K] for each in (self.new, rows))
        if judged:
            gains = [((each == self.expects[:, None]) * GAINS).sum(axis=1) for each in (anew, beside)]
            return float(np.mean(gains[0] - gains[1]))
        return 1 - float(np.mean((anew[:, :, None] == beside[:, None, :]).any(axis=2)))

    def run(self, drawn: np.ndarray) -> Run:
        """Return a run of these queries, a judged one."""
        corpus = Corpus(tuple(f"text {row}" for row in range(ROWS)), tuple(f"d{row}" for row in range(ROWS)))
        names = tuple(f"q{at}" for at in range(len(drawn)))
        queries = Corpus(tuple(f"query {at}" for at in range(len(drawn))), names)
        judged = Qrels({name: {f"d{self.expects[at]}": 1} for name, at in zip(names, drawn, strict=True)})
        lists = exact.Index(self.new, "cosine").search(self.asking[drawn], K)
        nothing = np.empty((len(drawn), 0), dtype=np.int64)
        answer = Answer("new", "new", lists, lists, np.zeros(lists.rows.shape, dtype=bool),
                        ElsewhereRows(nothing, nothing, np.empty((len(drawn), 0), dtype=np.float32)))  # fmt: skip
        config = RunConfig(models=("old", "new"), k=K, queries="list", cache="off")
        return Run(config, corpus, queries, None, (answer,), (), expected=judged)

    def work(self, run: Run, drawn: np.ndarray) -> Work:
        """Return the same with the vectors of both models."""
        made = {"old": (self.old, None), "new": (self.new, self.asking[drawn])}
        encoded = {
            name: Encoded(name, Stamp(name, "1", rows.shape[1]), rows, asking, {}, Tally(), {}, None, None)
            for name, (rows, asking) in made.items()
        }
        return Work(run.config, relisted(run).inputs, relisted(run).vectors, encoded)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def world(turn: float, dim: int = DIM, noise: float = 0.04) -> World:
    """Return a world whose old space is the new one turned by so much, with noise, in so many dimensions."""
    rng = np.random.default_rng(7)
    new = unit(rng.normal(size=(ROWS, DIM)) * np.linspace(1.5, 0.5, DIM))
    expects = rng.integers(ROWS, size=POPULATION)
    asking = unit(new[expects] + rng.normal(scale=0.25, size=(POPULATION, DIM)))
    skew = np.triu(rng.normal(size=(DIM, DIM)), 1)
    turned, _ = np.linalg.qr(np.eye(DIM) + turn * (skew - skew.T))
    turned *= np.sign(np.diag(turned))
    old = (new @ turned)[:, :dim] + rng.normal(scale=noise, size=(ROWS, dim))
    return World(unit(old), new, asking, expects)


def where(gap: Callable[[World], float], low: float = 0.0, high: float = 0.2) -> World:
    """Return the world, turned by something between, in which a gap that grows from below to above zero is closed."""
    for _ in range(18):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(world(middle)) < 0 else (low, middle)
    return min((world(low), world(high)), key=lambda each: abs(gap(each)))
