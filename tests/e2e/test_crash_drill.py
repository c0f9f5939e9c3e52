"""kill -9 at random moments of every stage: the same command again completes, with nothing lost, doubled or different."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import written

import embdiff as ed
from embdiff import runs
from embdiff.kept import VectorCache
from embdiff.kept.housekeeping import verify
from embdiff.sources import get_encoder
from embdiff.stores import get_store, placing
from embdiff.stores.milvus.store import MilvusStore

ROWS, DIM, BATCH = 1_200, 24, 64
SINGLY = 128  # queries that the noise floor encodes again, one by one
STAGES = ("encode", "insert", "index", "search", "write")
ORDER = {"encode": 0, "insert": 1, "index": 1, "search": 2, "write": 3}
# Longest wait from entering the stage to the kill, in seconds; where the stage is over sooner, the kill comes then.
SPANS = {"encode": 0.5, "insert": 1.0, "index": 0.4, "search": 1.0, "write": 0.3}
POINTS = [(STAGES[number % 5], random.Random(number).random()) for number in range(30)]
TEXTS = [f"sentence {row} about {row % 37} and {row % 11}" for row in range(ROWS)]


class Slow:
    """A model whose vectors are worth keeping: a sleep for each batch, and a line in a log when it is done."""

    def __init__(self, name: str, log: Path) -> None:
        self.name, self.log = name, log

    def encode(self, texts: list[str]) -> np.ndarray:
        time.sleep(0.01)
        rows = [np.random.default_rng([*self.name.encode(), *text.encode()]).normal(size=DIM) for text in texts]
        note(self.log, "encoded", len(texts))
        return np.stack(rows).astype(np.float32)


def note(log: Path, *what: object) -> None:
    with log.open("a") as handle:
        handle.write(json.dumps(what) + "\n")


def told_of(log: Path, name: str, there: int | None, count: int) -> int | None:
    note(log, "there", name, there, count)
    return there


def notes(log: Path, kind: str) -> list[list]:
    return [line for line in map(json.loads, log.read_text().splitlines()) if line[0] == kind]


def compare(log: Path, kill: tuple[str, float] | None) -> None:
    """Compare in this process, which kills itself at the moment asked for."""
    log.touch()
    timers: list[threading.Timer] = []

    def entering(stage: str) -> None:
        if timers and ORDER[stage] > ORDER[kill[0]]:
            os.kill(os.getpid(), 9)
        if kill is not None and kill[0] == stage and not timers:
            timers.append(threading.Timer(kill[1] * SPANS[stage], lambda: os.kill(os.getpid(), 9)))
            timers[0].start()

    def told(stage: str, function: Callable, after: Callable | None = None) -> Callable:
        def wrapped(*arguments, **options):
            entering(stage)
            result = function(*arguments, **options)
            if after is not None:
                after(*arguments)
            return result

        return wrapped

    placing.ROWS_PER_ADD = 100
    store = MilvusStore
    store.add = told("insert", store.add, lambda self, name, rows: note(log, "inserted", name, rows.rows.tolist()))
    there = store.rows_there
    store.rows_there = lambda self, name: told_of(log, name, there(self, name), self.count(name))
    store.build, store.search = told("index", store.build), told("search", store.search)
    runs.Run.write = told("write", runs.Run.write)
    entering("encode")
    models = [get_encoder(Slow(name, log), spec=f"slow-{name}", revision="1") for name in ("a", "b")]
    ed.compare(
        TEXTS, models, k=5, queries="first:200", index="ivf_flat(nlist=4,nprobe=2)", out=log.parent / "run",
        cache=log.parent / "kept",
    )  # fmt: skip
    if timers:
        os.kill(os.getpid(), 9)
    with get_store(f"milvus:{log.parent / 'run' / 'milvus.db'}") as opened:
        for name in opened.names():
            found = opened.read(name, 0, 2 * ROWS)
            assert opened.count(name) == len(found)
            note(
                log,
                "stored",
                name,
                list(zip(found.rows.tolist(), found.ids, strict=True)),
                opened.stamp(name)["complete"],
            )


def in_a_process(log: Path, kill: tuple[str, float] | None = None) -> int:
    process = multiprocessing.get_context("fork").Process(target=compare, args=(log, kill))
    process.start()
    process.join(120)
    if process.is_alive():
        process.kill()
        raise AssertionError("the comparison did not end")
    return process.exitcode


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert in_a_process(folder / "log") == 0
    return folder / "run"


@pytest.mark.battery
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("stage", "when"), POINTS, ids=[f"{n}-{stage}" for n, (stage, _) in enumerate(POINTS)])
def test_kill_9_loses_nothing(tmp_path: Path, undisturbed: Path, stage: str, when: float) -> None:
    killed, restarted = tmp_path / "killed", tmp_path / "restarted"
    assert in_a_process(killed, (stage, when)) == -9
    assert not (tmp_path / "run").exists() or runs.is_run(tmp_path / "run")
    was_whole = (tmp_path / "run").exists()
    assert in_a_process(restarted) == 0
    pd.testing.assert_frame_equal(
        *(pd.read_parquet(run / "neighbors.parquet") for run in (tmp_path / "run", undisturbed))
    )
    assert runs.same(*(runs.Run.read(run).answers for run in (tmp_path / "run", undisturbed)))
    stored = notes(restarted, "stored")
    assert [complete for *_, complete in stored] == [True, True]
    for _, _, rows, _ in stored:
        assert rows == [[row, str(row)] for row in range(ROWS)]
    encoded = sum(count for _, count in notes(killed, "encoded") + notes(restarted, "encoded"))
    probes = 2 * 2  # each process asks each model for one vector, to learn the dimension
    assert encoded <= 2 * (ROWS + SINGLY) + BATCH + probes
    before = {(name, row) for _, name, rows in notes(killed, "inserted") for row in rows}
    again = {(name, row) for _, name, rows in notes(restarted, "inserted") for row in rows}
    # Killed while it moves rows from its log to a file, Milvus Lite counts them twice: such a collection is made anew.
    twice = {name for _, name, there, count in notes(restarted, "there") if there is None and count > ROWS}
    # A run that stood whole when it was killed is made again and replaced as a whole; else no row is inserted twice.
    assert was_whole or {name for name, _ in before & again} <= twice
    assert verify(VectorCache.at(tmp_path / "kept"))[1] == ()
    assert sorted(path.name for path in tmp_path.iterdir() if "run" in path.name) == ["run"]


def ways() -> multiprocessing.context.BaseContext:
    """Processes forked from one that has loaded all and used nothing: databases do not outlive a fork."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["written"])
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written.world(tmp_path_factory.mktemp("world") / "place")


