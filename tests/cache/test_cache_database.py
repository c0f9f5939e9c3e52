"""The database of a cache: safe for several, nothing finished is lost with a model, a process, a disk or a file."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from counted_vectors import TEXTS, Counting, batches, change, encoded, encoder_of

from embdiff import _files
from embdiff.errors import CacheError, EncoderError
from embdiff.kept import VectorCache, database, keys_of
from embdiff.kept._salvage import PAGE, rows_in
from embdiff.kept.database import NAME, Database, journal_of
from embdiff.kept.housekeeping import prune, verify
from embdiff.sources.tally import Tally

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_a_failing_model_loses_no_finished_batch(cache):
    with pytest.raises(EncoderError, match="the model fell over"):
        encoded(TEXTS, cache, Counting(fail_at="sentence number 3"))
    kept = sum(len(keys) // 16 for _, _, keys, *_ in batches(cache.folder))
    assert kept > 0
    model = Counting()
    vectors, tally = encoded(TEXTS, cache, model)
    assert tally.cached == kept
    assert "sentence number 3" in model.seen
    assert vectors.tobytes() == Counting().encode(TEXTS).tobytes()


def _encode_until_killed(folder: str) -> None:
    class Deadly(Counting):
        def encode(self, texts):
            if len(self.seen) > 400:
                os.kill(os.getpid(), 9)
            return super().encode(texts)

    encoded(TEXTS, VectorCache.at(folder), Deadly())


def in_process(target, *arguments) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    return process


@pytest.mark.parametrize("journal", ["WAL", "TRUNCATE"])
def test_kill_9_loses_no_finished_batch(tmp_path, monkeypatch, journal):
    monkeypatch.setattr(database, "journal_of", lambda _: journal)
    cache = VectorCache.at(tmp_path / "kept")
    killed = in_process(_encode_until_killed, str(cache.folder))
    killed.join(60)
    assert killed.exitcode == -9
    vectors, tally = encoded(TEXTS, cache)
    assert tally == Tally(700, 0, 448, 252)  # seven batches of 64
    assert vectors.tobytes() == Counting().encode(TEXTS).tobytes()
    assert verify(cache) == (11, ())
    assert cache.notes == []


def _encode_on_and_on(folder: str, number: int, log: str) -> None:
    cache = VectorCache.at(folder)
    encoder = encoder_of(Counting())
    for round_ in range(100_000):
        text = f"writer {number}, round {round_}"
        encoder.encode([text], cache=cache)
        with Path(log).open("a") as handle:  # acknowledged: from here on it must be there
            handle.write(f"{text}\n")


@pytest.mark.parametrize("journal", ["WAL", "TRUNCATE"])
def test_what_was_acknowledged_to_several_writers_outlives_kill_9(tmp_path, monkeypatch, journal):
    monkeypatch.setattr(database, "journal_of", lambda _: journal)
    logs = [tmp_path / f"log-{number}" for number in range(4)]
    for _ in range(2):
        writers = [
            in_process(_encode_on_and_on, str(tmp_path / "kept"), number, str(log)) for number, log in enumerate(logs)
        ]
        before = [log.stat().st_size if log.exists() else 0 for log in logs]
        for writer, log, size in zip(writers, logs, before, strict=True):
            while not log.exists() or log.stat().st_size < size + 500:
                assert writer.is_alive()
                writer.join(0.01)
        for writer in writers:
            writer.kill()
            writer.join(60)
            assert writer.exitcode == -9
    cache = VectorCache.at(tmp_path / "kept")
    texts = list(dict.fromkeys(text for log in logs for text in log.read_text().splitlines()))
    vectors, tally = encoded(texts, cache)
    assert (tally.cached, tally.encoded) == (len(texts), 0)
    assert vectors.tobytes() == Counting().encode(texts).tobytes()
    assert verify(cache)[1] == ()
    assert cache.notes == []


def _encode_many(folder: str, start: int) -> None:
    cache = VectorCache.at(folder)
    for round_ in range(30):
        texts = [f"text {row}" for row in range(start + 20 * round_, start + 20 * round_ + 60)]
        vectors, _ = encoded(texts, cache)
        assert vectors.tobytes() == Counting().encode(texts).tobytes()
    assert cache.notes == []


def test_two_processes_on_one_cache(cache):
    both = [in_process(_encode_many, str(cache.folder), start) for start in (0, 300)]
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert verify(cache)[1] == ()
    texts = [f"text {row}" for row in range(940)]
    vectors, tally = encoded(texts, cache)
    assert tally == Tally(940, 0, 940, 0)
    assert vectors.tobytes() == Counting().encode(texts).tobytes()


def _encode_with(cache: VectorCache) -> None:
    assert encoded(TEXTS, cache)[1].cached == 10


def test_a_cache_goes_along_into_another_process(cache):
    encoded(TEXTS[:10], cache)
    child = in_process(_encode_with, cache)
    child.join(60)
    assert child.exitcode == 0
    assert encoded(TEXTS, cache)[1].cached == 700
    assert verify(cache)[1] == ()


def test_many_keys_in_many_batches_are_found_where_they_are(cache):
    space = cache.space(encoder_of(Counting()).stamp, "document")
    keys = np.random.default_rng(0).integers(0, 2**63, size=(20_000, 2), dtype=np.uint64)
    vectors = np.arange(240_000, dtype=np.float32).reshape(-1, 12)
    for start in range(0, 20_000, 640):
        cache.put(space, keys[start : start + 640], vectors[start : start + 640])
    asked = np.concatenate([keys[::-3], keys[:5] + np.uint64(1)])
    found, there = cache.get(space, asked)
    assert found.tolist() == [True] * (len(asked) - 5) + [False] * 5
    np.testing.assert_array_equal(there[:-5], vectors[::-3])


def test_a_full_disk_says_so_and_the_run_goes_on_afterwards(cache):
    encoded(TEXTS[:1], cache)
    (pages,) = cache.database.execute("PRAGMA page_count")[0]
    cache.database.execute(f"PRAGMA max_page_count = {pages + 1}")
    said = r"must be writable\. Got No space left on device in .*finished batches are kept"
    with pytest.raises(CacheError, match=said):
        encoded(TEXTS, cache)
    kept = sum(len(keys) // 16 for _, _, keys, *_ in batches(cache.folder))
    assert kept > 64
    vectors, tally = encoded(TEXTS, VectorCache.at(cache.folder))
    assert tally == Tally(700, 0, kept, 700 - kept)
    assert vectors.tobytes() == Counting().encode(TEXTS).tobytes()


def overwritten(path: Path, start: int, end: int | None) -> None:
    data = bytearray(path.read_bytes())
    end = len(data) if end is None else end
    data[start:end] = os.urandom(end - start)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("where", ["header", "schema", "trees", "middle", "cut short"])
def test_a_damaged_database_is_moved_aside_and_what_can_be_read_is_kept(cache, where):
    encoder_of(Counting()).encode_singly(TEXTS, cache=cache)  # many rows, many pages
    encoded(TEXTS, cache)
    cache.results.put("thing", 1, np.arange(9))
    path = cache.folder / NAME
    cache.database.close()
    assert path.stat().st_size > 12 * PAGE
    match where:
        case "header":
            overwritten(path, 0, 90)
        case "schema":
            overwritten(path, 100, PAGE)
        case "trees":
            overwritten(path, 0, 7 * PAGE)
        case "middle":
            overwritten(path, 0, 20)
            overwritten(path, 9 * PAGE, 10 * PAGE)
        case "cut short":
            os.truncate(path, path.stat().st_size - 3 * PAGE)
    fresh = VectorCache.at(cache.folder)
    vectors, tally = encoded(TEXTS, fresh)
    assert vectors.tobytes() == Counting().encode(TEXTS).tobytes()
    assert tally.cached >= {"cut short": 100, "middle": 250}.get(where, 640)
    assert where == "trees" or (fresh.results.get("thing", 1) == np.arange(9)).all()
    encoder_of(Counting()).encode_singly(TEXTS, cache=fresh)  # describes its space again, if need be
    (note,) = fresh.notes
    (aside,) = cache.folder.glob("damaged-*.sqlite")
    assert note.startswith("The cache's database was damaged (")
    assert f"was moved aside to {aside.name}: " in note
    assert {finding.why for finding in verify(fresh)[1]} == {"damaged, and moved aside"}
    prune(fresh, really=True)
    assert not list(cache.folder.glob("damaged-*"))
    assert verify(fresh)[1] == ()
    assert encoded(TEXTS, VectorCache.at(cache.folder))[1].cached == 700


def test_rows_are_found_in_the_log_too(cache):
    encoded(TEXTS, cache)
    cache.database.execute("DELETE FROM batches WHERE id = 2")
    assert (cache.folder / f"{NAME}-wal").stat().st_size > 0
    written = batches(cache.folder)
    read = [
        tuple(row[1:]) for row in rows_in(cache.folder / NAME) if len(row) == 5 and row[1] == written[0][1].encode()
    ]
    assert sorted(read) == sorted((space.encode(), *rest) for _, space, *rest in written)


def test_what_is_no_database_at_all_is_moved_aside(tmp_path):
    (tmp_path / NAME).write_bytes(b"something else " * 10_000)
    cache = VectorCache.at(tmp_path)
    assert encoded(TEXTS[:5], cache)[1].encoded == 5
    assert "0 batches and results of it were sound" in cache.notes[0]
    assert encoded(TEXTS[:5], VectorCache.at(tmp_path))[1].cached == 5


def test_damage_found_by_two_is_mended_once(cache):
    encoded(TEXTS, cache)
    cache.database.close()
    overwritten(cache.folder / NAME, 0, 90)
    other = Database.__new__(Database)  # as it is between connecting and being told of the damage
    other.__dict__.update(vars(cache.database), notes=[], _mended=0, _file=(cache.folder / NAME).stat().st_ino)
    fresh = VectorCache.at(cache.folder)
    other.failed(sqlite3.DatabaseError("file is not a database"))
    assert len(list(cache.folder.glob("damaged-*.sqlite"))) == 1
    assert other.notes == []
    assert encoded(TEXTS, fresh)[1].cached == 700


def test_a_folder_that_can_only_be_read_is_read(cache, monkeypatch):
    encoded(TEXTS[:64], cache)
    cache.results.put("thing", 1, "kept")
    cache.database.close()
    size = (cache.folder / NAME).stat().st_size
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(_files, "lock_now", lambda _: pytest.fail("nothing is to be written"))
    only_read = VectorCache.at(cache.folder)
    vectors, tally = encoded(TEXTS, only_read)
    assert (tally.cached, tally.encoded) == (64, 636)
    assert vectors.tobytes() == Counting().encode(TEXTS).tobytes()
    assert only_read.results.get("thing", 1) == "kept"
    only_read.results.put("thing", 2, "not kept")
    assert only_read.notes == ["The cache can only be read: what is encoded or computed now is not kept."]
    assert (cache.folder / NAME).stat().st_size == size
    with pytest.raises(CacheError, match=r"must be writable\. Got attempt to write a readonly database"):
        prune(only_read, most_bytes=0, really=True)
    overwritten(cache.folder / NAME, 0, 90)
    damaged = VectorCache.at(cache.folder)
    assert encoded(TEXTS, damaged)[1].encoded == 700
    assert "is damaged (file is not a database) and cannot be mended here" in damaged.notes[1]


def test_what_a_killed_process_left_in_the_log_is_read_where_nothing_can_be_written(cache, monkeypatch):
    encoded(TEXTS[:64], cache)
    assert (cache.folder / f"{NAME}-wal").stat().st_size  # open, as after a kill
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert encoded(TEXTS, VectorCache.at(cache.folder))[1].cached == 64


@pytest.mark.parametrize("there", ["nothing", "an empty file"])
def test_a_folder_without_a_database_that_can_only_be_read_holds_nothing(tmp_path, monkeypatch, there):
    if there == "an empty file":
        (tmp_path / NAME).touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    cache = VectorCache.at(tmp_path)
    assert encoded(TEXTS[:5], cache)[1].encoded == 5
    assert cache.notes == ["The cache can only be read: what is encoded or computed now is not kept."]
    assert len(list(tmp_path.iterdir())) == (there == "an empty file")


def test_a_database_that_can_only_be_read_in_a_folder_that_can_be_written(cache, monkeypatch):
    encoded(TEXTS[:64], cache)
    cache.database.close()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != NAME and access(path, mode))
    assert encoded(TEXTS, VectorCache.at(cache.folder))[1].cached == 64


READ = """
import subprocess, sys
from embdiff.sources import get_encoder
from embdiff.sources.tally import Tally
from embdiff.kept import VectorCache
get_encoder("toy:8").encode(["a", "b"], cache=VectorCache.at("kept"))
subprocess.run(["mount", "--bind", "kept", "kept"], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", "kept"], check=True)
tally, cache = Tally(), VectorCache.at("kept")
get_encoder("toy:8").encode(["a", "b", "c"], cache=cache, tally=tally)
print(tally.cached, tally.encoded, *cache.notes)
"""


def test_a_read_only_file_system(tmp_path):
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounting needs root and unshare")
    command = ["unshare", "-m", sys.executable, "-c", READ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine does not let us mount")
    assert done.stdout.startswith("2 1 The cache can only be read"), done.stderr


@pytest.mark.parametrize(
    ("mounts", "wanted"),
    [
        ("/dev/vda / ext4 rw 0 0", "WAL"), ("overlay / overlay rw 0 0", "WAL"),
        ("/dev/vda / ext4 rw 0 0\nserver:/x /home nfs4 rw 0 0", "WAL"),
        ("/dev/vda / ext4 rw 0 0\nserver:/x {at} nfs4 rw 0 0", "TRUNCATE"),
        ("server:/x / nfs rw 0 0\n/dev/vdb {at} xfs rw 0 0", "WAL"),
        ("/dev/vda {at} ext4 rw 0 0\nserver:/x {at} cifs rw 0 0", "TRUNCATE"),
        ("/dev/vda / fuse.something rw 0 0", "TRUNCATE"), ("", "TRUNCATE"), (None, "TRUNCATE"),
    ],
)  # fmt: skip
def test_the_journal_goes_by_the_file_system(tmp_path, monkeypatch, mounts, wanted):
    folder, table = tmp_path / "a folder" / "kept", tmp_path / "mounts"
    folder.mkdir(parents=True)
    if mounts is not None:
        table.write_text(mounts.format(at=str(folder.parent).replace(" ", "\\040")))
    monkeypatch.setattr(database, "MOUNTS", table)
    assert journal_of(folder) == wanted
    assert Database(folder).execute("PRAGMA journal_mode") == [(wanted.lower(),)]


def test_a_database_that_is_locked_for_too_long_says_so(cache, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    waiting = VectorCache.at(cache.folder)
    cache.database.execute("BEGIN IMMEDIATE")
    with pytest.raises(CacheError, match=r"Got database is locked in "):
        encoded(TEXTS[:3], waiting)
    cache.database.execute("COMMIT")
    assert encoded(TEXTS[:3], waiting)[1].encoded == 3
    with (cache.folder / database.LOCK).open("ab") as handle:
        assert _files.lock_now(handle)
        with pytest.raises(CacheError, match=r"Got kept\.lock locked by another process in "):
            VectorCache.at(cache.folder)


def test_a_batch_that_is_pruned_meanwhile_is_encoded_again(cache, monkeypatch):
    encoded(TEXTS[:64], cache)
    real = VectorCache._read

    def pruned_first(*arguments):
        monkeypatch.setattr(VectorCache, "_read", real)
        change(cache.folder, "DELETE FROM batches")
        return real(*arguments)

    monkeypatch.setattr(VectorCache, "_read", pruned_first)
    assert encoded(TEXTS[:64], cache)[1].encoded == 64
    assert cache.notes == []
    found, _ = cache.get(cache.space(encoder_of(Counting()).stamp, "document"), keys_of(TEXTS[:64]))
    assert found.all()


def test_a_lock_is_for_one(tmp_path):
    with (tmp_path / "a").open("ab") as first, (tmp_path / "a").open("ab") as second:
        assert _files.lock_now(first)
        assert not _files.lock_now(second)
        first.close()
        assert _files.lock_now(second)
