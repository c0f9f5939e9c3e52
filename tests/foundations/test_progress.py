"""Progress is a bar with rate and remaining time on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import io
import re
import sys
import time

import pytest

from embdiff import _progress
from embdiff._progress import feeding, progress, silent


class Terminal(io.StringIO):
    """What looks like a terminal and keeps what is written to it."""

    def isatty(self) -> bool:
        return True


def test_lines_tell_rate_and_time_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now)
    with progress("encode toy:8", 9_000, "texts") as advance:
        now += 1.0
        advance(500)  # too soon for a line
        now += 4.0
        advance(1_500)
        now += 1.0
        advance(400)
        now += 4.0
        advance(3_600)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "encode toy:8: 2,000 of 9,000 texts, 400/s, 18 s left",
        "encode toy:8: 6,000 of 9,000 texts, 600/s, 5 s left",
    ]


def test_work_that_is_over_soon_writes_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("encode toy:8", 10, "texts") as advance:
        advance(10)
    assert capsys.readouterr().err == ""


def test_a_bar_tells_count_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("encode toy:8", 6_000, "texts") as advance:
        for _ in range(4):
            time.sleep(0.15)  # the bar is drawn ten times a second
            advance(1_000)
        time.sleep(0.3)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    told = re.findall(r"encode toy:8 \S+ +4000/6000 texts +([0-9,]+)/s +0:00:(\d\d)", shown)
    assert told, shown[-400:]
    assert all(int(rate.replace(",", "")) > 0 for rate, _ in told)


def test_nothing_is_shown_where_all_is_to_be_silent_or_fed_to_another(capsys: pytest.CaptureFixture[str]) -> None:
    counted: list[int] = []
    with feeding(counted.append), progress("encode toy:8", 6, "texts") as advance:
        advance(4)
        advance(2)
    with silent(), progress("encode toy:8", 6, "texts") as advance:
        advance(6)
    assert counted == [4, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("terminal", [False, True])
def test_names_are_text_and_act_on_no_terminal(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    shown = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(_progress, "_SECONDS_BETWEEN_LINES", 0.0)
    with progress("encode [/x][red]\x1b[2J", 10, "texts") as advance:
        advance(5)
        time.sleep(0.2)  # a bar is drawn ten times a second
    assert r"encode [/x][red]\x1b[2J" in shown.getvalue()
    assert "\x1b[2J" not in shown.getvalue()


def test_nobody_who_reads_progress_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(_progress, "_SECONDS_BETWEEN_LINES", 0.0)
    with progress("encode toy:8", 10, "texts") as advance:
        monkeypatch.setattr(sys, "stderr", closed)
        advance(5)
