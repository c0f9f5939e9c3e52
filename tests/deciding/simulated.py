"""Runs drawn from a law whose true values are known: two models find one expected document at ranks drawn together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embdiff.headline import Headline, Standing
from embdiff.records import Answer, Corpus, ElsewhereRows, Neighbors, Qrels
from embdiff.runs import Run
from embdiff.settings import RunConfig

K, ROWS, MISSED = 10, 60, 99
GAIN = {rank: 1 / np.log2(rank + 1) for rank in range(1, K + 1)} | {MISSED: 0.0}
RANKS = np.array(list(GAIN))


@dataclass(frozen=True)
class Law:
    """How often each rank comes: of the model in use, and of the other one where the two differ.

    ``alike``: the share of queries that both answer with the same rank.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    alike: float

    @property
    def drop(self) -> float:
        """The true mean of what nDCG loses from one model to the other."""
        gains = np.array(list(GAIN.values()))
        return float((1 - self.alike) * (np.array(self.first) - np.array(self.second)) @ gains)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        one = rng.choice(RANKS, n, p=self.first)
        two = np.where(rng.random(n) < self.alike, one, rng.choice(RANKS, n, p=self.second))
        return one, two


def law(alike: float, worse: float) -> Law:
    """Return a law; ``worse``: how much of the second model's ranks come from a worse distribution."""
    good = np.array([0.4, 0.12, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02, 0.02, 0.16])
    bad = np.array([0.15, 0.1, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.03, 0.03, 0.36])
    return Law(tuple(good), tuple((1 - worse) * good + worse * bad), alike)


def drawn_run(ranks: dict[str, np.ndarray]) -> Run:
    """Return a run of models that find the expected document of each query, row 0, at these ranks."""
    n = len(next(iter(ranks.values())))
    corpus = Corpus(tuple(f"text {row}" for row in range(ROWS)), tuple(f"d{row}" for row in range(ROWS)))
    queries = Corpus(tuple(f"query {at}" for at in range(n)), tuple(f"q{at}" for at in range(n)))
    judged = Qrels({name: {"d0": 1} for name in queries.ids})
    models = tuple(ranks)
    standings = tuple(Standing(name, 0.0, 0.0, 0.0, 0.0, n) for name in models)
    config = RunConfig(models=models, k=K, queries="list", cache="off")
    answers = tuple(_answer(name, each, n) for name, each in ranks.items())
    return Run(config, corpus, queries, None, answers, (), expected=judged,
               headline=Headline("judgements", "", measure=f"ndcg@{K}", standings=standings))  # fmt: skip


def _answer(name: str, ranks: np.ndarray, n: int) -> Answer:
    rows = np.tile(np.arange(1, K + 1), (n, 1))
    found = ranks <= K
    rows[found, ranks[found] - 1] = 0
    similarity = np.tile(np.linspace(0.9, 0.1, K, dtype=np.float32), (n, 1))
    lists = Neighbors(rows.astype(np.int64), similarity, "cosine")
    nothing = np.empty((n, 0), dtype=np.int64)
    return Answer(name, name, lists, lists, np.zeros((n, K), dtype=bool),
                  ElsewhereRows(nothing, nothing, np.empty((n, 0), dtype=np.float32)))  # fmt: skip
