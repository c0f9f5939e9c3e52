"""Families of per-query measures: the queries are drawn from a population, the corpus is held fixed.

A population of queries stands for all queries of the kind; the mean over it is the true value.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from benchmarks.calibration.family import Drawn, Family, ends
from embdiff import exact
from embdiff.measures.base import get_measure
from embdiff.measures.classes import ClassedTexts
from embdiff.measures.inputs import OneSearch, TwoLists
from embdiff.measures.judged import Graded, Judged, JudgedLists, usual_measures, values_of
from embdiff.measures.overlap import jaccard, overlap
from embdiff.measures.paired import paired_test
from embdiff.measures.rank import kendall_tau, rank_similarity
from embdiff.measures.rbo import rbo
from embdiff.measures.retrieval import expected_hit, index_recall, self_retrieval
from embdiff.measures.score import score, scores
from embdiff.measures.spread import second_order_cosine, spread
from embdiff.records import Neighbors

QUERIES, ROWS, K = 50_000, 400, 10
MODELS = ("a", "b")


class Lists(Family):
    """Agreement of two models on a fixed corpus of 400 rows: B is A with noise that differs from query to query."""

    name = "lists"
    about = (
        "50,000 queries on 400 fixed rows of 12 dimensions; B sees a rotation of A with noise per query, its scale "
        "drawn from an exponential law"
    )

    @functools.cached_property
    def population(self) -> dict[str, Any]:
        """Lists, ranks and vectors of every query."""
        rng = np.random.default_rng(31)
        rows = rng.standard_normal((ROWS, 12))
        moved = rows + 0.3 * rng.standard_normal(rows.shape)
        asked = rng.standard_normal((QUERIES, 12))
        seen = asked + rng.exponential(0.6, (QUERIES, 1)) * rng.standard_normal(asked.shape)
        spaces = [v.astype(np.float32) for v in (rows, moved)]
        queries = [v.astype(np.float32) for v in (asked, seen)]
        a, b = (exact.search(q, v, K, "cosine") for q, v in zip(queries, spaces, strict=True))
        ranks = exact.ranks(queries[1], spaces[1], a.rows, "cosine")
        return {"a": a, "b": b, "ranks": ranks, "queries": queries, "spaces": tuple(spaces)}

    def truth(self, n: int) -> dict[str, float | None]:
        """Return means over the population."""
        p = self.population
        values = {
            "overlap@10": overlap(p["a"], p["b"]),
            "jaccard@10": jaccard(p["a"], p["b"]),
            "rbo(p=0.9)@10": rbo(p["a"], p["b"], 0.9),
            "rank_similarity@10": rank_similarity(p["a"], p["b"]),
            "kendall_tau@10": kendall_tau(p["a"], p["b"]),
            "spread@10": spread(p["ranks"], ROWS),
            "second_order_cosine@10": second_order_cosine(p["a"], p["b"], tuple(p["queries"]), p["spaces"]),
        }
        return {name: float(np.nanmean(each)) for name, each in values.items()}

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score n queries."""
        p, at = self.population, rng.integers(0, QUERIES, n)
        (asked, seen), spaces = p["queries"], p["spaces"]
        lists = TwoLists(
            taken(p["a"], at), taken(p["b"], at), MODELS, None, ROWS, ranks=p["ranks"][at],
            vectors=((asked[at], seen[at]), spaces),
        )  # fmt: skip
        names = ("overlap", "jaccard", "rbo", "rank_similarity", "kendall_tau", "spread", "second_order_cosine")
        return ends(scores(names, lists, seed=seed))


