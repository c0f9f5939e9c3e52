"""Mutated files of vectors: each row has the vector that an independent reader finds for it, or all are refused."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import embdiff as ed
from embdiff.sources import get_encoder
from mutations import battery, damaged, read_or_refused

ROWS, DIM = 12, 5
VECTORS = np.random.default_rng(0).standard_normal((ROWS, DIM)).astype(np.float32)
KEYS, TEXTS = [f"k{row}" for row in range(ROWS)], [f"text {row}" for row in range(ROWS)]
NAMES = ("id", "_id", "Doc ID", "key", "text", "Sentence", "")
KINDS = ("table.parquet", "table.parquet", "table.jsonl", "table.jsonl", "batch.jsonl", "plain.npy", "parts")
OF_ROWS = ("none", "row lost", "row twice", "nan", "huge", "bytes", "bytes", "bytes")
OF_TABLES = (
    "no key",
    "no vector",
    "key twice",
    "short",
    "empty",
    "as text",
    "nested",
    "integers",
    "null column",
    "bools",
)
OF = {
    "plain.npy": ("float16", "float64", "big endian", "by columns", "flat", "deep", "objects", "archive", "version 2"),
    "batch.jsonl": ("node", "node", "node", "node", "two vectors", "an error", "no key", "key twice", "field twice"),
    "table.jsonl": (*OF_TABLES, "node", "field twice", "line ends", "old Mac", "mark", "blank lines", "encoding"),
    "table.parquet": (
        *OF_TABLES,
        "fixed",
        "large",
        "view",
        "tensor",
        "halves",
        "dictionary",
        "field twice",
        "not UTF-8",
    ),
    "parts": ("part lost", "part cut", "columns moved", "other columns", "strange file"),
}
PLAIN = {"none", "integers", "float16", "float64", "version 2", "line ends", "old Mac", "mark", "blank lines", "fixed"}
PLAIN |= {"large", "view", "tensor", "halves", "dictionary", "columns moved"}
NAMED = {"no vector", "short", "empty", "nan", "huge"}  # of one row
Cells = tuple[list[Any], list[Any]]


def mutated(rng: random.Random, how: str, keys: list[Any], vectors: list[Any]) -> Cells:
    """Return keys and vectors with the mutation of one row, or of all vectors."""
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
    elif how == "bools":
        vectors = [[value > 0 for value in vector] for vector in vectors]
    elif how == "integers":
        vectors = [[round(100 * value) for value in vector] for vector in vectors]
    elif how == "null column":
        vectors = [None] * len(vectors)
    else:
        wrong = {"no vector": None, "short": [1.0] * rng.randrange(1, 5), "empty": [], "nan": [float("nan")] * DIM}
        vectors[at] = {**wrong, "huge": [1e300] * DIM}.get(how, vectors[at])
    return keys, vectors


def put_in(rng: random.Random, value: Any) -> Any:
    """Return a value of JSON with something else somewhere in it."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.8:
        at = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        value[at] = put_in(rng, value[at])
        return value
    return rng.choice([None, "x", 5, [], {}, True, [None], {"body": 1}, [5, 6]])


def json_lines(rng: random.Random, rows: list[dict[str, Any]], how: str) -> bytes:
    at = rng.randrange(len(rows))
    if how == "node":
        rows[at] = put_in(rng, rows[at])
    lines = [json.dumps(row) for row in rows]
    if how == "field twice":
        lines[at] = f'{{"{next(iter(rows[at]))}": "k0", {lines[at][1:]}'
    text = "\n".join(lines) + "\n"
    text = text.replace("\n", {"line ends": "\r\n", "old Mac": "\r", "blank lines": "\n\n"}.get(how, "\n"))
    return ("\ufeff" * (how == "mark") + text).encode("utf-16" if how == "encoding" else "utf-8")


