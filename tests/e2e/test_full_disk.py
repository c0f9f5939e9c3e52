"""A disk that fills up: one line that says what to do, exit 2, and the same command goes on once there is room."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import written

import embdiff as ed
from embdiff import _files, _names
from embdiff.corpus.trec import write_qrels, write_run
from embdiff.errors import DataError, ParameterError
from embdiff.judging.book import Book, TypedQueries
from embdiff.records import Qrels

INSIDE = """
import contextlib, io, json, random, subprocess, sys
from pathlib import Path
from embdiff import cli

def embdiff(*arguments):
    sys.argv = ["embdiff", *arguments]
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
    lines = [line for line in err.getvalue().splitlines() if line.startswith("embdiff: ")]
    return [code, " ".join(lines)]

small = Path("small")
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2500k", "tmpfs", str(small)], check=True)
draw = random.Random(0)
Path("corpus.txt").write_text("\\n".join("".join(draw.choices("abcdefghijklmnopqrstuvwxyz ", k=2000)) for _ in range(3000)))
full = embdiff(*ARGUMENTS)
left = sorted(path.name for path in small.iterdir())
subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
again = embdiff(*ARGUMENTS)
manifest = json.loads(next(Path().glob("**/manifest.json")).read_text())
print(json.dumps({"full": full, "left": left, "again": again, "models": manifest["models"]}))
"""


WRITES = """
import json, multiprocessing, subprocess, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import written

small = Path("small").resolve()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(small)], check=True)
ways = multiprocessing.get_context("forkserver")
ways.set_forkserver_preload(["written"])
print(json.dumps(written.on_a_full_disk(ways, {job!r}, small, Path({world!r}), {share}, with_old={old})))
"""


def filled(tmp_path: Path, *arguments: str) -> dict:
    """Run a comparison with a small file system under ``small``, twice."""
    command = ("compare", "corpus.txt", "-m", "toy:256", "-k", "2", "--queries", "first:3", *arguments)
    return mounted(tmp_path, f"ARGUMENTS = {command!r}\n{INSIDE}")


def mounted(tmp_path: Path, script: str) -> dict:
    """Run a script that mounts a small file system under ``small``, in a mount namespace of its own; what it prints."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounting a small file system needs root and unshare")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no mount namespaces")
    (tmp_path / "small").mkdir()
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    if "mount:" in done.stderr:
        pytest.skip("this machine does not let us mount")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_where_the_cache_is(tmp_path):
    found = filled(tmp_path, "--store", "memory:", "--cache", "small/kept", "--out", "run")
    code, message = found["full"]
    assert code == 2
    assert "The vector cache must be writable. Got No space left on device in" in message
    assert "run the same command again: finished batches are kept" in message
    assert found["again"][0] == 0
    assert found["models"][0]["encoding"]["cached"] > 500
    assert found["models"][0]["encoding"]["encoded"] < 2500


@pytest.mark.slow
def test_where_the_run_folder_is(tmp_path):
    found = filled(tmp_path, "--store", "memory:", "--cache", "off", "--out", "small/run")
    code, message = found["full"]
    assert code == 2
    assert "The run folder must be writable. Got" in message
    assert "No space left on device" in message
    assert found["left"] == []
    assert found["again"][0] == 0


@pytest.mark.slow
def test_where_the_database_is(tmp_path):
    found = filled(tmp_path, "--cache", "off", "--out", "small/run")
    code, message = found["full"]
    assert code == 2
    assert "Milvus must be able to" in message
    assert "No space left on device" in message
    assert "Make room" in message
    assert found["again"][0] == 0, found["again"]
    assert found["models"][0]["collection"]["rows"] == 3000


