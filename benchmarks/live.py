"""The live page: how long until it can be opened, and how long its first query and later ones take.

Models are loaded and warm before the address is printed, so that the first query takes no longer than a later one.
Bounds are aims for two cores; figures are printed, and never asserted in a test.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

import embdiff as ed
from benchmarks.report import Figure
from embdiff._optional import is_installed
from embdiff._progress import silent

MODELS = {"minilm": "sentence_transformers", "wordllama:256": "wordllama"}
REPEATS, LATER = 5, 5
READY, FIRST = 30.0, 1.0  # seconds
ROWS = {
    "live_ready": "live page of minilm and wordllama:256 on bundled sentences: from the command to its address",
    "live_first_query": "the same: a query typed first, from sending it to its answer; later ones beside it",
}


def served(run: Path) -> tuple[float, list[float]]:
    """Serve a run, and return the seconds until its address is printed, and those of its first queries, in order."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "embdiff", "serve", str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"(http://\S+)/\?token=(\S+)", process.stdout.readline())
            ready = time.perf_counter() - start
            if found is None:
                raise RuntimeError("the live page must print its address")
            return ready, [_asked(found[1], found[2], f"the rain of day {number}") for number in range(1 + LATER)]
        finally:
            process.terminate()


def _asked(address: str, token: str, text: str) -> float:
    body = json.dumps({"text": text}).encode()
    headers = {"x-embdiff-token": token, "content-type": "application/json"}
    start = time.perf_counter()
    with urlopen(Request(f"{address}/ask", body, headers), timeout=120) as answer:
        assert len(json.load(answer)["answers"]) == len(MODELS)
    return time.perf_counter() - start


def main() -> list[Figure]:
    """Measure, and say why not where a model or the server is not installed."""
    missing = [name for name in (*MODELS.values(), "uvicorn", "starlette") if not is_installed(name)]
    if missing:
        why = f"not installed: {', '.join(missing)}"
        figures = [
            Figure("live_ready", math.nan, READY, "s", {}, at_most=True, why=why),
            Figure("live_first_query", math.nan, FIRST, "s", {}, at_most=True, why=why),
        ]
    else:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            with silent():
                ed.compare("sample", list(MODELS), k=5, store="memory:", layout="none", out=run)
            told = [served(run) for _ in range(REPEATS)]
        ready, first = ([each[0] for each in told], [each[1][0] for each in told])
        later = [seconds for each in told for seconds in each[1][1:]]
        figures = [
            Figure("live_ready", median(ready), READY, "s", {"ready": ready}, at_most=True),
            Figure("live_first_query", median(first), FIRST, "s", {"first": first, "later": later}, at_most=True),
        ]
    for figure in figures:
        print(figure.line(), flush=True)
    return figures


if __name__ == "__main__":
    main()
