"""Processors and threads: those we are bound to, those a container grants, those OMP_NUM_THREADS names."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from embdiff import _processors
from embdiff.exact._rows import in_parts


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bind the process to three processors, in control groups of the test's own; return where these are mounted."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(_processors.os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    monkeypatch.setattr(_processors, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(_processors, "_GROUPS", tmp_path / "groups")
    (tmp_path / "groups").mkdir()
    return tmp_path / "groups"


def put(groups: Path, own: str, files: dict[str, str]) -> None:
    """Write the list of the process's groups, and files of groups."""
    (groups.parent / "own").write_text(own)
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)


def test_without_a_quota_they_are_those_we_are_bound_to(machine: Path) -> None:
    assert _processors.processors() == _processors.threads() == 3


def test_without_affinity_they_are_those_of_the_machine(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_processors.os, "sched_getaffinity")
    assert _processors.processors() == os.cpu_count()


@pytest.mark.parametrize(
    ("quota", "granted", "processors"),
    [
        ("max 100000\n", math.inf, 3),
        ("200000 100000\n", 2.0, 2),
        ("150000 100000\n", 1.5, 2),
        ("5000 100000\n", 0.05, 1),
        ("9000000 100000\n", 90.0, 3),
        ("nonsense\n", math.inf, 3),
        ("", math.inf, 3),
    ],
)
def test_a_container_grants_no_more_than_its_quota(machine: Path, quota: str, granted: float, processors: int) -> None:
    put(machine, "0::/\n", {"cpu.max": quota})
    assert _processors.quota(machine.parent / "own", machine) == granted
    assert _processors.processors() == _processors.threads() == processors


def test_the_narrowest_of_the_groups_around_us_counts(machine: Path) -> None:
    files = {
        "cpu.max": "max 100000",
        "shift/cpu.max": "100000 100000",
        "shift/job/cpu.max": "200000 100000",
        "other/cpu.max": "1000 100000",
    }
    put(machine, "0::/shift/job\n", files)
    assert _processors.processors() == 1


def test_a_path_of_the_host_falls_back_on_what_is_mounted(machine: Path) -> None:
    put(machine, "0::/docker/3f6a\n", {"cpu.max": "200000 100000"})
    assert _processors.processors() == 2


@pytest.mark.parametrize(("quota", "processors"), [("200000", 2), ("-1", 3)])
def test_version_one_has_the_two_numbers_in_two_files(machine: Path, quota: str, processors: int) -> None:
    own = "4:memory:/job\n2:cpu,cpuacct:/job\n0::/\n"
    files = {"cpu/job/cpu.cfs_quota_us": quota + "\n", "cpu/job/cpu.cfs_period_us": "100000\n"}
    put(machine, own, files)
    assert _processors.processors() == processors


def test_omp_num_threads_names_the_threads(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for named, threads in [("1", 1), ("2,4", 2), (" 5 ", 5), ("many", 3), ("0", 3), ("-2", 3), ("", 3)]:
        monkeypatch.setenv("OMP_NUM_THREADS", named)
        assert _processors.threads() == threads, named
    assert _processors.processors() == 3


def test_rows_are_worked_on_by_no_more_threads_than_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    for threads in (1, 2):
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        meet = threading.Barrier(threads, timeout=20)  # broken unless so many are at work at the same time
        workers: set[str] = set()
        done: list[slice] = []

        def part(rows: slice, meet: threading.Barrier = meet, workers: set[str] = workers, done: list[slice] = done):
            meet.wait()
            workers.add(threading.current_thread().name)
            done.append(rows)

        in_parts(part, 40, 10)
        assert len(workers) == threads
        assert sorted(rows.start for rows in done) == [0, 10, 20, 30]
