"""Memory: what the machine, its container and the process's limits grant, and what is refused that would take more."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff import _memory, _names, _processors
from embdiff.corpus.parquet import _longest
from embdiff.errors import DataError, ParameterError

MIB = 2**20


@pytest.mark.parametrize(
    ("own", "name", "text", "most"),
    [
        ("0::/a/b", "a/memory.max", f"{64 * MIB}\n", 64 * MIB),
        ("4:memory:/a", "memory/a/memory.limit_in_bytes", f"{32 * MIB}\n", 32 * MIB),
        ("0::/a", "a/memory.max", "max\n", None),
        ("2:cpu:/a", "cpu/a/memory.max", "1\n", None),
    ],
)
def test_a_container_grants_no_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, name: str, text: str, most: int | None
) -> None:
    monkeypatch.setattr(_processors, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(_processors, "_GROUPS", tmp_path / "groups")
    without = _memory.machine()
    (tmp_path / "own").write_text(f"{own}\n")
    (tmp_path / "groups" / name).parent.mkdir(parents=True)
    (tmp_path / "groups" / name).write_text(text)
    assert _memory.machine() == (without if most is None else most)
    assert _memory.room_for_texts() < _memory.share() < _memory.machine()


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "share", lambda: 4 * MIB)


def one_text(rows: int, length: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * length]))


@pytest.mark.parametrize(("rows", "length"), [(100_000, 1_000), (200, 500_000)])
@pytest.mark.parametrize("coded", [True, False])
def test_a_small_parquet_file_that_holds_a_lot_is_refused(little: None, rows: int, length: int, coded: bool) -> None:
    column = one_text(rows, length)
    pq.write_table(pa.table({"text": column if coded else column.dictionary_decode()}), "bomb.parquet")
    assert Path("bomb.parquet").stat().st_size < MIB
    with pytest.raises(DataError, match=r"must fit into memory.*1MiB.*bomb\.parquet"):
        ed.read_corpus("bomb.parquet")


def test_the_longest_value_of_a_dictionary_is_told_by_its_page() -> None:
    pq.write_table(pa.table({"text": one_text(10, 3_000), "number": list(range(10))}), "few.parquet")
    told = _longest(Path("few.parquet"), pq.read_metadata("few.parquet"), ["text"])
    assert told == 3_000 + 4  # its length stands before it


@pytest.mark.parametrize("rows", [1, 1_023, 1_024, 1_025, 3_000])
def test_a_column_is_read_whole_whatever_the_steps(rows: int) -> None:
    texts = [f"text {row}" for row in range(rows)]
    pq.write_table(pa.table({"text": texts}), "plain.parquet", row_group_size=700)
    assert ed.read_corpus("plain.parquet").items == tuple(texts)


def test_text_that_unpacks_to_too_much_is_refused(little: None) -> None:
    with gzip.open("bomb.csv.gz", "wb") as handle:
        handle.write(b"text\n" + b"a\n" * 3_000_000)
    Path("large.txt").write_bytes(b"a\n" * MIB)
    for name in ("bomb.csv.gz", "large.txt"):
        with pytest.raises(DataError, match=r"must fit into memory"):
            ed.read_corpus(name)


def test_vectors_beyond_the_share_stay_on_disk_without_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"text {row}" for row in range(5_000)]
    np.save("v.npy", np.random.default_rng(0).normal(size=(5_000, 8)).astype(np.float32))
    settings = {"k": 3, "store": "memory:", "sample": 20, "baseline": False, "layout": "none"}
    held = ed.compare(texts, ["vectors:v.npy"], **settings)
    monkeypatch.setattr("embdiff.comparison.stages.share", lambda: 300_000)
    left = ed.compare(texts, ["vectors:v.npy"], **settings)
    assert left.to_frame()["id"].tolist() == held.to_frame()["id"].tolist()
    assert (held.run.manifest["on_disk"], left.run.manifest["on_disk"]) == ([], ["vectors:v.npy"])
    monkeypatch.setattr("embdiff.comparison.stages.share", lambda: 2_000)
    with pytest.raises(ParameterError, match="--memory of at least"):
        ed.compare(texts, ["vectors:v.npy"], **settings)


def test_what_may_never_end_is_not_read() -> None:
    os.mkfifo("pipe")
    Path("device").symlink_to("/dev/zero")
    for name, what in (("pipe", "a pipe"), ("device", "a device")):
        with pytest.raises(DataError, match=f"Got {what}, {name}"):
            _names.refuse_endless(Path(name))
    _names.refuse_endless(Path("nowhere"))
    _names.refuse_endless(Path())


@pytest.mark.parametrize("name", ["a\0b", "\udcff", "x" * 201, "ü" * 101, "x/" * 1_800])
def test_names_that_no_file_can_have_are_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=r"name of the output|The output must have a name"):
        _names.place_for(Path(name), "output")
    assert _names.place_for(Path("ü" * 100), "output") == Path("ü" * 100).resolve()
