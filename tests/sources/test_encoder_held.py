"""Vectors of others in npz, safetensors, csv and LanceDB: joined by id, and refused by name."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import embdiff as ed
from embdiff.errors import DataError, EmbdiffError, EncoderError
from embdiff.sources import get_encoder
from embdiff.sources.held import READERS

ROWS = 12
VECTORS = np.random.default_rng(5).standard_normal((ROWS, 4)).astype(np.float32)
ORDER = np.random.default_rng(6).permutation(ROWS)
KEYS = np.array([f"k-{row}" for row in range(ROWS)])
CORPUS = ed.read_corpus([{"id": key, "text": f"lamp {row}"} for row, key in enumerate(KEYS.tolist())])


def save_npz(path: Path, ids: np.ndarray, vectors: np.ndarray) -> Path:
    np.savez_compressed(path, ids=ids, embeddings=vectors, mean=vectors.mean(axis=0))
    return path


def save_safetensors(path: Path, ids: np.ndarray, vectors: np.ndarray) -> Path:
    from safetensors.numpy import save_file

    save_file({"embeddings": vectors}, path, metadata={"ids": json.dumps(ids.tolist()), "model": "mine"})
    return path


def save_cells(path: Path, ids: np.ndarray, vectors: np.ndarray) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "note", "embedding"])
        writer.writerows([key, "n", json.dumps(vector)] for key, vector in zip(ids, vectors.tolist(), strict=True))
    return path


def save_columns(path: Path, ids: np.ndarray, vectors: np.ndarray) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["id", *(f"dim_{at}" for at in range(vectors.shape[1]))])
        writer.writerows([key, *vector] for key, vector in zip(ids, vectors.tolist(), strict=True))
    return path


def save_lance(path: Path, ids: np.ndarray, vectors: np.ndarray) -> Path:
    lancedb = pytest.importorskip("lancedb")
    cells = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    lancedb.connect(str(path.parent)).create_table(path.stem, pa.table({"id": ids.tolist(), "vector": cells}))
    return path


WAYS = {
    "a.npz": save_npz,
    "a.safetensors": save_safetensors,
    "a.csv": save_cells,
    "a.tsv": save_columns,
    "a.lance": save_lance,
}


def test_every_reader_is_tried_here():
    assert {Path(name).suffix for name in WAYS} == set(READERS)


@pytest.fixture(params=list(WAYS))
def saved(request, tmp_path):
    def save(ids=KEYS[ORDER], vectors=VECTORS[ORDER]) -> Path:
        return WAYS[request.param](tmp_path / request.param, ids, vectors)

    return save


def joined(path: Path | str, corpus=CORPUS):
    source = get_encoder(f"vectors:{path}")
    source.prepare(corpus)
    return source, source.encode(corpus.items)


def test_vectors_are_joined_by_id_and_kept_to_the_bit(saved):
    source, vectors = joined(saved())
    assert source.about["joined"] == "id"
    assert (vectors == VECTORS).all()
    assert source.stamp.dim == 4
    assert source.stamp.revision.startswith("blake2b:")


def test_rows_beyond_the_corpus_are_no_matter_and_missing_ones_are_counted(saved):
    path = saved()
    some = ed.read_corpus([{"id": key, "text": "x"} for key in KEYS[:5].tolist()])
    assert (joined(path, some)[1] == VECTORS[:5]).all()
    more = ed.read_corpus([{"id": key, "text": "x"} for key in [*KEYS[:5].tolist(), "other", "another"]])
    with pytest.raises(DataError, match=r"lacks 2 of the 7 ids, for example 'other'"):
        joined(path, more)


def test_repeated_ids_are_refused(saved):
    with pytest.raises(DataError, match="it holds the id 'k-1' more than once"):
        joined(saved(np.array(["k-1", *KEYS[1:]])))


def test_numbers_that_are_none_are_refused_with_their_place(saved):
    vectors = VECTORS.copy()
    vectors[3, 2] = np.inf  # LanceDB takes no NaN
    path = saved(KEYS, vectors)
    with pytest.raises(EmbdiffError, match=r"(finite vectors. Got NaN or infinity|list of numbers).*(row 3|line 5)"):
        joined(path)


def test_two_of_them_are_compared(tmp_path):
    one = save_npz(tmp_path / "one.npz", KEYS[ORDER], VECTORS[ORDER])
    other = save_columns(tmp_path / "other.tsv", KEYS, VECTORS)
    run = ed.compare(CORPUS, [f"a=vectors:{one}", f"b=vectors:{other}"], k=3).run
    overlap = next(score for score in run.scores if score.measure == "overlap@3" and score.models == ("a", "b"))
    assert overlap.value == 1.0


class TestNumpy:
    def test_positions_and_other_types(self, tmp_path):
        np.savez(tmp_path / "a.npz", VECTORS.astype(">f8"), np.arange(ROWS))
        with pytest.raises(DataError, match=r"must say whose vectors it holds.*Got text in 'arr_1'"):
            joined(tmp_path / "a.npz")
        numbered = ed.read_corpus([f"lamp {row}" for row in range(ROWS)])
        assert (joined(f"{tmp_path / 'a.npz'}?id=arr_1", numbered)[1] == VECTORS).all()
        np.savez(tmp_path / "b.npz", vectors=VECTORS.astype(np.float16))
        source, vectors = joined(tmp_path / "b.npz")
        assert source.about["joined"] == "row"
        assert (vectors == VECTORS.astype(np.float16)).all()

    def test_objects_are_never_unpickled(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return (Path.touch, (tmp_path / "ran",))

        np.savez(tmp_path / "a.npz", ids=np.array([Evil()] * ROWS, dtype=object), vectors=VECTORS)
        with pytest.raises(DataError, match=r"Got Python objects, which only pickle reads, in 'ids' of .*dtype=str"):
            joined(tmp_path / "a.npz")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("name", ["a.pkl", "a.pt"])
    def test_pickles_are_refused_unread(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
        with pytest.raises(DataError, match="runs no code when it is read"):
            joined(tmp_path / name)

    @pytest.mark.parametrize(
        ("arrays", "words"),
        [
            ({"ids": KEYS}, r"must hold one table \(n, d\) of vectors.*Got ids \(12,\)"),
            ({"a": VECTORS, "b": VECTORS[:3]}, r"or several of one length\. Got a \(12, 4\) float32, b \(3, 4\)"),
            ({"a": VECTORS, "b": VECTORS}, r"One column must hold the vectors.*'a', 'b'"),
            ({"vectors": VECTORS, "ids": KEYS[:5]}, r"There must be one of 'ids' for each of the 12 vectors"),
            ({"vectors": VECTORS.astype(complex)}, r"must hold one table.*complex64|complex128"),
            ({"vectors": VECTORS[None]}, r"must hold one table.*\(1, 12, 4\)"),
            ({"vectors": VECTORS[:0]}, r"must hold one table"),
        ],
    )
    def test_other_arrays_are_refused(self, tmp_path, arrays, words):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(DataError, match=words):
            joined(tmp_path / "a.npz")

    def test_broken_files_are_refused(self, tmp_path):
        whole = save_npz(tmp_path / "a.npz", KEYS, VECTORS).read_bytes()
        for content in (b"", b"rubbish", whole[:100], whole[:-30]):
            (tmp_path / "b.npz").write_bytes(content)
            with pytest.raises(DataError, match=r"must be as numpy\.savez writes it"):
                joined(tmp_path / "b.npz")

    def test_what_unpacks_beyond_memory_is_refused(self, tmp_path, monkeypatch):
        path = save_npz(tmp_path / "a.npz", KEYS, VECTORS)
        monkeypatch.setattr("embdiff.sources.held.share", lambda: 300)
        with pytest.raises(DataError, match="must fit into memory"):
            joined(path)


class TestSafetensors:
    def test_whole_numbers_are_ids(self, tmp_path):
        from safetensors.numpy import save_file

        save_file({"ids": ORDER.astype(np.int64), "vectors": VECTORS[ORDER]}, tmp_path / "a.safetensors")
        numbered = ed.read_corpus([f"lamp {row}" for row in range(ROWS)])
        assert (joined(tmp_path / "a.safetensors", numbered)[1] == VECTORS).all()

    def test_bfloat16_and_broken_files_are_refused(self, tmp_path):
        head = json.dumps({"v": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
        (tmp_path / "a.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(8))
        with pytest.raises(DataError, match=r"numbers that numpy has.*not bfloat16"):
            joined(tmp_path / "a.safetensors")
        (tmp_path / "b.safetensors").write_bytes(b"rubbish" * 9)
        with pytest.raises(DataError, match="must be whole"):
            joined(tmp_path / "b.safetensors")

    def test_metadata_that_are_no_list_are_refused(self, tmp_path):
        from safetensors.numpy import save_file

        save_file({"vectors": VECTORS}, tmp_path / "a.safetensors", metadata={"ids": "k-0, k-1"})
        with pytest.raises(DataError, match=r"must be a JSON list\. Got 'k-0, k-1' as 'ids'"):
            joined(tmp_path / "a.safetensors")


class TestCells:
    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            (
                'id,embedding\nk-0,"[[0.1, 0.2]]"\n',
                r"list of numbers with commas.*Got '\[\[0\.1, 0\.2\]\]' in the column",
            ),
            ("id,embedding\nk-0,[0.1 0.2 ... 0.3]\n", r"what numpy prints is cut"),
            ('id,embedding\nk-0,"[""a"", 1]"\n', r"list of numbers with commas"),
            (
                'id,embedding\nk-0,"[1, 2]"\nk-1,"[1, 2, 3]"\n',
                r"must hold 2 numbers in every vector\. Got 3 numbers in line 3",
            ),
            ('id,embedding\nk-0,"[1, 2]"\nk-1,\n', r"Got null in line 3"),
            ("id,d0,d1\nk-0,1,x\n", r"Every number of a vector must be one\. Got 'x' in the column 'd1' at line 2"),
            ("id,d0,d1\nk-0,1,\n", r"Got '' in the column 'd1'"),
            ("id,d0,d2\nk-0,1,2\n", r"One column must hold the vectors"),
            ("id,d0,d1,e0,e1\nk-0,1,2,3,4\n", r"One column must hold the vectors"),
            ("key,d0,d1\nk-0,1,2\n", r"must say whose vectors it holds.*'key'"),
        ],
    )
    def test_other_cells_are_refused_with_their_line(self, tmp_path, lines, words):
        (tmp_path / "a.csv").write_text(lines)
        corpus = ed.Corpus(
            tuple("ab")[: lines.count("k-")], tuple(f"k-{at}" for at in range(lines.count("k-"))), ids_given=True
        )
        with pytest.raises((DataError, EncoderError), match=words):
            joined(tmp_path / "a.csv", corpus)

    @pytest.mark.parametrize("header", ["", "0,1,2,3\n"])
    def test_numbers_alone_are_taken_row_by_row(self, tmp_path, header):
        text = header + "".join(",".join(map(str, vector)) + "\n" for vector in VECTORS.tolist())
        (tmp_path / "a.csv").write_text(text)
        source, vectors = joined(tmp_path / "a.csv")
        assert source.about["joined"] == "row"
        assert (vectors == VECTORS).all()


def test_a_folder_that_is_no_table_of_lance_is_refused(tmp_path):
    pytest.importorskip("lancedb")
    (tmp_path / "a.lance").mkdir()
    with pytest.raises(DataError, match="must be a table of LanceDB"):
        joined(tmp_path / "a.lance")


@pytest.mark.parametrize("name", list(WAYS))
def test_files_that_are_not_there_are_named(tmp_path, name):
    with pytest.raises(DataError, match="Vectors must be there"):
        joined(tmp_path / name)
