"""Whatever is given, the command line and Python say in a sentence what is wrong: no traceback, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import DIGITS, LONG, TWO, called, command_lines, write

import embdiff as ed
from embdiff import _memory
from embdiff.bulk import encode_corpus
from embdiff.errors import EmbdiffError
from embdiff.judging import open_judging

ALL = pytest.mark.battery
LINES = command_lines()
TEXTS = ["one cat", "two dogs", "three birds", "four fish"]
MODELS = ["toy:8", "toy:16"]
ROOM = 200 * 2**20  # bytes of text, so that small bombs are large


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bad")
    write(made)
    return made


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Work in the folder of bad files, with temporary files in one of its own."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(_memory, "share", lambda: 4 * ROOM)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("EMBDIFF_CACHE", "off")
    return folder


def assert_told(text: str) -> None:
    assert 0 < len(text) < 600, len(text)
    assert "Traceback" not in text
    assert "pydantic" not in text
    assert all(line.isprintable() for line in text.splitlines()), ascii(text)


@ALL
@pytest.mark.parametrize("line", LINES, ids=lambda line: called(" ".join(line)))
def test_bad_command_line(embdiff: Any, inside: Path, tmp_path: Path, line: tuple[str, ...]) -> None:
    before = sorted(inside.rglob("*"))
    done = embdiff(*line)
    assert done.code == 2, done.err[-600:]
    assert done.out == ""
    assert_told(done.err)
    assert sorted(inside.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


COMPARE: dict[str, tuple[Any, ...]] = {
    "models": (5, None, [5], [None], "toy:8", ["a\0b"], ["toy:8", "toy:8"]),
    "k": ("ten", True, 1.5, 10**400, -1, [3]),
    "seed": ("x", -1, 10**400, 1.5),
    "out": (5, "a\0b", "\udcff", LONG, b"x"),
    "queries": (5, [1, 2], "a\0b"),
    "expected": (5, "a\0b", [("x",)]),
    "measures": (5, [5], [None], "overlap", [f"overlap@{DIGITS}"]),
    "groups": (5, [1], [None] * 4),
    "store": (5, "a\0b", "milvus:a\0b", "lancedb:a\0b", "http://a\0b"),
    "cache": (5, "a\0b", LONG),
    "memory": (5, "9" * 400 + "GiB", "1", "a\0b"),
    "metric": (5, "", "a\0b"),
    "index": (5, "", f"hnsw(M={DIGITS})"),
    "sample": ([], -1, 10**400),
    "half_width": ("x", float("nan"), 2),
    "text_column": (1.5, [], "a\0b"),
    "preset": (5, "a\x1b"),
    "empty": (5, "x" * 5_000),
    "common": ("maybe", 5),
    "permutations": ("x", 1.5, 10**400),
    "calibrate": (-1, "x"),
    "query_models": (5, [5], "toy:8"),
    "align": (5, "", "rotate", ["procrustes"], "procrustes"),
    "self_matches": ([], "x"),
    "baseline": ("x",),
    "encoding": (5, "x"),
    "quotes": ("x",),
}
CALLS: dict[str, Callable[[], Any]] = {
    **{
        f"compare {name}={ascii(value)[:30]}": lambda name=name, value=value: ed.compare(
            TEXTS, **{"models": MODELS, "k": 2, "store": "memory:", name: value}
        )
        for name, values in COMPARE.items()
        for value in values
    },
    **{
        f"{function.__name__} {ascii(value)[:30]}": lambda function=function, value=value: function(value)
        for function, values in (
            (ed.load, (None, 5, [], "a\0b", "no", "\udcff", LONG * 20)),
            (
                ed.read_corpus,
                (None, 5, [1, 2], [None], {"a": 1}, b"x", "a\0b.csv", "\udcff.csv", f"{LONG * 20}.csv", []),
            ),
            (ed.get_encoder, (None, 5, "a\0b", f"toy:{DIGITS}", f"wordllama:{DIGITS}", "vectors:a\0b.npy", "st:a\0b")),
            (ed.get_store, (None, 5, "a\0b", "milvus:a\0b", "http://a\0b")),
            (ed.get_measure, (None, 5, "a\0b", f"overlap@{DIGITS}", f"rbo(p={DIGITS})", "overlap@²")),
            (open_judging, (None, 5, "a\0b", "no")),
            (ed.get_encoder("toy:8").encode, (5, [5], "x", [])),
        )
        for value in values
    },
    **{
        f"compare data={ascii(value)[:30]}": lambda value=value: ed.compare(value, MODELS, store="memory:")
        for value in (
            None,
            5,
            "a\0.csv",
            "\udcff.csv",
            [1j] * 3,
            {"a"},
            "pipe.csv",
            "bomb.parquet",
            "coded.parquet",
        )
    },
    **{
        f"evaluate {ascii(value)[:30]}": lambda value=value: ed.evaluate(value, MODELS)
        for value in (None, 5, [5], "a\0b", "pipe.csv", [])
    },
    **{
        f"encode_corpus {name}={ascii(value)[:30]}": lambda name=name, value=value: encode_corpus(
            **{"data": TEXTS, "model": "toy:8", "out": "o.parquet", name: value}
        )
        for name, values in {
            "data": (None, "a\0.parquet", "pipe.parquet", "torn.parquet"),
            "model": (5, None, "a\0b"),
            "out": (5, None, "a\0b.parquet", "\udcff.parquet", f"{LONG}.parquet", "milvus:a\0b"),
            "part_rows": ("x", 0, 10**400, True),
            "role": (5, "x"),
            "cache": (5, "a\0b"),
        }.items()
        for value in values
    },
}


@ALL
@pytest.mark.parametrize("call", CALLS.values(), ids=map(called, CALLS))
def test_bad_argument(inside: Path, tmp_path: Path, call: Callable[[], Any]) -> None:
    before = sorted(inside.rglob("*"))
    with pytest.raises(EmbdiffError) as refused:
        call()
    assert_told(str(refused.value))
    assert sorted(inside.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_there_are_cells_enough_for_a_slice() -> None:
    assert len(LINES) >= 200
    assert len(CALLS) >= 130


@pytest.mark.parametrize("bad", ["--metric=cosin\x1b[31m", "--nonsense\x1b[31m", f"--metric={'x' * 9_000}"])
def test_messages_are_short_and_act_on_no_terminal(embdiff: Any, sentences: Path, bad: str) -> None:
    done = embdiff("compare", str(sentences), *TWO, bad)
    assert done.code == 2
    assert_told(done.err)


def test_markup_in_data_and_in_our_own_words_is_text(embdiff: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("marked.csv").write_text("id,text\n[/x],\n[red]b,[bold]two[/bold]\nc\x1b[31m,three\x1b[2J\n")
    monkeypatch.setenv("COLUMNS", "200")
    done = embdiff("encode", "marked.csv", "-m", "toy:8", "-o", "o.parquet", "--empty", "drop")
    assert (done.code, "[/x]" in done.out) == (0, True)
    done = embdiff(
        "compare", "marked.csv", "-m", "toy:8", "-k", "1", "--store", "memory:", "--empty", "drop", "--out", "r"
    )
    assert "[red]b" in done.out
    assert "[bold]two[/bold]" in done.out
    assert r"c\x1b[31m" in done.out
    assert "\x1b" not in done.out
    monkeypatch.setattr("embdiff._registry.is_installed", lambda _module: False)
    assert "pip install 'embdiff[st]'" in embdiff("models").out


RUN = [sys.executable, "-m", "embdiff"]


def run(*arguments: str, shell: str = "", **surroundings: str) -> subprocess.CompletedProcess[bytes]:
    words = ["sh", "-c", f'exec "$@" {shell}', "sh", *RUN, *arguments]
    return subprocess.run(words, capture_output=True, env={**os.environ, **surroundings}, check=False)


@pytest.mark.slow
def test_any_locale_shows_an_intact_run() -> None:
    ed.compare(["für dich", "日本語", "three", "four"], MODELS, k=1, store="memory:", out="run")
    for surroundings in (
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "LANG": "C"},
    ):
        done = run("show", "run", **surroundings)
        assert (done.returncode, done.stderr) == (0, b""), done.stderr
        assert rb"f\xfcr dich" in done.stdout
        assert run("show", "run", "--json", **surroundings).returncode == 0
    done = run("show", "für", PYTHONUTF8="0", LC_ALL="C", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 2
    assert b"PYTHONUTF8=1" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("shell", "code"), [("2>&-", 0), (">&-", 0), (">&- 2>&-", 0), (">/dev/full", 1)])
def test_closed_and_full_streams(shell: str, code: int) -> None:
    done = run("models", shell=shell)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr + done.stdout
    assert (b"No space left" in done.stderr) == (code == 1)


@pytest.mark.slow
def test_a_reader_that_has_enough_ends_nothing_loudly() -> None:
    done = subprocess.run(["bash", "-c", '"$@" | true', "bash", *RUN, "measures"], capture_output=True, check=False)
    assert done.stderr == b""
