"""A Milvus server that is down, or goes down in the middle of a run, as a user of the command sees it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from embdiff.stores.milvus import store as milvus
from milvus_server import TOKEN, Server

ROWS = 6_000
LONG = 300  # seconds: a killed server is healthy after 55 on an idle machine
COMMON = ("-m", "toy:16", "-k", "3", "--metric", "l2", "--queries", "first:100")

pytestmark = pytest.mark.server


@pytest.fixture
def server(milvus_process: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
    return milvus_process


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"{row} lamps, {row % 89} boats and {row % 7} gulls\n" for row in range(ROWS)), "utf-8")
    return path


@pytest.fixture
def inserted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Note the rows of every insert that was answered; before the call numbered ``at``, do what ``then`` says."""
    noted: dict[str, Any] = {"rows": [], "calls": 0, "at": None, "then": None}
    real = milvus.MilvusStore._insert

    def insert(store: Any, name: str, part: list[dict[str, Any]]) -> None:
        noted["calls"] += 1
        if noted["calls"] == noted["at"]:
            noted["then"]()
        real(store, name, part)
        noted["rows"] += [record["row"] for record in part]

    # Small calls, so that the server can go down between them.
    monkeypatch.setattr(milvus, "_BYTES_PER_CALL", 100_000)
    monkeypatch.setattr(milvus.MilvusStore, "_insert", insert)
    return noted


def same_as_by_memory(embdiff: Any, texts: Path, run: str) -> None:
    assert embdiff("compare", str(texts), *COMMON, "--store", "memory:", "--out", "memory").code == 0
    server, memory = (pd.read_parquet(f"{name}/neighbors.parquet") for name in (run, "memory"))
    pd.testing.assert_frame_equal(server, memory, atol=1e-4)


def test_down_at_the_start(embdiff: Any, server: Server, texts: Path) -> None:
    server.kill()
    compare = ("compare", str(texts), *COMMON, "--out", "late", "--store")
    refused = embdiff(*compare, f"{server.url}?patience=2")
    assert refused.code == 2
    assert f"A Milvus server must answer at {server.url} within 2 seconds. Got " in refused.err
    assert "then run the same command again" in refused.err
    assert not Path("late").exists()

    starting = threading.Thread(target=server.start)
    starting.start()
    done = embdiff(*compare, f"{server.url}?patience={LONG}")
    starting.join()
    assert done.code == 0, done.err
    assert f"wait for {server.url} to answer" in done.err
    same_as_by_memory(embdiff, texts, "late")


def test_down_in_the_middle_and_back(embdiff: Any, server: Server, texts: Path, inserted: dict[str, Any]) -> None:
    starting = threading.Thread(target=server.start)

    def fall() -> None:
        server.kill()
        starting.start()

    inserted |= {"at": 3, "then": fall}
    done = embdiff("compare", str(texts), *COMMON, "--out", "back", "--store", f"{server.url}?patience={LONG}")
    starting.join()
    assert done.code == 0, done.err
    assert inserted["calls"] > 3
    assert f"wait for {server.url} to insert into" in done.err
    assert sorted(inserted["rows"]) == list(range(ROWS))
    same_as_by_memory(embdiff, texts, "back")


def test_down_in_the_middle_for_longer(embdiff: Any, server: Server, texts: Path, inserted: dict[str, Any]) -> None:
    inserted |= {"at": 3, "then": server.kill}
    compare = ("compare", str(texts), *COMMON, "--out", "longer", "--store")
    refused = embdiff(*compare, f"{server.url}?patience=3")
    assert refused.code == 2
    assert "Milvus must be able to insert into longer_" in refused.err
    assert f"Got from {server.url}: " in refused.err
    assert "Start the server and run the same command again: it goes on where it stopped." in refused.err
    assert not Path("longer").exists()
    before = list(inserted["rows"])
    assert 0 < len(before) < ROWS

    server.start()
    inserted |= {"rows": [], "at": None}
    done = embdiff(*compare, f"{server.url}?patience={LONG}")
    assert done.code == 0, done.err
    # What was answered before is there and is not sent again, unless the server itself lost it.
    assert sorted(before + inserted["rows"]) == list(range(ROWS))
    same_as_by_memory(embdiff, texts, "longer")
