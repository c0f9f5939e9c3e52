"""The live page while it runs: models warm before it opens, queries that take too long ended, requests in time."""

from __future__ import annotations

import gc
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import embdiff as ed
from embdiff.errors import EncoderError, ParameterError
from embdiff.server import serve
from embdiff.views import report
from live_server import Served

pytestmark = [
    pytest.mark.floors,
    pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)"),
]
LIMIT = 2.0  # seconds
MODULE = '''
import os
import time
from pathlib import Path

from embdiff.errors import EncoderError
from embdiff.records import Stamp
from embdiff.sources.remembered import Unloaded
from embdiff.sources.toy import Toy

LOG = Path(os.environ["LOGGED_TO"])


class Sleepy(Toy):
    """toy that says which process loads it, and does what a text tells it to."""

    def __init__(self, spec):
        super().__init__(spec)
        with LOG.open("a") as log:
            log.write(f"{os.getpid()}\\n")

    def encode(self, items, *, role):
        for word, _, number in (text.partition(" ") for text in items):
            if word == "sleep":
                time.sleep(float(number))
            elif word == "die":
                os.kill(os.getpid(), 9)
            elif role == "query" and (LOG.parent / "mute").exists():
                raise EncoderError("A text must be said aloud. Got none. Speak.")
        return super().encode(items, role=role)

    def stamp(self):
        return Stamp(model="sleepy", revision="1", dim=super().stamp().dim)


def from_spec(spec):
    return Unloaded(str(spec), {"sleepy": spec.name}, lambda: Sleepy(spec))
'''


@pytest.fixture
def loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[int]]]:
    """Install the kind ``sleepy:DIM`` for this process and its children; return who has loaded it so far."""
    package, log = tmp_path / "package", tmp_path / "loads"
    info = package / "sleepy_model-1.0.dist-info"
    info.mkdir(parents=True)
    log.touch()
    (package / "sleepy_model.py").write_text(MODULE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sleepy-model\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[embdiff.encoders]\nsleepy = sleepy_model:from_spec\n", encoding="utf-8")
    monkeypatch.setenv("LOGGED_TO", str(log))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(package), *sys.path)))
    monkeypatch.syspath_prepend(str(package))
    yield lambda: [int(line) for line in log.read_text().split()]
    sys.modules.pop("sleepy_model", None)


@pytest.fixture
def run(loads: Callable[[], list[int]], tmp_path: Path) -> Path:
    ed.compare("sample", ["sleepy:16", "toy:16"], k=4, out=tmp_path / "run")
    assert set(loads()) == {os.getpid()}
    return tmp_path / "run"


def post(served: Served, path: str, text: str) -> httpx.Response:
    url = f"http://127.0.0.1:{served.port}{path}"
    return httpx.post(url, json={"text": text}, headers={"x-embdiff-token": served.token}, timeout=120)


def is_gone(pid: int, seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def answered_in_the_end(served: Served) -> httpx.Response:
    """Ask until the models are loaded again, which may take longer than a query may."""
    end = time.monotonic() + 120
    while (answer := post(served, "/ask", "the rain")).status_code == 503 and time.monotonic() < end:
        time.sleep(0.1)
    return answer


@pytest.mark.slow
def test_models_are_loaded_before_the_page_opens_though_the_cache_has_all_vectors(run, loads):
    before = loads()
    with Served(run, "--trust") as served:
        (worker,) = loads()[len(before) :]
        assert worker not in (os.getpid(), served.process.pid)
        assert post(served, "/ask", "the rain").status_code == 200
        assert loads() == [*before, worker]


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/ask", "/judge"])
def test_a_query_over_its_limit_is_answered_and_its_work_has_ended(run, loads, path):
    with Served(run, "--trust", "--limit", str(LIMIT)) as served:
        worker, start = loads()[-1], time.monotonic()
        answer = post(served, path, "sleep 300")
        assert time.monotonic() - start < LIMIT + 5
        assert answer.status_code == 503
        assert "A query must be answered within 2 s. This one was not, and what worked on it was ended." in answer.text
        assert is_gone(worker)
        assert answered_in_the_end(served).status_code == 200
        assert loads()[-1] not in (worker, served.process.pid)
    assert not (run.parent / "run.queries.jsonl").exists()


@pytest.mark.slow
def test_a_process_that_ends_by_itself_is_replaced(run, loads):
    with Served(run, "--trust") as served:
        answer = post(served, "/ask", "die now")
        assert answer.status_code == 503
        assert "Got one that ended (status -9), perhaps for want of memory. Ask again." in answer.text
        assert answered_in_the_end(served).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_nobody_works_on_when_the_server_is_gone(run, loads, end):
    with Served(run, "--trust") as served:
        getattr(served.process, end)()
        served.process.wait(30)
        assert is_gone(loads()[-1], 20)


def test_a_model_that_cannot_encode_a_query_is_told_before_the_page_opens(run, tmp_path, capfd):
    (tmp_path / "mute").touch()
    with pytest.raises(EncoderError, match="A text must be said aloud"):
        serve(run, trust=True, ready=lambda _address: pytest.fail("the page opened"))
    gc.collect()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("seconds", [0.5, 3_601, float("nan")])
def test_limits_that_are_none_are_refused(tmp_path, seconds):
    with pytest.raises(ParameterError, match=r"A query must be given 1 to 3,600 seconds\. Got"):
        serve(tmp_path, seconds=seconds)


@pytest.mark.slow
@pytest.mark.parametrize("with_token", [True, False])
def test_a_request_that_trickles_in_is_cut_off(run, with_token):
    """Headers, and a body, that never end; also behind a request that was refused long ago."""
    with Served(run, "--trust") as served:
        token = f"X-Embdiff-Token: {served.token}\r\n" if with_token else ""
        head = f"POST /ask HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n{token}"
        starts = (f"{head}X: ", f"{head}Content-Length: 9000\r\n\r\n", f"GET / HTTP/1.1\r\nHost: a\r\n\r\n{head}X: ")
        open_ones = {socket.create_connection(("127.0.0.1", served.port)): time.monotonic() for _ in starts}
        for connection, start in zip(open_ones, starts, strict=True):
            connection.sendall(start.encode())
            connection.setblocking(False)
        while open_ones:
            time.sleep(0.3)
            for connection, since in list(open_ones.items()):
                assert time.monotonic() - since < 20
                try:
                    connection.sendall(b"x")
                    if not connection.recv(65_536):
                        raise ConnectionError
                except BlockingIOError:
                    continue
                except ConnectionError:
                    del open_ones[connection]
                    connection.close()
        assert post(served, "/ask", "the rain").status_code == 200
        served.process.terminate()
        assert "Traceback" not in served.process.communicate(timeout=30)[1]
