"""Mutated files of vectors: every one gives each row its own vector, or is refused; never a traceback."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff.errors import EmbdiffError
from embdiff.sources import get_encoder

ROWS = 12
VECTORS = np.random.default_rng(0).standard_normal((ROWS, 5)).astype(np.float32)
KEYS, TEXTS = [f"k{row}" for row in range(ROWS)], [f"text {row}" for row in range(ROWS)]
NAMES = ("id", "_id", "Doc ID", "key", "text", "Sentence", "")
MUTATIONS = (
    *("none", "no key", "no vector", "key twice", "short", "empty", "nan", "huge", "row lost", "row twice", "as text"),
    *("nested", "integers", "null column", "bytes"),
)
REFUSED_ALWAYS = {"no vector", "short", "empty", "nan", "huge", "row lost", "as text", "nested", "null column"}


def mutated(rng: random.Random, how: str, keys: list[Any], vectors: list[Any]) -> tuple[list[Any], list[Any]]:
    at = rng.randrange(ROWS)
    if how == "no key":
        keys[at] = None
    elif how == "key twice":
        keys[at] = keys[at - 1]
    elif how in ("row lost", "row twice"):
        keys[at : at + 1], vectors[at : at + 1] = ([each[at]] * (2 * (how == "row twice")) for each in (keys, vectors))
    elif how == "as text":
        vectors = [str(vector) for vector in vectors]
    elif how == "nested":
        vectors = [[vector] for vector in vectors]
    elif how == "integers":
        vectors = [[round(100 * value) for value in vector] for vector in vectors]
    elif how == "null column":
        vectors = [None] * ROWS
    else:
        wrong = {"no vector": None, "short": [1.0] * rng.randrange(1, 5), "empty": [], "nan": [float("nan")] * 5}
        vectors[at] = {**wrong, "huge": [1e300] * 5}.get(how, vectors[at])
    return keys, vectors


def write(path: Path, columns: dict[str, list[Any]]) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        rows = zip(*columns.values(), strict=True)
        path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))


def damaged(rng: random.Random, path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for _ in range(rng.randrange(1, 6)):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    path.write_bytes(raw[: rng.randrange(len(raw)) if rng.random() < 0.3 else len(raw)])


def joined(path: Path, rows: ed.Corpus) -> np.ndarray | str:
    """Return the vectors of the rows, or why they are refused."""
    try:
        source = get_encoder(f"vectors:{path}")
        source.prepare(rows)
        return source.encode(rows.items)
    except EmbdiffError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(200))
def test_every_row_has_its_own_vector_or_none_has(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    how, name, path = rng.choice(MUTATIONS), rng.choice(NAMES), tmp_path / rng.choice(["v.parquet", "v.jsonl"])
    order = rng.sample(range(ROWS), ROWS) if name else list(range(ROWS))
    of = TEXTS if name in ("text", "Sentence") else KEYS
    keys, vectors = mutated(rng, how, [of[row] for row in order], VECTORS[order].tolist())
    write(path, {**({name: keys} if name else {}), rng.choice(["vector", "Embedding"]): vectors})
    if how == "bytes":
        damaged(rng, path)
    rows = ed.read_corpus([{"id": key, "text": text} for key, text in zip(KEYS, TEXTS, strict=True)])
    found = joined(path, rows)
    if isinstance(found, str):
        assert len(found) < 600
        assert how != "none" or name == "key"
        return
    assert name != "key", "a column of text that nobody knows was passed over"
    if how != "bytes":  # a number that was changed is a number
        truth = np.round(100 * VECTORS.astype(np.float64)).astype(np.float32) if how == "integers" else VECTORS
        assert how not in REFUSED_ALWAYS
        np.testing.assert_array_equal(found, truth)