class Found(Family):
    """Whether a query finds what it has to: itself, the exact neighbours, what was expected."""

    name = "found"
    about = (
        "50,000 queries on 400 fixed rows; their own row is first for about 88 % of them, an expected row among the "
        "first 10 for about 60 %, and the index loses 7 % of the exact neighbours, more for hard queries"
    )

    @functools.cached_property
    def population(self) -> dict[str, Any]:
        """Lists and wanted rows of every query."""
        rng = np.random.default_rng(32)
        rows = rng.standard_normal((ROWS, 12)).astype(np.float32)
        own = rng.integers(0, ROWS, QUERIES)
        asked = rows[own] + rng.exponential(0.35, (QUERIES, 1)) * rng.standard_normal((QUERIES, 12))
        wide = exact.search(asked.astype(np.float32), rows, 2 * K, "cosine")
        best = Neighbors(wide.rows[:, :K], wide.similarity[:, :K], "cosine")
        lost = rng.random((QUERIES, 2 * K)) < rng.beta(0.5, 6.5, (QUERIES, 1))
        order = np.argsort(lost, axis=1, kind="stable")[:, :K]
        returned = (np.take_along_axis(each, order, axis=1) for each in (wide.rows, wide.similarity))
        got = Neighbors(*returned, "cosine")
        away = rows[own] + 0.8 * rng.standard_normal((QUERIES, 12))
        wanted = exact.search(away.astype(np.float32), rows, 1, "cosine").rows
        return {"best": best, "got": got, "own": own[:, None], "wanted": wanted}

    def truth(self, n: int) -> dict[str, float | None]:
        """Return means over the population."""
        p = self.population
        return {
            "self_retrieval@1": float(np.nanmean(self_retrieval(p["best"], list(p["own"])))),
            "expected_hit@10": float(np.nanmean(expected_hit(p["best"], list(p["wanted"])))),
            "index_recall@10": float(index_recall(p["got"], p["best"], p["got"].similarity).mean()),
        }

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score n queries."""
        p, at = self.population, rng.integers(0, QUERIES, n)
        best, got = taken(p["best"], at), taken(p["got"], at)
        own, wanted = list(p["own"][at]), list(p["wanted"][at])
        first = OneSearch(best, best, best, best.similarity, own, ("a",), None, ROWS, ROWS, wanted)
        index = OneSearch(got, best, best, got.similarity, own, ("a",), None, ROWS, ROWS)
        found = scores(["self_retrieval@1", "expected_hit"], first, seed=seed)
        return ends([*found, *scores(["index_recall"], index, seed=seed)])


class Judgements(Family):
    """Ranked lists with graded judgements, and the difference of two models on the same queries."""

    name = "judgements"
    about = (
        "50,000 queries with 1 to 8 relevant documents of grades 1 to 3 among 1,000; two models of one strength plus "
        "a difficulty per query that they share"
    )
    documents, depth = 1_000, 100

    @functools.cached_property
    def population(self) -> dict[str, Any]:
        """Grades in the order of two models, and all that was judged."""
        rng = np.random.default_rng(33)
        counts = rng.integers(1, 9, QUERIES)
        query = np.repeat(np.arange(QUERIES), counts)
        grade = rng.integers(1, 4, len(query))
        hard = np.repeat(rng.exponential(1.2, QUERIES), counts)
        lists = []
        for strength in (1.0, 1.15):
            place = np.floor(np.exp(strength * hard + 1.2 * rng.standard_normal(len(query)))).astype(np.int64)
            grades = np.zeros((QUERIES, self.depth), dtype=np.int64)
            inside = place < self.depth
            grades[query[inside], place[inside]] = grade[inside]
            lists.append(grades)
        return {"lists": lists, "judged": (grade, counts)}

    def graded(self, at: np.ndarray[Any, Any], model: int) -> Graded:
        """Return the lists of some queries."""
        grade, counts = self.population["judged"]
        starts = np.concatenate([[0], np.cumsum(counts)])
        rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in at])
        number = np.repeat(np.arange(len(at)), counts[at])
        judged = Judged.of(number, np.arange(len(rows)), grade[rows], len(at))
        return Graded(self.population["lists"][model][at], judged)

    @functools.cached_property
    def _values(self) -> dict[str, tuple[Any, Any]]:
        every = [self.graded(np.arange(QUERIES), model) for model in (0, 1)]
        return {name: tuple(values_of(graded, get_measure(name)) for graded in every) for name in usual_measures()}

    def truth(self, n: int) -> dict[str, float | None]:
        """Return means over the population."""
        means = {name: float(one.mean()) for name, (one, _) in self._values.items()}
        one, two = self._values["ndcg@10"]
        return {**means, "paired difference of ndcg@10": float((one - two).mean())}

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score n queries."""
        at = rng.integers(0, QUERIES, n)
        graded = self.graded(at, 0)
        drawn = ends(scores(usual_measures(), JudgedLists(graded, ("a",), self.documents), seed=seed))
        one, two = self._values["ndcg@10"]
        test = paired_test(one[at], two[at], MODELS, measure="ndcg@10", seed=seed, permutations=1)
        return {**drawn, "paired difference of ndcg@10": (test.difference, test.low, test.high)}


class Classified(Family):
    """Test texts of a trained classifier; the training texts are held fixed."""

    name = "classified"
    about = "test texts of 5 classes of unequal sizes, 78 % right; probe: 10 draws of training texts that agree mostly"

    def truth(self, n: int) -> dict[str, float | None]:
        """Return the share right, from the law."""
        return {"knn_accuracy@5": 0.78, "probe_accuracy": 0.78}

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score n texts."""
        truth = rng.choice(5, n, p=(0.4, 0.25, 0.2, 0.1, 0.05))
        right = rng.random(n) < 0.78
        wrong = (truth + rng.integers(1, 5, n)) % 5
        chance = rng.beta(2.34, 0.66, n)  # mean .78
        probed = np.where(rng.random((10, n)) < chance, truth, wrong)
        return ends(
            [
                score("knn_accuracy@5", ClassedTexts(np.where(right, truth, wrong), truth, ("a",)), seed=seed),
                score("probe_accuracy", ClassedTexts(probed, truth, ("a",)), seed=seed),
            ]
        )


def taken(neighbors: Neighbors, at: np.ndarray[Any, Any]) -> Neighbors:
    """Return the lists of some queries."""
    return Neighbors(neighbors.rows[at], neighbors.similarity[at], neighbors.metric, neighbors.index)
