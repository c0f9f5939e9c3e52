"""A first look at all products with factors rounded to bfloat16, where the processor has matrices of them.

Such a processor multiplies them several times as fast as float32. What they are off by is bounded like every other
surrogate (`Surrogate.coarse`): they only choose which similarities are computed in float64.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from embdiff._optional import is_installed
from embdiff.exact._largest import Largest, true_places
from embdiff.exact._surrogate import Surrogate
from embdiff.exact._threads import in_parts
from embdiff.records import FloatArray, IntArray

_Bits = npt.NDArray[np.uint16]

_MATRICES = ("sapphireamx", "graniteamx", "diamond")  # as numkong calls the processors that were found to be faster
_FEWEST = 256  # queries
_LEAST_ROWS = 10_000
_MOST_WANTED = 40
_TILE = 1_024  # rows of a tile of products
_ASKED = 512  # queries of it: 2 MiB stay in the cache while they are looked through
_SHARE = 50  # of all rows, the sample that the first thresholds come from
_HALF_WAY = np.uint32(0x8000)
_ROUNDED_AT_A_TIME = 2**17  # numbers


@cache
def available() -> bool:
    """Return whether numkong is installed and this processor multiplies matrices of bfloat16."""
    if not is_installed("numkong"):
        return False
    import numkong

    found = numkong.get_capabilities()
    return any(found.get(name, False) for name in _MATRICES)


def pays(queries: int, rows: int, wanted: int) -> bool:
    """Return whether a first look in bfloat16 is faster; measured, see docs/exact.md."""
    return queries >= _FEWEST and _LEAST_ROWS <= rows < 2**31 and wanted <= _MOST_WANTED and available()


def candidates_for(wanted: int) -> int:
    """Return how many candidates per query are kept for ``wanted`` results: most that bfloat16 cannot tell apart."""
    return 2 * wanted + 8


def best_rows(task: Surrogate, block: slice, wanted: int) -> tuple[FloatArray, IntArray]:
    """Return, for each query in ``block``, the ``wanted`` rows with the largest rounded products.

    Parameters
    ----------
    task : Surrogate
        Of n rows, in float32.
    block : slice
        At most 65,536 queries.
    wanted : int
        1..n.

    Returns
    -------
    products : ndarray of float32, shape (b, wanted)
        Largest first. No row that is missing has a rounded product above the last.
    rows : ndarray of int64, shape (b, wanted)
    """
    left = rounded(task.left[block])
    best = Largest(_first_thresholds(left, task, block, wanted), wanted)
    lock = Lock()

    def look_through(part: slice) -> None:
        packed, buffer = pack(rounded(task.right[part])), np.empty((_ASKED, part.stop - part.start), dtype=np.float32)
        for start in range(0, len(left), _ASKED):
            asked = left[start : start + _ASKED]
            products = multiplied(asked, packed, buffer[: len(asked)])
            passed = true_places(products > best.threshold[start : start + _ASKED, None])
            down, across = np.divmod(passed, products.shape[1])
            with lock:
                best.offer(down + start, across + part.start, products.ravel()[passed])

    in_parts(look_through, len(task.right), _TILE)
    return best.finished()


def _first_thresholds(left: _Bits, task: Surrogate, block: slice, wanted: int) -> FloatArray:
    """Return, for each query, what at least ``wanted`` of its rounded products surely exceed."""
    count = len(task.right)
    drawn = np.sort(np.random.default_rng(0).choice(count, min(count, max(count // _SHARE, wanted)), replace=False))
    packed = pack(rounded(task.right[drawn]))
    out = np.empty(len(left), dtype=np.float32)

    def some(part: slice) -> None:
        products = multiplied(left[part], packed, np.empty((part.stop - part.start, len(drawn)), dtype=np.float32))
        out[part] = np.partition(products, len(drawn) - wanted, axis=1)[:, -wanted]

    in_parts(some, len(left), _ASKED // 2)
    # The same products in another order of summation: off by little more than twice the slack.
    low = out - 2.1 * task.slack[block]
    return np.asarray(np.nextafter(low.astype(np.float32), np.float32(-np.inf)))


def rounded(values: FloatArray) -> _Bits:
    """Return the bits of contiguous, finite float32 values (n, d), rounded to the nearest bfloat16."""
    out = np.empty(values.shape, dtype=np.uint16)
    step = max(1, _ROUNDED_AT_A_TIME // values.shape[1])
    for start in range(0, len(values), step):
        bits = values[start : start + step].view(np.uint32) + _HALF_WAY
        out[start : start + step] = bits.view(np.uint16)[
            :, 1::2
        ]  # the upper half: these processors put the lower first
    return out


def pack(bits: _Bits) -> Any:
    """Return bfloat16 rows (m, d) in the order in which `multiplied` reads them."""
    import numkong

    return numkong.dots_pack(_tensor(bits, "bf16"), dtype="bf16")


def multiplied(left: _Bits, packed: Any, out: FloatArray) -> FloatArray:
    """Write the products of bfloat16 rows (b, d) with packed ones (m, d) into ``out`` (b, m), summed in float32."""
    import numkong

    numkong.dots_packed(_tensor(left, "bf16"), packed, out=_tensor(out, "f32"))
    return out


def _tensor(array: npt.NDArray[Any], dtype: Literal["bf16", "f32"]) -> Any:
    import numkong

    return numkong.from_pointer(array.ctypes.data, array.shape, dtype, owner=array)
