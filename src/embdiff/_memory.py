"""How much memory this process may use: what the machine has, what a container grants, what the process is held to."""

from __future__ import annotations

import os
from pathlib import Path

from embdiff import _processors

_NO_LIMIT = 2**62


def machine() -> int:
    """Return how many bytes of memory there are for this process; 2^62 where the system does not tell."""
    found = [_NO_LIMIT]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for folder, newer in _processors.groups("memory"):
        granted = _number(folder / ("memory.max" if newer else "memory.limit_in_bytes"))
        found += [] if granted is None else [granted]
    try:
        import resource
    except ImportError:  # Windows
        return min(found)
    held_to = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min(found if held_to == resource.RLIM_INFINITY else [*found, held_to])


def share() -> int:
    """Return how many bytes a comparison may take unless it is told: three quarters of what there is."""
    return machine() * 3 // 4


def room_for_texts() -> int:
    """Return how many bytes of text one file may hold: while it is read it takes four times as much."""
    return share() // 4


def _number(path: Path) -> int | None:
    text = (_processors.text_of(path) or "").strip()
    return int(text) if text.isdecimal() else None  # "max" is no limit