def batch_line(key: Any, vector: Any, how: str) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": vector}] * (1 + (how == "two vectors"))
    answer = {"status_code": 200, "body": {"object": "list", "data": data, "model": "m"}}
    error = {"code": "late"} if how == "an error" and key == "k3" else None
    return {"id": f"batch_{key}", "custom_id": key, "response": answer, "error": error}


def vector_column(vectors: list[Any], how: str) -> Any:
    """Return vectors as an Arrow column of one of the types that hold such."""
    kinds = {"large": pa.large_list(pa.float64()), "halves": pa.list_(pa.float16()), "view": pa.list_view(pa.float32())}
    if how in ("fixed", "tensor"):
        flat = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(vectors), pa.float32()), DIM)
        kind = pa.fixed_shape_tensor(pa.float32(), (DIM,))
        return flat if how == "fixed" else pa.ExtensionArray.from_storage(kind, flat)
    if how == "halves":
        return pa.array([np.array(vector, np.float16) for vector in vectors], kinds[how])
    return pa.array(vectors, kinds.get(how))


def parquet(rng: random.Random, path: Path, columns: dict[str, list[Any]], how: str) -> None:
    """Write a table, the vectors last."""
    names = list(columns)
    arrays = [pa.array(columns[name]) for name in names[:-1]] + [vector_column(columns[names[-1]], how)]
    if how == "not UTF-8" and len(names) > 1:
        raw = [cell.encode() for cell in columns[names[0]]]
        raw[rng.randrange(len(raw))] += b"\xff"
        buffers = pa.array(raw, pa.binary()).buffers()
        arrays[0] = pa.Array.from_buffers(pa.string(), len(raw), buffers)
    if how == "dictionary":
        arrays = [*(array.dictionary_encode() for array in arrays[:-1]), arrays[-1]]
    if how == "field twice":
        at = rng.randrange(len(names))
        names, arrays = [*names, names[at]], [*arrays, arrays[at]]
    pq.write_table(pa.table(arrays, names=names), path)


def parts(rng: random.Random, folder: Path, columns: dict[str, list[Any]], how: str) -> None:
    """Write a folder of twelve files, numbered without zeros."""
    folder.mkdir()
    for row in range(min(map(len, columns.values()))):
        some = {name: cells[row : row + 1] for name, cells in columns.items()}
        some = dict(reversed(some.items())) if how == "columns moved" and row == 3 else some
        some = {**some, "other": ["x"]} if how == "other columns" and row == 3 else some
        pq.write_table(pa.table(some), folder / f"part_{row}.parquet")
    one = folder / f"part_{rng.randrange(ROWS - 1)}.parquet"
    if how == "part lost":
        one.unlink()
    elif how in ("part cut", "bytes"):
        one.write_bytes(damaged(rng, one.read_bytes()) if how == "bytes" else one.read_bytes()[:-20])
    elif how == "strange file":
        (folder / "notes.parquet").write_text("no table")


def numpy_file(path: Path, vectors: list[Any], how: str) -> None:
    table = np.array(vectors, {"float16": "<f2", "float64": "<f8", "big endian": ">f4"}.get(how, "<f4"))
    if how in ("by columns", "flat", "deep", "objects"):
        changes = {"by columns": np.asfortranarray(table), "flat": table.ravel(), "deep": table[None]}
        table = changes.get(how, table.astype(object))
    if how == "archive":
        with path.open("wb") as handle:
            np.savez(handle, table)
    elif how == "version 2":
        with path.open("wb") as handle:
            np.lib.format.write_array(handle, table, version=(2, 0))
    else:
        np.save(path, table, allow_pickle=True)


def write(rng: random.Random, path: Path, columns: dict[str, list[Any]], how: str) -> None:
    keys, vectors = (next(iter(columns.values())) if len(columns) > 1 else KEYS), list(columns.values())[-1]
    if path.name == "parts":
        parts(rng, path, columns, how)
        return
    if path.suffix == ".npy":
        with np.errstate(over="ignore"):
            numpy_file(path, vectors, how)
    elif path.suffix == ".parquet":
        parquet(rng, path, columns, how)
    elif path.name == "batch.jsonl":
        pairs = zip(keys, vectors, strict=False)
        path.write_bytes(json_lines(rng, [batch_line(key, vector, how) for key, vector in pairs], how))
    else:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        path.write_bytes(json_lines(rng, rows, how))
    if how == "bytes":
        path.write_bytes(damaged(rng, path.read_bytes()))


