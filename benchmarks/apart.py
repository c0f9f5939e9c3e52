"""Ways to encode, each in a process of its own: what one leaves in memory and threads neither slows nor helps another.

In one process the first model to run pays for pages that the next finds ready, and the threads of one engine spin while
another works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from embdiff.records import FloatArray

Way = Callable[[Sequence[str]], FloatArray]
_here: list[Way] = []


class Apart:
    """A way to encode, made and run in a process that lives until `close`.

    Parameters
    ----------
    make : callable
        Makes the way, in that process; must be picklable, like what it raises.
    """

    def __init__(self, make: Callable[[], Way]) -> None:
        self._process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        try:
            self._process.submit(_begin, make).result()
        except BaseException:
            self.close()
            raise

    def __call__(self, items: Sequence[str]) -> FloatArray:
        """Return the vectors (n, d) of the texts."""
        return self._process.submit(_encode, items).result()

    def close(self) -> None:
        """End the process."""
        self._process.shutdown()


def _begin(make: Callable[[], Way]) -> None:
    _here.append(make())


def _encode(items: Sequence[str]) -> FloatArray:
    return _here[0](items)
