"""A first look at all products with factors rounded to bfloat16, where the processor has matrices of them.

Such a processor multiplies them several times as fast as float32. What they are off by is bounded like every other
surrogate (`Surrogate.rounded`): they only choose which similarities are computed in float64.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from embdiff._optional import is_installed
from embdiff.exact._arrays import norms
from embdiff.exact._largest import Largest, above, rounded_down
from embdiff.exact._surrogate import Surrogate
from embdiff.exact._threads import in_parts
from embdiff.records import FloatArray, IntArray

Bits = npt.NDArray[np.uint16]

_MATRICES = ("sapphireamx", "graniteamx")  # as numkong calls the processors on which this was measured to be faster
_FEWEST, _NARROWEST = 512, 128  # queries, numbers in a vector
_LEAST_ROWS, _LEAST_NUMBERS = 20_000, 6_000_000  # rows, numbers in all of them
_NARROWEST_OF_PAIRS = 64
_MOST_WANTED = 40  # results; beyond, sorting out the candidates costs more than the products save
TILE = 1_024  # rows of a tile of products
_ASKED = 512  # queries of it: 2 MiB stay in the cache while they are looked through
_SHARE = 50  # of all rows, the sample that the first thresholds come from,
_TIMES = 40  # or so many times the rows wanted, where that is more: else most of the first tiles would pass
_COMPARED_AT_A_TIME = 2**17  # numbers
_UNIT = 2.0**-8  # the most that rounding a number to bfloat16 changes it by, relatively,
_NEVER_LESS = 2.0**-60  # or a whole row, where its numbers are too small for that


@cache
def available() -> bool:
    """Return whether numkong is installed, and multiplies bfloat16 here by instructions for matrices, and rightly."""
    if not is_installed("numkong"):
        return False
    import numkong

    found = numkong.get_capabilities()
    return any(found.get(name, False) for name in _MATRICES) and _is_right()


def _is_right() -> bool:
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((rows, 75)).astype(np.float32) for rows in (33, 65))
    bits = rounded(left)
    products = multiplied(bits, pack(rounded(right)), np.empty((33, 65), dtype=np.float32))
    bound = 2.0**-6 * np.abs(left) @ np.abs(right).T
    nearest = np.all(np.abs(_widened(bits, np.empty_like(left)) - left) <= _UNIT * np.abs(left))
    right_here = bool(nearest and np.all(np.abs(products - left @ right.T) < bound))
    if not right_here:
        warnings.warn("numkong computes wrongly on this processor: exact search does without it.", stacklevel=2)
    return right_here


def pays(queries: int, dim: int, rows: int, wanted: int) -> bool:
    """Return whether a first look in bfloat16 at some queries is faster; measured, see docs/exact.md."""
    large = queries >= _FEWEST and dim >= _NARROWEST and rows * dim >= _LEAST_NUMBERS and _LEAST_ROWS <= rows < 2**31
    return large and wanted <= _MOST_WANTED and available()


def pays_for_all_pairs(dim: int) -> bool:
    """Return the same for rows asked with themselves, so many of them that `_symmetric.pays`."""
    return dim >= _NARROWEST_OF_PAIRS and available()


def candidates_for(wanted: int) -> int:
    """Return how many candidates per query are kept for ``wanted`` results: most that bfloat16 cannot tell apart."""
    return 2 * wanted + 8


@dataclass(frozen=True, eq=False)
class Look:
    """What the rounded products say.

    Parameters
    ----------
    stand_in : Surrogate
        That the products belong to, with their slack.
    products : ndarray of float32, shape (q, wanted)
        Largest first. No row that is missing has a rounded product above the last.
    rows : ndarray of int64, shape (q, wanted)
    """

    stand_in: Surrogate
    products: FloatArray
    rows: IntArray

    def of(self, queries: slice) -> Look:
        """Return the same for some of the queries only."""
        return Look(self.stand_in.of(queries), self.products[queries], self.rows[queries])


def look(task: Surrogate, wanted: int) -> Look:
    """Find the ``wanted`` rows, 1..n, with the largest rounded products, for each of at most 65,536 queries."""
    left, off_right = rounded(task.left), np.zeros(len(task.right), dtype=np.float32)
    best, lock = Largest(_first_thresholds(left, task, wanted), wanted), Lock()

    def look_through(part: slice) -> None:
        right = rounded(task.right[part])
        off_right[part] = rounded_away(task.right[part], right)
        for start, products in tiles(left, right):
            down, across, passed = above(products, best.threshold[start : start + len(products), None])
            with lock:
                best.offer(down + start, across + part.start, passed)

    in_parts(look_through, len(task.right), TILE)
    return Look(with_slack(task, rounded_away(task.left, left), float(off_right.max())), *best.finished())


def tiles(left: Bits, right: Bits) -> Iterator[tuple[int, FloatArray]]:
    """Yield the first query's number and the products (b, m) with few rows, query by query; they must not be kept."""
    packed, buffer = pack(right), np.empty((_ASKED, len(right)), dtype=np.float32)
    for start in range(0, len(left), _ASKED):
        asked = left[start : start + _ASKED]
        yield start, multiplied(asked, packed, buffer[: len(asked)])


