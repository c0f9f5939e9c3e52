"""Kept results: what comes back equals what was kept, under exactly its inputs; damage is told, never used."""

from __future__ import annotations

import math
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embdiff.kept import Kept, results
from embdiff.kept._values import unpack
from embdiff.kept.database import Database
from embdiff.measures.inputs import TwoLists
from embdiff.measures.score import score
from embdiff.records import Neighbors, Score


@pytest.fixture(autouse=True)
def everything_is_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "WORTH", 0.0)


def recalled(kept: Kept, *more: Any) -> Any:
    return kept.recall(*more)[0]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return type(b) is float and (a == b or (math.isnan(a) and math.isnan(b)))
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and (same(vars(a), vars(b)) if hasattr(a, "__dict__") else a == b)


def kept_in(folder: Path) -> Kept:
    return Kept(Database(folder))


def rows(folder: Path) -> list[tuple[Any, ...]]:
    """Every result: its kind, key, time of use, body and checksum."""
    return Database(folder).execute("SELECT * FROM results ORDER BY rowid")


SCORE = Score("overlap@2", ("a", "b"), 0.1 + 0.2, math.nan, math.inf, -0.0, 3, per_query=tuple(map(float, range(99))))
LISTS = Neighbors(np.array([[1, -1]]), np.array([[0.5, np.nan]], dtype=np.float32), "cosine")


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 0.1, math.nan, -math.inf, "é\ud83d", (), [1, (2, [3.5])], {"a": None, "b": (1.5, LISTS)},
        {1: 2}, SCORE, [SCORE, LISTS], tuple(float(n) / 7 for n in range(1_000)), np.zeros((0, 3), np.float32),
        np.arange(12).reshape(3, 4)[:, ::2], np.array(["a", "bc"]), np.array(True),
    ],
)  # fmt: skip
def test_what_is_kept_comes_back(tmp_path: Path, value: Any):
    first, second = kept_in(tmp_path), kept_in(tmp_path)
    assert same(recalled(first, "thing", ("x", 1), lambda: value), value)
    found = recalled(second, "thing", ("x", 1), lambda: pytest.fail("it was there"))
    assert same(found, value)
    assert second.describe()["thing"]["reused"] == 1
    assert second.describe()["thing"]["oldest"][:2] == "20"


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([object()]), np.float32(1), int])
def test_what_cannot_be_written_is_computed_each_time(tmp_path: Path, value: Any):
    for _ in range(2):
        kept = kept_in(tmp_path)
        assert recalled(kept, "thing", 1, lambda: (value,)) == (value,)
        assert kept.describe()["thing"] == {"computed": 1, "reused": 0, "oldest": None}
    assert rows(tmp_path) == []


def test_inputs_that_cannot_be_told_apart_are_computed_each_time(tmp_path: Path):
    for number in range(2):
        assert recalled(kept_in(tmp_path), "thing", object(), lambda: number) == number  # noqa: B023 - called at once
    assert rows(tmp_path) == []


@pytest.mark.parametrize(
    "other",
    [("a", 2, 0), ("a", 1, 1), ("b", 1, 0), ("a", 1, 0, None), ["a", 1, 0]],
    ids=["k", "seed", "metric", "+", "list"],
)
def test_other_inputs_are_computed(tmp_path: Path, other: Any):
    kept = kept_in(tmp_path)
    assert recalled(kept, "thing", ("a", 1, 0), lambda: 1) == 1
    assert recalled(kept, "thing", other, lambda: 2) == 2
    assert recalled(kept, "other", ("a", 1, 0), lambda: 3) == 3


def test_other_code_or_libraries_compute_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert recalled(kept_in(tmp_path), "thing", 1, lambda: 1) == 1
    monkeypatch.setattr(results, "surroundings", lambda: "another")
    assert recalled(kept_in(tmp_path), "thing", 1, lambda: 2) == 2


