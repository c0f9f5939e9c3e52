"""The similarities behind a cut-off, of sampled queries to every document: single where high, counted below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embdiff import exact
from embdiff._plain import Record
from embdiff._progress import progress
from embdiff.measures.row_pairs import lengths as lengths_of
from embdiff.measures.row_pairs import pair_similarity, row_pairs
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import BoolArray, FloatArray, IntArray

QUERIES = 1_000  # sampled when there are more
NUMBERS = 2**19  # single similarities kept for one model
BINS_PER_UNIT = 1_024  # the rest are counted in bins of this width, over [-1, 1]
UNRELATED = 100_000  # pairs of different rows
LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

_BLOCK = 4_096  # documents of one product
_HELD = 2**24  # products held at a time


@dataclass(frozen=True, eq=False)
class Similarities:
    """Cosine similarities of sampled queries to all documents but their own, for one model.

    Parameters
    ----------
    model, query_model : str
        Whose documents, and whose vectors asked.
    queries : ndarray of int64, shape (s,)
        Row numbers of the queries, ascending.
    sampled : ndarray of bool, shape (s,)
        Drawn from all queries: what pass rates are about.
    judged : ndarray of bool, shape (s,)
        With an expected document, drawn from all such queries: what precision and recall are about.
    place : ndarray of int64, shape (m,)
        To which of ``queries`` each line belongs.
    similarity : ndarray of float32, shape (m,)
        Of a single pair; the lower edge of a bin for pairs that are only counted.
    count : ndarray of int64, shape (m,)
        Pairs in the line: 1 for a single one.
    binned : ndarray of bool, shape (m,)
        Whether the line is a bin, ``1 / 1024`` wide.
    expected : ndarray of bool, shape (m,)
        Whether the document is expected for the query; such pairs are always single.
    reason : str or None
        Why there are no lines.
    """

    model: str
    query_model: str
    queries: IntArray
    sampled: BoolArray
    judged: BoolArray
    place: IntArray
    similarity: FloatArray
    count: IntArray
    binned: BoolArray
    expected: BoolArray
    reason: str | None = None

    def values(self, which: BoolArray, expected: bool) -> Similarities:
        """Return the lines of some queries, all or those of expected pairs; queries without a line stay."""
        lines = which[self.place] & (self.expected if expected else True)
        return replace(
            self,
            queries=self.queries[which],
            sampled=self.sampled[which],
            judged=self.judged[which],
            place=(np.cumsum(which) - 1)[self.place[lines]],
            similarity=self.similarity[lines],
            count=self.count[lines],
            binned=self.binned[lines],
            expected=self.expected[lines],
        )


@dataclass(frozen=True)
class Distribution(Record):
    """Quantiles of the cosine similarity in one population of pairs.

    Parameters
    ----------
    model, query_model : str
    population : str
        ``unrelated pairs`` (of different rows, at random), ``nearest neighbour``, ``neighbour K``, ``expected pairs``.
    n : int
        Pairs.
    quantiles : dict of str to float
        By level, such as ``0.05``, one for each of `LEVELS`; linear between neighbouring values.
    """

    model: str
    query_model: str
    population: str
    n: int
    quantiles: dict[str, float]


Lines = tuple[IntArray, FloatArray, IntArray, BoolArray, BoolArray]
_NONE, _NO_FLAGS = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
NO_LINES: Lines = (_NONE, np.zeros(0, dtype=np.float32), _NONE, _NO_FLAGS, _NO_FLAGS)


def gather(
    queries: FloatArray,
    documents: FloatArray,
    own: Sequence[IntArray],
    expected: Sequence[IntArray],
    *,
    kept: int,
) -> Lines:
    """Return the lines of `Similarities`: place, similarity, count, binned, expected.

    Parameters
    ----------
    queries : ndarray of float32, shape (s, d)
    documents : ndarray of float32, shape (n, d)
        None of either of length 0.
    own, expected : sequence of s arrays of int64
        Rows that do not count for a query, and rows expected for it.
    kept : int
        So many of the highest similarities of a query are single, besides the expected ones.

    Notes
    -----
    Single similarities are those of `exact.similarity`. Pairs that are only counted come from float32 products: one
    within 1e-6 of an edge may stand in the bin beside it.
    """
    kept = min(len(documents), kept + max(map(len, expected), default=0))
    tops, bins = [], []
    with progress("similarities", len(queries), "queries") as advance:
        for start, products in _products(queries, documents):
            for query, line in enumerate(products, start=start):
                top, counts = _split(line, own[query], expected[query], kept)
                tops.append(top)
                bins.append(counts)
            advance(len(products))
    rows = np.stack(tops) if tops else np.zeros((0, kept), dtype=np.int64)
    return _lines(exact.similarity(queries, documents, rows, "cosine"), rows, bins, expected)


def _products(queries: FloatArray, documents: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Yield the first query of a block, and its cosines with all documents, (b, n)."""
    step = max(1, min(len(queries), _HELD // max(1, len(documents))))
    parts = [lengths_of(documents[at : at + _BLOCK]) for at in range(0, len(documents), _BLOCK)]
    lengths = np.concatenate(parts).astype(np.float32)
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        block = block / lengths_of(block).astype(np.float32)[:, None]
        out = np.empty((len(block), len(documents)), dtype=np.float32)
        for at in range(0, len(documents), _BLOCK):
            part = slice(at, at + _BLOCK)
            out[:, part] = (block @ documents[part].T) / lengths[part]
        yield start, out


def _split(line: FloatArray, own: IntArray, expected: IntArray, kept: int) -> tuple[IntArray, IntArray]:
    """Return the rows whose similarity is kept single, -1 pads, and how many of the rest fall into each bin."""
    line[expected] = np.inf
    line[own] = -np.inf
    if kept < len(line):
        order = np.argpartition(-line, kept - 1)
        top, rest = order[:kept], line[order[kept:]]
    else:
        top, rest = np.arange(len(line)), line[:0]
    rest = rest[np.isfinite(rest)]
    places = np.clip(np.floor((rest + 1.0) * BINS_PER_UNIT).astype(np.int64), 0, 2 * BINS_PER_UNIT)
    counts = np.bincount(places, minlength=2 * BINS_PER_UNIT + 1)
    return np.where(line[top] == -np.inf, -1, top).astype(np.int64), counts


def _lines(similarity: FloatArray, rows: IntArray, bins: Sequence[IntArray], expected: Sequence[IntArray]) -> Lines:
    place, column = np.nonzero(rows >= 0)
    wanted = np.zeros(rows.shape, dtype=bool)
    for query, each in enumerate(expected):
        wanted[query] = np.isin(rows[query], each)
    table = np.array(bins, dtype=np.int64).reshape(len(bins), 2 * BINS_PER_UNIT + 1)
    bin_place, column_of_bin = np.nonzero(table)
    edges, counts = column_of_bin / BINS_PER_UNIT - 1.0, table[bin_place, column_of_bin]
    singles, binned = len(place), len(bin_place)
    all_places = np.concatenate([place, bin_place])
    values = np.concatenate([similarity[place, column], edges.astype(np.float32)])
    order = np.lexsort((-values, all_places))
    return (
        all_places[order].astype(np.int64),
        values[order],
        np.concatenate([np.ones(singles, dtype=np.int64), counts])[order].astype(np.int64),
        np.repeat([False, True], [singles, binned])[order],
        np.concatenate([wanted[place, column], np.zeros(binned, dtype=bool)])[order],
    )


def unrelated(documents: FloatArray, *, seed: int) -> Doubles:
    """Return the cosines of pairs of different rows: all of them, or 100,000 distinct ones at random."""
    i, j = row_pairs(len(documents), UNRELATED, seed=seed)
    parts = range(0, len(i), max(1, 2**20 // documents.shape[1]))
    cosines = [
        pair_similarity(documents[i[at : at + parts.step]], documents[j[at : at + parts.step]], "cosine")
        for at in parts
    ]
    return np.concatenate([np.empty(0), *cosines])


def describe(found: Similarities, documents: FloatArray, k: int, *, seed: int) -> tuple[Distribution, ...]:
    """Return the distributions of one model: unrelated pairs, nearest neighbours, expected pairs where there are any.

    Parameters
    ----------
    found : Similarities
    documents : ndarray of float32, shape (n, d)
    k : int
        The other neighbour that is described.
    seed : int
        Of the sample of unrelated pairs.
    """
    asked = found.values(found.sampled, expected=False)
    judged = found.values(found.judged, expected=True)
    populations = {"unrelated pairs": unrelated(documents, seed=seed), "nearest neighbour": _neighbour(asked, 1)}
    if k > 1:
        populations[f"neighbour {k}"] = _neighbour(asked, k)
    populations["expected pairs"] = judged.similarity.astype(np.float64)
    return tuple(
        Distribution(found.model, found.query_model, name, len(values), _quantiles(values))
        for name, values in populations.items()
        if len(values)
    )


def _quantiles(values: Doubles) -> dict[str, float]:
    found = np.quantile(values, LEVELS).tolist()
    return {f"{level:g}": value for level, value in zip(LEVELS, found, strict=True)}


def _neighbour(found: Similarities, k: int) -> Doubles:
    """Return the k-th highest similarity of each query that has one; lines are sorted within a query."""
    starts = np.searchsorted(found.place, np.arange(len(found.queries)))
    ends = np.searchsorted(found.place, np.arange(len(found.queries)), side="right")
    there = starts[ends - starts >= k] + k - 1
    return found.similarity[there].astype(np.float64)


def few_cutoffs(distributions: Sequence[Distribution], model: str, count: int) -> list[float]:
    """Return cut-offs of a model worth carrying over: from where unrelated pairs end to where nearest neighbours do.

    Parameters
    ----------
    distributions : sequence of Distribution
    model : str
    count : int
        Evenly spaced and rounded to two decimals; fewer where two of them are the same then.

    Returns
    -------
    list of float
        Ascending, from the 95 % quantile of unrelated pairs to that of nearest neighbours.
    """
    by_name = {each.population: each for each in distributions if each.model == model}
    low = by_name["unrelated pairs"].quantiles["0.95"]
    high = by_name["nearest neighbour"].quantiles["0.95"] if "nearest neighbour" in by_name else low
    return list(dict.fromkeys(round(float(cut), 2) for cut in np.linspace(min(low, high), high, count)))
