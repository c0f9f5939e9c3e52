"""--common: files of vectors and collections that hold different rows are compared on those that all have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymilvus import MilvusClient

import embdiff as ed
from embdiff.errors import DataError, ParameterError
from embdiff.views.facts import Facts
from embdiff.views.words import caveats

ROWS = 20
VECTORS = np.random.default_rng(8).standard_normal((2, ROWS + 4, 6)).astype(np.float32)
TEXTS = [f"a lantern of {row} panes" for row in range(ROWS + 4)]
CORPUS = [{"id": f"k{row}", "text": TEXTS[row], "group": f"g{row % 2}"} for row in range(ROWS)]
SETTINGS: dict[str, Any] = {"k": 3, "store": "memory:", "layout": "none", "baseline": False, "cache": "off"}


def write(path: Path, rows: Any, model: int, key: str = "_id", prefix: str = "k") -> str:
    values = [f"{prefix}{row}" for row in rows] if key == "_id" else [TEXTS[row] for row in rows]
    pq.write_table(pa.table({key: values, "embedding": VECTORS[model][list(rows)].tolist()}), path)
    return f"vectors:{path}"


def wanted(model: int, rows: list[int]) -> np.ndarray:
    unit = VECTORS[model][rows] / np.linalg.norm(VECTORS[model][rows], axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2)
    return np.argsort(-similarity, axis=1)[:, :3]


@pytest.mark.parametrize("key", ["_id", "text"])
@pytest.mark.parametrize("data", ["ids", "texts alone"])
def test_files_that_overlap_in_part(tmp_path: Path, key: str, data: str) -> None:
    one = write(tmp_path / "one.parquet", range(2, 24), 0, key, "k" if data == "ids" else "")
    other = write(tmp_path / "other.parquet", [*range(15, 4, -1), 0], 1, key, "k" if data == "ids" else "")
    corpus: Any = CORPUS if data == "ids" else TEXTS[:ROWS]
    with pytest.raises(DataError, match="must hold a vector for each of the rows of the corpus"):
        ed.compare(corpus, models=[one, other], **SETTINGS)
    run = ed.compare(corpus, models=[one, other, "toy:4"], common=True, **SETTINGS).run
    rows = list(range(5, 16))
    assert run.corpus.items == tuple(TEXTS[row] for row in rows)
    assert run.corpus.groups == (tuple(f"g{row % 2}" for row in rows) if data == "ids" else None)
    for model in (0, 1):
        np.testing.assert_array_equal(run.answers[model].returned.rows, wanted(model, rows))
    told = f"Compared are the 11 of 20 rows that all have (--common): {one} has 18, {other} has 12."
    assert told in caveats(Facts(run))
    assert run.config.common


def test_a_collection_with_rows_besides(tmp_path: Path) -> None:
    client = MilvusClient("their.db")
    try:
        client.create_collection("docs", dimension=6, id_type="string", max_length=20, metric_type="COSINE")
        client.insert("docs", [{"id": f"k{row}", "vector": VECTORS[0][row].tolist()} for row in range(4, 24)])
        client.flush("docs")
    finally:
        client.close()
    other = write(tmp_path / "other.parquet", range(18), 1)
    models = ["milvus:their.db#docs", other]
    with pytest.raises(DataError, match=r"must hold the same ids.*the collection lacks 4, for example 'k0'"):
        ed.compare(CORPUS, models=models, **SETTINGS)
    run = ed.compare(CORPUS, models=models, common=True, **SETTINGS).run
    rows = list(range(4, 18))
    assert run.corpus.ids == tuple(f"k{row}" for row in rows)
    for model in (0, 1):
        np.testing.assert_array_equal(run.answers[model].returned.rows, wanted(model, rows))
    assert any("14 of 20 rows that all have" in each for each in caveats(Facts(run)))


def test_refusals(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VECTORS[0][:ROWS])
    none = write(tmp_path / "none.parquet", range(20, 24), 0)
    for models, message in (
        ([f"vectors:{tmp_path / 'v.npy'}"], r"found by ids or texts\. Got vectors that are joined by row in vectors:"),
        ([none], r"must be some, of files .* Got vectors:.*none\.parquet has 0, of 20 rows of list\. Check the ids"),
        (["toy:4"], r"Got no such source among the models, of 20 rows"),
    ):
        with pytest.raises(ParameterError, match=message):
            ed.compare(CORPUS, models=models, common=True, **SETTINGS)
