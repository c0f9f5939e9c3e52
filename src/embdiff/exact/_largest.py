"""The largest products of each query so far, while more come in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embdiff.records import FloatArray, IntArray

_Part = tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32], FloatArray]


class Largest:
    """The ``wanted`` largest products of each of at most 65,536 queries, among fewer than 2^31 rows.

    Products are offered as they come; those not above the threshold of their query are not to be offered. They wait
    until there are enough of them to be worth sorting in.

    Parameters
    ----------
    threshold : ndarray of float32, shape (q,)
        What at least ``wanted`` products of each query exceed. Raised in place as larger ones come in.
    wanted : int
    """

    def __init__(self, threshold: FloatArray, wanted: int) -> None:
        self.threshold = threshold
        self._rows: npt.NDArray[np.int32] = np.full((len(threshold), wanted), -1, dtype=np.int32)
        self._products: FloatArray = np.full((len(threshold), wanted), -np.inf, dtype=np.float32)
        self._waiting: list[_Part] = []
        self._count = 0

    def offer(self, queries: IntArray, rows: IntArray, products: FloatArray) -> None:
        """Take in products above the threshold: numbers of their queries and rows, each (m,)."""
        self._waiting.append((queries.astype(np.uint16), rows.astype(np.int32), products))
        self._count += len(rows)
        if self._count > self._rows.size // 2:
            self._sort_in()

    def finished(self) -> tuple[FloatArray, IntArray]:
        """Return the largest products and their rows, (q, wanted), largest first, once all has been offered."""
        self._sort_in()
        assert self._rows.min() >= 0  # the first thresholds lie below ``wanted`` products of each query
        return self._products, self._rows.astype(np.int64)

    def _sort_in(self) -> None:
        size, wanted = self._rows.shape
        every = np.arange(size, dtype=np.uint16)
        queries = np.concatenate([np.repeat(every, wanted), *(part[0] for part in self._waiting)])
        rows = np.concatenate([self._rows.ravel(), *(part[1] for part in self._waiting)])
        products = np.concatenate([self._products.ravel(), *(part[2] for part in self._waiting)])
        self._waiting, self._count = [], 0
        order = np.argsort(-products)
        order = order[np.argsort(queries[order], kind="stable")]  # by query, largest product first
        start = np.searchsorted(queries[order], every)
        keep = order[start[:, None] + np.arange(wanted)]
        self._rows, self._products = rows[keep], products[keep]
        np.maximum(self.threshold, self._products[:, -1], out=self.threshold)


def above(products: FloatArray, thresholds: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the few products (b, m) above thresholds that broadcast with them: lines, columns, values, each (p,)."""
    places = _true_places(products > thresholds)
    down, across = np.divmod(places, products.shape[1])
    return down, across, products.ravel()[places]


def rounded_down(values: npt.NDArray[np.float64]) -> FloatArray:
    """Return float32 values below these float64 ones."""
    return np.asarray(np.nextafter(values.astype(np.float32), np.float32(-np.inf)))


def _true_places(mask: npt.NDArray[np.bool_]) -> IntArray:
    """Return the flat places that are true: few among many, so eight are looked at together."""
    flat = mask.ravel()
    if flat.size % 8:
        return np.flatnonzero(flat)
    words = np.flatnonzero(flat.view(np.uint64) != 0)  # of bool numpy finds them twice as fast
    return (words[:, None] * 8 + np.arange(8))[flat.reshape(-1, 8)[words]]
