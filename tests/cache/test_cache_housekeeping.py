"""Looking after the cache: damage is found, reported and not used; what is pruned, and no more."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict

import pytest
from counted_vectors import TEXTS, Counting, batches, change, encoded, flipped

from embdiff.errors import ParameterError
from embdiff.kept import VectorCache
from embdiff.kept.database import MENDING, NAME
from embdiff.kept.housekeeping import list_spaces, prune, verify
from embdiff.sources import get_encoder

FIFTH = "WHERE id = 5"


@pytest.mark.parametrize("where", ["space", "keys", "vectors", "end", "checksum", "short", "empty", "kind"])
@pytest.mark.parametrize("used_first", [True, False])
def test_a_damaged_batch_is_found_reported_not_used_and_replaced(cache, where, used_first):
    encoded(TEXTS, cache)
    number, space, keys, vectors, checksum = batches(cache.folder)[4]
    column, value = {
        "space": ("checksum", b""), "keys": ("keys", flipped(keys, 60)), "vectors": ("vectors", flipped(vectors, 900)),
        "end": ("vectors", flipped(vectors, -1)), "checksum": ("checksum", flipped(checksum, 3)),
        "short": ("vectors", vectors[:-7]), "empty": ("vectors", b""), "kind": ("vectors", 3),
    }[where]  # fmt: skip
    change(cache.folder, f"UPDATE batches SET {column} = ? {FIFTH}", value)
    fresh = VectorCache.at(cache.folder)
    checked, damaged = verify(fresh)
    assert checked == 11
    (finding,) = damaged
    assert (finding.entry, finding.why) == (f"vectors/{space}", "batch 5 does not match its checksum")
    assert prune(fresh) == damaged
    assert len(batches(cache.folder)) == 11
    if used_first:
        texts = [*TEXTS, "one more"]
        vectors, tally = encoded(texts, fresh)
        assert tally.encoded == 65
        assert vectors.tobytes() == Counting().encode(texts).tobytes()
        (note,) = fresh.notes
        assert f"in batch 5 of vectors/{space} are damaged (they do not match their checksum)" in note
        assert note.endswith("they were not used, and removed.")
        assert verify(fresh) == (12, ())
    else:
        prune(fresh, really=True)
        assert verify(fresh) == (10, ())
        assert encoded(TEXTS, fresh)[1].encoded == 64
        assert fresh.notes == []
    assert number not in [each[0] for each in batches(cache.folder)]
    assert encoded(TEXTS, VectorCache.at(cache.folder))[1].cached == 700


def test_a_space_that_lost_its_description_is_reported_until_it_is_used(cache):
    encoded(TEXTS[:3], cache)
    change(cache.folder, "DELETE FROM spaces")
    assert [each.why for each in verify(cache)[1]] == ["the description of the space is missing"]
    assert list_spaces(cache)[0].model == "?"
    assert json.dumps([asdict(space) for space in list_spaces(cache)])
    change(cache.folder, "INSERT INTO spaces SELECT space, '{', 0 FROM batches")
    assert list_spaces(cache)[0].model == "?"
    assert encoded(TEXTS[:3], cache)[1].cached == 3
    assert list_spaces(cache)[0].model == "counting"
    assert verify(cache)[1] == ()


def test_prune_by_age_by_model_and_to_a_size(cache):
    for spec in ("toy:8", "toy:9"):
        get_encoder(spec).encode(TEXTS, cache=cache)
    spaces = {space.model: space for space in list_spaces(cache)}
    assert {space.vectors for space in spaces.values()} == {700}
    change(cache.folder, "UPDATE spaces SET used = ? WHERE name = ?", time.time() - 40 * 86_400, spaces["toy:8"].name)
    assert [each.model for each in prune(cache, unused_days=30)] == ["toy:8"]
    assert [each.why for each in prune(cache, unused_days=30)] == ["unused for 40 days"]
    assert [each.model for each in prune(cache, model="toy:9")] == ["toy:9"]
    assert [each.model for each in prune(cache, most_bytes=spaces["toy:9"].bytes)] == ["toy:8"]
    assert prune(cache, most_bytes=10**9) == ()
    with pytest.raises(ParameterError, match=r"Got 'toy:7'; there is toy:8, toy:9\."):
        prune(cache, model="toy:7")
    prune(cache, most_bytes=spaces["toy:9"].bytes, really=True)
    assert [space.model for space in list_spaces(cache)] == ["toy:9"]
    assert {space for _, space, *_ in batches(cache.folder)} == {spaces["toy:9"].name}
    get_encoder("toy:8").encode(TEXTS, cache=cache)
    assert list_spaces(cache)[0].model == "toy:8"


def test_what_is_pruned_gives_its_room_back(cache):
    get_encoder("toy:64").encode([f"text {row}" for row in range(20_000)], cache=cache)
    encoded(TEXTS, cache)
    path = cache.folder / NAME
    cache.database.close()
    before = path.stat().st_size
    prune(cache, model="toy:64", really=True)
    assert path.stat().st_size < before / 10
    assert encoded(TEXTS, cache)[1].cached == 700


def test_prune_takes_what_killed_processes_left_and_no_more(cache):
    encoded(TEXTS[:3], cache)
    old, young = cache.folder / MENDING, cache.folder / f"{MENDING}-journal"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 7_200,) * 2)
    assert [each.why for each in prune(cache, really=True)] == ["left by a killed process"]
    assert not old.exists()
    assert young.exists()
