"""Encoding by workers of a Ray cluster: the vectors of the local engine, whoever dies on the way."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from ray_workers import (
    PART,
    ROWS,
    TEXTS,
    WORKERS,
    answer_of,
    both_encode,
    check_encoded,
    in_a_process,
    listening,
    psutil,
    texts_by_process,
    told,
    told_in_the_end,
)  # fmt: skip

from embdiff.bulk import encode_corpus
from embdiff.bulk.parts import Job, lay_ready
from embdiff.corpus.columns import Columns
from embdiff.corpus.pieces import open_pieces
from embdiff.errors import MissingDependencyError, ParameterError
from embdiff.sources import get_encoder
from embdiff.sources.parquet import label_of, vectors_of
from embdiff.stores import get_store


@pytest.mark.floors
@pytest.mark.slow
def test_a_worker_killed_in_the_middle_changes_nothing(ray, logged: Path, tmp_path: Path) -> None:
    """One machine, two workers, one of them killed while it encodes."""
    encode_corpus(TEXTS, "logged:16", tmp_path / "local.parquet", part_rows=PART, cache="off")
    for path in logged.iterdir():
        path.unlink()
    (logged / "processes").write_text(str(WORKERS))
    driver = in_a_process(TEXTS, tmp_path / "ray.parquet", workers=WORKERS)
    errors = both_encode(driver, logged)
    assert not (tmp_path / "ray.parquet").exists()
    addresses = listening()
    folders = [path.parent for path in Path(tempfile.gettempdir()).glob("embdiff-*/ray")]
    assert folders
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
    victim = min(texts_by_process(logged))
    os.kill(victim, 9)
    done = answer_of(driver, errors)
    assert (done["engine"], done["workers"], done["parts"]) == ("ray", WORKERS, ROWS // PART)

    local, spread = pq.read_table(tmp_path / "local.parquet"), pq.read_table(tmp_path / "ray.parquet")
    assert local.equals(spread)
    check_encoded(logged, victim)
    assert addresses
    assert {ip for _, ip in addresses} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, addresses
    assert sorted(path.name for path in tmp_path.iterdir()) == ["local.parquet", "log", "package", "ray.parquet"]
    by_process, gone = texts_by_process(logged), time.monotonic() + 30
    while any(map(psutil.pid_exists, by_process)) and time.monotonic() < gone:
        time.sleep(0.1)
    assert not any(map(psutil.pid_exists, by_process))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def cluster(ray, logged: Path, monkeypatch):
    """A cluster that stands already, to be reached by ray://; two cores and one for Ray Data."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    for attempt in range(5):  # on a busy machine Ray gives up after 30 seconds
        client, folder = free_port(), Path("/tmp") / f"ray-{os.getpid()}-{attempt}"
        process = subprocess.Popen(command(client, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not answers(client) and process.poll() is None:
                time.sleep(0.2)
            if process.poll() is None:
                yield f"ray://127.0.0.1:{client}"
                return
        finally:
            end(process)
            shutil.rmtree(folder, ignore_errors=True)
    pytest.fail("no cluster could be started")


def command(client: int, folder: Path) -> list[str]:
    return [
        str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", "--node-ip-address=127.0.0.1",
        f"--port={free_port()}", f"--ray-client-server-port={client}", "--include-dashboard=false",
        f"--num-cpus={WORKERS + 1}", f"--temp-dir={folder}", "--disable-usage-stats", "--object-store-memory=268435456",
    ]  # fmt: skip


def end(process: subprocess.Popen) -> None:
    """Kill a cluster: its processes lead no life of their own."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    for each in (*children, process):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait(60)


@pytest.mark.slow
def test_a_cluster_by_its_address_into_a_store_and_what_it_refuses(cluster: str, logged: Path, tmp_path: Path) -> None:
    uri = f"milvus:{tmp_path / 'x.db'}"
    settings = {"ray_address": cluster, "workers": WORKERS}
    deadly = [*TEXTS[:70], "deadly 99", *TEXTS[70:]]
    refused = told_in_the_end(deadly, uri, **settings)["refused"]
    assert (
        "EncoderError: A part must not end the worker that encodes it. Got part 3, whose worker died 4 times" in refused
    )
    assert len(list(logged.glob("death-*"))) == 4
    for death in list(logged.glob("death-*"))[1:]:
        death.rename(death.with_name(f"before-{death.name}"))
    (work,) = tmp_path.glob(".x.db.encode.partial-*")
    there = len(list((work / "vectors").glob("part-*.parquet")))
    assert 0 < there < 13

    mended = [text.replace("deadly 99", "deadly 2") for text in deadly]  # other data: other work; its worker dies once
    done = told_in_the_end(mended, uri, **settings)
    assert (done["engine"], done["workers"], done["parts"], done["parts_found"]) == ("ray", WORKERS, 13, 0)
    with get_store(uri) as opened:
        found = opened.read(done["collection"], 0, 1_000)
        assert opened.stamp(done["collection"])["complete"]
    np.testing.assert_array_equal(found.vectors, get_encoder("toy:16").encode(mended))
    assert found.texts == tuple(mended)

    refused = told_in_the_end(TEXTS, tmp_path / "out", **{**settings, "worker_gpus": 0.5})["refused"]
    assert "the GPUs asked for, for each of 2 workers. Got 3 cores and 0 GPUs. Lower --workers" in refused
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_cluster_that_is_not_there(ray, logged: Path, tmp_path: Path) -> None:
    address = f"ray://127.0.0.1:{free_port()}"
    refused = told(TEXTS, tmp_path / "out", ray_address=address)["refused"]
    assert re.search(rf"ParameterError: Ray must be reachable\. Got .* from {address}\. Check --ray-address", refused)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "package"]


def test_without_ray_the_pip_line_is_told(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("embdiff._optional.is_installed", lambda module: not module.startswith("ray"))
    with pytest.raises(MissingDependencyError, match=re.escape("Install it with: pip install 'embdiff[ray]'")):
        encode_corpus(TEXTS, "toy:16", tmp_path / "out", engine="ray")
    assert list(tmp_path.iterdir()) == []


def test_options_of_ray_are_not_ignored_by_the_local_engine(tmp_path: Path) -> None:
    for option, value in (("ray_address", "ray://x:1"), ("workers", 2), ("worker_gpus", 1.0)):
        with pytest.raises(ParameterError, match=f"--{option.replace('_', '-')} is for the engine ray"):
            encode_corpus(TEXTS, "toy:16", tmp_path / "out", **{option: value})


def test_what_cannot_be_spread_is_refused(ray, tmp_path: Path) -> None:
    for model, options, message in (
        ("lsa:4", {}, "A model that learns from the corpus must have all of it"),
        (get_encoder("toy:16"), {}, "A model for the engine ray must be a text form"),
        ("toy:16", {"workers": 0}, "at least one worker"),
        ("toy:16", {"worker_gpus": -1.0}, "GPUs of a worker must be between 0 and 1,024"),
    ):
        with pytest.raises(ParameterError, match=message):
            encode_corpus(TEXTS, model, tmp_path / "out", engine="ray", **options)
    assert list(tmp_path.iterdir()) == []


class Starting:
    """Ray as far as it is started: fails with these errors first, then stands at an address."""

    def __init__(self, errors: list[str], address: str = "127.0.0.1") -> None:
        self.errors, self.given, self.stopped = errors, [], 0
        self.util = SimpleNamespace(get_node_ip_address=lambda: address)

    def init(self, *address: str, **options: object) -> None:
        self.given.append((address, options))
        if self.errors:
            raise Exception(self.errors.pop(0))  # as Ray does

    def shutdown(self) -> None:
        self.stopped += 1


def test_a_cluster_is_started_on_loopback_and_once_more_on_a_busy_machine() -> None:
    from embdiff.bulk.cluster import _start

    busy = Starting(["The current node timed out during startup."])
    _start(busy, 2, "folder")
    assert (len(busy.given), busy.stopped) == (2, 1)
    address, options = busy.given[1]
    assert address == ("local",)
    assert (options["num_cpus"], options["include_dashboard"], options["_node_ip_address"]) == (3, False, "127.0.0.1")
    with pytest.raises(Exception, match="timed out"):
        _start(Starting(["timed out", "timed out"]), 2, None)
    broken = Starting(["no such file"])
    with pytest.raises(Exception, match="no such file"):
        _start(broken, 2, None)
    assert len(broken.given) == 1
    with pytest.raises(RuntimeError, match="a node that listens on the network"):
        _start(Starting([], address="192.0.2.1"), 2, None)


@pytest.fixture
def job(logged: Path, tmp_path: Path) -> Job:
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "tries").mkdir()
    found = Job(folder, "logged:16", "document", label_of(get_encoder("logged:16").stamp, "document", {}, job="j"))
    lay_ready(open_pieces(TEXTS, Columns(), "refuse"), found, PART)
    return found


def test_a_worker_encodes_its_part_and_tells_what_is_wrong(job: Job, logged: Path) -> None:
    from embdiff.bulk.cluster import Worker

    worker = Worker(job, "off")
    told = worker({"part": np.array([3])})
    assert (told["part"][0], told["kind"][0], told["message"][0]) == (3, "", "")
    expected = get_encoder("toy:16").encode(TEXTS[3 * PART : 4 * PART])
    np.testing.assert_array_equal(vectors_of(job.vectors_of(3)), expected)
    job.texts_of(5).unlink()
    told = worker({"part": np.array([5])})
    assert told["kind"][0] == "ParameterError"
    assert "a file system that every worker can write to" in told["message"][0]
    (logged / "revision").write_text("2")
    told = Worker(job, "off")({"part": np.array([4])})
    assert told["kind"][0] == "EncoderError"
    assert "Every machine must have the same model. Got logged:16 with the stamp" in told["message"][0]
    assert not job.vectors_of(4).exists()
