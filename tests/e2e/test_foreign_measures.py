"""Measures that another package registers are treated in every way like built-in ones."""

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "foreign" / "foreign_measures.py"
NAMES = ("copied_overlap", "longest_row", "second_place")
SENTENCES = [f"{colour} {thing} in the {place}" for colour in ("red", "blue", "green", "grey") for thing in
             ("boat", "house", "stone", "bird") for place in ("harbour", "valley", "garden")]  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package and what pip writes of its entry points."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(SOURCE, folder)
    about = folder / "foreign_measures-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-measures\nVersion: 1.0\n")
    lines = "".join(f"{name} = foreign_measures:{name.upper()}\n" for name in NAMES)
    (about / "entry_points.txt").write_text(f"[embdiff.measures]\n{lines}")
    return folder


@pytest.fixture(scope="module")
def ran(installed, tmp_path_factory):
    """One comparison with results expected, in a process that has the package."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "texts.txt").write_text("\n".join(SENTENCES) + "\n")
    expected = ["query_id,id,grade", *(f"{row},{(row + 1) % len(SENTENCES)},1" for row in range(len(SENTENCES)))]
    (folder / "expected.csv").write_text("\n".join(expected) + "\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])}

    def command(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "embdiff", *arguments],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    given = ["texts.txt", "-m", "toy:16", "-m", "toy:24", "-k", "5", "--expected", "expected.csv", "--store", "memory:"]
    given += ["--cache", str(folder / "cache"), "--calibrate", "20", "--out", "run"]
    printed = command("compare", "--all", *given)
    again = json.loads(command("compare", *given, "--json"))
    return {"printed": printed, "payload": again, "folder": folder, "command": command}


def scores(payload, part, name):
    same = [dict(each) for each in payload[part] if each["measure"].partition("@")[0] == name]
    return [{**each, "measure": each["measure"].replace(name, "overlap")} for each in same]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["scores", "curves", "calibrations"])
def test_a_copy_of_overlap_says_what_overlap_says_to_the_last_digit(ran, part):
    copied = scores(ran["payload"], part, "copied_overlap")
    assert copied == scores(ran["payload"], part, "overlap")
    assert copied


def test_all_three_stand_in_the_terminal_the_json_and_the_run(ran):
    for name in NAMES:
        assert name in ran["printed"], name
        assert any(each["measure"].startswith(name) for each in ran["payload"]["scores"]), name
    kept = json.loads((ran["folder"] / "run" / "scores.json").read_text())
    assert set(NAMES) <= {each["measure"].partition("@")[0] for each in kept}


def test_a_space_gets_a_jackknife_interval_and_judged_lists_a_paired_test(ran):
    longest = [each for each in ran["payload"]["scores"] if each["measure"] == "longest_row"]
    assert {each["interval"] for each in longest} == {"jackknife"}
    assert all(each["low"] <= each["value"] <= each["high"] and each["chance"] is None for each in longest)
    assert "second_place@5" in {each["measure"] for each in ran["payload"]["differences"]}


def test_they_are_listed_and_explained(ran):
    listed = ran["command"]("measures")
    assert all(name in listed for name in NAMES)
    assert "what overlap is, under another name" in ran["command"]("measures", "copied_overlap")


def test_the_report_carries_them(ran):
    report = ran["folder"] / "run" / "report.html"
    if not report.is_file():
        pytest.skip("the page was not built")
    (data,) = re.findall(r'id="embdiff-data">([^<]*)<', report.read_text(encoding="utf-8"))
    head = gzip.decompress(base64.b64decode(data))
    assert all(name.encode() in head for name in NAMES)
