"""Numbers, with or without an interval, and times, as people read them."""

from __future__ import annotations

import math


def number(value: float | None, digits: int = 3) -> str:
    """Return a number as shown; an undefined one as ``n/a``."""
    return "n/a" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def estimate(value: float, low: float, high: float, digits: int = 3, around: int = 3) -> str:
    """Return a number with its interval as shown."""
    return f"{number(value, digits)} [{number(low, around)}, {number(high, around)}]" if math.isfinite(value) else "n/a"


def seconds_text(seconds: float | None) -> str:
    """Return a duration as shown."""
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
