"""Batches encoded at the same time: a processor's cores are busier on a batch each than all on one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")
Tool = TypeVar("Tool")
MOST = 4


def streams_of(threads: int) -> int:
    """Return how many batches to encode at the same time: at most 4, each by an equal share of the threads.

    More were not measured, and each holds a batch in memory.
    """
    return max(count for count in range(1, MOST + 1) if threads % count == 0)


def in_streams(
    function: Callable[[Job], Done], jobs: Iterable[Job], streams: int, start: Callable[[], None] | None = None
) -> Generator[tuple[Job, Done]]:
    """Yield each job and what the function makes of it, in their order, several at work at a time.

    Parameters
    ----------
    function : callable
        Called from as many threads as there are streams.
    jobs : iterable
        Taken one by one, little ahead of what is yielded.
    streams : int
        With 1, everything happens in the calling thread.
    start : callable, optional
        Called first in each thread.

    Notes
    -----
    Close it (`contextlib.closing`) where its end may not be reached: jobs not begun are dropped, those begun are waited
    for.
    """
    if streams <= 1:
        for job in jobs:
            yield job, function(job)
        return
    pool = ThreadPoolExecutor(streams, thread_name_prefix="embdiff", initializer=start)
    running: deque[tuple[Job, Future[Done]]] = deque()
    try:
        for job in jobs:
            running.append((job, pool.submit(function, job)))
            if len(running) > streams:
                first, future = running.popleft()
                yield first, future.result()
        while running:
            first, future = running.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def borrowed(tools: SimpleQueue[Tool]) -> Iterator[Tool]:
    """Take a tool that no other thread is using, waiting for one if need be, and give it back."""
    tool = tools.get()
    try:
        yield tool
    finally:
        tools.put(tool)
