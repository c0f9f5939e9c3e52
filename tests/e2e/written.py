"""Commands that write, each in a process of its own that is killed at a chosen moment or has little room on its disk."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq

import embdiff as ed
from embdiff import cli
from embdiff.sources.parquet import label_on
from embdiff.stores import get_store, placing
from embdiff.stores.milvus.store import MilvusStore

ROWS, POINTS = 240, 20
TOPICS = ("trains", "bread", "cats", "rain")
TOUCHES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.listdir", "os.scandir"}
STEPS = ("create", "add", "build", "load", "read", "seal")  # of a store
ENCODE = ("encode", "texts.csv", "-m", "toy:16", "--part-rows", "40", "--cache", "off", "-o")


@dataclass(frozen=True)
class Job:
    """A command that is run in a folder that holds ``texts.csv`` and the folder ``run`` of a comparison.

    ``old`` is what may stand at its output before; ``outcome`` returns what stands there, None for nothing.
    """

    arguments: tuple[str, ...]
    outcome: Callable[[Path], Any]
    old: str = ""
    answers: str = ""


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``touches``: how often it touched the folder. ``peak``: the most bytes of its disk used."""

    code: int
    err: str
    touches: int
    peak: int


def table(path: Path) -> Any:
    if not path.exists():
        return None
    whole, label = pq.read_table(path), label_on(path) or {}
    label = {name: label[name] for name in ("job", "rows", "fingerprint")}
    return (
        label,
        whole.column("vector").combine_chunks().flatten().to_numpy().tobytes(),
        whole.drop(["vector"]).to_pylist(),
    )


def collection(uri: str) -> Callable[[Path], Any]:
    def outcome(place: Path) -> Any:
        with get_store(uri.format(place)) as store:
            (name,) = store.names()
            found, stamp = store.read(name, 0, 2 * ROWS), store.stamp(name)
            return name, stamp, store.count(name), found.ids, found.texts, found.rows.tolist(), found.vectors.tobytes()

    return outcome


def judged(place: Path) -> Any:
    path = place / "run.qrels"
    lines = [json.loads(line) for line in Path(f"{path}.jsonl").read_text().splitlines()]
    return [{**line, "time": ""} for line in lines], path.read_text()


def content(name: str) -> Callable[[Path], Any]:
    def outcome(place: Path) -> Any:
        path = place / name
        if path.is_dir():
            return {each.name: each.read_bytes() for each in sorted(path.iterdir())}
        return path.read_bytes() if path.exists() else None

    return outcome


def scored(place: Path) -> Any:
    """Return what an evaluation wrote, but for what it measured of the machine."""
    costs = rb'"(load_model|encode|seconds|texts_per_second|peak_memory_bytes)": [0-9.e-]+'
    found = content("scored")(place)
    return found and {name: re.sub(costs, b"", raw) for name, raw in found.items()}


JOBS = {
    "parquet": Job((*ENCODE, "out.parquet"), lambda place: table(place / "out.parquet")),
    "milvus": Job((*ENCODE, "milvus:x.db"), collection("milvus:{}/x.db")),
    "lancedb": Job((*ENCODE, "lancedb:x"), collection("lancedb:{}/x")),
    "judge": Job(("judge", "run", "--queries", "15", "--depth", "3"), judged, answers="1\n" * 200),
    "report": Job(("report", "run"), content("run/report.html"), old="run/report.html"),
    "export": Job(("export", "run", "-o", "rows.parquet"), content("rows.parquet"), old="rows.parquet"),
    "evaluate": Job(
        ("evaluate", "texts.csv", "-m", "toy:8", "--label-column", "topic", "--draws", "2", "--out", "scored"),
        scored,
        old="scored/evaluation.json",
    ),
    "projector": Job(("export", "run", "--to", "projector", "-o", "tables"), content("tables"), old="tables/metadata.tsv"),
}  # fmt: skip


def world(place: Path) -> Path:
    """Make what the commands read; returns the folder."""
    place.mkdir(exist_ok=True)
    texts = [f"{TOPICS[row % 4]} number {row} and what {row % 7} of them do" for row in range(ROWS)]
    lines = (f"r{row},{text},{TOPICS[row % 4]}\n" for row, text in enumerate(texts))
    (place / "texts.csv").write_text("id,text,topic\n" + "".join(lines))
    with patch("embdiff.views.report.is_built", return_value=False):  # it is one of the things that are written
        ed.compare(texts, ["toy:8", "toy:16"], k=4, store="memory:", cache="off", out=place / "run")
    return place


def copied(world: Path, place: Path, job: Job, *, with_old: bool) -> Path:
    shutil.copytree(world, place, dirs_exist_ok=True)
    if with_old and job.old:
        (place / job.old).parent.mkdir(exist_ok=True)
        (place / job.old).write_bytes(b"old")
    return place


