"""Families of measures of whole spaces: the rows are drawn, all of them anew for every repetition."""

from __future__ import annotations

import functools
import math

import numpy as np

from benchmarks.calibration.family import RARER, Drawn, Family, ends
from embdiff import exact
from embdiff.measures import shape_of_one as one
from embdiff.measures.classes import ClassedTexts
from embdiff.measures.pairs import ScoredPairs, auc, pearson, spearman
from embdiff.measures.rsa import rsa
from embdiff.measures.score import score, scores
from embdiff.measures.spaces import OneSpace, TwoSpaces
from embdiff.records import Neighbors, Space, Stamp

K, K_HUBS = 10, 3  # of ten neighbours nearly every row is one, and orphans are too few to calibrate a share
SHARE = 3  # a list holds at most a third of the rows: nearly all of few dozen rows are no neighbourhood
PAIRS = 20_000  # of rows for rsa: all of them up to n = 200, a sample at 1,000
_WEIGHTS = 0.75 ** np.arange(12)  # how the variance falls from axis to axis


def space(vectors: np.ndarray, model: str) -> Space:
    """Return a space of these vectors."""
    vectors = vectors.astype(np.float32)
    return Space(model, tuple(map(str, range(len(vectors)))), vectors, Stamp(model, "1", vectors.shape[1]))


