"""How many processors this process may use: the one place that counts them, and that holds products to one."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def processors() -> int:
    """Return how many processors this process may use, at least 1.

    Returns
    -------
    int
        Those it is bound to (all of the machine where the system tells none), and no more than the time that the
        container's quota grants, begun ones counted whole: a quota of 1.5 is 2.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(bound, quota(_OWN_GROUPS, _GROUPS))))


def threads() -> int:
    """Return how many threads to compute with: those that OMP_NUM_THREADS names, else one for each processor."""
    named = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # a list is for loops within loops
    return int(named) if named.isdecimal() and int(named) > 0 else processors()


def one_blas_thread() -> AbstractContextManager[Any]:
    """Let matrix products run on one core each while the block runs, in the whole process."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


@cache
def quota(own_groups: Path, groups: Path) -> float:
    """Return the processor time per second that a control group of Linux grants this process.

    Parameters
    ----------
    own_groups : Path
        The list of the process's groups, ``/proc/self/cgroup``.
    groups : Path
        Where the groups are mounted, ``/sys/fs/cgroup``.

    Returns
    -------
    float
        The lowest of the process's group and those around it, in version 2 and in version 1; infinity where there is
        no limit, or none that can be read.

    References
    ----------
    https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max),
    https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us)
    """
    return min((_granted(*each) for each in _groups_of("cpu", own_groups, groups)), default=math.inf)


def groups(controller: str) -> Iterator[tuple[Path, bool]]:
    """Yield the folders of this process's control groups for a controller, and whether they are of version 2."""
    return _groups_of(controller, _OWN_GROUPS, _GROUPS)


def _groups_of(controller: str, own_groups: Path, groups: Path) -> Iterator[tuple[Path, bool]]:
    for line in (text_of(own_groups) or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        root = groups / controller if controllers else groups
        # Inside a container the path may be that of the host: the group mounted at the root is then the container's.
        own = root / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(root):
                yield folder, not controllers


def _granted(folder: Path, newer: bool) -> float:
    """Return what one group grants: by ``cpu.max``, or by the two files of version 1."""
    if newer:
        words = (text_of(folder / "cpu.max") or "").split()
    else:
        words = [text_of(folder / f"cpu.cfs_{part}_us") or "" for part in ("quota", "period")]
    if len(words) != 2 or not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        return math.inf  # "max", -1, or no such file
    return int(words[0]) / int(words[1])


def text_of(path: Path) -> str | None:
    """Return what the system says in one of its files; None where it does not."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
