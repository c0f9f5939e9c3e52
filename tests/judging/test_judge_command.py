"""embdiff judge as a person uses it: scripted, killed, resumed, interrupted, with hostile text."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import embdiff
from embdiff.judging import open_judging

COMMAND = [sys.executable, "-m", "embdiff", "judge"]


def judge(run: Path, *arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, str(run), *arguments]
    return subprocess.run(command, input=answers, capture_output=True, text=True, check=False, timeout=120)


def log(run: Path) -> list[dict]:
    return [json.loads(line) for line in run.with_name("first.qrels.jsonl").read_text().splitlines()]


def test_scripted_answers_back_skip_and_resume(run):
    done = judge(run, "--queries", "3", "--depth", "2", "--judge", "ann", answers="1\n0\nx\n?\nb\n2\ns\nq\n")
    assert done.returncode == 0, done.stderr
    assert [entry["grade"] for entry in log(run)] == [1, 0, 2, None]
    assert {entry["judge"] for entry in log(run)} == {"ann"}
    assert "(you said: 0)" in done.stdout
    assert "An answer must be 0-9, y, n, s, b, m, q or ?. Got 'x'. Try again." in done.stdout
    assert "2 documents judged (2 relevant), 1 skipped" in done.stdout
    assert re.search(r"Query 1 of 3 \(id [^)]+\): ", done.stdout)
    assert re.search(r"Document 1 of \d+ \(id [^)]+\)", done.stdout)
    assert "y relevant, n not relevant, s skip, b back" in done.stdout
    assert not re.search(r"toy:(4|64)", done.stdout.split("documents judged")[0])  # blind
    again = judge(run, "--queries", "3", "--depth", "2", answers="y\nn\n" * 20)
    assert again.returncode == 0, again.stderr
    assert "Document 1 of" in again.stdout
    assert "What would settle it (ndcg@2)" in again.stdout
    assert "The same model again: overlap@" not in again.stdout
    every = judge(run, "--queries", "3", "--depth", "2", "--status", "--all").stdout
    assert "The same model again: overlap@" in every  # beside the differences
    assert "Differences in ndcg@2" in every
    assert (
        "too early to say: 2 more queries must be judged first" in again.stdout.replace("\n", " ")
        or "settle" in again.stdout
    )
    status = json.loads(judge(run, "--queries", "3", "--depth", "2", "--status", "--json").stdout)
    assert (status["done"], status["left"], status["skipped"]) == (3, 0, 1)
    assert {score["measure"] for score in status["scores"]} == {"ndcg@2", "precision_judged@2", "hit@2"}
    assert status["headline"]["measure"] == "ndcg@2"
    assert status["headline"]["sentence"] in " ".join(again.stdout.split())
    assert status["judges"] == ["ann", "judge"]
    assert status["more"][0]["state"] == "too few"


def test_killed_in_the_middle_loses_nothing_that_was_answered(run):
    process = subprocess.Popen(
        [*COMMAND, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    for _ in range(3):
        process.stdin.write("1\n")
    process.stdin.flush()
    path = run.with_name("first.qrels.jsonl")
    until = time.monotonic() + 60
    while time.monotonic() < until and (not path.exists() or path.read_bytes().count(b"\n") < 3):
        time.sleep(0.05)
    process.stdin.write("2")  # typed, not yet sent
    process.stdin.flush()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    process.stdin.close()
    process.stdout.close()
    assert [entry["grade"] for entry in log(run)] == [1, 1, 1]
    asked = [entry["document"] for entry in log(run)]
    done = judge(run, answers="0\n")
    assert done.returncode == 0, done.stderr
    assert [entry["grade"] for entry in log(run)] == [1, 1, 1, 0]
    assert log(run)[-1]["document"] not in asked
    with open_judging(run, write=False) as judging:
        assert judging.answered == 4


def test_ctrl_c_says_goodbye_and_keeps_everything(run):
    pexpect = pytest.importorskip("pexpect", reason="a terminal is needed")
    child = pexpect.spawn(
        sys.executable, ["-m", "embdiff", "judge", str(run)], encoding="utf-8", timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background may ignore it
    )  # fmt: skip
    child.expect("Document 1 of")
    child.sendline("1")
    child.expect("Document 2 of")
    # A Ctrl-C between the prompt and Python's wait for a key is seen only with the next key; people press it again.
    for _ in range(6):
        child.sendintr()
        if child.expect([r"Saved: 1 answers in .*first\.qrels", pexpect.TIMEOUT], timeout=10) == 0:
            break
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert "nothing was written" not in child.before
    assert [entry["grade"] for entry in log(run)] == [1]


def test_hostile_text_does_nothing_to_the_terminal(tmp_path):
    hostile = [
        "\x1b[31mred\x1b[0m \x1b]0;title\x07 and \u202ereversed", "carriage\rreturn \x9b5n", "[bold]no markup[/bold]",
        "x" * 2_000 + "END", "plain\nsecond line",
    ]  # fmt: skip
    run = tmp_path / "runs" / "first"
    embdiff.compare(hostile, ["toy:4", "toy:64"], k=4, store="memory:", baseline=False, out=run)
    done = judge(run, "--depth", "4", answers="m\n" + "1\n" * 40)
    assert done.returncode == 0, done.stderr
    for character in "\x1b\x07\x9b\u202e\r":
        assert character not in done.stdout
    assert "[bold]no markup[/bold]" in done.stdout
    assert "803 more characters (m)" in done.stdout
    status = judge(run, "--status", "--depth", "4")
    assert "\x1b" not in status.stdout


def test_the_whole_of_a_long_text_can_be_read(tmp_path):
    run = tmp_path / "runs" / "first"
    embdiff.compare(["x" * 2_000 + "END", "y"], ["toy:4"], k=1, store="memory:", baseline=False, out=run)
    done = judge(run, answers="m\nm\n")
    assert "END" in done.stdout


def test_refusals_are_messages(run, tmp_path):
    for arguments, message in (
        ((run, "--json"), "embdiff: --json must come with --status"),
        ((tmp_path / "none",), "A run must be a folder with run.toml"),
        ((run, "--depth", "9"), "The depth to judge must be between 1 and 4"),
    ):
        done = judge(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
    status = judge(run, "--status")
    assert status.returncode == 0
    assert "No query is done yet" in status.stdout
    assert sorted(path.name for path in run.parent.iterdir()) == ["first"]
