"""Encoding part by part: the same vectors as in one go, nothing half-made, nothing done twice."""

import errno
import json
import multiprocessing
import os
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff.bulk import encode_corpus, line, part
from embdiff.bulk.part import Job
from embdiff.bulk.plan import lay_ready
from embdiff.bulk.stored import _digest
from embdiff.corpus.pieces import open_pieces
from embdiff.encoders import get_encoder
from embdiff.errors import DataError, EncoderError, ParameterError, StoreError, UnknownNameError
from embdiff.stores import get_store
from embdiff.stores.milvus import MilvusStore
from milvus_server import TOKEN

ROWS, PART = 100, 7
TEXTS = [f"sentence {row % 90} about {row % 11} ü" for row in range(ROWS)]


class Counting:
    """Letters counted by toy; what it was given is counted, and it fails where asked to."""

    def __init__(self, fails_at=None):
        self.given, self.fails_at, self.toy = 0, fails_at, get_encoder("toy:16")

    def encode(self, texts):
        if self.fails_at is not None and self.fails_at in texts:
            raise RuntimeError("out of memory")
        self.given += len(texts)
        return self.toy.encode(texts)


def counting(fails_at=None):
    backend = Counting(fails_at)
    encoder = get_encoder(backend, spec="counting", revision="1")
    assert encoder.stamp.dim == 16
    backend.given = 0
    return backend, encoder


@pytest.fixture
def frame():
    return pd.DataFrame(
        {"text": TEXTS, "id": [f"i{row}" for row in range(ROWS)], "group": [row % 3 for row in range(ROWS)]}
    )


@pytest.fixture
def parquet(frame, tmp_path):
    frame.to_parquet(tmp_path / "in.parquet", row_group_size=30)
    return tmp_path / "in.parquet"


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


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


