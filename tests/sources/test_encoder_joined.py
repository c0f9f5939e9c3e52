"""Ready vectors in Parquet: found by id, by text or by row, checked, and left on disk when memory is too small."""

import gc
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.errors import DataError, EncoderError, ParameterError
from embdiff.exact import _file
from embdiff.sources import get_encoder

TEXTS = [f"row {row} of {row % 7}" for row in range(60)]
IDS = [f"i{row}" for row in range(60)]


def corpus(order=range(60), ids=True):
    return ed.read_corpus([{"text": TEXTS[row], **({"id": IDS[row]} if ids else {})} for row in order])


@pytest.fixture
def file(tmp_path):
    encode_corpus(corpus(), "toy:8", tmp_path / "given.parquet", part_rows=7)
    return tmp_path / "given.parquet"


def joined(path, rows):
    encoder = get_encoder(f"vectors:{path}")
    encoder.fit(rows.items, rows.digest(), rows.ids)
    return encoder, encoder.encode(rows.items)


def table(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def expected(order):
    return get_encoder("toy:8").encode([TEXTS[row] for row in order])


@pytest.mark.parametrize(("order", "ids", "how"), [
    (range(60), True, "id"), (range(59, -1, -3), True, "id"), (range(60), False, "text"), ([5, 50, 5, 7], False, "text"),
])  # fmt: skip
def test_rows_are_found_by_id_or_by_text(file, order, ids, how):
    encoder, vectors = joined(file, corpus(order, ids))
    np.testing.assert_array_equal(vectors, expected(order))
    assert encoder.about == {"vectors_of": "toy:8", "role": "document", "joined": how}


def test_swapped_ids_do_not_swap_vectors(file):
    rows = ed.read_corpus([{"text": TEXTS[1], "id": "i0"}, {"text": TEXTS[0], "id": "i1"}])
    encoder, vectors = joined(file, rows)
    np.testing.assert_array_equal(vectors, expected([1, 0]))
    assert encoder.about["joined"] == "text"


def test_the_stamp_is_that_of_the_model_and_names_the_file(file, tmp_path):
    made, read = get_encoder("toy:8").stamp, joined(file, corpus())[0].stamp
    assert (read.model, read.dim, read.precision) == (made.model, made.dim, made.precision)
    assert read.revision.startswith(f"{made.revision} in blake2b:")
    foreign = table(tmp_path / "f.parquet", vector=pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2)))
    assert joined(foreign, ed.read_corpus(["a"]))[0].stamp.model == "vectors:f.parquet"


def test_what_lacks_a_row_is_refused(file):
    rows = ed.read_corpus([{"text": TEXTS[0], "id": "i0"}, {"text": "new", "id": "n1"}])
    with pytest.raises(
        DataError, match=r"'id' lacks 1 of the 2 ids, for example 'n1', and it lacks the texts of 1 row"
    ):
        joined(file, rows)
    with pytest.raises(
        DataError, match=r"'text' has another text for 1 ids, for example 'i0' .*text=none.*, and it lacks the texts"
    ):
        joined(file, ed.read_corpus([{"text": "changed", "id": "i0"}]))


def test_ids_alone_are_enough(tmp_path):
    path = table(tmp_path / "v.parquet", id=[3, 1, 2], vector=[[3.0, 0.5], [1.0, 0.5], [2.0, 0.5]])
    rows = ed.read_corpus([{"text": "a", "id": "1"}, {"text": "b", "id": "3"}])
    np.testing.assert_array_equal(joined(path, rows)[1], [[1, 0.5], [3, 0.5]])
    with pytest.raises(DataError, match=r"does not: its column 'id' lacks 1 of the 1 ids, for example '0'\. Encode"):
        joined(path, ed.read_corpus(["a"]))
    twice = table(tmp_path / "t.parquet", id=["a", "a"], vector=[[1.0], [2.0]])
    with pytest.raises(DataError, match="it holds the id 'a' more than once"):
        joined(twice, ed.read_corpus([{"text": "a", "id": "a"}]))


def test_neither_ids_nor_texts_row_by_row(tmp_path):
    path = table(tmp_path / "v.parquet", embedding=pa.array([[1, 2], [3, 4]], pa.list_(pa.float16())))
    np.testing.assert_array_equal(joined(path, ed.read_corpus(["a", "b"]))[1], [[1, 2], [3, 4]])
    with pytest.raises(ParameterError, match="must hold one vector for each of the 3 rows of the corpus"):
        joined(path, ed.read_corpus(["a", "b", "c"]))


