"""The report's data and words: exactly the run's neighbours, escaped, honest, within its limits."""

from __future__ import annotations

import gzip
import json
import re
import struct
from typing import Any

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import MissingDependencyError, ParameterError
from embdiff.views import packing, report, story

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\u202egnihton\u202c",
    '=HYPERLINK("http://x")',
    "]]>--><!--",
    "x" * 5_000,
]

needs_page = pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")


def unpacked(block: bytes) -> tuple[dict[str, Any], Any]:
    """Read a block as the page does."""
    raw = gzip.decompress(block)
    length = struct.unpack("<I", raw[:4])[0]
    head, body = json.loads(raw[4 : 4 + length]), raw[4 + length :]

    def array(ref: dict[str, Any]) -> np.ndarray:
        kind = np.dtype(ref["dtype"])
        planes = np.frombuffer(body[ref["offset"] : ref["offset"] + ref["bytes"]], np.uint8).reshape(kind.itemsize, -1)
        return np.ascontiguousarray(planes.T).view(kind).reshape(ref["shape"])

    return head, array


@pytest.fixture(scope="module")
def result() -> ed.Comparison:
    return ed.compare("sample", ["toy:16", "toy:64", "toy:8"], k=4, store="memory:")


def test_the_page_carries_exactly_the_neighbours_of_the_run(result):
    head, array = unpacked(packing.pack(result.run))
    assert [answer["model"] for answer in head["answers"]] == [answer.model for answer in result.run.answers]
    for packed, answer in zip(head["answers"], result.run.answers, strict=True):
        assert np.array_equal(array(packed["rows"]), answer.returned.rows)
        assert np.allclose(array(packed["distance"]), answer.returned.distance, rtol=2**-14, atol=0)
        assert np.array_equal(array(packed["elsewhere"]["rows"]), answer.elsewhere.rows)
        assert np.array_equal(array(packed["elsewhere"]["ranks"]), answer.elsewhere.ranks)
    assert head["items"]["ids"] == list(result.run.corpus.ids)
    assert np.array_equal(array(head["queries"]["rows"]), np.arange(52))
    assert array(head["disagreement"]).shape == (52,)


def test_queries_from_elsewhere_carry_their_own_texts():
    asked = ed.compare("sample", ["toy:16"], queries=["one question", "another"], k=2, store="memory:", baseline=False)
    head, array = unpacked(packing.pack(asked.run))
    assert head["queries"]["rows"] is None
    assert head["queries"]["texts"] == ["one question", "another"]
    assert np.isnan(array(head["disagreement"])).all()


def test_long_texts_are_cut_and_their_length_is_told():
    made = ed.compare(HOSTILE, ["toy:8", "toy:16"], k=2, store="memory:")
    head, _ = unpacked(packing.pack(made.run))
    assert head["items"]["texts"][5].endswith("… (5,000 characters)")
    assert head["items"]["lengths"][5] == 5_000
    assert "\u202e" not in json.dumps(head, ensure_ascii=False)


@needs_page
def test_the_page_forbids_every_connection_and_holds_no_markup_of_the_user():
    made = ed.compare(HOSTILE, ["toy:8", "toy:16"], k=2, store="memory:", groups=["<i>g</i>"] * 3 + ["h"] * 3)
    html = report.page(made.run)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "connect-src 'none'" in policy[1]
    assert "'unsafe-inline'" not in policy[1].split("script-src")[1].split(";")[0]
    assert html.count("<script") == 2
    assert "alert(1)" not in html
    assert "http://x" not in html


@needs_page
def test_the_report_is_part_of_a_run_and_can_be_written_again(tmp_path, embdiff):
    ed.compare("sample", ["toy:16", "toy:64"], k=3, store="memory:", out=tmp_path / "run")
    first = (tmp_path / "run" / "report.html").read_bytes()
    done = embdiff("report", str(tmp_path / "run"), "-o", str(tmp_path / "again.html"))
    assert done.code == 0
    assert str(tmp_path / "again.html") in done.out
    assert (tmp_path / "again.html").read_bytes() == first
    assert ed.load(tmp_path / "run").to_html() == tmp_path / "run" / "report.html"


def test_refusals_of_a_report(tmp_path, result, embdiff, monkeypatch):
    with pytest.raises(ParameterError, match=r"A report of a run without a folder needs a file name. Got none."):
        result.to_html()
    if report.is_built():
        with pytest.raises(ParameterError, match="A report must be written into a folder that is there"):
            result.to_html(tmp_path / "no" / "such" / "report.html")
    done = embdiff("report", str(tmp_path))
    assert done.code == 2
    assert "A run must be a folder" in done.err
    monkeypatch.setattr(report, "SCRIPT", "gone.js")
    assert not report.is_built()
    with pytest.raises(MissingDependencyError, match=r"The page needs gone\.js, which is built when embdiff is packed"):
        result.to_html(tmp_path / "report.html")


def test_the_words_of_the_report_take_no_side(result):
    found = result.run.headline
    words = " ".join((found.sentence, *found.more, *story.group_words(result.facts(0)))).lower()
    for word in ("better", "worse", "best", "winner", "superior"):
        assert word not in words
    assert "weak labels" in words
    assert "chance" in words


def test_one_model_and_one_query_are_enough():
    small = ed.compare(["one", "two"], ["toy:4"], queries="first:1", k=1, store="memory:", baseline=False)
    head, _ = unpacked(packing.pack(small.run))
    assert "nothing to agree or disagree with" in head["headline"]["sentence"]


def test_distances_keep_five_digits_and_undefined_ones():
    values = np.array([0.0, 1.0, -3.14159274, 1e-7, np.nan, 123456.78], dtype=np.float32)
    rounded = packing._rounded(values)
    assert np.isnan(rounded[4])
    assert np.allclose(rounded[[0, 1, 2, 3, 5]], values[[0, 1, 2, 3, 5]], rtol=2**-14, atol=0)