def test_bad_rows_are_refused_before_anything_is_encoded(frame, tmp_path):
    backend, encoder = counting()
    twice = frame.assign(id=["i99", *frame["id"][1:]])
    for name, table, message in (
        ("twice", twice, r"Every id must occur once\. Got 'i99' more than once in .*twice\.parquet"),
        ("null", frame.assign(text=[*TEXTS[:-1], None]), r"Every item must be text\. Got null \(None\) at row 99 of"),
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


def test_the_same_command_again_does_nothing_and_another_replaces(parquet, tmp_path):
    for out in (tmp_path / "out.parquet", tmp_path / "out"):
        backend, encoder = counting()
        encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
        first = backend.given
        again = encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
        assert (again.reused, again.rows, backend.given) == (True, ROWS, first)
        other = encode_corpus(parquet, "toy:8", out, part_rows=PART, cache="off")
        assert (other.reused, pq.read_table(out).schema.field("vector").type.list_size) == (False, 8)
    frame = pd.read_parquet(parquet)
    frame.assign(text=["changed", *TEXTS[1:]]).to_parquet(parquet)
    assert not encode_corpus(parquet, "toy:8", tmp_path / "out", part_rows=PART, cache="off").reused
    assert pq.read_table(tmp_path / "out").column("text")[0].as_py() == "changed"
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("kind", ["out.parquet", "out"])
def test_a_model_that_fails_loses_no_finished_part(parquet, tmp_path, kind):
    out = tmp_path / kind
    _, failing = counting(TEXTS[52])  # in part 7
    with pytest.raises(EncoderError, match="out of memory"):
        encode_corpus(parquet, failing, out, part_rows=PART, cache="off")
    assert not out.exists()
    (work,) = hidden(tmp_path)
    parts = sorted((tmp_path / work / "vectors").iterdir())
    assert [path.name for path in parts] == [f"part-{number:07d}.parquet" for number in range(7)]
    parts[2].write_bytes(parts[2].read_bytes()[:-30])  # a torn part is none
    parts[4].write_bytes(parts[3].read_bytes())  # nor is another one under its name
    (tmp_path / work / "vectors" / ".part-0000009.parquet.tmp").write_bytes(b"half")
    backend, encoder = counting()
    done = encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
    assert (done.parts, done.parts_found) == (15, 5)
    assert backend.given == ROWS - 5 * PART
    assert out.is_file() or len(list(out.iterdir())) == 16  # 15 parts, and what they are together
    np.testing.assert_array_equal(
        np.stack(pq.read_table(out).column("vector").to_numpy()), get_encoder("toy:16").encode(TEXTS)
    )
    assert hidden(tmp_path) == []


def test_the_cache_keeps_the_batches_of_an_unfinished_part(parquet, tmp_path):
    backend, encoder = counting()
    encode_corpus(parquet, encoder, tmp_path / "one", part_rows=PART, cache=tmp_path / "kept")
    distinct = len(set(TEXTS))
    assert backend.given == distinct
    done = encode_corpus(parquet, encoder, tmp_path / "two.parquet", part_rows=50, cache=tmp_path / "kept")
    assert backend.given == distinct
    assert (done.encoding["encoded"], done.encoding["cached"] + done.encoding["duplicates"]) == (0, ROWS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["out.parquet", "out"])
def test_kill_9_leaves_nothing_that_looks_whole_and_loses_no_part(parquet, tmp_path, kind):
    out, log = tmp_path / kind, tmp_path / "log"

    def work():
        class Slow(Counting):
            def encode(self, texts):
                time.sleep(0.05)
                with log.open("a") as handle:
                    handle.write(f"{len(texts)}\n")
                return self.toy.encode(texts)

        encode_corpus(parquet, get_encoder(Slow(), spec="counting", revision="1"), out, part_rows=PART, cache="off")

    for at_least in (3, 9):
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob(".*/vectors/part-*.parquet"))) < at_least and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
        process.join()
        assert process.exitcode == -9
        assert not out.exists()
    there = len(list(tmp_path.glob(".*/vectors/part-*.parquet")))
    backend, encoder = counting()
    done = encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
    assert done.parts_found == there >= 9
    assert backend.given <= ROWS - there * PART
    np.testing.assert_array_equal(
        np.stack(pq.read_table(out).column("vector").to_numpy()), get_encoder("toy:16").encode(TEXTS)
    )
    # No text of a finished part was encoded twice: each killed call lost at most the part it was at, and its probe.
    assert sum(map(int, log.read_text().split())) + backend.given <= ROWS + 2 * (PART + 1)
    assert hidden(tmp_path) == []


def test_two_commands_do_not_share_the_work(parquet, tmp_path):
    out = tmp_path / "out.parquet"

    class Nosy(Counting):
        def encode(self, texts):
            if len(texts) > 1:
                with pytest.raises(ParameterError, match="A file must be written by one command at a time"):
                    encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
            return self.toy.encode(texts)

    encoder = get_encoder(Nosy(), spec="counting", revision="1")
    encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
    assert out.exists()


@pytest.mark.parametrize("store", ["milvus:{}/x.db", "lancedb:{}/x"])
def test_into_a_store(parquet, tmp_path, store):
    if store.startswith("lancedb"):
        pytest.importorskip("lancedb", reason="the store lancedb needs it")
    uri = store.format(tmp_path)
    settings = {"part_rows": PART, "metric": "l2", "cache": "off"}
    done = encode_corpus(parquet, "toy:16", uri, **settings)
    with get_store(uri) as opened:
        assert opened.names() == [done.collection]
        found = opened.read(done.collection, 0, 2 * ROWS)
        stamp = opened.stamp(done.collection)
    np.testing.assert_array_equal(found.rows, np.arange(ROWS))
    np.testing.assert_array_equal(found.vectors, get_encoder("toy:16").encode(TEXTS))
    assert (found.ids, found.texts, found.groups[4]) == (tuple(f"i{row}" for row in range(ROWS)), tuple(TEXTS), "1")
    assert (stamp["complete"], stamp["rows"], stamp["metric"]) == (True, ROWS, "l2")
    assert stamp["source"]["corpus"] == ed.read_corpus(parquet).digest()
    assert encode_corpus(parquet, "toy:16", uri, **settings).reused
    other = encode_corpus(parquet, "toy:16", uri, **{**settings, "metric": "ip"})
    assert (other.reused, other.collection) == (False, done.collection)
    assert hidden(tmp_path) == []