def test_a_text_with_two_vectors_is_not_joined_by(tmp_path):
    path = table(tmp_path / "v.parquet", id=["a", "b"], text=["x", "x"], vector=[[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(DataError, match=r"Got two that differ for 'x' in v\.parquet"):
        joined(path, ed.read_corpus(["x"]))
    by_id = ed.read_corpus([{"text": "x", "id": "b"}])
    np.testing.assert_array_equal(joined(path, by_id)[1], [[0, 1]])
    table(path, text=["x", "x"], vector=[[1.0, 0.0], [1.0, 1e-6]])  # rounding
    np.testing.assert_array_equal(joined(path, ed.read_corpus(["x"]))[1], [[1, 0]])


@pytest.mark.parametrize(("vectors", "message"), [
    ([[1.0, 2.0], [3.0, float("nan")]], r"must hold finite vectors\. Got NaN or infinity in row 1"),
    ([[1.0, 2.0], None], "must hold 2 numbers in every vector"),
    ([[1.0, 2.0], [1.0, None]], "must hold 2 numbers in every vector"),
    ([[1.0, 2.0], [1.0], [1.0, 2.0, 3.0]], "must hold 2 numbers in every vector"),
])  # fmt: skip
def test_what_is_no_vector_is_refused(tmp_path, vectors, message):
    path = table(tmp_path / "v.parquet", vector=pa.array(vectors, pa.list_(pa.float32())))
    with pytest.raises(EncoderError, match=message):
        joined(path, ed.read_corpus([str(row) for row in range(len(vectors))]))


def test_refusals(tmp_path, file):
    with pytest.raises(DataError, match=r"Vectors must be there: a \.parquet file, or a folder"):
        get_encoder(f"vectors:{tmp_path / 'none.parquet'}")
    (tmp_path / "bad.parquet").write_text("no")
    with pytest.raises(DataError, match="must be in the Parquet format"):
        get_encoder(f"vectors:{tmp_path / 'bad.parquet'}")
    with pytest.raises(DataError, match=r"One column must hold the vectors.*Got 'a', 'b' in"):
        get_encoder(f"vectors:{table(tmp_path / 'two.parquet', a=[[1.0]], b=[[1.0]])}")
    with pytest.raises(ParameterError, match="An option of vectors must be one of queries"):
        get_encoder(f"vectors:{file}?dim=2")
    with pytest.raises(ParameterError, match="knows the vectors of the 60 rows of the corpus and no others"):
        joined(file, corpus())[0].encode(["new"], role="query")
    with pytest.raises(EncoderError, match="must be fitted on the corpus before it can encode"):
        get_encoder(f"vectors:{file}").encode(["new"])
    later = pq.read_table(file)
    pq.write_table(later.replace_schema_metadata({b"embdiff": json.dumps({"format": 99})}), tmp_path / "later.parquet")
    with pytest.raises(DataError, match=r"must be of format 1\. Got 99"):
        get_encoder(f"vectors:{tmp_path / 'later.parquet'}")


def test_a_damaged_page_is_seen(file):
    raw = bytearray(file.read_bytes())
    at = raw.find(expected([33])[0, 1:4].tobytes())
    raw[at] ^= 1
    file.write_bytes(raw)
    with pytest.raises(DataError, match="A file of vectors must be whole"):
        joined(file, corpus())


def test_a_folder_that_lacks_a_part_is_refused(tmp_path):
    encode_corpus(corpus(), "toy:8", tmp_path / "given", part_rows=7)
    np.testing.assert_array_equal(joined(tmp_path / "given", corpus())[1], expected(range(60)))
    (tmp_path / "given" / "part-0000003.parquet").unlink()
    with pytest.raises(DataError, match="A folder of vectors must be whole"):
        get_encoder(f"vectors:{tmp_path / 'given'}")


@pytest.mark.parametrize("order", [range(60), [*range(30, 60), 3, 1, 2, *range(10, 20)]], ids=["as it is", "other"])
def test_a_comparison_is_that_of_the_model(file, tmp_path, monkeypatch, order):
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    monkeypatch.setattr(_file, "_LEAST_ROWS", 1)
    rows = corpus(order)
    settings = {"k": 3, "store": "memory:", "baseline": False, "permutations": 99}
    models = [f"vectors:{file}", "toy:8"]
    for more in ({}, {"memory": "2KB", "out": tmp_path / "run"}):
        result = ed.compare(rows, models, **settings, **more)
        one, other = result.run.answers
        np.testing.assert_array_equal(one.exact.rows, other.exact.rows)
        np.testing.assert_array_equal(one.exact.similarity, other.exact.similarity)
    assert result.run.manifest["on_disk"]
    assert result.run.manifest["models"][0]["encoding"]["joined"] == "id"
    assert ed.load(tmp_path / "run") == result
    gc.collect()
    assert list(aside.iterdir()) == []
    encoder, _ = joined(file, rows)
    stored = encoder.on_disk(0, 2_000)
    np.testing.assert_array_equal(stored[:], expected(order))
    assert len(list(aside.iterdir())) == 1
    del stored
    gc.collect()
    assert list(aside.iterdir()) == []
    with pytest.raises(ParameterError, match="memory to work on a file of vectors must be at least"):
        encoder.on_disk(0, 10)
    assert list(aside.iterdir()) == []
