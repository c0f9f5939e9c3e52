"""The best partners of every row among all rows, each pair multiplied once: half the work of asking with every row."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from embdiff._progress import progress
from embdiff.exact._surrogate import Surrogate
from embdiff.records import FloatArray, IntArray

_TILE = 1_024  # rows of a tile of products: 4 MiB stay in the cache while they are looked through
_SAMPLE = 1_024  # rows from which the first thresholds come
_LEAST_ROWS = 20_000
_MOST_WANTED = 40  # candidates per row; beyond, sorting them out costs more than half of the products

_Small = npt.NDArray[np.int32]


def pays(rows: int, wanted: int) -> bool:
    """Return whether multiplying each pair once is faster than asking with every row; measured, see docs/exact.md."""
    return _LEAST_ROWS <= rows < 2**31 and wanted <= _MOST_WANTED


def best_partners(pairs: Surrogate, wanted: int) -> tuple[FloatArray, IntArray]:
    """Return, for each row, the ``wanted`` rows with the largest products, itself among the candidates.

    Parameters
    ----------
    pairs : Surrogate
        As `Prepared.by_itself` makes it: the product of i and j is that of j and i, up to the slack of either.
    wanted : int
        1..n.

    Returns
    -------
    worst : ndarray of float32, shape (n,)
        No row that is missing has a product above it.
    rows : ndarray of int64, shape (n, wanted)
        In no particular order.
    """
    best = _Best(pairs, wanted)
    count = len(pairs.right)
    tiles = -(-count // _TILE)
    buffers = [np.empty((_TILE, _TILE), dtype=np.float32) for _ in range(2)]
    with ThreadPoolExecutor(1) as pool, progress("exact search", tiles * (tiles + 1) // 2, "tiles") as advance:
        busy: Future[None] | None = None
        for number, (i, j) in enumerate(_upper(count)):
            block = _product(pairs.left[i : i + _TILE], pairs.right[j : j + _TILE], buffers[number % 2])
            if busy is not None:
                busy.result()  # one tile is multiplied while the one before it is looked through
            busy = pool.submit(best.look_through, block, i, j)
            advance(1)
        if busy is not None:
            busy.result()
    return best.finished()


def _upper(count: int) -> Iterator[tuple[int, int]]:
    for i in range(0, count, _TILE):
        for j in range(i, count, _TILE):
            yield i, j


def _product(left: FloatArray, right: FloatArray, buffer: FloatArray) -> FloatArray:
    if len(left) == len(right) == _TILE:
        return np.matmul(left, right.T, out=buffer)
    return np.asarray(left @ right.T)


@dataclass
class _Waiting:
    """Products above the threshold that have not been sorted in yet, for one block of rows."""

    count: int = 0
    parts: list[tuple[npt.NDArray[np.uint16], _Small, FloatArray]] = field(default_factory=list)


class _Best:
    """The largest products of each row so far, and the threshold that a further one must pass."""

    def __init__(self, pairs: Surrogate, wanted: int) -> None:
        count = len(pairs.right)
        self._wanted = wanted
        self._rows = np.full((count, wanted), -1, dtype=np.int32)
        self._products = np.full((count, wanted), -np.inf, dtype=np.float32)
        self._threshold = _first_thresholds(pairs, wanted)
        self._waiting: dict[int, _Waiting] = {}

    def look_through(self, block: FloatArray, i: int, j: int) -> None:
        """Take in the products of rows i, i + 1... (down) and j, j + 1... (across)."""
        height, width = block.shape
        flat = block.ravel()
        passed = _true(block > self._threshold[i : i + height, None])
        down, across = np.divmod(passed, width)
        self._offer(i, height, down, across + j, flat[passed])
        if i != j:
            passed = _true(block > self._threshold[None, j : j + width])
            down, across = np.divmod(passed, width)
            self._offer(j, width, across, down + i, flat[passed])

    def _offer(self, block: int, size: int, own: IntArray, other: IntArray, products: FloatArray) -> None:
        waiting = self._waiting.setdefault(block, _Waiting())
        waiting.count += len(own)
        waiting.parts.append((own.astype(np.uint16), other.astype(np.int32), products))
        if waiting.count > size * self._wanted // 2:
            self._sort_in(block, size)

    def _sort_in(self, block: int, size: int) -> None:
        parts = self._waiting.pop(block).parts
        here = slice(block, block + size)
        own = np.concatenate([np.repeat(np.arange(size, dtype=np.uint16), self._wanted), *(part[0] for part in parts)])
        rows = np.concatenate([self._rows[here].ravel(), *(part[1] for part in parts)])
        products = np.concatenate([self._products[here].ravel(), *(part[2] for part in parts)])
        order = np.argsort(-products)
        order = order[np.argsort(own[order], kind="stable")]  # by row, largest product first
        start = np.searchsorted(own[order], np.arange(size, dtype=np.uint16))
        keep = order[start[:, None] + np.arange(self._wanted)]
        self._rows[here], self._products[here] = rows[keep], products[keep]
        np.maximum(self._threshold[here], self._products[here, -1], out=self._threshold[here])

    def finished(self) -> tuple[FloatArray, IntArray]:
        """Return the thresholds and rows at the end; see `best_partners`."""
        for block in list(self._waiting):
            self._sort_in(block, min(_TILE, len(self._rows) - block))
        assert self._rows.min() >= 0  # the first thresholds lie below ``wanted`` products of each row
        return self._threshold, self._rows.astype(np.int64)


def _first_thresholds(pairs: Surrogate, wanted: int) -> FloatArray:
    """Return, for each row, what at least ``wanted`` of its products surely exceed."""
    import faiss

    count = len(pairs.right)
    drawn = np.sort(np.random.default_rng(0).choice(count, min(count, max(_SAMPLE, wanted)), replace=False))
    products, _ = faiss.knn(pairs.left, pairs.right[drawn], wanted, faiss.METRIC_INNER_PRODUCT)
    # The same products in another order of summation: off by twice the slack at most.
    low = products[:, -1] - 2.0 * np.maximum(pairs.slack, pairs.slack[drawn].max())
    return np.asarray(np.nextafter(low.astype(np.float32), np.float32(-np.inf)))


def _true(mask: npt.NDArray[np.bool_]) -> IntArray:
    """Return the flat places that are true: few among many, so eight are looked at together."""
    flat = mask.ravel()
    if flat.size % 8:
        return np.flatnonzero(flat)
    words = np.flatnonzero(flat.view(np.uint64))
    return (words[:, None] * 8 + np.arange(8))[flat.reshape(-1, 8)[words]]
