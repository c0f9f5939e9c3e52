"""Secrets of stores: given on the command line or in the environment, they go to the server and nowhere else."""

from __future__ import annotations

import base64
import gzip
import re
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff.errors import DataError, EmbdiffError, ParameterError
from embdiff.sources.services import client
from embdiff.specs import without_secrets
from embdiff.views import report
from live_server import Served
from service_server import ServiceServer

SECRET = "Hush-4711"
FORMS = {
    "user and password": f"http://root:{SECRET}@{{host}}",
    "password with signs": f"http://root:a@b{SECRET}@{{host}}",
    "percent-encoded": f"http://ro%6ft:%41{SECRET}@{{host}}",
    "token": f"http://{{host}}?token=root:{SECRET}",
    "token and more": f"http://{{host}}?patience=3&token={SECRET}@x&db=",
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of Milvus Lite, which takes any token."""
    pytest.importorskip("milvus_lite", reason="milvus-lite is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("server")
    program = Path(sys.executable).with_name("milvus-lite")
    command = [str(program), "server", "--data-dir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def everything_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what every file below a folder is called and holds, packed or not."""
    for path in folder.rglob("*"):
        yield str(path), path.name
        if not path.is_file():
            continue
        raw = path.read_bytes()
        yield str(path), raw.decode("latin-1")
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield str(path), f"{table.schema.metadata} {table.to_pylist()}"
        packed = re.search(rb'id="embdiff-data">([^<]+)<', raw)
        if packed:
            yield str(path), gzip.decompress(base64.b64decode(packed[1])).decode("latin-1")


def check_no_secret(folder: Path, *printed: str) -> None:
    cache = folder.with_name(f"vectors-of-{folder.name}")  # as the surroundings of all tests name it
    told = [*everything_in(folder), *everything_in(cache), *(("printed", text) for text in printed)]
    assert len(told) > len(printed)
    encoded = base64.b64encode(SECRET.encode()).decode().rstrip("=")
    for name, text in told:
        for form in (SECRET, SECRET.lower(), encoded, SECRET[::-1]):
            assert form not in text, f"{form} in {name}"


@pytest.mark.parametrize("form", FORMS)
def test_no_byte_that_is_written_or_printed_has_a_secret(form, host, embdiff, sentences, tmp_path):
    address = FORMS[form].format(host=host)
    compared = embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-m", "toy:16", "-k", "2", "--store", address,
                       "--out", "run")  # fmt: skip
    assert compared.code == 0, compared.err
    default = embdiff("compare", str(sentences), "-m", "toy:8", "-k", "2", "--store", address, "--json")
    encoded = embdiff("encode", str(sentences), "-m", "toy:8", "--out", address)
    again = embdiff("encode", str(sentences), "-m", "toy:8", "--out", address, "--json")
    shown = embdiff("show", "run", "--json")
    for done in (default, encoded, again, shown):
        assert done.code == 0, done.err
    exported = embdiff("export", "run", "--to", "projector", "--out", "tsv")
    refused = embdiff("compare", "--all", "run/run.toml", "--out", "repeated")
    assert refused.code == 2
    assert f"store 'http://{host}" in refused.err
    repeated = embdiff("compare", "--all", "run/run.toml", "--trust", "--out", "repeated")
    assert repeated.code == 0, repeated.err
    copied = embdiff("copy", address, "milvus:copied.db")
    written = [done for each in (compared, default, encoded, again, shown, exported, refused, repeated, copied)
               for done in (each.out, each.err)]  # fmt: skip
    check_no_secret(tmp_path, *written)
    assert list(everything_in(tmp_path.with_name(f"vectors-of-{tmp_path.name}")))
    assert without_secrets(address).startswith(f"http://{host}")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceServer]:
    """A service that wants a key, and says it aloud whenever it is not content."""
    monkeypatch.setattr(client, "FIRST", 0.001)
    monkeypatch.setenv("MY_KEY", f"sk-{SECRET}")
    with ServiceServer() as running:
        yield running


def test_no_byte_that_is_written_or_printed_has_the_key_of_a_service(service, embdiff, sentences, tmp_path):
    model = f"openai:m?base_url={service.url}&key_from=MY_KEY"
    service.misdeed = lambda number, texts: "429 seconds" if number == 1 else ""
    command = ("compare", "--all", str(sentences), "-m", model, "-m", "toy:8", "-k", "2", "--out", "run")
    planned = embdiff(*command, "--dry-run", "--price", "0.02")
    compared = embdiff(*command)
    encoded = embdiff("encode", str(sentences), "-m", model, "--out", "vectors.parquet")
    shown = embdiff("show", "run", "--json")
    refused = embdiff("compare", "run/run.toml", "--out", "repeated")
    repeated = embdiff("compare", "run/run.toml", "--trust", "--out", "repeated")
    assert [each.code for each in (planned, compared, encoded, shown, refused, repeated)] == [0, 0, 0, 0, 2, 0]
    assert {headers["authorization"] for headers in service.headers} == {f"Bearer sk-{SECRET}"}
    service.misdeed = lambda number, texts: "401"
    told = embdiff(*command[:-1], "another")
    assert told.code == 2
    assert "Incorrect API key provided: ... " in told.err
    everything = (planned, compared, encoded, shown, refused, repeated, told)
    check_no_secret(tmp_path, *(text for done in everything for text in (done.out, done.err)))


