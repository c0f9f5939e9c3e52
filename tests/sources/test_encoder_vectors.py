"""Ready vectors as a model: read, checked, and left in their file when the memory allowed is too small."""

import json

import numpy as np
import pytest

import embdiff as ed
from embdiff.comparison import every_row
from embdiff.errors import DataError, EncoderError, ParameterError
from embdiff.exact import FileVectors, _file
from embdiff.views import terminal

ROWS = 300


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "given.npy"
    np.save(path, np.random.default_rng(0).standard_normal((ROWS, 8)).astype(np.float32))
    return path


@pytest.fixture
def texts():
    return [f"row {row}" for row in range(ROWS)]


def fitted(path, texts):
    encoder = ed.get_encoder(f"vectors:{path}")
    encoder.fit(texts, "digest")
    return encoder


def test_vectors_come_by_row_also_for_equal_texts(file):
    encoder = fitted(file, ["same"] * ROWS)
    np.testing.assert_array_equal(encoder.encode(["same"] * ROWS), np.load(file))
    assert encoder.same_roles
    stamp = encoder.stamp
    assert (stamp.model, stamp.dim, stamp.fitted_on) == ("vectors:given.npy", 8, "digest")
    assert stamp.revision.startswith("blake2b:")


def test_another_file_is_another_revision(file, tmp_path):
    other = tmp_path / "other" / "given.npy"
    other.parent.mkdir()
    np.save(other, np.load(file) * 2)
    texts = [str(row) for row in range(ROWS)]
    assert fitted(file, texts).stamp.fingerprint() != fitted(other, texts).stamp.fingerprint()


def test_refusals(file, tmp_path, texts):
    with pytest.raises(ParameterError, match=r"must be named by their file\. Got 'vectors'\. Write vectors:FILE\.npy"):
        ed.get_encoder("vectors")
    with pytest.raises(ParameterError, match="An option of vectors must be one of queries"):
        ed.get_encoder(f"vectors:{file}?dim=4")
    with pytest.raises(DataError, match="must be there and readable"):
        ed.get_encoder("vectors:nowhere.npy")
    with pytest.raises(ParameterError, match=r"one vector for each of the 2 rows of the corpus.*Got 300 vectors"):
        fitted(file, ["a", "b"])
    with pytest.raises(
        ParameterError, match=r"knows the vectors of the 300 rows.*Got 1 texts as query\. Name a second file"
    ):
        fitted(file, texts).encode(["new"], role="query")
    with pytest.raises(
        ParameterError, match=r"Got 300 texts as query\. Name a second file with theirs, \?queries=FILE"
    ):
        fitted(file, texts).encode([f"{text}?" for text in texts], role="query")  # as many as rows, and others
    raw = file.read_bytes()
    for wrong in (raw.replace(b"}", b"(", 1), raw.replace(b"'shape'", b"[    ]:", 1)):  # Python's parser has its say
        (tmp_path / "header.npy").write_bytes(wrong)
        with pytest.raises(DataError, match=r"must be a \.npy file of numbers\. Got header\.npy, which is not"):
            ed.get_encoder(f"vectors:{tmp_path / 'header.npy'}")
    broken = np.load(file)
    broken[7, 2] = np.nan
    np.save(tmp_path / "broken.npy", broken)
    with pytest.raises(EncoderError, match=r"must hold finite vectors\. Got NaN or infinity in row 7\."):
        fitted(tmp_path / "broken.npy", texts)


@pytest.mark.parametrize("text", ["", "512", "MiB", "0GiB", "-1GiB", "4 gigabytes"])
def test_sizes_that_are_none(text, texts):
    with pytest.raises(ParameterError, match="A size must be a number with a unit, such as 512MiB or 4GiB"):
        ed.compare(texts, ["toy:8"], memory=text, store="memory:")


def test_too_little_memory_is_told_in_what_was_typed(tmp_path, texts):
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).standard_normal((ROWS, 384)).astype(np.float32))
    message = (
        r"need --memory of at least 12MiB: half of it is to search in\. Got 100KiB for vectors:.*Write --memory 12MiB"
    )
    with pytest.raises(ParameterError, match=message):
        ed.compare(texts, [f"vectors:{tmp_path / 'wide.npy'}"], k=2, memory="100KiB", store="memory:")


