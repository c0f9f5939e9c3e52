"""The results kept so far: one record per figure, by name, each with the run that measured it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report import FAILED, Figure

TOTAL, MINUTES = "bench_minutes", 25.0
ROWS = {TOTAL: "everything that make bench measures: wall time"}


@dataclass
class Run:
    """One call of ``python -m benchmarks``: what was asked, when it began (UTC), and the seconds of each module."""

    asked: str
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    modules: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measuring(self, module: str) -> Iterator[None]:
        """Count what is done within as the module's time."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.modules[module] = time.perf_counter() - start

    @property
    def seconds(self) -> float:
        """The wall time of all modules so far."""
        return sum(self.modules.values())

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {**asdict(self), "seconds": self.seconds}

    def total(self, figures: Sequence[Figure]) -> Figure:
        """Return the figure of the whole run's time, which says what could not be measured in it."""
        absent = [figure.name for figure in figures if figure.holds is None]
        why = f"without {', '.join(absent)}, which could not be measured here" if absent else ""
        timings = {name: [seconds] for name, seconds in self.modules.items()}
        return Figure(TOTAL, self.seconds / 60, MINUTES, "minutes", timings, at_most=True, why=why)


def records(path: Path) -> list[dict[str, Any]]:
    """Return what is kept; nothing when nothing has been measured yet."""
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return found


def keep(figures: Sequence[Figure], path: Path, run: Run) -> None:
    """Put the figures among those kept: the same figure of an older run is replaced, all others stay as they are.

    A failure of a module that has been measured since does not stay.
    """
    fresh = {figure.name: {**figure.to_dict(), "run": run.to_dict()} for figure in figures}
    older = [each for each in records(path) if each["name"] not in fresh and not _mended(each, run)]
    part = path.with_suffix(".part")
    part.write_text(json.dumps([*older, *fresh.values()], indent=2, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)  # a run cut short leaves the figures so far, never half of them


def _mended(record: Mapping[str, Any], run: Run) -> bool:
    return record["name"] in run.modules and record["why"].startswith(FAILED)