def test_writing_the_run_fails(embdiff, sentences, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr("embdiff.runs.tables.write_table", full)
        done = embdiff("compare", str(sentences), "-m", "toy:8", "-k", "2", "--out", "run")
    assert done.code == 2
    assert "The run folder must be writable. Got " in done.err
    assert "No space left on device. Make room or name another folder with --out" in done.err
    assert "it goes on where it stopped" in done.err
    assert embdiff("compare", str(sentences), "-m", "toy:8", "-k", "2", "--out", "run").code == 0
    assert ed.load("run").run.manifest["models"][0]["collection"]["reused"] is True


def test_a_report_that_cannot_be_written_does_not_cost_the_run(embdiff, sentences, monkeypatch):
    command = ("compare", str(sentences), "-m", "toy:8", "-k", "2", "--out", "run")
    monkeypatch.setattr("embdiff.views.report.is_built", lambda: True)
    monkeypatch.setattr("embdiff.views.report.page", lambda *_: "page")
    write = _files.write_text

    def full(path, text):
        if path.suffix == ".html":
            raise OSError(28, os.strerror(28))
        write(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(_files, "write_text", full)
        done = embdiff(*command)
    assert done.code == 2
    assert "The report must be written beside the run. Got No space left on device" in done.err
    assert "The run itself is whole, without the report, in run: make room and write it with" in done.err
    assert ed.load("run").run.manifest["models"][0]["collection"]["rows"] == 8
    assert Path("run/milvus.db").is_dir()
    assert not Path("run/report.html").exists()
    assert embdiff("report", "run").code == 0
    assert embdiff(*command).code == 0


def test_a_killed_report_leaves_nothing_that_stops_the_next_run(embdiff, sentences):
    command = ("compare", str(sentences), "-m", "toy:8", "-k", "2", "--store", "memory:", "--out", "run")
    assert embdiff(*command).code == 0
    Path(f"run/.report.html.{'a' * 16}").write_text("half")
    assert embdiff(*command).code == 0
    assert not list(Path("run").glob(".*"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written.world(tmp_path_factory.mktemp("world") / "place")


@pytest.mark.battery(per="job", keep=3)
@pytest.mark.parametrize("point", range(written.POINTS))
@pytest.mark.parametrize("job", written.JOBS)
def test_any_command_that_writes(tmp_path: Path, world: Path, job: str, point: int) -> None:
    if job == "lancedb":
        pytest.importorskip("lancedb", reason="the store lancedb needs it")
    share, old = (point + 0.5) / written.POINTS, point % 2 == 1
    here = str(Path(written.__file__).parent)
    found = mounted(tmp_path, WRITES.format(here=here, world=str(world), job=job, share=share, old=old))
    assert found["whole"] == [0, ""]
    code, err = found["full"]
    if code == 0:  # the room was enough: how much is needed is looked at now and then only
        assert found["stands"] in ("", "new")
    else:
        lines = [line for line in err.splitlines() if line.strip()]
        assert code == 2, err
        assert len(lines) == 1, err
        assert lines[0].startswith("embdiff: ")
        assert "No space left on device" in err
        assert "ake room" in err
        assert len(lines[0]) < 600
        assert found["stands"] in ("", "nothing", "old")
        kept = ("x", "run.qrels", ".out.parquet.partial-", ".x.db.encode.partial-", ".x.encode.partial-")
        assert [name for name in found["left"] if not name.startswith(kept) or name.endswith(".lock")] == []
    assert found["again"] == [0, ""]
    assert found["same"]
    assert found["more"] == []


def test_what_is_no_file_is_not_written_over(embdiff) -> None:
    """A device in the place of an output would be gone for the whole machine, as what is written takes its name."""
    os.mkfifo("pipe")
    os.mkfifo("judged.jsonl")
    Path("device").symlink_to("/dev/zero")
    for name, what in (("pipe", "a pipe"), ("device", "a device")):
        with pytest.raises(
            ParameterError, match=rf"since it takes the place of what stands there\. Got {what}, {name}"
        ):
            _names.place_for(Path(name), "output")
    judged = Qrels({"q": {"d": 1}}, "here")
    found = ed.compare("sample", ["toy:8", "toy:16"], k=4, store="memory:", out="run")
    for write in (
        lambda: write_qrels(judged, "pipe"),
        lambda: write_run({"q": {"d": 1.0}}, "pipe", tag="x"),
        lambda: found.to_parquet("pipe"),
        lambda: found.to_html("pipe"),
        lambda: Book(Path("judged"), write=True),
        lambda: TypedQueries(Path("pipe")),
    ):
        with pytest.raises(ParameterError, match="must be a file or a folder on a disk"):
            write()
    done = embdiff("judge", "run", "--out", "judged", "--queries", "1")
    assert done.code == 2
    assert "Got a pipe" in done.err
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


@pytest.mark.parametrize("before", ["an older report", None])
@pytest.mark.parametrize("stop", range(1, 4))
def test_a_report_that_stops_anywhere_leaves_a_whole_run(embdiff, sentences, monkeypatch, stop, before):
    """Its checksum and the report are two files: stopped before, between and after them, the run opens as it is."""
    monkeypatch.setattr("embdiff.views.report.is_built", lambda: before is not None)
    monkeypatch.setattr("embdiff.views.report.page", lambda *_: "an older report")
    command = ("compare", str(sentences), "-m", "toy:8", "-k", "2", "--store", "memory:", "--out", "run")
    assert embdiff(*command).code == 0
    monkeypatch.setattr("embdiff.views.report.page", lambda *_: "a newer report")
    write, steps = _files.write_text, []

    def stops(path, text):
        steps.append(path.name)
        if len(steps) == stop:
            raise OSError(28, os.strerror(28))
        write(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(_files, "write_text", stops)
        done = embdiff("report", "run")
    assert steps == ["manifest.json", "report.html", "manifest.json"][:stop]
    assert done.code == (0 if stop == 3 else 2)
    ed.load("run")
    report = Path("run/report.html")
    assert (report.read_text() if report.exists() else None) == ("a newer report" if stop == 3 else before)
    report.write_text("damaged")
    if stop > 1 or before:  # else the run knows of no report
        with pytest.raises(DataError, match=r"'report\.html' is changed"):
            ed.load("run")
    assert embdiff("report", "run", "--damaged").code == 0
    assert ed.load("run").run.unseen == ()