def test_vectors_that_are_made_now_are_said_to_be_in_memory(texts, file):
    result = ed.compare(texts, ["toy:8", f"vectors:{file}"], k=2, memory="1GiB", store="memory:")
    assert result.run.manifest["memory"] == {"given": "1GiB", "held": {"toy:8": ROWS * 8 * 4}}
    shown = " ".join(terminal.text(result.facts(1), 900, everything=True).split())
    assert (
        "--memory 1GiB holds for files of ready vectors only. In memory as a whole were those of toy:8 (9.38KiB)."
        in shown
    )
    alone = ed.compare(texts, [f"vectors:{file}"], k=2, memory="1GiB", store="memory:")
    assert "holds for files of ready vectors only" not in terminal.text(alone.facts(1), 900, everything=True)
    without = ed.compare(texts, ["toy:8"], k=2, store="memory:")
    assert without.run.manifest["memory"] is None


@pytest.fixture
def small_files_stay_on_disk(monkeypatch):
    monkeypatch.setattr(_file, "_LEAST_ROWS", 1)
    read = []
    blocks = FileVectors.blocks
    monkeypatch.setattr(FileVectors, "blocks", lambda self: read.append(self.block_rows) or blocks(self))
    yield read
    assert min(read) < ROWS


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_a_comparison_from_disk_is_that_of_memory(small_files_stay_on_disk, file, tmp_path, texts, metric):
    other = tmp_path / "other.npy"
    np.save(other, np.load(file) + 0.3)
    models, settings = [f"vectors:{file}", f"vectors:{other}"], {"k": 4, "metric": metric, "store": "memory:"}
    groups = ["abc"[row % 3] for row in range(ROWS)]
    here = ed.compare(texts, models, groups=groups, permutations=99, **settings)
    there = ed.compare(texts, models, groups=groups, permutations=99, memory="10KB", out=tmp_path / "run", **settings)
    for a, b in zip(here.run.answers, there.run.answers, strict=True):
        np.testing.assert_array_equal(a.returned.rows, b.returned.rows)
        np.testing.assert_array_equal(a.exact.similarity, b.exact.similarity)
        np.testing.assert_array_equal(a.elsewhere.ranks, b.elsewhere.ranks)
    assert here.run.tests == there.run.tests
    rounded = [score for score in there.scores if score.measure == "noise_float16@4"]
    assert {score.reason for score in rounded} == {"undefined: vectors that stay in their file are not rounded"}
    same = zip(here.scores, there.scores, strict=True)
    assert all(str(a) == str(b) for a, b in same if a.measure != "noise_float16@4")
    assert "stayed in their files (--memory): neighbours are exact all the same" in terminal.text(
        there.facts(1), 900, everything=True
    )
    assert ed.load(tmp_path / "run") == there


def test_geometry_of_what_stays_on_disk_is_of_sampled_rows_and_says_so(
    small_files_stay_on_disk, file, texts, monkeypatch
):
    monkeypatch.setattr(every_row, "MOST", 100)
    result = ed.compare(texts, [f"vectors:{file}"], k=4, store="memory:", memory="10KB")
    noted = [score for score in result.scores if score.measure.startswith("anisotropy")]
    assert noted
    assert all("from 100 of 300 rows, sampled" in score.reason for score in noted)
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_zero_vector_in_a_file_is_named(small_files_stay_on_disk, file, texts):
    vectors = np.load(file)
    vectors[123] = 0
    np.save(file, vectors)
    with pytest.raises(
        ParameterError, match=r"Got zero vectors of vectors:.*given\.npy for 1 of 300 .*\(ids '123'\)\."
    ):
        ed.compare(texts, [f"vectors:{file}"], k=4, store="memory:", memory="10KB")
    small_files_stay_on_disk.append(1)  # nothing was searched


def test_too_little_memory_is_refused(file, texts):
    with pytest.raises(
        ParameterError, match=r"Vectors of 8 dimensions that stay in their file need --memory of at least 256KiB"
    ):
        ed.compare(texts, [f"vectors:{file}"], store="memory:", memory="9KB")
