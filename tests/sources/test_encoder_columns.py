"""Whose vectors a table holds: found by names that corpora know, by names that are given, or said to be by row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff._names import by_number
from embdiff.bulk import encode_corpus
from embdiff.errors import DataError, EmbdiffError, EncoderError, ParameterError, UnknownNameError
from embdiff.sources import get_encoder
from embdiff.views.facts import Facts
from embdiff.views.words import caveats

ROWS = 24
VECTORS = np.random.default_rng(5).standard_normal((ROWS, 6)).astype(np.float32)
ORDER = np.random.default_rng(6).permutation(ROWS)
TEXTS = [f"the tale of lamp {row}" for row in range(ROWS)]
KEYS = [f"k-{row}" for row in range(ROWS)]


def corpus(ids: bool = True) -> ed.Corpus:
    return ed.read_corpus(
        [{"text": text, **({"id": key} if ids else {})} for text, key in zip(TEXTS, KEYS, strict=True)]
    )


def table(path: Path, columns: dict[str, Any], vectors: str = "vector", order: Any = ORDER) -> Path:
    """Write rows in another order than that of the corpus."""
    shuffled = {name: [values[row] for row in order] for name, values in columns.items()}
    pq.write_table(pa.table({**shuffled, vectors: VECTORS[order].tolist()}), path)
    return path


def joined(spec: str, rows: ed.Corpus) -> tuple[Any, np.ndarray]:
    source = get_encoder(spec)
    source.prepare(rows)
    return source.about["joined"], source.encode(rows.items)


@pytest.mark.parametrize(
    ("columns", "vectors", "how"),
    [
        ({"_id": KEYS}, "embedding", "id"),
        ({"Doc-ID": KEYS, "price": range(ROWS)}, "Embeddings", "id"),
        ({"sentence": TEXTS}, "emb", "text"),
        ({"Passage": TEXTS, "likes": range(ROWS)}, "vector", "text"),
        ({"passage_id": KEYS, "content": TEXTS}, "openai", "id"),
    ],
)
def test_columns_are_found_by_the_names_that_corpora_know(
    tmp_path: Path, columns: dict[str, Any], vectors: str, how: str
) -> None:
    path = table(tmp_path / "v.parquet", columns, vectors)
    found, values = joined(f"vectors:{path}", corpus())
    assert found == how
    np.testing.assert_array_equal(values, VECTORS)


def test_a_column_of_text_that_nobody_knows_is_never_passed_over(tmp_path: Path) -> None:
    path = table(tmp_path / "v.parquet", {"schluessel": KEYS, "n": range(ROWS)})
    with pytest.raises(DataError, match=r"must say whose vectors it holds.*Got text in 'schluessel'.*\?id=none takes"):
        joined(f"vectors:{path}", corpus())
    assert joined(f"vectors:{path}?id=none", corpus())[0] == "row"
    found, values = joined(f"vectors:{path}?id=schluessel", corpus())
    assert found == "id"
    np.testing.assert_array_equal(values, VECTORS)
    with pytest.raises(UnknownNameError, match=r"The column id= must be in .*v\.parquet\. Got 'schlussel'\. Did you"):
        get_encoder(f"vectors:{path}?id=schlussel")


@pytest.mark.parametrize("ids", [True, False])
def test_a_title_before_the_text_is_no_other_text(tmp_path: Path, ids: bool) -> None:
    titles = [f"Lamp {row}" if row % 3 else "" for row in range(ROWS)]
    whole = [f"{title} {text}".strip() for title, text in zip(titles, TEXTS, strict=True)]
    path = table(
        tmp_path / "v.parquet",
        {"_id": KEYS, "title": titles, "text": TEXTS} if ids else {"Title": titles, "text": TEXTS},
    )
    for texts in (TEXTS, whole):
        rows = ed.read_corpus([{"text": text, "id": key} for text, key in zip(texts, KEYS, strict=True)])
        found, values = joined(f"vectors:{path}", rows)
        assert found == ("id" if ids else "text")
        np.testing.assert_array_equal(values, VECTORS)
    with pytest.raises(DataError, match="lacks the texts of 16 rows" if not ids else "another text for 16 ids"):
        joined(f"vectors:{path}?text=text", rows)


def test_given_names_win(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    other = (VECTORS[ORDER] + 1).tolist()
    named = {"id": ["x"] * ROWS, "key": [KEYS[row] for row in ORDER], "vector": other, "mine": VECTORS[ORDER].tolist()}
    pq.write_table(pa.table(named), path)
    found, values = joined(f"vectors:{path}?id=key&vector=mine", corpus())
    assert found == "id"
    np.testing.assert_array_equal(values, VECTORS)
    np.save(tmp_path / "v.npy", VECTORS)
    with pytest.raises(ParameterError, match=r"Columns must only be named of files that have some\. Got id for"):
        get_encoder(f"vectors:{tmp_path / 'v.npy'}?id=key")
    clear = table(tmp_path / "c.parquet", {"ID": KEYS, "Id": KEYS})
    with pytest.raises(DataError, match=r"must be plain from its name\. Got 'ID', 'Id' in .*alike but for case"):
        get_encoder(f"vectors:{clear}")


def test_a_row_without_an_id_is_nobody(tmp_path: Path) -> None:
    path = table(tmp_path / "v.parquet", {"id": [None, *KEYS[1:]]})
    rows = ed.read_corpus([{"text": TEXTS[0], "id": "None"}, {"text": TEXTS[1], "id": KEYS[1]}])
    at = int(np.flatnonzero(ORDER == 0)[0])
    with pytest.raises(DataError, match=f"it has no id in row {at}"):
        joined(f"vectors:{path}", rows)


NAMES = [f"part_{part}.parquet" for part in range(12)]


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (NAMES[::-1], NAMES),
        (["s-9", "s-10", "s-100", "s-11"], ["s-9", "s-10", "s-11", "s-100"]),
        (["x2y10", "x2y9", "x10y1"], ["x2y9", "x2y10", "x10y1"]),
        (["b", "a", "10", "9"], ["9", "10", "a", "b"]),
    ],
)
def test_numbers_in_names_are_numbers(names: list[str], ordered: list[str]) -> None:
    assert [path.name for path in by_number(map(Path, names))] == ordered


def shards(folder: Path, columns: Callable[[int], dict[str, Any]] = lambda _row: {}) -> Path:
    folder.mkdir()
    for row, name in enumerate(NAMES):
        pq.write_table(pa.table({**columns(row), "vector": VECTORS[row : row + 1].tolist()}), folder / name)
    return folder


def test_shards_without_ids_are_rows_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder, rows = shards(tmp_path / "shards"), ed.read_corpus(TEXTS[:12])
    found, values = joined(f"vectors:{folder}", rows)
    assert found == "row"
    np.testing.assert_array_equal(values, VECTORS[:12])
    frames = shards(tmp_path / "texts", lambda row: {"text": [TEXTS[row]]})
    encode_corpus(frames, "toy:4", tmp_path / "out.parquet", cache="off")  # numbers the rows in that order, too
    assert pq.read_table(tmp_path / "out.parquet")["text"].to_pylist() == TEXTS[:12]


def test_the_first_file_does_not_speak_for_all(tmp_path: Path) -> None:
    folder = shards(tmp_path / "some", lambda row: {"id": [KEYS[row]]} if row < 7 else {})
    with pytest.raises(
        DataError, match=r"must have the same columns\. Got 'vector', 'id' in .*part_0\.parquet and 'vec"
    ):
        get_encoder(f"vectors:{folder}")
    lacks = shards(tmp_path / "lacks")
    pq.write_table(pa.table({"vector": pa.array([[1.0] * 5], pa.list_(pa.float32(), 5))}), lacks / "part_7.parquet")
    with pytest.raises(EncoderError, match=r"must hold 6 numbers in every vector\. Got 5 numbers in row 0 of part_7"):
        joined(f"vectors:{lacks}", ed.read_corpus(TEXTS[:12]))
    empty = shards(tmp_path / "empty")
    pq.write_table(pa.table({"vector": pa.array([], pa.null())}), empty / "part_99.parquet")
    np.testing.assert_array_equal(joined(f"vectors:{empty}", ed.read_corpus(TEXTS[:12]))[1], VECTORS[:12])


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_view(pa.float32())])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({0: None}, r"Got null in row 0 \(id 'k-0'\)"),
        ({5: None}, r"Got null in row 5 \(id 'k-5'\)"),
        ({0: []}, r"Got an empty vector in row 0 \(id 'k-0'\)"),
        ({7: [1.0]}, r"Got 1 number in row 7"),
        ({7: [None] * 6}, r"Got a null among the numbers in row 7"),
        ({9: [float("inf")] * 6}, r"Got NaN or infinity in row 9 \(id 'k-9'\)"),
        (dict.fromkeys(range(ROWS)), r"Got 24 rows of v\.parquet with none: the column 'vector' is null or empty"),
        ({row: [] for row in range(ROWS)}, r"Got 24 rows of v\.parquet with none"),
    ],
)
def test_the_row_without_a_vector_is_named(tmp_path: Path, kind: Any, wrong: dict[int, Any], message: str) -> None:
    values = [wrong.get(row, VECTORS[row].tolist()) for row in range(ROWS)]
    pq.write_table(pa.table({"id": KEYS, "vector": pa.array(values, kind)}), tmp_path / "v.parquet")
    with pytest.raises(EmbdiffError, match=message):
        joined(f"vectors:{tmp_path / 'v.parquet'}", corpus())


WHOLE = np.clip(VECTORS * 40, -128, 127).astype(np.int8)
BYTES = np.abs(WHOLE.astype(np.int16)).astype(np.uint8)


@pytest.mark.parametrize(
    ("cells", "truth"),
    [
        (pa.array(WHOLE.tolist(), pa.list_(pa.int8())), WHOLE),
        (pa.array(BYTES.tolist(), pa.list_(pa.uint8(), 6)), BYTES),
        (pa.array(VECTORS.astype("f8").tolist(), pa.list_(pa.float64())), VECTORS),
        (pa.array(VECTORS.tolist(), pa.large_list_view(pa.float32())), VECTORS),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(VECTORS), VECTORS),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(WHOLE), WHOLE),
    ],
    ids=["int8", "uint8", "float64", "list view", "tensor", "tensor of int8"],
)
def test_numbers_of_every_kind_are_taken(tmp_path: Path, cells: Any, truth: np.ndarray) -> None:
    pq.write_table(pa.table({"id": KEYS, "vector": cells}), tmp_path / "v.parquet")
    source = get_encoder(f"vectors:{tmp_path / 'v.parquet'}")
    source.prepare(corpus())
    np.testing.assert_array_equal(source.encode(corpus().items), truth.astype(np.float32))
    assert source.about.get("numbers") == ("uint8" if truth is BYTES else None)


@pytest.mark.parametrize("truth", [WHOLE, BYTES], ids=["int8", "uint8"])
def test_integers_of_numpy(tmp_path: Path, truth: np.ndarray) -> None:
    np.save(tmp_path / "v.npy", truth)
    np.testing.assert_array_equal(joined(f"vectors:{tmp_path / 'v.npy'}", corpus())[1], truth.astype(np.float32))


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([row.tobytes() for row in VECTORS], "binary"),
        ([str(row.tolist()) for row in VECTORS], "string"),
        ([[str(value) for value in row] for row in VECTORS], "list<"),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(VECTORS.reshape(-1, 2, 3)), "fixed_shape_tensor"),
    ],
)
def test_the_type_is_named_where_it_is_what_is_wrong(tmp_path: Path, cells: Any, kind: str) -> None:
    pq.write_table(pa.table({"id": KEYS, "vector": cells}), tmp_path / "v.parquet")
    with pytest.raises(
        DataError, match=rf"must hold lists of numbers\. Got 'vector' of type .*{kind}.*Write it as lists"
    ):
        get_encoder(f"vectors:{tmp_path / 'v.parquet'}")
    integers = pa.table({"id": KEYS, "input_ids": [[1, 2]] * ROWS})  # which are no vectors
    pq.write_table(integers, tmp_path / "i.parquet")
    with pytest.raises(DataError, match="One column must hold the vectors"):
        get_encoder(f"vectors:{tmp_path / 'i.parquet'}")


def lines(path: Path, objects: list[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(each)}\n" for each in objects))
    return path


def batch(row: int, **other: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": VECTORS[row].tolist()}]
    answer = {"status_code": 200, "request_id": "r", "body": {"object": "list", "data": data, "model": "m"}}
    return {"id": f"batch_{row}", "custom_id": KEYS[row], "response": answer, "error": None, **other}


def several(name: str, rows: list[int], places: list[int]) -> dict[str, Any]:
    data = [{"index": at, "embedding": VECTORS[row].tolist()} for row, at in zip(rows, places, strict=True)]
    return {"custom_id": name, "response": {"status_code": 200, "body": {"data": data}}, "error": None}


def test_several_texts_of_a_request_of_a_batch(tmp_path: Path) -> None:
    half = len(VECTORS) // 2
    first, rest = list(range(half)), list(range(half, len(VECTORS)))
    path = lines(
        tmp_path / "b.jsonl", [several("r2", rest[::-1], list(range(len(rest)))[::-1]), several("r1", first, first)]
    )
    names = [*(f"r1/{at}" for at in first), *(f"r2/{at}" for at in range(len(rest)))]
    rows = ed.read_corpus([{"text": text, "id": name} for text, name in zip(TEXTS, names, strict=True)])
    found, values = joined(f"vectors:{path}", rows)
    assert found == "id"
    np.testing.assert_array_equal(values, VECTORS)


def test_json_lines(tmp_path: Path) -> None:
    path = lines(tmp_path / "v.jsonl", [{"_id": KEYS[row], "embedding": VECTORS[row].tolist()} for row in ORDER])
    found, values = joined(f"vectors:{path}", corpus())
    assert found == "id"
    np.testing.assert_array_equal(values, VECTORS)
    path = lines(tmp_path / "b.jsonl", [batch(row) for row in ORDER])
    found, values = joined(f"vectors:{path}", corpus())
    assert found == "id"
    np.testing.assert_array_equal(values, VECTORS)
    by_row = lines(tmp_path / "r.ndjson", [{"embedding": row.tolist(), "meta": {"a": 1}} for row in VECTORS])
    assert joined(f"vectors:{by_row}", corpus())[0] == "row"


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([{"id": "k-0", "vector": [1, 2]}, {"id": "k-1"}], r"Got null in line 2 \(id 'k-1'\)"),
        ([{"id": "k-0", "vector": [1, 2]}, {"id": "k-1", "vector": [1]}], r"Got 1 number in line 2 \(id 'k-1'\)"),
        ([{"id": "k-0", "vector": [1, "2"]}], r"Every vector must be a list of numbers\. Got .* at line 1 of"),
        ([["k-0", 1, 2]], r"must be a JSON object\. Got list .* at line 1 of"),
        ([batch(0), batch(1, error={"code": "x"})], r"Got an error \(status 200\) at line 2 of .* custom_id 'k-1'"),
        ([batch(0), batch(1, response=None)], r"Got 0 vectors, with the indexes .* at line 2"),
        ([batch(0), batch(1, response="late")], r"Got 0 vectors, with the indexes .* at line 2"),
        ([batch(0), batch(1, response={"body": [5]})], r"Got 0 vectors, with the indexes .* at line 2"),
        ([batch(0), batch(1, response={"body": {"data": ["x"]}})], r"Got null in line 2 \(id 'k-1'\)"),
        ([{"id": "k-0", "vector": [1, 2]}, {"id": {"$oid": 1}, "vector": [1, 2]}], "it has no id in line 2"),
        ([{"id": {"$oid": row}, "vector": [1, 2]} for row in (0, 1)], "it has no id in line 1"),
        ([{"key": "k-0", "vector": [1, 2]}, {"key": ["k-1"], "vector": [1, 2]}], "Got text in 'key'"),
        ([batch(0), batch(1, response=None)], r"Got 0 vectors.* \(status None\) at line 2"),
        ([several("r", [0, 1], [0, 2])], r"Got 2 vectors, with the indexes \[0, 2\] \(status 200\) at line 1"),
        ([], "must hold at least one"),
    ],
)
def test_what_is_no_json_of_vectors_is_refused(tmp_path: Path, objects: list[Any], message: str) -> None:
    path = lines(tmp_path / "v.jsonl", objects)
    rows = ed.read_corpus([{"text": text, "id": key} for text, key in zip(TEXTS[:2], KEYS[:2], strict=True)])
    with pytest.raises(EmbdiffError, match=message):
        joined(f"vectors:{path}", rows)


def test_a_key_or_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_text('{"id": "k-0", "vector": [1, 2], "id": "k-1"}\n')
    with pytest.raises(DataError, match=r"the key 'id' stands in an object twice at line 1 of .*v\.jsonl"):
        get_encoder(f"vectors:{tmp_path / 'v.jsonl'}")
    vectors = pa.array(VECTORS.tolist())
    pq.write_table(
        pa.table([pa.array(KEYS), vectors, vectors], names=["id", "vector", "vector"]), tmp_path / "v.parquet"
    )
    with pytest.raises(DataError, match=r"Got 'vector' more than once in .*v\.parquet"):
        get_encoder(f"vectors:{tmp_path / 'v.parquet'}")


def test_any_damaged_part_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for part in range(3):
        table(tmp_path / "parts" / f"{part}.parquet", {"id": KEYS})
    raw = (tmp_path / "parts" / "2.parquet").read_bytes()
    for damaged in (raw[:-20], raw[:-60] + bytes(30) + raw[-30:]):
        (tmp_path / "parts" / "2.parquet").write_bytes(damaged)
        with pytest.raises(DataError, match=r"must be whole\. Got .*2\.parquet") as caught:
            get_encoder(f"vectors:{tmp_path / 'parts'}")
        assert "\n" not in str(caught.value)


def test_text_that_is_not_utf8_is_named_by_its_row(tmp_path: Path) -> None:
    keys = [key.encode() + b"\xff" * (key == "k-5") for key in KEYS]
    column = pa.Array.from_buffers(pa.string(), ROWS, pa.array(keys, pa.binary()).buffers())
    pq.write_table(pa.table({"id": column, "vector": VECTORS.tolist()}), tmp_path / "v.parquet")
    with pytest.raises(DataError, match=r"Column 'id' of .*v\.parquet must be readable\. Got text .* UTF-8 in row 5"):
        joined(f"vectors:{tmp_path / 'v.parquet'}", corpus())


def test_vectors_are_refused_before_a_text_is_encoded(tmp_path: Path) -> None:
    def never(texts: list[str]) -> np.ndarray:
        raise AssertionError("a text was encoded")

    vectors = [None if row == 3 else VECTORS[row].tolist() for row in range(ROWS)]
    pq.write_table(pa.table({"id": KEYS, "vector": vectors}), tmp_path / "v.parquet")
    rows = [{"text": text, "id": key} for text, key in zip(TEXTS, KEYS, strict=True)]
    with pytest.raises(EncoderError, match=r"Got null in row 3 \(id 'k-3'\)"):
        ed.compare(rows, models=[never, f"vectors:{tmp_path / 'v.parquet'}"], k=3, store="memory:", cache="off")


def test_the_run_says_what_is_joined_by_row_and_asks_about_the_order(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", VECTORS)
    np.save(tmp_path / "other.npy", VECTORS[ORDER])
    same = table(tmp_path / "same.parquet", {"id": KEYS})
    specs = [f"vectors:{tmp_path / name}" for name in ("one.npy", "other.npy")] + [f"vectors:{same}"]
    rows = [{"text": text, "id": key} for text, key in zip(TEXTS, KEYS, strict=True)]

    def told(models: list[str]) -> str:
        result = ed.compare(rows, models=models, k=3, store="memory:", cache="off", layout="none", baseline=False)
        return "\n".join(caveats(Facts(result.run)))

    apart, alike = told(specs[:2]), told([specs[0], specs[2]])
    assert f"Joined by row, as nothing there says whose the vectors are: {specs[0]}, {specs[1]}." in apart
    assert "agreement cannot be told from chance, and the vectors are joined by row. Are they in the order" in apart
    assert f"are: {specs[0]}. Vector i" in alike
    assert "order of the corpus" not in alike
