"""Row-wise work on all cores: numpy lets go of the interpreter while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def in_parts(function: Callable[[slice], None], count: int, step: int) -> None:
    """Call ``function`` with every slice of ``step`` of ``count`` rows, on as many threads as there are cores.

    The function writes what it finds into its own slice of an array, so the order does not matter.
    """
    parts = [slice(start, min(start + step, count)) for start in range(0, count, step)]
    threads = min(len(parts), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    if threads <= 1:
        for part in parts:
            function(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(function, parts):
            pass
