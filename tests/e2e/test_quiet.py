"""What the libraries below say is not for whoever runs a comparison: with logging turned on, nothing is printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import logging
logging.basicConfig()
import warnings
warnings.simplefilter("always")
import numpy as np
import embdiff as ed

def flat(texts):
    return np.ones((len(texts), 8), dtype=np.float32) + np.eye(8, dtype=np.float32)[np.arange(len(texts)) % 2]

texts = [f"line {row}" for row in range(300)]
ed.compare(texts, [flat, "toy:8"], k=3, cache="off", **OPTIONS)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("needs", "options"),
    [
        ("bm25s", {"store": "memory:", "baseline": True}),
        ("umap", {"store": "memory:", "layout": "umap", "baseline": False}),
        ("lancedb", {"store": "lancedb:there", "index": "ivf_flat(nlist=32,nprobe=2)", "baseline": False}),
    ],
)
def test_libraries_say_nothing(needs: str, options: dict[str, object], tmp_path: Path):
    pytest.importorskip(needs, reason=f"needs the package {needs}")
    done = subprocess.run(
        [sys.executable, "-c", RUN.replace("OPTIONS", repr(options))],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    told = [line for line in done.stderr.splitlines() if " left" not in line]  # the progress bar
    assert (told, done.stdout) == ([], "")
