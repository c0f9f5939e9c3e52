"""The databases in which faults are planted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from planted_faults import World

from milvus_server import TOKEN


@pytest.fixture(
    params=["lite", pytest.param("lancedb", marks=pytest.mark.slow), pytest.param("server", marks=pytest.mark.server)]
)
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    url = ""
    if request.param == "lancedb":
        pytest.importorskip("lancedb")
    if request.param == "server":
        url = request.getfixturevalue("milvus_server")
        monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
    there = World(request.param, tmp_path, url)
    yield there
    if there.kind == "server":
        with there.client() as client:
            for name in there.made:
                client.drop_collection(name)
