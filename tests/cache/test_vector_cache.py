"""The vector cache: bit for bit what was encoded, encoded once, found by what made it, safe for two, sound or unused."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff import _files
from embdiff.encoders import get_encoder
from embdiff.encoders.cache import Place, Tally, VectorCache, _journal, _space
from embdiff.encoders.cache._shard import Shard, keys_of, write_shard
from embdiff.encoders.cache.housekeeping import list_spaces, prune, verify
from embdiff.encoders.cache.sizes import parse_size
from embdiff.errors import CacheError, EncoderError, ParameterError

TEXTS = [f"sentence number {row}" for row in range(700)]


class Counting:
    """A model that remembers what it was asked to encode, with values that only bit-exact keeping preserves."""

    def __init__(self, seed: int = 0, fail_at: str | None = None) -> None:
        self.seen: list[str] = []
        self.seed, self.fail_at = seed, fail_at

    def encode(self, texts: list[str]) -> np.ndarray:
        if self.fail_at in texts:
            raise RuntimeError("the model fell over")
        self.seen += texts
        rows = [np.random.default_rng([self.seed, *text.encode()]).normal(size=12) for text in texts]
        return np.stack(rows).astype(np.float32)


def encoder_of(model: Counting, revision: str = "1") -> ed.encoders.Encoder:
    encoder = get_encoder(model, spec="counting", revision=revision)
    assert encoder.stamp.dim == 12  # asks for one vector, to learn the dimension
    model.seen.clear()
    return encoder


def encoded(
    texts: list[str], cache: VectorCache, model: Counting | None = None, **more: str
) -> tuple[np.ndarray, Tally]:
    tally = Tally()
    role = more.pop("role", "document")
    vectors = encoder_of(model or Counting(), **more).encode(texts, role=role, cache=cache, tally=tally)
    return vectors, tally


@pytest.fixture
def cache(tmp_path: Path) -> VectorCache:
    return VectorCache.at(tmp_path / "kept")


def shards(cache: VectorCache) -> list[Path]:
    return sorted(cache.folder.rglob("*.shard"))


def journals(cache: VectorCache) -> list[Path]:
    return sorted(cache.folder.rglob("*.journal"))


def test_a_second_run_encodes_nothing_and_returns_the_same_bits(cache):
    first, cold = encoded(TEXTS, cache)
    model = Counting()
    again, warm = encoded(TEXTS[::-1], cache, model)
    assert cold == Tally(700, 0, 0, 700)
    assert warm == Tally(700, 0, 700, 0)
    assert model.seen == []
    assert again[::-1].tobytes() == first.tobytes() == Counting().encode(TEXTS).tobytes()
    assert journals(cache) == []
    assert len(shards(cache)) == 1


def test_one_percent_more_rows_encodes_one_percent(cache):
    encoded(TEXTS, cache)
    model = Counting()
    more = [f"new {row}" for row in range(7)]
    vectors, tally = encoded(TEXTS + more, cache, model)
    assert tally == Tally(707, 0, 700, 7)
    assert sorted(model.seen) == more
    assert vectors.tobytes() == Counting().encode(TEXTS + more).tobytes()


def test_equal_texts_are_encoded_once(cache):
    model = Counting()
    vectors, tally = encoded(["a", "b", "a", "a"], cache, model)
    assert tally == Tally(4, 2, 0, 2)
    assert sorted(model.seen) == ["a", "b"]
    np.testing.assert_array_equal(vectors[[0, 2, 3]], vectors[[0, 0, 0]])


@pytest.mark.parametrize("text", ["", "\ud800 half", "שלום", "x" * 100_000, "a\u0301", "á"])
def test_any_text_is_found_again(cache, text):
    get_encoder("toy:8").encode([text, "other"], cache=cache)
    tally = Tally()
    get_encoder("toy:8").encode(["other", text], cache=cache, tally=tally)
    assert tally.cached == 2
    assert get_encoder("toy:8").encode([text], cache=cache).tobytes() == get_encoder("toy:8").encode([text]).tobytes()


def test_texts_encoded_one_by_one_are_kept_apart(cache):
    model = Counting()
    encoder = encoder_of(model)
    first = encoder.encode_singly(["b", "a", "b"], cache=cache)
    assert model.seen == ["a", "b"] or model.seen == ["b", "a"]
    again = encoder.encode_singly(["b", "a", "b"], cache=cache)
    assert len(model.seen) == 2
    assert first.tobytes() == again.tobytes() == Counting().encode(["b", "a", "b"]).tobytes()
    assert encoded(["a", "b"], cache)[1].cached == 0


def test_what_makes_vectors_keeps_them_apart(cache):
    encoded(TEXTS[:5], cache)
    assert encoded(TEXTS[:5], cache, revision="2")[1].cached == 0
    get_encoder("toy:8").encode(TEXTS[:5], cache=cache)
    for spec in ("toy:9", "toy:16"):
        tally = Tally()
        get_encoder(spec).encode(TEXTS[:5], cache=cache, tally=tally)
        assert tally.cached == 0
    assert len(list_spaces(cache)) == 5


def test_roles_share_vectors_only_where_they_are_one_to_the_model(cache):
    class TwoWays(Counting):
        def encode(self, texts, role):
            return super().encode(texts) * (2 if role == "query" else 1)

    encoded(TEXTS[:5], cache)
    assert encoded(TEXTS[:5], cache, role="query")[1].cached == 5
    documents, _ = encoded(TEXTS[:5], cache, TwoWays(), revision="two")
    queries, tally = encoded(TEXTS[:5], cache, TwoWays(), revision="two", role="query")
    assert tally.encoded == 5
    np.testing.assert_array_equal(queries, 2 * documents)


def test_a_model_fitted_on_another_corpus_has_other_vectors(cache):
    pytest.importorskip("sklearn")
    corpora = [[f"word{row} and word{row + shift}" for row in range(9)] for shift in (1, 2)]
    for corpus in corpora:
        for cached in (0, 9):
            tally, encoder = Tally(), get_encoder("lsa:3")
            encoder.fit(corpus, ed.Corpus(tuple(corpus), tuple(map(str, range(9)))).digest())
            encoder.encode(corpus, cache=cache, tally=tally)
            assert tally.cached == cached


def test_what_nothing_pins_down_is_not_kept_and_the_run_says_so(embdiff_cache_notes):
    result, notes = embdiff_cache_notes
    assert not list(Path("kept").rglob("*.shard"))
    kept = {"texts": 3, "duplicates": 1, "cached": 0, "encoded": 2, "cache": "unpinned: not kept"}
    assert kept.items() <= result.run.manifest["models"][0]["encoding"].items()
    assert "2 were encoded now and 0 came from the cache, 1 were equal to another" in notes
    assert "the vectors are not kept (nothing pins the model down: give it a revision)" in notes


@pytest.fixture
def embdiff_cache_notes():
    result = ed.compare(["a", "bb", "a"], [Counting()], k=1, store="memory:", cache="kept")
    return result, " ".join(repr(result).split())


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


@pytest.mark.parametrize("where", ["head", "keys", "vectors", "end", "short", "empty"])
def test_a_damaged_shard_is_found_reported_not_used_and_replaced(cache, where):
    encoded(TEXTS, cache)
    (shard,) = shards(cache)
    data = bytearray(shard.read_bytes())
    place = {"head": 3, "keys": 60, "vectors": len(data) // 2, "end": -1}.get(where)
    if place is not None:
        data[place] ^= 1
    shard.write_bytes({"short": data[:-7], "empty": b""}.get(where, bytes(data)))
    fresh = VectorCache.at(cache.folder)
    texts = [*TEXTS, "one more"]  # the same texts would make a shard of the same name, which heals
    vectors, tally = encoded(texts, fresh)
    assert tally.encoded == 701
    assert vectors.tobytes() == Counting().encode(texts).tobytes()
    (note,) = fresh.notes
    assert "are damaged (" in note
    assert "were not used. 'embdiff cache prune' removes them." in note
    assert shard.name in note
    checked, damaged = verify(fresh)
    assert checked == 2
    assert [finding.file for finding in damaged] == [shard.relative_to(cache.folder).as_posix()]
    assert [finding.file for finding in prune(fresh)] == [damaged[0].file]
    assert shard.exists()
    prune(fresh, really=True)
    assert not shard.exists()
    assert verify(fresh) == (1, ())
    assert encoded(TEXTS, VectorCache.at(cache.folder))[1].cached == 700


def test_a_damaged_shard_is_not_merged_into_a_sound_one(cache, monkeypatch):
    monkeypatch.setattr(_space, "_MOST_SMALL", 2)
    for start in (0, 10):
        encoded(TEXTS[start : start + 10], cache)
    bad = shards(cache)[0]
    bad.write_bytes(bad.read_bytes()[:-1] + b"!")
    encoded(TEXTS[20:30], cache)
    assert bad.exists()
    assert len(shards(cache)) == 2
    assert [finding.file.rpartition("/")[2] for finding in verify(cache)[1]] == [bad.name]


def test_float16_by_choice_is_recorded_and_the_same_at_once_and_later(tmp_path):
    cache = VectorCache.at(f"{tmp_path / 'kept'}?precision=float16")
    first, _ = encoded(TEXTS, cache)
    again, tally = encoded(TEXTS, cache)
    exact = Counting().encode(TEXTS)
    assert tally.cached == 700
    assert first.tobytes() == again.tobytes() == exact.astype(np.float16).astype(np.float32).tobytes()
    assert first.tobytes() != exact.tobytes()
    assert encoded(TEXTS, VectorCache.at(tmp_path / "kept"))[1].cached == 0
    result = ed.compare(TEXTS[:5], ["toy:8"], k=1, store="memory:", cache="half?precision=float16")
    assert result.run.manifest["models"][0]["stamp"]["precision"] == "float32, kept as float16"
    assert result.run.manifest["models"][0]["encoding"]["cache"] == "kept, float16"


def test_float16_refuses_what_it_cannot_hold(tmp_path):
    encoder = get_encoder(lambda texts: np.full((len(texts), 2), 7e4, np.float32), spec="large", revision="1")
    with pytest.raises(CacheError, match=r"between -65,504 and 65,504\. Got a value beyond.*leave \?precision=float16"):
        encoder.encode(["a"], cache=VectorCache.at(f"{tmp_path / 'kept'}?precision=float16"))


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


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"must be writable\. Got .* in .*file/cache.*Or write --cache off\."):
        VectorCache.at(tmp_path / "file" / "cache")
    monkeypatch.setenv("EMBDIFF_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    nobody_asked = VectorCache.at(None)
    assert nobody_asked.folder is None
    assert nobody_asked.notes[0].startswith("Vectors are not kept: The vector cache must be writable.")


def test_where_the_cache_is(tmp_path, monkeypatch):
    assert Place.of("off").folder is None
    assert Place.of(str(tmp_path / "x")) == Place((tmp_path / "x").resolve())
    monkeypatch.setenv("EMBDIFF_CACHE", "OFF")
    assert Place.of(None).folder is None
    monkeypatch.delenv("EMBDIFF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert Place.of("") == Place(tmp_path / "xdg" / "embdiff", named=False)
    assert Place.of("?precision=float16").precision == "float16"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Place.of("").folder == tmp_path / ".cache" / "embdiff"
    monkeypatch.setattr("sys.platform", "darwin")
    assert Place.of("").folder == tmp_path / "Library" / "Caches" / "embdiff"
    for text in ("x?precision=int8", "x?prec=float16"):
        with pytest.raises(ParameterError, match=r"must be written off, DIR or DIR\?precision=float16\. Got 'x"):
            Place.of(text)


def test_prune_by_age_by_model_and_to_a_size(cache):
    for spec in ("toy:8", "toy:9"):
        get_encoder(spec).encode(TEXTS, cache=cache)
    spaces = {space.model: space for space in list_spaces(cache)}
    assert {space.vectors for space in spaces.values()} == {700}
    old = cache.folder / "v1" / spaces["toy:8"].name
    os.utime(old / "space.json", (time.time() - 40 * 86_400,) * 2)
    assert [each.model for each in prune(cache, unused_days=30)] == ["toy:8"]
    assert [each.why for each in prune(cache, unused_days=30)] == ["unused for 40 days"]
    assert [each.model for each in prune(cache, model="toy:9")] == ["toy:9"]
    assert [each.model for each in prune(cache, most_bytes=spaces["toy:9"].bytes)] == ["toy:8"]
    assert prune(cache, most_bytes=10**9) == ()
    with pytest.raises(ParameterError, match=r"Got 'toy:7'; there is toy:8, toy:9\."):
        prune(cache, model="toy:7")
    prune(cache, most_bytes=spaces["toy:9"].bytes, really=True)
    assert [space.model for space in list_spaces(cache)] == ["toy:9"]
    assert not old.exists()


def test_prune_takes_what_killed_processes_left_and_no_more(cache):
    encoded(TEXTS[:3], cache)
    folder = shards(cache)[0].parent
    old, young = folder / ".a.part", folder / ".b.part"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 7_200,) * 2)
    assert [each.why for each in prune(cache, really=True)] == ["left by a killed process"]
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize(("text", "size"), [("10", 10), ("1.5kB", 1500), ("2GiB", 2 << 30), ("3 mb", 3_000_000)])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "-1", "1TBs", "1i"])
def test_sizes_that_are_none(text):
    with pytest.raises(ParameterError, match=r"A size must be a number with kB"):
        parse_size(text)


def test_a_lock_is_for_one(tmp_path):
    with (tmp_path / "a").open("ab") as first, (tmp_path / "a").open("ab") as second:
        assert _files.lock_now(first)
        assert not _files.lock_now(second)
        first.close()
        assert _files.lock_now(second)


def test_a_space_that_lost_its_description_is_reported(cache):
    encoded(TEXTS[:3], cache)
    (shards(cache)[0].parent / "space.json").write_text("{")
    assert [each.why for each in verify(cache)[1]] == ["space.json is missing or cannot be read"]
    assert list_spaces(cache)[0].model == "?"
    assert json.dumps([space.to_dict() for space in list_spaces(cache)])
