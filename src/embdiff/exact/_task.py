"""What is asked, and the decision in float64 which of the proposed rows are the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from embdiff.exact._duplicates import Distinct
from embdiff.exact._pairs import pair_similarity
from embdiff.exact._surrogate import Surrogate
from embdiff.records import FloatArray, IntArray, Metric

_SCAN_NUMBERS = 2**23  # products held at a time in the full scan
_EXPANDED = 2**20  # rows held at a time when identical vectors are expanded


@dataclass(frozen=True, eq=False)
class Task:
    """Queries (q, d), the distinct vectors (u, d) they are asked of, and how many rows each wants."""

    queries: FloatArray
    vectors: FloatArray
    groups: Distinct
    stand_in: Surrogate
    wanted: int  # k, and one more when a row is left out
    metric: Metric

    def empty(self) -> tuple[IntArray, FloatArray]:
        """Return arrays for the rows and similarities, both (q, wanted)."""
        shape = (len(self.queries), self.wanted)
        return np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32)

    def of(self, queries: slice | IntArray) -> Task:
        """Return the same for some of the queries only."""
        return replace(self, queries=self.queries[queries], stand_in=self.stand_in.of(queries))

    def promising(self, part: slice, products: FloatArray) -> IntArray:
        """Return how many candidates of each query, largest product first, may be among its first ``wanted``, (b,)."""
        # Products are off by the slack at most, that of the last one wanted, too; mending sees what rounding adds.
        near = products[:, min(self.wanted, products.shape[1]) - 1] - 2.0 * self.stand_in.slack[part]
        return np.asarray(np.count_nonzero(products >= near[:, None], axis=1))

    def decided(self, part: slice, candidates: IntArray, worst: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return the first ``wanted`` rows of the queries in ``part`` and their similarity, both (b, wanted).

        Parameters
        ----------
        part : slice
        candidates : ndarray of int64, shape (b, m)
            Distinct vectors with the largest products.
        worst : ndarray of float32, shape (b,)
            No vector that is missing has a larger product.
        """
        rows, found, doubtful = self.settled(part, candidates, worst)
        self._mend(part, doubtful, rows, found)
        return rows, found

    def settled(
        self, part: slice | IntArray, candidates: IntArray, worst: FloatArray
    ) -> tuple[IntArray, FloatArray, IntArray]:
        """Do the same, and return in which places of ``part`` a row that was not proposed might still belong."""
        found = pair_similarity(self.queries[part], self.vectors, candidates, self.metric)
        rows, found = self._expanded(candidates, found)
        if candidates.shape[1] == len(self.vectors):
            return rows, found, np.empty(0, dtype=np.int64)
        low = self.stand_in.band(part, found[:, -1:])[0][:, 0]
        return rows, found, np.flatnonzero(worst >= low)

    def _mend(self, part: slice, doubtful: IntArray, rows: IntArray, found: FloatArray) -> None:
        """Scan in full the queries in these places of ``part``; write in place."""
        low = self.stand_in.band(part, found[:, -1:])[0][:, 0]
        queries = np.arange(part.start, part.stop)[doubtful]
        step = max(1, _SCAN_NUMBERS // len(self.vectors))
        for start in range(0, len(queries), step):
            chosen = queries[start : start + step]
            products = self.stand_in.left[chosen] @ self.stand_in.right.T
            for query, line, place in zip(chosen, products, doubtful[start : start + step], strict=True):
                candidates = np.flatnonzero(line >= low[place])[None, :]
                exact = pair_similarity(self.queries[query][None], self.vectors, candidates, self.metric)
                rows[place], found[place] = self._one_expanded(candidates[0], exact[0])

    def _one_expanded(self, candidates: IntArray, found: FloatArray) -> tuple[IntArray, FloatArray]:
        counts = self.groups.counts[candidates]
        # Vectors that enough strictly closer rows precede cannot contribute.
        closest = np.argsort(-found, kind="stable")
        enough = int(np.searchsorted(np.cumsum(counts[closest]), self.wanted))
        needed = np.flatnonzero(found >= found[closest[enough]])
        rows, found = self._expanded(candidates[None, needed], found[None, needed])
        return rows[0], found[0]

    def _expanded(self, candidates: IntArray, found: FloatArray) -> tuple[IntArray, FloatArray]:
        """Replace distinct vectors by their rows and return the first ``wanted`` in order, (b, wanted)."""
        counts = np.minimum(self.groups.counts[candidates], self.wanted)
        width = int(counts.sum(axis=1).max())
        if width == candidates.shape[1]:  # none is repeated
            return self._ordered(self.groups.first[candidates], found)
        rows = np.empty((len(candidates), self.wanted), dtype=np.int64)
        out = np.empty((len(candidates), self.wanted), dtype=np.float32)
        step = max(1, _EXPANDED // width)
        for start in range(0, len(candidates), step):
            part = slice(start, start + step)
            rows[part], out[part] = self._ordered(*self._unfolded(candidates[part], found[part], counts[part]))
        return rows, out

    def _unfolded(self, candidates: IntArray, found: FloatArray, counts: IntArray) -> tuple[IntArray, FloatArray]:
        lengths = counts.sum(axis=1)
        places = np.arange(lengths.max()) < lengths[:, None]
        rows = np.full(places.shape, np.iinfo(np.int64).max)
        rows[places] = self.groups.rows(candidates.ravel(), counts.ravel())
        similarity = np.full(places.shape, -np.inf, dtype=np.float32)
        similarity[places] = np.repeat(found.ravel(), counts.ravel())
        return rows, similarity

    def _ordered(self, rows: IntArray, found: FloatArray) -> tuple[IntArray, FloatArray]:
        order = np.lexsort((rows, -found), axis=-1)[:, : self.wanted]
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(found, order, axis=1)
