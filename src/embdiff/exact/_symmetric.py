"""The best partners of every row among all rows, each pair multiplied once: half the work of asking with every row."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import numpy as np

from embdiff._progress import progress
from embdiff.exact import _brief as brief
from embdiff.exact._largest import Largest, above, rounded_down
from embdiff.exact._surrogate import Surrogate
from embdiff.exact._threads import in_parts
from embdiff.records import FloatArray, IntArray

_TILE = 1_024  # rows of a tile of products: 4 MiB stay in the cache while they are looked through
_SAMPLE = 1_024  # rows from which the first thresholds come
_LEAST_ROWS = 20_000
_MOST_WANTED = 40  # candidates per row; beyond, sorting them out costs more than half of the products


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
    return best.threshold, best.finished()[1]


def look_at_partners(pairs: Surrogate, wanted: int) -> brief.Look:
    """Do the same with factors rounded to bfloat16."""
    right, count = brief.rounded(pairs.right), len(pairs.right)
    off_left = off_right = brief.rounded_away(pairs.right, right)
    left = right
    if pairs.left is not pairs.right:
        left = brief.rounded(pairs.left)
        off_left = brief.rounded_away(pairs.left, left)
    coarse = brief.with_slack(pairs, off_left, float(off_right.max()))
    best, tiles = _Best(coarse, wanted), -(-count // _TILE)
    with progress("exact search", tiles * (tiles + 1) // 2, "tiles") as advance:

        def look_through(part: slice) -> None:
            packed, buffer = brief.pack(right[part]), np.empty((_TILE, part.stop - part.start), dtype=np.float32)
            for i in range(0, part.stop, _TILE):
                asked = left[i : i + _TILE]
                best.look_through(brief.multiplied(asked, packed, buffer[: len(asked)]), i, part.start)
                advance(1)

        in_parts(look_through, count, _TILE)
    return brief.Look(coarse, *best.finished())


def _upper(count: int) -> Iterator[tuple[int, int]]:
    for i in range(0, count, _TILE):
        for j in range(i, count, _TILE):
            yield i, j


def _product(left: FloatArray, right: FloatArray, buffer: FloatArray) -> FloatArray:
    if len(left) == len(right) == _TILE:
        return np.matmul(left, right.T, out=buffer)
    return np.asarray(left @ right.T)


class _Best:
    """The largest products of each row so far, in blocks, and the thresholds that further ones must pass."""

    def __init__(self, pairs: Surrogate, wanted: int) -> None:
        self.threshold = _first_thresholds(pairs, wanted)
        self._blocks = {
            start: Largest(self.threshold[start : start + _TILE], wanted) for start in range(0, len(pairs.right), _TILE)
        }
        self._locks = {start: Lock() for start in self._blocks}

    def look_through(self, block: FloatArray, i: int, j: int) -> None:
        """Take in the products of rows i, i + 1... (down) and j, j + 1... (across)."""
        down, across, passed = above(block, self._blocks[i].threshold[:, None])
        with self._locks[i]:
            self._blocks[i].offer(down, across + j, passed)
        if i != j:
            down, across, passed = above(block, self._blocks[j].threshold)
            with self._locks[j]:
                self._blocks[j].offer(across, down + i, passed)

    def finished(self) -> tuple[FloatArray, IntArray]:
        """Return the products, largest first, and their rows, once every tile has been looked through."""
        found = [block.finished() for block in self._blocks.values()]
        return np.concatenate([products for products, _ in found]), np.concatenate([rows for _, rows in found])


def _first_thresholds(pairs: Surrogate, wanted: int) -> FloatArray:
    """Return, for each row, what at least ``wanted`` of its products surely exceed."""
    import faiss

    count = len(pairs.right)
    drawn = np.sort(np.random.default_rng(0).choice(count, min(count, max(_SAMPLE, wanted)), replace=False))
    products, _ = faiss.knn(pairs.left, pairs.right[drawn], wanted, faiss.METRIC_INNER_PRODUCT)
    # The same products in another order of summation: off by twice the slack at most.
    return rounded_down(products[:, -1] - 2.0 * np.maximum(pairs.slack, pairs.slack[drawn].max()))