def with_slack(task: Surrogate, off: FloatArray, off_right: float | None = None) -> Surrogate:
    """Return the surrogate that the products of rounded rows belong to.

    Parameters
    ----------
    task : Surrogate
    off : ndarray of float32, shape (q,)
        What was `rounded_away` from its queries.
    off_right : float, optional
        The most that was rounded away from a row; when left out, the most that can be.
    """
    most = _UNIT * task.longest + _NEVER_LESS if off_right is None else off_right
    return task.rounded(norms(task.left) + off, off.astype(np.float64), most)


def _first_thresholds(left: Bits, task: Surrogate, wanted: int) -> FloatArray:
    """Return, for each query, what at least ``wanted`` of its rounded products surely exceed."""
    count = len(task.right)
    size = min(count, max(count // _SHARE, _TIMES * wanted))
    drawn = np.sort(np.random.default_rng(0).choice(count, size, replace=False))
    packed = pack(rounded(task.right[drawn]))
    out = np.empty(len(left), dtype=np.float32)

    def some(part: slice) -> None:
        products = multiplied(left[part], packed, np.empty((part.stop - part.start, size), dtype=np.float32))
        out[part] = np.partition(products, size - wanted, axis=1)[:, -wanted]

    in_parts(some, len(left), _ASKED // 2)
    # The same products in another order of summation: off by little more than twice the slack.
    return rounded_down(out - 2.1 * task.slack)


def rounded(values: FloatArray) -> Bits:
    """Return the bits, uint16 (n, d), of the bfloat16 numbers nearest to contiguous, finite float32 values (n, d)."""
    import numkong

    bits = np.empty(values.shape, dtype=np.uint16)
    numkong.astype(_tensor(values, "f32"), "bf16", out=_tensor(bits, "bf16"))
    return bits


def rounded_away(values: FloatArray, bits: Bits) -> FloatArray:
    """Return the lengths (n,) of what was rounded away of each row, and a little more."""
    off = np.empty(len(values), dtype=np.float32)
    step = max(1, _COMPARED_AT_A_TIME // values.shape[1])
    buffer = np.empty((min(step, len(values)), values.shape[1]), dtype=np.float32)
    for start in range(0, len(values), step):
        some = values[start : start + step]
        rest = _widened(bits[start : start + step], buffer[: len(some)])
        np.subtract(some, rest, out=rest)
        off[start : start + step] = np.sqrt(np.einsum("nd,nd->n", rest, rest))
    off *= 1.001  # its own rounding, and squares too small for float32
    off += np.float32(_NEVER_LESS)
    return off


def _widened(bits: Bits, out: FloatArray) -> FloatArray:
    import numkong

    numkong.astype(_tensor(bits, "bf16"), "f32", out=_tensor(out, "f32"))
    return out


def pack(bits: Bits) -> Any:
    """Return bfloat16 rows (m, d) in the order in which `multiplied` reads them."""
    import numkong

    return numkong.dots_pack(_tensor(bits, "bf16"), dtype="bf16")


def multiplied(left: Bits, packed: Any, out: FloatArray) -> FloatArray:
    """Write the products of bfloat16 rows (b, d) with packed ones (m, d) into ``out`` (b, m), summed in float32."""
    import numkong

    numkong.dots_packed(_tensor(left, "bf16"), packed, out=_tensor(out, "f32"))
    return out


def _tensor(array: npt.NDArray[Any], dtype: Literal["bf16", "f32"]) -> Any:
    import numkong

    return numkong.from_pointer(array.ctypes.data, array.shape, dtype, owner=array)
