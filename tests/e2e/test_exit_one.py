"""Exit 1 of `check` and `decide`: what nobody foresaw ends in a sentence, and is no verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each command in a process of its own
COMMANDS = {
    "check": ("check", "sample", "--fail-if", "overlap < 0.1"),
    "decide": ("decide", "sample", "--current", "toy:64"),
}
BREAKS = '''
from embdiff.stores.memory import MemoryStore


class Broken(MemoryStore):
    """It takes rows, and breaks when it is asked."""

    def __init__(self, uri):
        super().__init__()
        self.uri = uri

    def search(self, *asked):
        raise RuntimeError("page 7 of http://me:hidden@there/ is\\x1b[31m gone")
'''


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """A folder of packages with one that registers a store which breaks."""
    about = tmp_path / "site" / "broken-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[embdiff.stores]\nbroken = broken_store:Broken\n")
    (about.parent / "broken_store.py").write_text(BREAKS)
    return str(about.parent)


def ended(name: str, *more: str, site: str = "", shell: str = "", **surroundings: str) -> tuple[int, str, str]:
    """Run a command; its exit code, what it printed and what it told."""
    words = [sys.executable, "-m", "embdiff", *COMMANDS[name], "-m", "toy:64", "-m", "toy:8", "--layout", "none", *more]
    paths = os.pathsep.join(filter(None, [site, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {shell}', "sh", *words], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": paths, **surroundings},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_store_that_breaks_is_told_in_a_sentence(name: str, broken: str) -> None:
    code, out, err = ended(name, "--store", "broken:x", "--out", "run", site=broken)
    assert (code, out) == (1, "")
    assert [line for line in err.splitlines() if line.strip()] == [err.strip()], err
    assert err.startswith("embdiff: ")
    assert r"Got RuntimeError: page 7 of http://there/ is\x1b[31m gone (line " in err
    assert "of broken_store.py" in err
    assert "EMBDIFF_TRACEBACK=1" in err
    assert "hidden" not in err
    assert "\x1b" not in err
    assert len(err) < 600
    assert not Path("run", "manifest.json").exists()


def test_all_of_it_is_printed_when_asked_for(broken: str) -> None:
    code, _, err = ended("check", "--store", "broken:x", site=broken, EMBDIFF_TRACEBACK="1")
    assert code == 1
    assert "Traceback" in err
    assert 'broken_store.py", line' in err


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("form", ["", "--json", "--markdown"])
def test_a_verdict_that_cannot_be_printed_is_none(name: str, form: str) -> None:
    """The run is made and whole; what cannot be told is not passed."""
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no device that is always full")
    command = ("--store", "memory:", "--out", "run", *filter(None, [form]))
    code, _, err = ended(name, *command, shell=">/dev/full")
    assert code == 1
    assert "Got No space left on device" in err
    assert "Traceback" not in err
    assert ended(name, *command)[0] == 0