@pytest.mark.parametrize("misdeed", ["401", "404", "422", "429 quota", "500", "no json", "hang up"])
def test_no_key_of_a_service_in_a_traceback(misdeed, service, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", 0.02)
    service.misdeed = lambda number, texts: misdeed
    with pytest.raises(EmbdiffError) as raised:
        ed.get_encoder(f"openai:m?base_url={service.url}&key_from=MY_KEY")
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert service.headers[0]["authorization"].endswith(SECRET)


@pytest.mark.slow
@pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")
def test_the_live_page_keeps_a_secret(host, embdiff, sentences, tmp_path):
    address = FORMS["user and password"].format(host=host)
    assert (
        embdiff("compare", "--all", str(sentences), "-m", "toy:8", "-k", "2", "--store", address, "--out", "run").code
        == 0
    )
    with Served(Path("run"), "--store", address) as page:
        pass
    check_no_secret(tmp_path, *(stream.read() for stream in (page.process.stdout, page.process.stderr) if stream))


@pytest.mark.parametrize("verb", ["compare", "encode", "copy"])
@pytest.mark.parametrize(
    "address",
    [
        f"http://root:{SECRET}@127.0.0.1:1?patience=0",
        f"http://127.0.0.1:1?patience=0&token={SECRET}",
        f"http://root:a?{SECRET}@127.0.0.1:1",
        f"http://root:a#{SECRET}@127.0.0.1:1",
        f"http://root:{SECRET}@127.0.0.1:nine",
        f"http://root:{SECRET}@",
        f"http:root:{SECRET}@127.0.0.1:1",
        f"HTTP://root:{SECRET}@127.0.0.1:1",
        f"http://127.0.0.1:1?tokn={SECRET}",
        f"http://127.0.0.1:1?{SECRET}",
        f"http://root:a/b{SECRET}@127.0.0.1:1",
        f"lancedb:s3://root:{SECRET}@bucket",
        f"redis://root:{SECRET}@127.0.0.1:1",
    ],
)
def test_no_refusal_has_a_secret(verb, address, embdiff, sentences, tmp_path):
    more = {"compare": ["-m", "toy:8", "-k", "2", "--out", "run", "--store"], "encode": ["-m", "toy:8", "--out"]}
    arguments = [*more[verb], address] if verb in more else ["milvus:new.db"]
    done = embdiff(verb, address if verb == "copy" else str(sentences), *arguments)
    assert done.code == 2, done.err
    check_no_secret(tmp_path, done.out, done.err)


@pytest.mark.parametrize("text", [f"http://root:{SECRET}@h:1#docs", f"http://root:a/{SECRET}@h:1#docs",
                                  f"http://root:a#{SECRET}@h:1", f"http://h:1#docs?token={SECRET}",
                                  f"https://root:a?{SECRET}@h:1#docs"])  # fmt: skip
def test_no_secret_in_a_traceback(text, monkeypatch):
    """A model or a corpus named by an address; the traceback has the message and those of the errors before it."""
    for given in ({"data": "sample", "models": [text]}, {"data": text, "models": ["toy:8"]}):
        with pytest.raises(EmbdiffError) as raised:
            ed.compare(**given, out="run")
        told = "".join(traceback.format_exception(raised.value)).replace(text, "")  # but for this line of the test
        assert SECRET not in told
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", f"root:{SECRET}")
    assert SECRET not in str(ParameterError(f"A server said that root:{SECRET} is wrong."))


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (f"Got 'http://root:{SECRET}@h:1', twice.", "Got 'http://h:1', twice."),
        (f"Got https://h:1?db=a&token={SECRET}&x=1.", "Got https://h:1?db=a&token=...&x=1."),
        (f"Got 'opnai:m?key={SECRET}&dim=4'.", "Got 'opnai:m?key=...&dim=4'."),
        ("Got 'st:m?max_tokens=9&dim=4'.", "Got 'st:m?max_tokens=9&dim=4'."),
        ("Got vectors:/data/me@h/v.npy.", "Got vectors:/data/me@h/v.npy."),
        ("Got mail to me@h, and a http://h:1.", "Got mail to me@h, and a http://h:1."),
        ("A measure must be written overlap@10.", "A measure must be written overlap@10."),
    ],
)
def test_messages_lose_secrets_and_nothing_else(message, shown):
    assert str(DataError(message)) == shown
