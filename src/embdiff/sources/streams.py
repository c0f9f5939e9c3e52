"""Batches encoded at the same time, each by a copy of the model, and a PyTorch model's layers made fast for that.

A processor's cores are busier on a batch each than all on one. PyTorch hands float32 layers to MKL, which runs at half
speed on processors that Intel did not make (measured on an AMD EPYC, one thread: 95 GFLOP/s, oneDNN 210). oneDNN comes
inside PyTorch, computes in float32 too, and is reached through the operators that PyTorch's own compiler emits. They
are not a public interface, so every layer is tried first on random numbers; where the operator is missing or disagrees,
the layer stays as it was.
"""

from __future__ import annotations

import copy
import platform
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import chain
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from embdiff._processors import threads

if TYPE_CHECKING:
    import torch

Job = TypeVar("Job")
Done = TypeVar("Done")
Tool = TypeVar("Tool")
MOST = 4
# The laid-out weights are a second copy: models above this size keep to one.
_MOST_PARAMETERS = 600_000_000
_TOLERANCE = 1e-4  # of the largest value; float32 stays far below, half precision far above


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
    start : callable, optional
        Called first in each thread.

    Notes
    -----
    Close it (`contextlib.closing`) where its end may not be reached: jobs not begun are dropped, those begun are waited
    for.
    """
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


def pack_linear_layers(model: torch.nn.Module) -> int:
    """Let every plain float32 nn.Linear on the CPU compute by oneDNN.

    The layers keep their type, weights and names; only how they compute changes. Their weights must not change
    afterwards.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.

    Returns
    -------
    int
        Number of layers that were changed: 0 on other processors and devices, and for very large models.
    """
    import torch

    has_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not has_onednn or platform.machine().lower() not in ("x86_64", "amd64"):
        return 0
    if sum(parameter.numel() for parameter in model.parameters()) > _MOST_PARAMETERS:
        return 0
    return sum(_pack(layer) for layer in model.modules() if type(layer) is torch.nn.Linear)


def _pack(layer: torch.nn.Linear) -> bool:
    import torch

    weight = layer.weight.detach()
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return False
    with torch.inference_mode():
        try:
            forward = partial(_forward, torch.ops.mkldnn._reorder_linear_weight(weight, None), layer.bias)
            probe = torch.linspace(-1, 1, 3 * layer.in_features).reshape(3, layer.in_features)
            found, expected = forward(probe), layer(probe)
        except (AttributeError, RuntimeError):  # another version of PyTorch, or one built without oneDNN
            return False
        same = bool((found - expected).abs().max() <= _TOLERANCE * expected.abs().max())
    if same:
        layer.forward = forward  # type: ignore[method-assign]
    return same


def _forward(weight: Any, bias: torch.Tensor | None, values: torch.Tensor) -> torch.Tensor:
    import torch

    packed: torch.Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")
    return packed
