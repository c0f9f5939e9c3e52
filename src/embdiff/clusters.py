"""Parts of a corpus to look at: suggested clusters where there are no groups, and the words that tell them apart.

Clusters are a proposal for the eye. No number of a run is computed from them but how much the models agree in each.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from embdiff.records import FloatArray, IntArray

FEWEST = 20  # rows; fewer are looked at one by one
MOST = 24  # clusters: as many as one looks through
_TRAINED_ON = 256  # rows for each cluster from which k-means learns
_BLOCK = 2**14  # rows brought together at a time
_TOLD_BY = 20_000  # rows whose words are counted
_SEEN = 400  # letters of a row that are read for its words
_COMMON = 0.1  # share of the texts from which on a word is common: "the", or "card" in a bank
_WORDS = 4  # words that name a cluster
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, eq=False)
class Parts:
    """The groups of a corpus, or its suggested clusters. How much the models agree in each is ``Headline.by_part``.

    Parameters
    ----------
    by : {"groups", "clusters", "none"}
    names : tuple of str
        The groups, or the words of the clusters.
    of_row : ndarray of int64, shape (n,)
        The place in ``names`` of each row; empty where there are none.
    of_query : ndarray of int64, shape (q,)
        The same of each query, -1 where it is in no part.
    reason : str or None
        Why there are none.
    """

    by: Literal["groups", "clusters", "none"]
    names: tuple[str, ...]
    of_row: IntArray
    of_query: IntArray
    reason: str | None = None


NO_PARTS = Parts("none", (), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), "they were not looked for")


def suggested(
    spaces: Mapping[str, FloatArray], asked: Mapping[str, FloatArray], *, seed: int
) -> tuple[IntArray, IntArray]:
    """Return a cluster for every row and every query, by k-means on the vectors of all models together.

    Each model's vectors are brought to length 1 and put side by side, so that no model decides alone. There are about
    ``sqrt(n / 2)`` clusters, 24 at most.

    Parameters
    ----------
    spaces, asked : mapping of str to ndarray of float32, shapes (n, d) and (q, d)
        Of rows and of queries, by the same models; dimensions may differ between models. ``asked`` may be empty.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,), and ndarray of int64, shape (q,)
        Numbers of clusters from 0, none of them empty of rows; a query is in the cluster with the nearest middle, -1
        without vectors of queries or where that cluster has no row.

    References
    ----------
    Lloyd, IEEE Trans. Inf. Theory 28 (1982) 129; faiss.Kmeans.
    """
    import faiss

    rows = len(next(iter(spaces.values())))
    count = int(min(MOST, max(2, round(math.sqrt(rows / 2)))))
    drawn = np.sort(np.random.default_rng(seed).permutation(rows)[: _TRAINED_ON * count])
    learnt = _side_by_side(spaces, drawn)
    means: Any = faiss.Kmeans(
        learnt.shape[1], count, niter=25, seed=seed + 1, min_points_per_centroid=1,
        max_points_per_centroid=_TRAINED_ON,
    )  # fmt: skip
    means.train(learnt)
    found = _nearest(means, spaces)
    there, of_row = np.unique(found, return_inverse=True)
    place = np.full(count, -1, dtype=np.int64)
    place[there] = np.arange(len(there))
    return of_row.astype(np.int64), place[_nearest(means, asked)] if asked else np.zeros(0, dtype=np.int64)


def _nearest(means: Any, spaces: Mapping[str, FloatArray]) -> IntArray:
    """Return the cluster with the nearest middle for every row, (n,)."""
    rows = len(next(iter(spaces.values())))
    blocks = (np.arange(start, min(start + _BLOCK, rows)) for start in range(0, rows, _BLOCK))
    found = [means.index.search(_side_by_side(spaces, block), 1)[1][:, 0] for block in blocks]
    return np.concatenate(found).astype(np.int64)


def _side_by_side(spaces: Mapping[str, FloatArray], rows: IntArray) -> FloatArray:
    """Return some rows with the vectors of all models side by side, (m, sum of d): each of length 1, or zero."""
    found = []
    for vectors in spaces.values():
        mine = np.asarray(vectors[rows], dtype=np.float32)
        length = np.linalg.norm(mine, axis=1, keepdims=True)
        found.append(np.divide(mine, length, out=np.zeros_like(mine), where=length > 0))
    return np.ascontiguousarray(np.concatenate(found, axis=1))


def named_by_words(texts: Sequence[str], of_row: IntArray, *, seed: int) -> list[str]:
    """Return a name for each cluster: the words that stand in it more than elsewhere, by class-based TF-IDF.

    ``sqrt(tf) log(1 + A / f)``: tf is the share of the cluster's words that are this word, f how often it stands in all
    clusters, A the mean number of words of a cluster. A word counts once a text; one that stands in more than a tenth
    of all texts names nothing.

    Parameters
    ----------
    texts : sequence of str, length n
        Of more than 20,000 as many are drawn; of each the first 400 letters are read.
    of_row : ndarray of int64, shape (n,)
        The cluster of each text, from 0.
    seed : int

    Returns
    -------
    list of str
        Four words at most, ``cluster 3`` where there is none; no name twice.

    References
    ----------
    Grootendorst, BERTopic: neural topic modeling with a class-based TF-IDF procedure, arXiv:2203.05794 (2022), with
    its option ``reduce_frequent_words``.
    """
    counts = [Counter[str]() for _ in range(int(of_row.max(initial=-1)) + 1)]
    for row in np.random.default_rng(seed).permutation(len(texts))[:_TOLD_BY].tolist():
        counts[of_row[row]].update(set(_WORD.findall(texts[row][:_SEEN].casefold())))
    sums = [count.total() for count in counts]
    mean = sum(sums) / max(1, len(counts))
    everywhere = sum(counts, Counter[str]())
    most = max(2.0, _COMMON * min(len(texts), _TOLD_BY))

    def weight(word: str, count: int, total: int) -> float:
        return math.sqrt(count / total) * math.log1p(mean / everywhere[word])

    names = []
    for place, (count, total) in enumerate(zip(counts, sums, strict=True)):
        ordered = sorted(
            (-weight(word, times, total), word) for word, times in count.items() if everywhere[word] <= most
        )
        name = ", ".join(word for _, word in ordered[:_WORDS]) or f"cluster {place + 1}"
        names.append(f"{name} ({place + 1})" if name in names else name)
    return names
