"""Encoding part by part: the same vectors as in one go, in files that say where they came from."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from counted_texts import PART, ROWS, TEXTS, Counting, counting, hidden

import embdiff as ed
from embdiff.bulk import encode_corpus, line
from embdiff.bulk.parts import Job, lay_ready, texts_laid_ready
from embdiff.corpus.columns import Columns
from embdiff.corpus.pieces import open_pieces
from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.records import digest_of
from embdiff.sources import get_encoder


def test_a_file_holds_every_row_in_order_and_says_where_it_came_from(parquet, tmp_path):
    out = tmp_path / "out.parquet"
    done = encode_corpus(parquet, "toy:16", out, part_rows=PART, cache="off")
    table = pq.read_table(out)
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 16)
    assert table.column("id").to_pylist() == [f"i{row}" for row in range(ROWS)]
    assert table.column("text").to_pylist() == TEXTS
    assert table.column("group").to_pylist() == [str(row % 3) for row in range(ROWS)]
    encoder = get_encoder("toy:16")
    np.testing.assert_array_equal(np.stack(table.column("vector").to_numpy()), encoder.encode(TEXTS))
    label = json.loads(table.schema.metadata[b"embdiff"])
    assert label["stamp"] == encoder.stamp.to_dict()
    assert label["fingerprint"] == done.fingerprint == encoder.stamp.fingerprint()
    assert (label["rows"], label["dim"], label["role"], label["parts"]) == (ROWS, 16, "document", 15)
    assert label["versions"]["embdiff"] == ed.__version__
    assert "metric" not in label
    assert (done.rows, done.parts, done.parts_found, done.reused) == (ROWS, 15, 0, False)
    assert done.encoding["encoded"] + done.encoding["duplicates"] == ROWS
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("data", ["frame", "parquet", "list"])
def test_file_and_folder_hold_the_same_however_the_texts_came(data, frame, parquet, tmp_path):
    given = {"frame": frame, "parquet": str(parquet), "list": TEXTS}[data]
    encode_corpus(given, "toy:16", tmp_path / "one.parquet", part_rows=PART, cache="off")
    encode_corpus(given, "toy:16", tmp_path / "many", part_rows=9, cache="off")
    one, many = pq.read_table(tmp_path / "one.parquet"), pq.read_table(tmp_path / "many")
    assert one.equals(many)
    assert one.column("id").to_pylist()[-1] == ("99" if data == "list" else "i99")
    assert hidden(tmp_path) == []


def test_a_folder_of_parquet_files_is_read_in_the_order_of_names(frame, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for start in (0, 40, 80):
        frame[["text"]].iloc[start : start + 40].to_parquet(folder / f"{start:02d}.parquet")
    encode_corpus(folder, "toy:16", tmp_path / "out.parquet", part_rows=PART, cache="off")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column("text").to_pylist() == TEXTS
    assert table.column("id").to_pylist() == [str(row) for row in range(ROWS)]


def test_rows_without_text_are_refused_kept_or_dropped(tmp_path):
    texts = ["a", " ", "b", "", "", "", "c"]
    pd.DataFrame({"text": texts}).to_parquet(tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"Got 1 empty of 2 in .*: row 1\."):
        encode_corpus(tmp_path / "in.parquet", "toy:16", tmp_path / "out.parquet", part_rows=2)
    assert hidden(tmp_path) == []
    done = encode_corpus(tmp_path / "in.parquet", "toy:16", tmp_path / "out.parquet", part_rows=2, empty="drop")
    assert pq.read_table(tmp_path / "out.parquet").column("id").to_pylist() == ["0", "2", "6"]
    assert (done.rows, done.dropped, done.dropped_ids, done.parts) == (3, 4, ("1", "3", "4", "5"), 4)
    kept = encode_corpus(tmp_path / "in.parquet", "toy:16", tmp_path / "out.parquet", part_rows=2, empty="keep")
    assert (kept.rows, kept.dropped) == (7, 0)


def test_a_document_has_its_title_and_a_query_is_its_text_alone(tmp_path):
    pd.DataFrame({"id": ["a", "b"], "title": ["Roofs", None], "text": ["wet", "dry"]}).to_parquet(
        tmp_path / "in.parquet"
    )
    for name, given, texts in (
        ("documents", {}, ["Roofs wet", "dry"]),
        ("queries", {"role": "query"}, ["wet", "dry"]),
        ("alone", {"text_column": "text"}, ["wet", "dry"]),
        ("template", {"text_column": "{text}, {title}"}, ["wet, Roofs", "dry,"]),
    ):
        done = encode_corpus(tmp_path / "in.parquet", "toy:16", tmp_path / f"{name}.parquet", cache="off", **given)
        assert pq.read_table(tmp_path / f"{name}.parquet").column("text").to_pylist() == texts
        assert any("text = " in note for note in done.notes)


def test_bad_rows_are_refused_before_anything_is_encoded(frame, tmp_path):
    backend, encoder = counting()
    twice = frame.assign(id=["i99", *frame["id"][1:]])
    for name, table, message in (
        ("twice", twice, r"Every id must occur once\. Got 'i99' at row 0 and at row 99 of .*twice\.parquet"),
        ("null", frame.assign(text=[*TEXTS[:-1], None]), r"Every row must hold text. .*: row 99 \(ids .i99.\)\. Fill"),
        ("none", frame.iloc[:0], "must have at least one row with text. Got none"),
        ("column", frame[["id", "group"]], "One column must hold the texts"),
    ):
        table.to_parquet(tmp_path / f"{name}.parquet")
        with pytest.raises(DataError, match=message):
            encode_corpus(tmp_path / f"{name}.parquet", encoder, tmp_path / "out", part_rows=PART)
    folder = tmp_path / "mixed"
    folder.mkdir()
    frame.to_parquet(folder / "a.parquet")
    frame[["text"]].to_parquet(folder / "b.parquet")
    with pytest.raises(DataError, match="Files of one corpus must have the same columns"):
        encode_corpus(folder, encoder, tmp_path / "out")
    (folder / "b.parquet").write_bytes((folder / "a.parquet").read_bytes()[:-50])
    with pytest.raises(DataError, match="must be in the Parquet format"):
        encode_corpus(folder, encoder, tmp_path / "out")
    assert backend.given == 0
    assert not (tmp_path / "out").exists()
    assert hidden(tmp_path) == []


def test_texts_that_are_not_utf8_are_refused_by_file_and_row(tmp_path):
    raw = pa.array([b"good", b"bad \xff"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"Column 'text' of .*in\.parquet must be readable.* not UTF-8 at row 1"):
        encode_corpus(tmp_path / "in.parquet", "toy:16", tmp_path / "out", part_rows=PART)


def test_a_model_that_learns_sees_the_whole_corpus(parquet, tmp_path):
    encode_corpus(parquet, "lsa:4", tmp_path / "out.parquet", part_rows=PART, cache="off")
    whole = get_encoder("lsa:4")
    corpus = ed.read_corpus(parquet)
    whole.fit(corpus.items, corpus.digest())
    vectors = np.stack(pq.read_table(tmp_path / "out.parquet").column("vector").to_numpy())
    np.testing.assert_allclose(vectors, whole.encode(TEXTS), atol=1e-6)
    label = json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"embdiff"])
    assert label["stamp"]["fitted_on"] == corpus.digest()


def test_the_digest_of_parts_is_that_of_the_corpus(frame, tmp_path):
    for data in (frame, TEXTS, ['ö"\\', "\u2028x", "\U0001f600"]):
        pieces = open_pieces(data, Columns(), "refuse")
        job = Job(tmp_path, "m", "document", {})
        (tmp_path / "plan.json").unlink(missing_ok=True)
        assert digest_of(texts_laid_ready(job, lay_ready(pieces, job, 7))) == ed.read_corpus(data).digest()


def test_refusals(parquet, tmp_path):
    (tmp_path / "theirs.parquet").write_bytes(parquet.read_bytes())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "photo.jpg").touch()
    for out, message in (
        (tmp_path / "theirs.parquet", "written to a new file, or in the place of earlier ones. Got .*theirs.parquet"),
        (tmp_path / "full", "written to a new folder, or in the place of earlier ones"),
        (tmp_path / "full" / "photo.jpg", r"written to a \.parquet file, a folder or a store"),
        ("", r"written to a \.parquet file, a folder or a store"),
        ("memory:", "a store that keeps them. Got memory:"),
        ("milvus:", "a store that keeps them. Got milvus:"),
    ):
        with pytest.raises(ParameterError, match=message):
            encode_corpus(parquet, "toy:16", out)
    assert (tmp_path / "theirs.parquet").read_bytes() == parquet.read_bytes()
    for given, message in (
        ({"role": "answer"}, "A role must be one of document, query"),
        ({"part_rows": 0}, "A part must have 1 to"),
        ({"empty": "maybe"}, "empty must be one of refuse, keep, drop"),
        ({"metric": "l2"}, "--metric is for a collection in a store"),
        ({"index": "flat"}, "--index is for a collection in a store"),
        ({"work": "x"}, "--work is for a collection in a store"),
    ):
        with pytest.raises(ParameterError, match=message):
            encode_corpus(parquet, "toy:16", tmp_path / "out", **given)
    with pytest.raises(UnknownNameError, match="An engine must be one of"):
        encode_corpus(parquet, "toy:16", tmp_path / "out", engine="spark")
    with pytest.raises(ParameterError, match=r"model that something pins down\. Got own without a revision"):
        encode_corpus(parquet, get_encoder(Counting(), spec="own"), tmp_path / "out")
    np.save(tmp_path / "v.npy", np.ones((ROWS, 2), dtype=np.float32))
    with pytest.raises(ParameterError, match="must make vectors"):
        encode_corpus(parquet, f"vectors:{tmp_path / 'v.npy'}", tmp_path / "out")
    assert hidden(tmp_path) == []


def test_progress_counts_texts_of_all_parts(parquet, tmp_path, monkeypatch):
    told = []
    real = line.progress

    def spying(label, total, unit):
        told.append((label, total, unit))
        return real(label, total, unit)

    monkeypatch.setattr(line, "progress", spying)
    encode_corpus(parquet, "toy:16", tmp_path / "out", part_rows=PART, cache="off")
    assert told == [("encode toy:16", ROWS, "texts")]
