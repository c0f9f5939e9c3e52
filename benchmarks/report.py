"""One measured figure, and how figures are measured and printed."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

PACKAGES = (
    "numpy", "faiss-cpu", "scikit-learn", "pymilvus", "milvus-lite", "lancedb", "sentence-transformers",
    "torch", "onnxruntime", "openvino", "ranx", "pytrec_eval-terrier",
)  # fmt: skip
T = TypeVar("T")
ENOUGH = 5  # measurements whose median is shown
CALM = 0.2  # seconds: a BLAS lets its threads spin for some 30 ms after its last product
FAILED = "failed: "  # begins the reason of a figure that stands for a module that broke
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


@dataclass(frozen=True)
class Figure:
    """A ratio against a peer or a limit, with the bound it should keep and the timings behind it.

    ``ratio`` is NaN where the machine cannot run the measurement; ``why`` says so, and of others what
    else is to be known. ``at_most``: the bound is a ceiling. ``measured_in``: the unit of the timings.
    """

    name: str
    ratio: float
    bound: float
    unit: str
    timings: dict[str, list[float]]
    at_most: bool = False
    why: str = ""
    measured_in: str = "s"
    hardware: dict[str, Any] = field(default_factory=lambda: hardware())
    versions: dict[str, str] = field(default_factory=lambda: versions())

    @property
    def holds(self) -> bool | None:
        """Whether the ratio keeps its bound; None where it could not be measured."""
        if math.isnan(self.ratio):
            return None
        return self.ratio <= self.bound if self.at_most else self.ratio >= self.bound

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values; a ratio that could not be measured is ``null``."""
        return {**asdict(self), "ratio": None if self.holds is None else self.ratio, "holds": self.holds}

    def line(self) -> str:
        """Return one line for people."""
        times = ", ".join(f"{name} {shown(values)} {self.measured_in}" for name, values in self.timings.items())
        if self.why.startswith(FAILED):
            return f"{self.name:38} {self.why}"
        if self.holds is None:
            return f"{self.name:38} not applicable: {self.why}"
        mark = "holds" if self.holds else "MISSED"
        bound = f"at {'most' if self.at_most else 'least'} {self.bound:g}"
        return f"{self.name:38} {self.ratio:7.3g} {self.unit} ({bound}, {mark})  {times}"


def shown(values: Sequence[float]) -> str:
    """Return the median of five or more values; every one of fewer, of which a median says little."""
    some = [median(values)] if len(values) >= ENOUGH else values
    return " and ".join(f"{value:.3g}" if value < 1_000 else f"{value:,.0f}" for value in some)


def failed(module: str, error: Exception) -> Figure:
    """Return what stands for the figures of a module that broke."""
    return Figure(module, math.nan, 0.0, "", {}, why=f"{FAILED}{type(error).__name__}: {error}")


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed among those measured or measured against."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def hardware() -> dict[str, Any]:
    """Return what a reader needs to judge absolute times."""
    facts = _cpuinfo()
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    return {
        "machine": platform.machine(),
        "processor": facts.get("model name", platform.processor() or "unknown processor"),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "system": platform.system(),
    }


def _cpuinfo() -> dict[str, str]:
    """Return the first processor's lines of /proc/cpuinfo; nothing on systems without it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines() if path.exists() else []
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def as_installed() -> dict[str, str]:
    """Return the environment of a process that is measured.

    Milvus Lite's pings are silenced, and Python keeps the bytecode of this checkout, as pip does of what it installs:
    else embdiff alone would be compiled in every run, and its peers never.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "GRPC_VERBOSITY": "NONE"}


def repeats_for(seconds: float) -> int:
    """Return how often to measure work that takes so long: five times below 20 s, thrice that below 1 s, else twice."""
    if seconds < 1:
        return 3 * ENOUGH
    return ENOUGH if seconds < 20 else 2


def clocked(way: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds that one call takes, begun when the threads of the one before are asleep, and what it gave."""
    time.sleep(CALM)
    start = time.perf_counter()
    gave = way()
    return time.perf_counter() - start, gave


def in_turn(ways: Mapping[str, Callable[[], T]]) -> dict[str, list[tuple[float, T]]]:
    """Run the ways in turn, so that a busy machine slows all of them alike.

    Each is run as often as `repeats_for` says of its first run. Returns the seconds of every run and what it gave.
    """
    measured: dict[str, list[tuple[float, T]]] = {name: [] for name in ways}
    for turn in range(repeats_for(0)):
        for name, way in ways.items():
            if turn and turn >= repeats_for(measured[name][0][0]):
                continue
            measured[name].append(clocked(way))
    return measured


def ratio_of(name: str, bound: float, timings: dict[str, list[float]]) -> Figure:
    """Return how many times faster the second way was than the first, by medians."""
    slow, fast = (median(values) for values in timings.values())
    return Figure(name, slow / fast, bound, "times faster", timings)