def test_what_takes_no_time_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(results, "WORTH", 60.0)
    assert recalled(kept_in(tmp_path), "thing", 1, lambda: 1) == 1
    assert rows(tmp_path) == []


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("how", ["cut", "bit", "front", "empty", "another's", "checksum", "kind"])
def test_a_damaged_entry_is_told_and_computed_again(tmp_path: Path, how: str):
    recalled(kept_in(tmp_path), "thing", 1, lambda: (1.5, np.arange(400)))
    recalled(kept_in(tmp_path), "thing", 2, lambda: 2)
    (_, key, _, body, checksum), (*_, others_body, others_checksum) = rows(tmp_path)
    body, checksum = {
        "cut": (body[:-5], checksum), "bit": (flipped(body, len(body) // 2), checksum),
        "front": (flipped(body, 3), checksum), "empty": (b"", checksum), "another's": (others_body, others_checksum),
        "checksum": (body, flipped(checksum, 5)), "kind": (3, checksum),
    }[how]  # fmt: skip
    Database(tmp_path).execute("UPDATE results SET body = ?, checksum = ? WHERE key = ?", (body, checksum, key))
    kept = kept_in(tmp_path)
    assert recalled(kept, "thing", 1, lambda: 7) == 7
    assert f"thing/{key}" in kept.notes[0]
    assert "it was not used, and computed again" in kept.notes[0]
    assert recalled(kept_in(tmp_path), "thing", 1, lambda: pytest.fail("it was mended")) == 7


@pytest.mark.parametrize(
    "raw",
    [
        {"record": "os:system", "fields": {}}, {"record": "embdiff.records:np", "fields": {}}, {"other": 1},
        {"record": "embdiff.kept.results:Kept", "fields": {}}, {"record": "embdiff.runs:Run", "fields": {}},
    ],
)  # fmt: skip
def test_an_entry_names_records_of_ours_only(raw: Any):
    with pytest.raises(ValueError, match=r"it (holds|names) "):
        unpack(raw, {})


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path):
    database = Database(tmp_path)
    (pages,) = database.execute("PRAGMA page_count")[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    kept, noise = Kept(database), np.random.default_rng(0).random(9_000)
    assert [len(recalled(kept, "thing", number, lambda: noise)) for number in range(3)] == [9_000] * 3
    assert kept.notes == ["Results are not kept: No space left on device in the cache's folder."]
    assert rows(tmp_path) == []


def test_each_folder_is_asked_for_its_own_results(tmp_path: Path):
    kept = kept_in(tmp_path)
    assert kept.recall("thing", 1, lambda: 1)[0] == 1
    assert Kept(None).recall("thing", 1, lambda: 3)[0] == 3
    assert kept.recall("thing", 1, lambda: 4)[0] == 1


def test_a_function_is_called_once_for_equal_arguments(tmp_path: Path):
    a, b = (
        Neighbors(np.array(rows), np.ones((2, 2), np.float32), "cosine")
        for rows in ([[0, 1], [2, 3]], [[1, 0], [4, 5]])
    )
    both = TwoLists(a, b, ("a", "b"), None, 9)
    same = TwoLists(b, b, ("a", "b"), None, 9)
    kept = kept_in(tmp_path)
    once, again = (kept.call(score, "overlap", both) for _ in range(2))
    other = kept.call(score, "overlap", same)
    assert kept.call(score, "overlap", same) == other
    assert once == again == score("overlap", both)
    assert once.per_query == again.per_query
    assert other.value == 1.0
    assert kept.describe()["measures.score.score"]["reused"] == 2


def put_many(folder: Path, number: int) -> None:
    kept = kept_in(folder)
    for key in range(60):
        kept.put("thing", key, np.full(2_000, key))
        found = kept.get("thing", (key + 7 * number) % 60)
        assert found is None or (found == (key + 7 * number) % 60).all()
    assert kept.notes == []


def test_two_processes_on_one_folder(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=put_many, args=(tmp_path, number)) for number in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(rows(tmp_path)) == 60
    assert all((kept_in(tmp_path).get("thing", key) == key).all() for key in range(60))
