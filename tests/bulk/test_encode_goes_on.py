"""Encoding that was interrupted goes on: nothing half-made, nothing done twice."""

import errno
import multiprocessing
import os
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from counted_texts import PART, ROWS, TEXTS, Counting, counting, hidden

from embdiff.bulk import encode_corpus
from embdiff.bulk import parts as parts_module
from embdiff.errors import EncoderError, ParameterError
from embdiff.sources import get_encoder


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


@pytest.mark.parametrize("kind", ["out.parquet", "out", "store"])
def test_a_full_disk_is_told_and_gone_on_from(parquet, tmp_path, monkeypatch, kind):
    out = f"milvus:{tmp_path / 'x.db'}" if kind == "store" else tmp_path / kind
    backend, encoder = counting()
    write = parts_module.write_vectors

    def full(path, *more):
        if path.name == parts_module.part_name(6):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, *more)

    with monkeypatch.context() as patched:
        patched.setattr(parts_module, "write_vectors", full)
        with pytest.raises(
            ParameterError, match=r"must be writable\. Got .*: No space left on device\. Make room or name"
        ):
            encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
    before, backend.given = backend.given, 0
    done = encode_corpus(parquet, encoder, out, part_rows=PART, cache="off")
    assert (before, done.parts_found) == (7 * PART, 6)
    assert backend.given == ROWS - 6 * PART
    assert hidden(tmp_path) == []
