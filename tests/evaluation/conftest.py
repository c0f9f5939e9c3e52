"""The command line run in this process, and small labelled sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from embdiff import cli


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run ``embdiff`` with arguments; return the exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["embdiff", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


DOCUMENTS = {
    "d1": "the cat sleeps on the warm wall",
    "d2": "a cat is sleeping on a wall",
    "d3": "trains leave the station every hour",
    "d4": "the hourly train has just left the station",
    "d5": "bake the bread until the crust is brown",
    "d6": "",
}


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """A collection of six documents, one empty; one judgement dangles, one judged query has no text."""
    where = tmp_path / "set"
    (where / "qrels").mkdir(parents=True)
    (where / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": key, "text": text}) + "\n" for key, text in DOCUMENTS.items())
    )
    queries = {"q1": "sleeping cat wall", "q2": "train station", "q3": "brown bread"}
    (where / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": key, "text": text}) + "\n" for key, text in queries.items())
    )
    lines = ["query-id\tcorpus-id\tscore", "q1\td1\t1", "q1\td2\t2", "q2\td3\t1", "q2\td99\t1", "q9\td1\t1"]
    (where / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n")
    return where
