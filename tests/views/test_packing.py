"""The block that the page reads says the same as the tables and the JSON of the run."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import numpy as np
import pytest

import embdiff as ed
from embdiff.views.packing import pack


def unpacked(run: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header of a packed run, and each of its top-level arrays by name."""
    block = gzip.decompress(pack(run))
    length = struct.unpack("<I", block[:4])[0]
    head, body = json.loads(block[4 : 4 + length]), block[4 + length :]

    def array(place: dict[str, Any]) -> Any:
        planes = np.frombuffer(body, np.uint8, place["bytes"], place["offset"])
        kind = np.dtype(place["dtype"])
        return np.ascontiguousarray(planes.reshape(kind.itemsize, -1).T).view(kind).reshape(place["shape"])

    return head, {name: array(place) for name, place in head.items() if isinstance(place, dict) and "dtype" in place}


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
