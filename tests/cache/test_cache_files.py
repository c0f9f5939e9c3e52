"""Journals and shards: safe for two, nothing finished is lost with a model, a process or a full disk."""

from __future__ import annotations

import multiprocessing
import os

import numpy as np
import pytest
from counted_vectors import TEXTS, Counting, encoded, encoder_of, journals, shards

from embdiff import _files
from embdiff.encoders.cache import Tally, VectorCache, _journal, _space
from embdiff.encoders.cache._shard import Shard, keys_of, write_shard
from embdiff.encoders.cache.housekeeping import verify
from embdiff.errors import CacheError, EncoderError


def test_a_failing_model_loses_no_finished_batch(cache):
    with pytest.raises(EncoderError, match="the model fell over"):
        encoded(TEXTS, cache, Counting(fail_at="sentence number 3"))
    kept = sum(len(Shard.open(path)) for path in shards(cache))
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


def test_kill_9_loses_no_finished_batch(cache):
    killed = in_process(_encode_until_killed, str(cache.folder))
    killed.join(60)
    assert killed.exitcode == -9
    assert shards(cache) == []
    (journal,) = journals(cache)
    with journal.open("ab") as handle:
        handle.write(b"\x40\0\0\0 and the beginning of a batch")
    vectors, tally = encoded(TEXTS, cache)
    assert tally == Tally(700, 0, 448, 252)  # seven batches of 64
    assert vectors.tobytes() == Counting().encode(TEXTS).tobytes()
    assert journals(cache) == []
    assert verify(cache)[1] == ()


def test_a_journal_in_use_is_left_to_its_process(cache):
    encoded(TEXTS[:3], cache)
    folder = shards(cache)[0].parent
    journal = _journal.Journal(folder)
    journal.add(keys_of(["mine"]), np.zeros((1, 12), dtype=np.float32))
    assert encoded(["mine"], cache)[1].encoded == 1
    assert journal.path.exists()
    assert _journal.take_orphan(journal.path) is None
    journal.close()
    assert encoded(["mine", "other"], cache)[1].cached == 1
    assert not journal.path.exists()


def test_many_small_shards_become_one(cache):
    for start in range(0, 600, 20):
        encoded(TEXTS[start : start + 20], cache)
        assert len(shards(cache)) <= _space._MOST_SMALL + 1
    assert encoded(TEXTS[:600], cache)[1] == Tally(600, 0, 600, 0)
    assert sum(len(Shard.open(path)) for path in shards(cache)) == 600


def test_a_full_journal_becomes_a_shard_on_the_way(cache, monkeypatch):
    monkeypatch.setattr(_journal, "MOST_BYTES", 10_000)
    vectors, _ = encoded(TEXTS, cache)
    assert len(shards(cache)) > 1 or _space._MOST_SMALL < 4
    again, tally = encoded(TEXTS, cache)
    assert tally.cached == 700
    assert again.tobytes() == vectors.tobytes()


def test_a_shard_merged_away_while_looking_is_looked_for_again(cache, monkeypatch):
    encoded(TEXTS[:10], cache)
    encoded(TEXTS[10:20], cache)
    stale = shards(cache)
    merged = [(s.keys, s.read(np.arange(len(s)))) for s in map(Shard.open, stale)]
    write_shard(stale[0].parent, *(np.concatenate(parts) for parts in zip(*merged, strict=True)))
    for path in stale:
        path.unlink()
    calls = iter([stale, shards(cache)])
    monkeypatch.setattr(_space.SpaceFolder, "shards", lambda self: next(calls))
    space = cache._space(encoder_of(Counting()).stamp, "document")
    here, found = space.find(keys_of(TEXTS[:20]))
    assert sorted(here) == list(range(20))
    assert found[np.argsort(here)].tobytes() == Counting().encode(TEXTS[:20]).tobytes()


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


def test_a_million_keys_are_looked_up_quickly_enough_to_be_free(tmp_path):
    keys = np.random.default_rng(0).integers(0, 2**63, size=(200_000, 2), dtype=np.uint64)
    shard = Shard.open(write_shard(tmp_path, keys, np.arange(400_000, dtype=np.float32).reshape(-1, 2)))
    asked = np.concatenate([keys[::3], keys[:5] + np.uint64(1)])
    rows = shard.find(asked)
    assert (rows[-5:] == -1).all()
    np.testing.assert_array_equal(shard.read(rows[:-5])[:, 0], 2.0 * np.arange(0, 200_000, 3))


def test_a_full_disk_says_so_and_the_run_goes_on_afterwards(cache, monkeypatch):
    real, written = _journal.Journal.add, []

    def full_after_three(self, keys, vectors):
        written.append(len(keys))
        if len(written) > 3:
            raise OSError(28, os.strerror(28))
        real(self, keys, vectors)

    said = r"must be writable\. Got No space left on device in .*finished batches are kept"
    with monkeypatch.context() as patch:
        patch.setattr(_journal.Journal, "add", full_after_three)
        with pytest.raises(CacheError, match=said):
            encoded(TEXTS, cache)
    vectors, tally = encoded(TEXTS, VectorCache.at(cache.folder))
    assert tally == Tally(700, 0, 192, 508)
    assert vectors.tobytes() == Counting().encode(TEXTS).tobytes()


def test_a_lock_is_for_one(tmp_path):
    with (tmp_path / "a").open("ab") as first, (tmp_path / "a").open("ab") as second:
        assert _files.lock_now(first)
        assert not _files.lock_now(second)
        first.close()
        assert _files.lock_now(second)