def cells_of(path: Path, vector_name: str) -> Cells | None:
    """Return what numpy, pandas or json read: keys or texts, where there are any, and vectors."""
    if path.suffix == ".npy":
        return [], list(np.load(path, allow_pickle=False))
    if path.suffix == ".jsonl":
        lines = [line for line in re.split("[\r\n]", path.read_bytes().decode("utf-8-sig")) if line.strip()]
        rows = [json.loads(line) for line in lines]
        if path.name == "batch.jsonl":
            found = [(row["custom_id"], row["response"]["body"]["data"], row["error"]) for row in rows]
            good = all(not error and len(data) == 1 for _, data, error in found)
            return ([key for key, _, _ in found], [data[0]["embedding"] for _, data, _ in found]) if good else None
        frame = pd.DataFrame(rows, dtype=object)
    else:
        files = sorted(path.glob("*.parquet"), key=lambda each: int(each.stem[5:])) if path.is_dir() else [path]
        tables = [pq.read_table(file) for file in files]
        frame = pd.DataFrame(
            {name: [cell for each in tables for cell in each[name].to_pylist()] for name in tables[0].column_names}
        )
    others = [name for name in frame.columns if name != vector_name]
    keys = frame[others[0]].tolist() if others else []
    return keys, frame[vector_name].tolist()


def joined(cells: Cells, by: list[str]) -> npt.NDArray[np.float32] | None:
    """Return the vector of each row, by its key or its place; None where one has none or several."""
    keys, vectors = cells
    if not keys:
        return np.array(vectors).astype(np.float32) if len(vectors) == ROWS else None
    found = {}
    for key, vector in zip(keys, vectors, strict=True):
        if found.setdefault(key, vector) != vector and key in by:
            return None
    if not set(by) <= set(found):
        return None
    return np.array([found[key] for key in by]).astype(np.float32)


def expected(path: Path, vector_name: str, by: list[str]) -> npt.NDArray[np.float32] | None:
    try:
        with np.errstate(all="ignore"):
            cells = cells_of(path, vector_name)
            return None if cells is None else joined(cells, by)
    except Exception:  # whatever a library says of a damaged file
        return None


@battery(400)
def test_every_row_has_its_own_vector_or_none_has(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    kind = rng.choice(KINDS)
    how, path = rng.choice((*OF_ROWS, *OF[kind])), tmp_path / kind
    named = {"plain.npy": ("",), "parts": ("", "id"), "batch.jsonl": ("id",)}.get(kind, NAMES)
    name, vector_name = rng.choice(named), rng.choice(["vector", "Embedding"])
    order = rng.sample(range(ROWS), ROWS) if name else list(range(ROWS))
    of = TEXTS if name in ("text", "Sentence") else KEYS
    keys, vectors = mutated(rng, how, [of[row] for row in order], VECTORS[order].tolist())
    write(rng, path, {**({name: keys} if name else {}), vector_name: vectors}, how)
    rows = ed.read_corpus([{"id": key, "text": text} for key, text in zip(KEYS, TEXTS, strict=True)])

    def read() -> npt.NDArray[np.float32]:
        source = get_encoder(f"vectors:{path}")
        source.prepare(rows)
        return source.encode(rows.items)

    found, said = read_or_refused(read, path)
    if found is None:
        assert how not in PLAIN or name == "key"
        if how in NAMED and name != "key" and kind != "plain.npy":
            assert re.search(r"(line|rows?) \d", said)
        return
    assert name != "key", "a column of text that nobody knows was passed over"
    truth = expected(path, vector_name, of)
    assert truth is not None, "read though an independent reader finds no vector for each row"
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, truth)
