"""Which rows may be among the nearest: the largest float32 products, found tile by tile and kept while more come in.

faiss does it elsewhere; here are the two cases in which it takes far longer than the products do: a few queries, and
every row with every other, where each pair need be multiplied only once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations_with_replacement
from threading import Lock, local

import numpy as np
import numpy.typing as npt

from embdiff._processors import one_blas_thread, threads
from embdiff._progress import progress
from embdiff.exact._surrogate import Surrogate
from embdiff.records import FloatArray, IntArray

_FEWEST, _MOST = 20, 1_024  # queries that are few; faiss multiplies fewer than 20 in a way of its own
_SMALL = 120_000  # numbers in all of them: from about here on faiss is as fast
_LEAST_ROWS = 10_000
_NUMBERS = 2**20  # products of a tile with few queries: 4 MiB stay in the cache while they are looked through
_SHARE = 50  # of all rows, the sample that the first thresholds of few queries come from

_LEAST_PAIRED = 20_000  # rows
_MOST_WANTED = 40  # candidates per row; beyond, sorting them out costs more than half of the products
_TILE = 1_024  # rows of a tile of all pairs: 4 MiB again
_SAMPLE = 1_024  # rows from which the first thresholds of all pairs come

_Truths = npt.NDArray[np.bool_]
_Waiting = tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32], FloatArray]


def are_few(queries: int, dim: int, rows: int) -> bool:
    """Return whether `of_few` is faster than faiss; measured, see docs/exact.md."""
    return _FEWEST <= queries <= _MOST and queries * dim < _SMALL and _LEAST_ROWS <= rows < 2**31


def pairs_pay(rows: int, wanted: int) -> bool:
    """Return whether multiplying each pair once is faster than asking with every row; measured, see docs/exact.md."""
    return _LEAST_PAIRED <= rows < 2**31 and wanted <= _MOST_WANTED


def of_few(task: Surrogate, wanted: int) -> tuple[FloatArray, IntArray]:
    """Return, for each of few queries, the ``wanted`` rows with the largest products.

    Parameters
    ----------
    task : Surrogate
        Of q queries and n rows.
    wanted : int
        1..n.

    Returns
    -------
    products : ndarray of float32, shape (q, wanted)
        Largest first.
    rows : ndarray of int64, shape (q, wanted)
    """
    left, right = task.left, task.right
    drawn = _drawn(len(right), max(len(right) // _SHARE, wanted))
    products = left @ right[drawn].T
    lowest = np.partition(products, products.shape[1] - wanted, axis=1)[:, -wanted]
    best = _Largest(_surely_exceeded(lowest, task.slack), wanted)
    width = max(1, _NUMBERS // len(left) // 8 * 8)
    buffer, room = np.empty((len(left), width), dtype=np.float32), _room(len(left) * width)
    for start in range(0, len(right), width):
        rows = right[start : start + width]
        block = np.matmul(left, rows.T, out=buffer) if len(rows) == width else left @ rows.T
        queries, across, passed = _above(block, best.threshold[:, None], room)
        best.offer(queries, across + start, passed)
    return best.finished()


def of_all_pairs(pairs: Surrogate, wanted: int) -> tuple[FloatArray, IntArray]:
    """Return, for each row, the ``wanted`` rows with the largest products, itself among the candidates.

    Parameters
    ----------
    pairs : Surrogate
        As `Prepared.by_itself` makes it: the product of i and j is that of j and i, up to the slack of either.
    wanted : int
        1..n.

    Returns
    -------
    products, rows
        As of `of_few`, one line for each row.
    """
    import faiss

    count = len(pairs.right)
    drawn = _drawn(count, max(_SAMPLE, wanted))
    products, _ = faiss.knn(pairs.left, pairs.right[drawn], wanted, faiss.METRIC_INNER_PRODUCT)
    threshold = _surely_exceeded(products[:, -1], np.maximum(pairs.slack, pairs.slack[drawn].max()))
    starts, desk = range(0, count, _TILE), _Desk()
    best = {start: _Largest(threshold[start : start + _TILE], wanted) for start in starts}

    def look_through(tile: tuple[int, int]) -> None:
        i, j = tile
        left, right = pairs.left[i : i + _TILE], pairs.right[j : j + _TILE]
        whole = len(left) == len(right) == _TILE
        block = np.matmul(left, right.T, out=desk.products) if whole else left @ right.T
        down, across, passed = _above(block, best[i].threshold[:, None], desk.room)
        best[i].offer(down, across + j, passed)
        if i != j:
            down, across, passed = _above(block, best[j].threshold, desk.room)
            best[j].offer(across, down + i, passed)

    tiles = list(combinations_with_replacement(starts, 2))
    # A thread for each tile: several for one product would wait for each other, and for those that look through.
    with one_blas_thread(), ThreadPoolExecutor(threads()) as pool, progress("exact search", len(tiles), "tiles") as add:
        for _ in pool.map(look_through, tiles):
            add(1)
    found, rows = zip(*(block.finished() for block in best.values()), strict=True)
    return np.concatenate(found), np.concatenate(rows)


class _Desk(local):
    """Where one thread multiplies its tiles and looks through them."""

    def __init__(self) -> None:
        self.products: FloatArray = np.empty((_TILE, _TILE), dtype=np.float32)
        self.room = _room(_TILE**2)


class _Largest:
    """The ``wanted`` largest products of each of at most 65,536 queries, among fewer than 2^31 rows.

    Products are offered as they come, by any thread; those not above the threshold of their query are not to be
    offered. They wait until there are enough of them to be worth sorting in.

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
        self._waiting: list[_Waiting] = []
        self._count, self._lock = 0, Lock()

    def offer(self, queries: IntArray, rows: IntArray, products: FloatArray) -> None:
        """Take in products above the threshold: numbers of their queries and rows, each (m,)."""
        with self._lock:
            self._waiting.append((queries.astype(np.uint16), rows.astype(np.int32), products))
            self._count += len(rows)
            if self._count > self._rows.size // 2:
                self._sort_in()

    def finished(self) -> tuple[FloatArray, IntArray]:
        """Return the largest products, largest first, and their rows, both (q, wanted), once all has been offered."""
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


def _drawn(count: int, size: int) -> IntArray:
    """Return the numbers of a sample of rows, ascending."""
    return np.sort(np.random.default_rng(0).choice(count, min(count, size), replace=False))


def _surely_exceeded(products: FloatArray, slack: npt.NDArray[np.float64]) -> FloatArray:
    """Return float32 values below these products (q,) however they are summed: in another order, off by two slacks."""
    return np.asarray(np.nextafter((products - 2.0 * slack).astype(np.float32), np.float32(-np.inf)))


def _room(products: int) -> _Truths:
    """Return where as many products can be compared: new memory for each tile takes longer than comparing it."""
    return np.empty(products, dtype=np.bool_)


def _above(products: FloatArray, thresholds: FloatArray, room: _Truths) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the few products (b, m) above thresholds that broadcast with them: lines, columns, values, each (p,)."""
    passed = np.greater(products, thresholds, out=room[: products.size].reshape(products.shape))
    flat = passed.ravel()
    if flat.size % 8:
        places = np.flatnonzero(flat)
    else:  # few are true among many, so eight are looked at together
        words = np.flatnonzero(flat.view(np.uint64) != 0)  # of bool numpy finds them twice as fast
        places = (words[:, None] * 8 + np.arange(8))[flat.reshape(-1, 8)[words]]
    down, across = np.divmod(places, products.shape[1])
    return down, across, products.ravel()[places]
