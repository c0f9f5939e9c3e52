"""Row-wise work on all cores: numpy lets go of the interpreter while it computes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from embdiff._processors import threads


def in_parts(function: Callable[[slice], None], count: int, step: int) -> None:
    """Call ``function`` with every slice of ``step`` of ``count`` rows, on as many threads as we may use.

    The function writes what it finds into its own slice of an array, so the order does not matter.
    """
    parts = [slice(start, min(start + step, count)) for start in range(0, count, step)]
    at_once = min(len(parts), threads())
    if at_once <= 1:
        for part in parts:
            function(part)
        return
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(function, parts):
            pass
