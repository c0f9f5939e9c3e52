"""``embdiff encode`` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from embdiff.cli import app

runner = pytest.importorskip("typer.testing").CliRunner()


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("text,id\nthe pier,a\nthe lamp,b\nthe pier,c\n", encoding="utf-8")
    return Path("in.csv")


def test_encode_then_compare(rows: Path) -> None:
    told = runner.invoke(app, ["encode", "in.csv", "-m", "toy:8", "-o", "out.parquet", "--cache", "off"])
    assert told.exit_code == 0, told.output
    assert "3, 8" in told.output
    assert "Use it as a model: -m 'vectors:out.parquet'" in told.output
    assert pq.read_table("out.parquet").column("id").to_pylist() == ["a", "b", "c"]
    again = runner.invoke(app, ["encode", "in.csv", "-m", "toy:8", "-o", "out.parquet", "--cache", "off", "--json"])
    done = json.loads(again.stdout)
    assert (done["reused"], done["rows"], done["kind"], done["as_model"]) == (True, 3, "file", "vectors:out.parquet")
    compared = runner.invoke(
        app,
        ["compare", "out.parquet", "-m", "vectors:out.parquet", "-m", "toy:8", "-k", "1", "--no-baseline", "--json"],
    )
    assert compared.exit_code == 0, compared.output
    scores = json.loads(compared.stdout)["scores"]
    # a and c have one text: which of them is nearest to b is left to chance in either list.
    assert [score["value"] for score in scores if score["measure"] == "overlap@1"] == [pytest.approx(5 / 6)]


def test_a_missing_model_or_output_is_a_usage_error(rows: Path) -> None:
    assert runner.invoke(app, ["encode", "in.csv", "-o", "out"]).exit_code == 2
    assert runner.invoke(app, ["encode", "in.csv", "-m", "toy:8"]).exit_code == 2
