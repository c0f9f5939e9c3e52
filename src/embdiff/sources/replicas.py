"""The same PyTorch model several times in one process, and the threads shared out between them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import chain
from queue import SimpleQueue
from typing import Any

from embdiff._processors import threads
from embdiff.sources.streams import borrowed, streams_of


class Replicas:
    """A model, and as many copies of it as can be at work at the same time.

    Parameters
    ----------
    model : torch.nn.Module
        With its ``device``; copied only on a CPU.
    """

    def __init__(self, model: Any) -> None:
        self._on_cpu = model.device.type == "cpu"
        self._idle: SimpleQueue[Any] = SimpleQueue()
        self._idle.put(model)
        self._models, self._alone = 1, False

    def borrowed(self) -> AbstractContextManager[Any]:
        """Give a model that no other thread is using, waiting for one if need be."""
        return borrowed(self._idle)

    @property
    def streams(self) -> int:
        """How many models there are for the threads that PyTorch may use now; they are made when first needed."""
        wanted = streams_of(threads_for_torch()) if self._on_cpu else 1
        while self._models < wanted and not self._alone:
            with self.borrowed() as model:
                other = replica(model)
            if other is None:
                self._alone = True
            else:
                self._idle.put(other)
                self._models += 1
        return 1 if self._alone else wanted


def replica(model: Any) -> Any:
    """Return a copy of a model that another thread can use at the same time: a tokenizer of its own, the same weights.

    Parameters
    ----------
    model : torch.nn.Module
        Not in use while it is copied. Its parameters, its buffers, and what computes in place of a layer
        (`pack_linear_layers`) are shared, not copied.

    Returns
    -------
    torch.nn.Module or None
        None for a model of which a part cannot be copied.
    """
    instead = [vars(module)["forward"] for module in model.modules() if "forward" in vars(module)]
    shared = {id(part): part for part in chain(model.parameters(), model.buffers(), instead)}
    try:
        return copy.deepcopy(model, shared)
    except Exception:  # foreign code: a lock, an open file; one model is enough
        return None


def threads_for_torch() -> int:
    """Return how many threads PyTorch may use in all: those that the caller leaves it, and no more than are ours."""
    import torch

    return min(torch.get_num_threads(), threads())


@contextmanager
def shared_out(streams: int) -> Iterator[Callable[[], None]]:
    """Share PyTorch's threads out between so many batches; afterwards its setting is as it was.

    Parameters
    ----------
    streams : int
        With 1, the calling thread does the work and gets all of them.

    Yields
    ------
    callable
        Gives the thread that calls it its share.
    """
    import torch

    before, share = torch.get_num_threads(), max(1, threads_for_torch() // streams)
    if streams == 1:
        torch.set_num_threads(share)
    try:
        yield partial(torch.set_num_threads, share)
    finally:
        torch.set_num_threads(before)  # what was set last, by any thread, is also what new threads begin with
