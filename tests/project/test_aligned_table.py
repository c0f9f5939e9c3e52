"""The table of alignment recovery is the one that was measured."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import aligned  # noqa: E402


def test_the_page_holds_what_is_kept(tmp_path):
    page = tmp_path / "alignment.md"
    page.write_text(aligned.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    aligned.write_page(page)
    assert page.read_text(encoding="utf-8") == aligned.PAGE.read_text(encoding="utf-8")


def test_every_number_kept_has_n_interval_and_chance():
    found = json.loads(aligned.RESULTS.read_text(encoding="utf-8"))
    for each in found:
        for way in aligned.WAYS:
            if way in each:
                score = each[way]["held out"]["recovery"]
                assert score["low"] <= score["value"] <= score["high"]
                assert score["n"] == aligned.HELD_OUT
                assert math.isclose(score["chance"], aligned.K / (aligned.TEXTS - 1))
            else:
                assert way == "none"
                assert each["dims"][0] != each["dims"][1]
    pairs = {(each["from"], each["to"]) for each in found}
    assert pairs == {(b, a) for a, b in pairs}  # both ways
    assert {each["rows"] for each in found} == set(aligned.FITTED)