def names(place: Path) -> set[str]:
    """Return all that stands in a folder, but not what databases have in theirs."""
    found = {path.relative_to(place) for path in place.rglob("*")}
    return {str(path) for path in found if not {part.suffix for part in path.parents} & {".db", ".lance"}}


def run(ways: BaseContext, name: str, place: Path, kill: tuple[int, float] | None = None) -> Ended:
    """Run a command in a process of its own.

    ``kill``: at which touch of the folder it is killed, and how many seconds after; at the end, if it comes to that.
    """
    told = Path("told.json").resolve()  # not on the disk that may be full
    told.unlink(missing_ok=True)
    process = ways.Process(target=_in_this_process, args=(name, place, told, kill))
    process.start()
    process.join(300)
    if process.is_alive():
        process.kill()
        raise AssertionError("the command did not end")
    if not told.exists():
        return Ended(process.exitcode, "", 0, 0)
    return Ended(**json.loads(told.read_text()))


def _in_this_process(name: str, place: Path, told: Path, kill: tuple[int, float] | None) -> None:
    job, touches, peak, done = JOBS[name], 0, 0, threading.Event()
    os.environ["EMBDIFF_CACHE"] = "off"
    os.chdir(place)
    sys.argv, sys.stdin = ["embdiff", *job.arguments], io.StringIO(job.answers)
    placing.ROWS_PER_ADD = 50

    def touched() -> None:
        nonlocal touches, peak
        touches, peak = touches + 1, max(peak, used(place))
        if kill is not None and touches == kill[0]:
            threading.Timer(kill[1], _die).start() if kill[1] else _die()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        path = arguments[0] if event in TOUCHES else None
        if isinstance(path, (str, Path)) and (place / path).is_relative_to(place):
            touched()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, used(place))

    _watch_steps(name, touched)
    sys.addaudithook(hook)
    watching = threading.Thread(target=watch)
    watching.start()
    code, err = _command()
    done.set()
    watching.join()
    if kill is not None:
        _die()
    told.write_text(json.dumps({"code": code, "err": err, "touches": touches, "peak": peak}))


def _command() -> tuple[int, str]:
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            cli.main()
        except SystemExit as ended:
            return int(ended.code or 0), err.getvalue()
        except BaseException:
            traceback.print_exc()
            return 1, err.getvalue()
    return 0, err.getvalue()


def _die() -> None:
    os.kill(os.getpid(), 9)


def _watch_steps(name: str, touched: Callable[[], None]) -> None:
    kind: Any = MilvusStore
    if name == "lancedb":
        from embdiff.stores.lancedb import LanceStore

        kind = LanceStore
    for step in STEPS:
        setattr(kind, step, _touching(getattr(kind, step), touched))


def _touching(step: Callable[..., Any], touched: Callable[[], None]) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **options: Any) -> Any:
        touched()
        result = step(*arguments, **options)
        touched()
        return result

    return wrapped


def on_a_full_disk(
    ways: BaseContext, name: str, disk: Path, world: Path, share: float, *, with_old: bool
) -> dict[str, Any]:
    """Run a command undisturbed, with a share of the room that it needs, and again with room; tell what stood when.

    ``disk`` is the root of a file system of its own.
    """
    job = JOBS[name]
    place = copied(world, disk / "reference", job, with_old=with_old)
    start = used(disk)
    whole = run(ways, name, place)
    reference, complete = job.outcome(place), names(place)
    shutil.rmtree(place)
    place = copied(world, disk / "place", job, with_old=with_old)
    before = names(place)
    room = int((whole.peak - start) * share)
    ballast = os.statvfs(disk)
    with (disk / "ballast").open("wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, max(1, ballast.f_bfree * ballast.f_frsize - room))
    full = run(ways, name, place)
    left = sorted(names(place) - before)
    # A store is not opened in between: that is a command, too, with a disk that is full.
    stands = "" if name in ("milvus", "lancedb", "judge") else which(job.outcome(place), reference)
    (disk / "ballast").unlink()
    again = run(ways, name, place)
    return {
        "whole": [whole.code, whole.err], "full": [full.code, full.err], "left": left, "stands": stands,
        "again": [again.code, again.err], "same": job.outcome(place) == reference,
        "more": sorted(names(place) ^ complete), "room": room,
    }  # fmt: skip


def which(found: Any, reference: Any) -> str:
    if found == reference:
        return "new"
    return "nothing" if found is None else "old" if set(_parts(found)) == {b"old"} else "something else"


def _parts(found: Any) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else [found]


def used(disk: Path) -> int:
    """Return how many bytes of a disk are used."""
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize
