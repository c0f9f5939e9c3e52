"""One progress bar for long work: a bar on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar

from embdiff._visible import visible

Advance = Callable[[int], None]  # reports that so many more units are done
_SECONDS_BETWEEN_LINES = 5.0
_fed: ContextVar[Advance | None] = ContextVar("embdiff_progress_fed", default=None)


@contextmanager
def feeding(advance: Advance) -> Iterator[None]:
    """Let what is done inside this block advance a bar that is shown already, instead of bars of its own."""
    token = _fed.set(advance)
    try:
        yield
    finally:
        _fed.reset(token)


def silent() -> AbstractContextManager[None]:
    """Show no progress inside the block that this is given to."""
    return feeding(lambda _count: None)


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Advance]:
    """Show progress of ``total`` units while the block runs.

    Lines come one every few seconds, and none for work that is over sooner.

    Parameters
    ----------
    label : str
        What is being done, for example ``"encode minilm"``.
    total : int
        Number of units.
    unit : str
        Their name in the plural, for example ``"texts"``.

    Yields
    ------
    Advance
        Call it with the number of units just finished.
    """
    fed, label = _fed.get(), label if label.isprintable() else visible(label)
    if fed is not None:
        yield fed
    elif sys.stderr is not None and sys.stderr.isatty():
        with _bar(label, total, unit) as drawn:
            yield drawn
    else:
        start = last = time.monotonic()
        done = 0

        def advance(count: int) -> None:
            nonlocal last, done
            done += count
            now = time.monotonic()
            if now - last < _SECONDS_BETWEEN_LINES:
                return
            last = now
            rate = done / (now - start)
            left = (total - done) / rate if rate else float("inf")
            line = f"{label}: {done:,} of {total:,} {unit}, {rate:,.0f}/s, {left:,.0f} s left"
            with suppress(OSError, ValueError):  # nobody reads it: no reason to end the work
                print(line, file=sys.stderr, flush=True)  # noqa: T201 - stderr is the product here

        yield advance


@contextmanager
def _bar(label: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            rate = task.finished_speed or task.speed
            return Text("" if rate is None else f"{rate:,.0f}/s")

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        Rate(),
        Remaining(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)