def rows(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw rows (n, 12) around 6 centres, in directions of falling variance, some far out."""
    centres = np.random.default_rng(40).standard_normal((6, 12))
    lengths = rng.gamma(25.0, 1 / 25.0, (n, 1))
    return (0.8 * centres[rng.integers(0, 6, n)] + rng.standard_normal((n, 12))) * np.sqrt(_WEIGHTS) * lengths


def related(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows in two spaces: the second is a linear map of the first to 8 dimensions, with noise."""
    x = rows(rng, n)
    turn = np.random.default_rng(41).standard_normal((12, 8)) / math.sqrt(12)
    return x, x @ turn + 0.35 * rng.standard_normal((n, 8))


def depth(n: int) -> int:
    """Return how many neighbours the lists of n rows hold."""
    return min(K, n // SHARE)


def nearest(a: Space) -> Neighbors:
    """Return the nearest rows of every row, its own left out."""
    k = depth(len(a.ids))
    return exact.search(a.vectors, a.vectors, k, "cosine", leave_out=np.arange(len(a.ids)))


class Two(Family):
    """Geometry of two related spaces."""

    name = "two spaces"
    about = (
        "rows around 6 centres in 12 dimensions of falling variance, their lengths varied by a fifth; the other space "
        "is a linear map to 8 dimensions with noise; rsa over all pairs, at n = 1,000 over 20,000 of them"
    )

    @functools.cached_property
    def population(self) -> dict[str, float]:
        """The values of debiased measures over very many rows."""
        x, y = related(np.random.default_rng(42), 400_000)
        every = score("cka", TwoSpaces(OneSpace(space(x, "a")), OneSpace(space(y, "b")))).value
        return {"cka": every, f"rsa(pairs={PAIRS})": rsa(x, y, pairs=4_000_000, seed=0)}

    def truth(self, n: int) -> dict[str, float | None]:
        """Return population values; measures that the number of rows biases: their expectation at n."""
        biased = ("cka_biased", "procrustes", "shape_angle", "svcca(variance=0.99)", "pwcca")
        return {**self.population, **dict.fromkeys(biased), f"cknna@{depth(n)}": None}

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score n rows."""
        a, b = (space(v, m) for v, m in zip(related(rng, n), "ab", strict=True))
        two = TwoSpaces(OneSpace(a, nearest(a)), OneSpace(b, nearest(b)))
        measures = ("cka", "cka_biased", "procrustes", "shape_angle", "svcca", "pwcca", f"rsa(pairs={PAIRS})", "cknna")
        return ends(scores(measures, two, seed=seed))


class Unrelated(Family):
    """Geometry of two independent spaces, by the measures whose value is then known."""

    name = "unrelated spaces"
    about = "the same two laws, the second space drawn from other rows"

    def truth(self, n: int) -> dict[str, float | None]:
        """Return 0."""
        return {"cka": 0.0, f"rsa(pairs={PAIRS})": 0.0}

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score n rows."""
        a, b = space(related(rng, n)[0], "a"), space(related(rng, n)[1], "b")
        return ends(scores(("cka", f"rsa(pairs={PAIRS})"), TwoSpaces(OneSpace(a), OneSpace(b)), seed=seed))


class One(Family):
    """The shape of one space."""

    name = "one space"
    about = "rows as above; lists of 3 neighbours for hubness and orphans, of 10 for the intrinsic dimension"

    @functools.cached_property
    def population(self) -> dict[str, float]:
        """The values over very many rows."""
        x = rows(np.random.default_rng(43), 1_000_000).astype(np.float32)
        return {
            "anisotropy": one.anisotropy(x),
            "first_component": one.first_component(x),
            "norm_spread": one.norm_spread(x),
            f"uniformity(pairs={5 * PAIRS})": one.uniformity(x, pairs=4_000_000),
        }

    def truth(self, n: int) -> dict[str, float | None]:
        """Return population values where rows do not bias, else expectations at n."""
        at_n = ("first_component", f"hubness@{K_HUBS}", f"orphans@{K_HUBS}", "intrinsic_dimension")
        return {**self.population, **dict.fromkeys(at_n)}

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score n rows."""
        a = space(rows(rng, n), "a")
        measures = (
            "anisotropy", "first_component", "norm_spread", f"uniformity(pairs={5 * PAIRS})", f"hubness@{K_HUBS}",
            f"orphans@{K_HUBS}", "intrinsic_dimension",
        )  # fmt: skip
        return ends(scores(measures, OneSpace(a, nearest(a)), seed=seed))


class Labelled(Family):
    """Silhouette of labelled rows."""

    name = "classes"
    about = "rows of 4 classes of unequal sizes in 8 dimensions that overlap"

    def truth(self, n: int) -> dict[str, float | None]:
        """Return the expectation at n: the nearest other class is chosen by what is there."""
        return {"silhouette": None}

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score n rows."""
        centres = np.random.default_rng(44).standard_normal((4, 8))
        labels = rng.choice(4, n, p=(0.4, 0.3, 0.2, 0.1))
        vectors = centres[labels] + rng.standard_normal((n, 8))
        return ends([score("silhouette", ClassedTexts(vectors.astype(np.float32), labels, ("a",)), seed=seed)])


class RareClass(Family):
    """Silhouette where one class has few texts."""

    name = "classes, one of them rare"
    about = "texts of 3 classes that overlap, in 8 dimensions: n of one, 60 and 100 of the others"
    sizes = RARER

    def truth(self, n: int) -> dict[str, float | None]:
        """Return the expectation at n."""
        return {"silhouette": None}

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score the texts."""
        centres = np.random.default_rng(44).standard_normal((3, 8))
        labels = np.repeat(np.arange(3), (n, 60, 100))
        vectors = centres[labels] + rng.standard_normal((len(labels), 8))
        return ends([score("silhouette", ClassedTexts(vectors.astype(np.float32), labels, ("a",)), seed=seed)])


class Pairs(Family):
    """Similarity and score of pairs, as in STS: scores in steps, similarities that spread more in the middle."""

    name = "pairs"
    about = "cosines around a curve of scores from 0 to 5 in steps of .2, spread unevenly; auc: score at least 3"

    def law(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw similarities and scores."""
        score = np.round(5 * rng.beta(1.1, 0.9, n), 1) // 0.2 * 0.2
        spread = 0.08 + 0.05 * score * (5 - score) / 6
        return np.tanh(0.05 + 0.22 * score + spread * rng.standard_t(6, n)), score

    @functools.cached_property
    def population(self) -> dict[str, float]:
        """The values over very many pairs."""
        x, y = self.law(np.random.default_rng(45), 2_000_000)
        return {"spearman": spearman(x, y), "pearson": pearson(x, y), "auc": auc(x, (y >= 3).astype(float))}

    def truth(self, n: int) -> dict[str, float | None]:
        """Return population values."""
        return dict(self.population)

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score n pairs."""
        x, y = self.law(rng, n)
        scores = [score(name, ScoredPairs(x, y, ("a",))) for name in ("spearman", "pearson")]
        return ends([*scores, score("auc", ScoredPairs(x, (y >= 3).astype(np.float64), ("a",)))])


class RareKind(Family):
    """Similarity of pairs of two kinds, one of them rare: areas under the curve, and correlations with 0 and 1."""

    name = "pairs, one kind rare"
    about = "200 pairs of two kinds, n of them positive, whose cosines are higher and more spread"
    sizes = RARER
    pairs = 200

    def law(self, rng: np.random.Generator, positive: int, negative: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw similarities and kinds."""
        kinds = np.repeat((1.0, 0.0), (positive, negative))
        return np.tanh(0.25 + 0.25 * kinds + (0.15 + 0.05 * kinds) * rng.standard_t(6, len(kinds))), kinds

    def truth(self, n: int) -> dict[str, float | None]:
        """Return the values of very many pairs with this share of positive ones."""
        x, y = self.law(np.random.default_rng(46), 10_000 * n, 10_000 * (self.pairs - n))
        return {"spearman": spearman(x, y), "pearson": pearson(x, y), "auc": auc(x, y)}

    def draw(self, rng: np.random.Generator, n: int, seed: int) -> Drawn:
        """Score the pairs."""
        x, y = self.law(rng, n, self.pairs - n)
        return ends([score(name, ScoredPairs(x, y, ("a",))) for name in ("spearman", "pearson", "auc")])
