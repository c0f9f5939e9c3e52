"""Looking after the vector cache: damage is found, reported and not used; what is pruned, and no more."""

from __future__ import annotations

import json
import os
import time

import pytest
from counted_vectors import TEXTS, Counting, encoded, shards

from embdiff.encoders import get_encoder
from embdiff.encoders.cache import VectorCache, _space
from embdiff.encoders.cache.housekeeping import list_spaces, prune, verify
from embdiff.errors import ParameterError


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


def test_a_space_that_lost_its_description_is_reported(cache):
    encoded(TEXTS[:3], cache)
    (shards(cache)[0].parent / "space.json").write_text("{")
    assert [each.why for each in verify(cache)[1]] == ["space.json is missing or cannot be read"]
    assert list_spaces(cache)[0].model == "?"
    assert json.dumps([space.to_dict() for space in list_spaces(cache)])


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