@pytest.fixture(scope="module")
def whole(world: Path) -> Callable[[str], tuple[written.Ended, Path, object]]:
    """Each command, run once and not disturbed: how it ended, its folder, what it made."""
    found = {}

    def one(job: str) -> tuple[written.Ended, Path, object]:
        if job not in found:
            place = written.copied(world, world.with_name(job), written.JOBS[job], with_old=False)
            ended = written.run(ways(), job, place)
            assert (ended.code, ended.err) == (0, "")
            found[job] = ended, place, written.JOBS[job].outcome(place)
        return found[job]

    return one


@pytest.mark.battery(per="job", keep=3)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("point", range(written.POINTS))
@pytest.mark.parametrize("job", written.JOBS)
def test_kill_9_of_any_command_that_writes(tmp_path: Path, world: Path, whole: Callable, job: str, point: int) -> None:
    if job == "lancedb":
        pytest.importorskip("lancedb", reason="the store lancedb needs it")
    undisturbed, folder, wanted = whole(job)
    draw, kept = random.Random(f"{job} {point}"), written.JOBS[job]
    place = written.copied(world, tmp_path / "place", kept, with_old=point % 2 == 1)
    at = 1 + int(undisturbed.touches * (point + draw.random()) / written.POINTS)
    later = draw.choice((0.0, 0.0, draw.random() * 0.01))  # in the midst of what follows
    assert written.run(ways(), job, place, (at, later)).code == -9
    if job not in ("milvus", "lancedb", "judge"):  # to look into a store is a command, too
        assert written.which(kept.outcome(place), wanted) in ("nothing", "old", "new")
    log = place / "run.qrels.jsonl"
    saved = log.read_bytes() if log.exists() else b""
    again = written.run(ways(), job, place)
    assert (again.code, again.err) == (0, "")
    assert kept.outcome(place) == wanted
    assert written.names(place) == written.names(folder)
    if job == "judge":
        assert log.read_bytes().startswith(saved[: saved.rfind(b"\n") + 1])