def test_a_collection_can_be_compared_with(parquet, tmp_path):
    done = encode_corpus(parquet, "toy:16", f"milvus:{tmp_path / 'x.db'}", part_rows=PART, cache="off")
    result = ed.compare(parquet, [done.as_model, "toy:16"], k=3, baseline=False, permutations=99)
    theirs, ours = result.run.answers
    np.testing.assert_array_equal(theirs.exact.rows, ours.exact.rows)


def test_a_store_that_fails_is_gone_on_with(parquet, tmp_path, monkeypatch):
    uri = f"milvus:{tmp_path / 'x.db'}"
    backend, encoder = counting()

    def full(self, *_):
        raise StoreError("The disk must have room. Got none. Make room.")

    with monkeypatch.context() as patched:
        patched.setattr(MilvusStore, "build", full)
        with pytest.raises(StoreError, match="must have room"):
            encode_corpus(parquet, encoder, uri, part_rows=PART, cache="off")
    first = backend.given
    added = []
    add = MilvusStore.add
    monkeypatch.setattr(
        MilvusStore, "add", lambda self, name, rows, *more: added.extend(rows) or add(self, name, rows, *more)
    )
    done = encode_corpus(parquet, encoder, uri, part_rows=PART, cache="off")
    assert (backend.given, added, done.parts_found) == (first, [], 15)
    with get_store(uri) as opened:
        assert opened.stamp(done.collection)["complete"]
        assert opened.count(done.collection) == ROWS


@pytest.mark.server
def test_into_a_server_and_compared_with(parquet, tmp_path, monkeypatch, milvus_server):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", TOKEN)
    done = encode_corpus(parquet, "toy:16", milvus_server, part_rows=PART, cache="off")
    assert hidden(tmp_path) == []
    assert encode_corpus(parquet, "toy:16", milvus_server, part_rows=PART, cache="off", work="elsewhere").reused
    result = ed.compare(parquet, [done.as_model, "toy:16"], k=3, baseline=False, permutations=99, store="memory:")
    theirs, ours = result.run.answers
    np.testing.assert_array_equal(theirs.exact.rows, ours.exact.rows)
    with get_store(milvus_server) as store:
        store.drop(done.collection)


@pytest.mark.parametrize("kind", ["out.parquet", "out", "store"])
def test_a_full_disk_is_told_and_gone_on_from(parquet, tmp_path, monkeypatch, kind):
    out = f"milvus:{tmp_path / 'x.db'}" if kind == "store" else tmp_path / kind
    backend, encoder = counting()
    write = part.write_vectors

    def full(path, *more):
        if path.name == part.part_name(6):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, *more)

    with monkeypatch.context() as patched:
        patched.setattr(part, "write_vectors", full)
        with pytest.raises(
            ParameterError, match=r"must be writable\. Got .*: No space left on device\. Make room or name"
        ):
            encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
    before, backend.given = backend.given, 0
    done = encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
    assert (before, done.parts_found) == (7 * PART, 6)
    assert backend.given == ROWS - 6 * PART
    assert hidden(tmp_path) == []


def test_zero_vectors_are_refused_by_name_under_cosine(tmp_path):
    class Zero:
        def encode(self, texts):
            return np.array([[0.0, 0.0] if text == "z" else [1.0, 0.0] for text in texts], dtype=np.float32)

    encoder = get_encoder(Zero(), spec="zero", revision="1")
    with pytest.raises(ParameterError, match=r"other than zero.*Got one that is not in row 2 \(id '2'\)"):
        encode_corpus(["a", "b", "z"], encoder, f"milvus:{tmp_path / 'x.db'}", part_rows=2, cache="off")


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
        pieces = open_pieces(data)
        job = Job(tmp_path, "m", "document", {})
        (tmp_path / "plan.json").unlink(missing_ok=True)
        assert _digest(job, lay_ready(pieces, job, 7)) == ed.read_corpus(data).digest()


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
        ({"part_rows": 0}, "A part must have at least one row"),
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
