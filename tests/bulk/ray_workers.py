"""Encoding on Ray in a process of its own, looked at and disturbed from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

psutil = pytest.importorskip("psutil", reason="processes of a cluster are looked at with psutil")

ROWS, PART, WORKERS = 240, 20, 2
TEXTS = [f"sentence {row} about {row % 11}" for row in range(ROWS)]


def texts_by_process(log: Path) -> dict[int, list[str]]:
    return {int(path.stem): path.read_text().splitlines() for path in log.glob("*.log")}


def listening() -> list[tuple[str, str]]:
    """Return name and address of what this process's children listen on."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            sockets = process.net_connections(kind="inet")
        except psutil.Error:
            continue
        found += [(process.name(), each.laddr.ip) for each in sockets if each.status == psutil.CONN_LISTEN]
    return found


def in_a_process(texts: list[str], out: object, **settings) -> subprocess.Popen:
    """Encode in a process of its own, as the command line does: Ray is imported for the first time there."""
    code = (
        "import json, sys; from embdiff.bulk import encode_corpus; from embdiff.errors import EmbdiffError\n"
        "texts, out, settings = json.load(sys.stdin)\n"
        "try: print(json.dumps(encode_corpus(texts, 'logged:16', out, **settings).to_dict()))\n"
        "except EmbdiffError as error: print(json.dumps({'refused': f'{type(error).__name__}: {error}'}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdin.write(json.dumps((texts, str(out), {"part_rows": PART, "engine": "ray", **settings})))
    process.stdin.close()
    process.stdin = None  # `communicate` would flush it
    return process


def told(texts: list[str], out: object, **settings) -> dict:
    """Return what encoding in a process of its own came to."""
    process = in_a_process(texts, out, **settings)
    answer, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    return json.loads(answer)


def told_in_the_end(texts: list[str], out: object, **settings) -> dict:
    """Return the same; on a busy machine a cluster that stands may not answer within Ray's 30 seconds."""
    for _ in range(5):
        answer = told(texts, out, **settings)
        if "ray client connection timeout" not in answer.get("refused", ""):
            break
    return answer


def both_encode(driver: subprocess.Popen, log: Path) -> list[str]:
    """Wait until every worker has encoded a part's worth of texts; return where the driver's errors are gathered."""
    errors: list[str] = []
    threading.Thread(target=lambda: errors.extend(driver.stderr), daemon=True).start()
    deadline = time.monotonic() + 500
    while time.monotonic() < deadline and driver.poll() is None:
        seen = texts_by_process(log)
        if len(seen) == WORKERS and min(map(len, seen.values())) >= PART:
            break
        time.sleep(0.01)
    assert driver.poll() is None, "".join(errors)
    return errors


def answer_of(driver: subprocess.Popen, errors: list[str]) -> dict:
    """Return what encoding in a process of its own came to."""
    answer = driver.stdout.read()
    assert driver.wait(300) == 0, "".join(errors)
    return json.loads(answer)


def check_encoded(log: Path, victim: int) -> None:
    """Assert that all texts were encoded, and twice only what the victim had in hand."""
    by_process = texts_by_process(log)
    assert len([pid for pid, texts in by_process.items() if texts]) == WORKERS + 1  # one was started anew
    times = np.unique([text for texts in by_process.values() for text in texts], return_counts=True)[1]
    # The part it was at, and one that waited for it at most.
    assert len(times) == ROWS
    assert times.max() == 2 or victim not in by_process
    assert (times > 1).sum() <= 2 * PART
