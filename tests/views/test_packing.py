"""The block that the page reads says the same as the tables and the JSON of the run."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import numpy as np
import pytest

import embdiff as ed
from embdiff.views import drawn
from embdiff.views.packing import pack


def unpacked(run: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header of a packed run, and each of its top-level arrays by name."""
    head, body = block_of(run)
    places = {name: place for name, place in head.items() if isinstance(place, dict) and "dtype" in place}
    return head, {name: array_of(run, place, body) for name, place in places.items()}


def block_of(run: Any) -> tuple[dict[str, Any], bytes]:
    block = gzip.decompress(pack(run))
    length = struct.unpack("<I", block[:4])[0]
    return json.loads(block[4 : 4 + length]), block[4 + length :]


def array_of(run: Any, place: dict[str, Any], body: bytes | None = None) -> Any:
    """Return an array of the block, wherever it is named."""
    planes = np.frombuffer(body or block_of(run)[1], np.uint8, place["bytes"], place["offset"])
    kind = np.dtype(place["dtype"])
    return np.ascontiguousarray(planes.reshape(kind.itemsize, -1).T).view(kind).reshape(place["shape"])


@pytest.mark.parametrize(
    ("models", "answers"),
    [
        (["toy:8", "toy:16"], ["toy:8", "toy:16"]),
        (["toy:8", "toy:16", "bm25"], ["toy:8", "toy:16", "bm25"]),
        (["toy:8"], ["toy:8", "bm25"]),
    ],
    ids=["beside", "named", "one"],
)
def test_the_page_and_the_tables_call_the_same_queries_disputed(models, answers):
    result = ed.compare("sample", models, k=4, store="memory:")
    head, arrays = unpacked(result.run)
    told = result.to_dict()["disagreement"]
    wanted = {query["row"]: query["value"] for query in told["queries"]}
    assert len(wanted) == 52
    assert np.allclose(arrays["disagreement"], [wanted[row] for row in range(52)])
    assert {name for pair in told["pairs"] for name in pair["models"]} == set(answers)
    assert [answer["model"] for answer in head["answers"]] == answers


def test_one_collection_and_nobody_beside_it_disputes_nothing():
    result = ed.compare("sample", ["toy:8"], k=4, store="memory:", baseline=False)
    head, arrays = unpacked(result.run)
    assert np.isnan(arrays["disagreement"]).all()
    assert [answer["model"] for answer in head["answers"]] == ["toy:8"]
    assert result.to_dict()["disagreement"] is None


def test_each_answer_says_what_its_distances_are():
    result = ed.compare("sample", ["toy:8", "bm25"], k=4, metric="l2", store="memory:")
    head, _ = unpacked(result.run)
    assert [answer["distance_word"] for answer in head["answers"]] == ["squared L2", "BM25 score"]


def test_of_very_many_rows_those_that_lists_need_are_there_and_others_drawn_by_the_seed(monkeypatch):
    """Texts, maps, groups, parts and lists still speak of the same rows, by their ids."""
    groups = [f"g{row % 3}" for row in range(52)]
    result = ed.compare(
        "sample", ["toy:8", "toy:16"], k=3, queries="rows:0,7,51", groups=groups, store="memory:", baseline=False
    )
    run, whole = result.run, unpacked(result.run)
    assert (whole[0]["rows"], whole[0]["drawn"], len(whole[0]["items"]["ids"])) == (52, "", 52)
    monkeypatch.setattr(drawn, "MOST_ROWS", 30)
    head, arrays = unpacked(run)
    again, _ = unpacked(run)
    ids = head["items"]["ids"]
    assert ids == again["items"]["ids"]
    assert len(ids) == 30
    needed = {0, 7, 51} | {row for answer in run.answers for row in answer.returned.rows.ravel().tolist()}
    assert {run.corpus.ids[row] for row in needed} <= set(ids)
    assert f"30 of 52 rows drawn: {len(needed)} that ask or are returned" in head["drawn"]
    assert all(each["about"].startswith("30 of 52 rows drawn") for each in head["maps"])
    rows = [run.corpus.ids.index(each) for each in ids]
    assert head["items"]["texts"] == [run.corpus.items[row] for row in rows]
    assert head["items"]["groups"] == [groups[row] for row in rows]
    assert len(arrays["row_disagreement"]) == 30
    for place, answer in zip(head["answers"], run.answers, strict=True):
        assert place["rows"]["shape"] == list(answer.returned.rows.shape)
    lists = {name: array_of(run, place["rows"]) for name, place in zip(("a", "b"), head["answers"], strict=True)}
    for found, answer in zip(lists.values(), run.answers, strict=True):
        assert [[ids[at] for at in line] for line in found] == [[run.corpus.ids[row] for row in line] for line in answer.returned.rows]  # fmt: skip
    assert [ids[at] for at in array_of(run, head["queries"]["rows"])] == list(run.queries.ids)
    names = head["parts"]["names"]
    assert [names[at] for at in array_of(run, head["parts"]["of_row"])] == head["items"]["groups"]


def test_a_row_that_is_not_drawn_has_the_place_after_all_others():
    rows = drawn.Drawn(np.array([2, 5, 9]), 12)
    assert rows.places([[5, -1], [3, 9], [11, 2]]).tolist() == [[1, -1], [3, 2], [3, 0]]
    assert rows.of(list("abcdefghijkl")) == ["c", "f", "j"]
