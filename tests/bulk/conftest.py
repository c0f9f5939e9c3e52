"""Texts in a table, and a model of another package, as workers of a cluster find it: by entry point, on PYTHONPATH."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from counted_texts import ROWS, TEXTS

from embdiff._files import lock_now

MODULE = '''
import os
import time
from pathlib import Path

import numpy as np

from embdiff.sources.toy import Toy
from embdiff.records import Stamp

LOG = Path(os.environ["LOGGED_TO"])


class Logged(Toy):
    """toy that takes its time, says which process encodes what, and dies of one text, so many times as it says."""

    batch_items = 4

    def encode(self, items, *, role):
        with (LOG / f"{os.getpid()}.log").open("a") as log:
            log.writelines(f"{text}\\n" for text in items)
        self.wait_for_others()
        for text in items:
            if text.startswith("deadly "):
                deaths = len(list(LOG.glob("death-*")))
                if deaths < int(text.split()[1]):
                    (LOG / f"death-{deaths}-{os.getpid()}").touch()
                    os.kill(os.getpid(), 9)
        time.sleep(0.01 * len(items))
        return super().encode(items, role=role)

    def wait_for_others(self):
        """Encode nothing before as many processes have begun as the file says: one alone might be done before."""
        wanted, end = LOG / "processes", time.monotonic() + 300
        while wanted.exists() and len(list(LOG.glob("*.log"))) < int(wanted.read_text()) and time.monotonic() < end:
            time.sleep(0.01)

    def stamp(self):
        made = super().stamp()
        revision = (LOG / "revision").read_text() if (LOG / "revision").exists() else made.revision
        return Stamp(model=f"logged:{made.dim}", revision=revision, dim=made.dim)
'''


@pytest.fixture
def logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the kind ``logged:DIM`` for this process and its children; return the folder of its logs."""
    package, log = tmp_path / "package", tmp_path / "log"
    info = package / "logged_model-1.0.dist-info"
    info.mkdir(parents=True)
    log.mkdir()
    (package / "logged_model.py").write_text(MODULE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: logged-model\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[embdiff.encoders]\nlogged = logged_model:Logged\n", encoding="utf-8")
    monkeypatch.setenv("LOGGED_TO", str(log))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(package), *sys.path)))
    monkeypatch.syspath_prepend(str(package))
    yield log
    sys.modules.pop("logged_model", None)


@pytest.fixture
def ray(tmp_path_factory):
    """Ray, one test at a time: two clusters that start together on a small machine time out."""
    found = pytest.importorskip("ray", reason="the engine ray needs it: pip install 'embdiff[ray]'")
    with (tmp_path_factory.getbasetemp().parent / "ray.lock").open("ab") as lock:
        while not lock_now(lock):
            time.sleep(0.2)
        yield found


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"text": TEXTS, "id": [f"i{row}" for row in range(ROWS)], "group": [row % 3 for row in range(ROWS)]}
    )


@pytest.fixture
def parquet(frame: pd.DataFrame, tmp_path: Path) -> Path:
    frame.to_parquet(tmp_path / "in.parquet", row_group_size=30)
    return tmp_path / "in.parquet"
