"""The command line run in this process: quick, and seen as a user sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from embdiff import cli

SENTENCES = [
    "the cat sleeps on the warm wall",
    "a cat is sleeping on a wall",
    "trains leave the station every hour",
    "the hourly train has just left",
    "bake the bread until the crust is brown",
    "this loaf needs ten more minutes",
    "rain is forecast for the weekend",
    "take an umbrella on Saturday",
]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def embdiff(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def run(*arguments: str) -> Done:
        monkeypatch.setattr("sys.argv", ["embdiff", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Done(0 if code is None else int(code), captured.out, captured.err)

    return run


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    path = tmp_path / "sentences.txt"
    path.write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    return path
