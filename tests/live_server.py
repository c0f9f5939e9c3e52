"""``embdiff serve`` as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Self
from urllib.request import urlopen


class Served:
    """The live page of a run, from ``with`` until its end."""

    def __init__(self, run: Path, *options: str) -> None:
        command = [sys.executable, "-m", "embdiff", "serve", str(run), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", line)
        assert found, line + (self.process.stderr.read() if self.process.stderr else "")
        self.address, self.port, self.token = found[0], int(found[1]), found[2]
        urlopen(self.address, timeout=120).close()  # a busy machine starts to answer late, which no test is about

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)
