"""Nothing half-written looks whole; names are looked up late, with hints; progress is quiet in tests and logs."""

from __future__ import annotations

import errno
import json
import threading
from io import FileIO

import numpy as np
import pytest

from embdiff import _files, _names, _optional, _progress
from embdiff._plain import reader
from embdiff._registry import Entry, Registry
from embdiff.errors import DataError, MissingDependencyError, ParameterError, ShapeError, UnknownNameError
from embdiff.records import Corpus, Neighbors, Score, Space, Stamp


def test_folder_appears_only_when_whole(tmp_path):
    target = tmp_path / "deep" / "run"
    with _files.whole_folder(target) as part:
        (part / "a").write_text("new")
        assert not target.exists()
    assert (target / "a").read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_old_folder_survives_a_failure(tmp_path, error):
    target = tmp_path / "run"
    target.mkdir()
    (target / "a").write_text("old")

    def fail() -> None:
        with _files.whole_folder(target) as part:
            (part / "a").write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert (target / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_replacing_a_folder(tmp_path):
    for text in ("old", "new"):
        with _files.whole_folder(tmp_path / "run") as part:
            (part / "a").write_text(text)
    assert (tmp_path / "run" / "a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ParameterError, match="writable"), _files.whole_folder(tmp_path / "file" / "run"):
        pass


def test_json_is_strict(tmp_path):
    _files.write_json(tmp_path / "a.json", {"text": "ü😀"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"text": "ü😀"}
    with pytest.raises(ValueError, match="JSON"):
        _files.write_json(tmp_path / "b.json", float("nan"))
    assert not (tmp_path / "b.json").exists()


def test_registry():
    registry = Registry("thing", "embdiff.tests", [
        Entry("there", "json:dumps", "ok"),
        Entry("absent", "json:dumps", "not installed", needs=("no_such_package_at_all",), extra="st"),
    ])  # fmt: skip
    assert registry.load("there") is json.dumps
    with pytest.raises(UnknownNameError, match="Did you mean 'there'"):
        registry.load("thare")
    with pytest.raises(MissingDependencyError, match=r"pip install 'embdiff\[st\]'"):
        registry.load("absent")


def test_require_gives_the_pip_line():
    assert _optional.require("json", "st", "this test") is json
    with pytest.raises(MissingDependencyError, match=r"The model needs .*pip install 'embdiff\[st\]'"):
        _optional.require("no_such_package_at_all", "st", "The model")


def test_progress_lines_when_not_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "_SECONDS_BETWEEN_LINES", 0.0)
    with _progress.progress("encode", 10, "texts") as advance:
        advance(4)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "encode: 4 of 10 texts" in captured.err
    with _progress.silent(), _progress.progress("encode", 10, "texts") as advance:
        advance(4)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"items": ("a", "b"), "ids": ("1",)}, "one entry for each of the 2 items"),
        ({"items": ("a", "b"), "ids": ("1", "1")}, "'1' in rows 0 and 1"),
        ({"items": ("a", "b\0"), "ids": ("1", "2")}, "NUL"),
        ({"items": ("a", "b"), "ids": ("1", "2"), "groups": ("g",)}, "groups must"),
    ],
)
def test_corpora_that_do_not_hold(columns, says):
    with pytest.raises(DataError) as refused:
        Corpus(**columns)
    assert says in str(refused.value)


def test_digests_and_fingerprints_tell_apart():
    a, b = Corpus(("ab", "c"), ("0", "1")), Corpus(("a", "bc"), ("0", "1"))
    assert a.digest() != b.digest()
    stamp = Stamp("st:x", "abc", 3)
    assert stamp.fingerprint() == Stamp("st:x", "abc", 3).fingerprint()
    others = [Stamp("st:y", "abc", 3), Stamp("st:x", "abd", 3), Stamp("st:x", "abc", 4), Stamp("st:x", "abc", 3, "q")]
    assert len({s.fingerprint() for s in (stamp, *others)}) == 5


def test_records_refuse_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="2 ids"):
        Space("m", ("a", "b"), np.zeros((3, 2), np.float32), Stamp("m", "1", 2))
    with pytest.raises(ShapeError, match="one shape"):
        Neighbors(np.zeros((2, 2), np.int64), np.zeros((2, 3), np.float32), "l2")


def test_scores_write_null_for_undefined():
    score = Score("overlap@3", ("a", "b"), float("nan"), float("nan"), float("nan"), 0.1, 0, reason="no queries")
    raw = score.to_dict()
    assert raw["value"] is None
    assert json.loads(json.dumps(raw, allow_nan=False)) == raw
    assert reader(Score).validate_python(raw).to_dict() == raw


def test_distance_is_what_milvus_prints():
    rows = np.zeros((1, 1), np.int64)
    assert Neighbors(rows, np.array([[-2.5]], np.float32), "l2").distance[0, 0] == 2.5
    assert Neighbors(rows, np.array([[0.5]], np.float32), "cosine").distance[0, 0] == 0.5


def test_names_of_files_are_readable_and_no_two_are_alike():
    assert _names.file_names(["toy:8", "st:BAAI/bge-small?dim=4"]) == {
        "toy:8": "toy_8",
        "st:BAAI/bge-small?dim=4": "st_BAAI_bge-small_dim_4",
    }
    alike = ["a/b", "a:b", "A/B", "long" * 40, "long" * 41, "été", "\ud800"]
    stems = _names.file_names(alike)
    assert list(stems) == alike
    assert len({stem.casefold() for stem in stems.values()}) == len(alike)
    assert all(stem.startswith(("a_b-", "A_B-", "long", "_")) for stem in stems.values())
    assert max(map(len, stems.values())) <= 77
    twice = next(stem for name, stem in stems.items() if name == "a/b")
    again = _names.file_names(["a/b", "a:b", twice])
    assert len(set(again.values())) == 3


def test_what_a_killed_writer_left_goes_with_the_next_and_what_one_writes_now_stays(tmp_path):
    path = tmp_path / "a[1].txt"
    dead = tmp_path / f".{path.name}.{'0' * 16}"
    dead.write_text("half")
    others = tmp_path / f".b.txt.{'0' * 16}"
    others.write_text("of another file")
    with _files.whole_file(path) as outer:
        assert not dead.exists()
        outer.write_text("slow")
        _files.write_text(path, "quick")
        assert outer.exists()
    assert path.read_text() == "slow"
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([path.name, others.name])


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    _files.write_text(path, "old")

    def fail() -> None:
        with _files.whole_file(path) as part:
            part.write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_interrupted_work_of_other_names_is_left_alone(tmp_path):
    for name in (".ab.partial-1", ".a*.partial-2", ".a*.old-3"):
        (tmp_path / name).mkdir()
    (tmp_path / ".a*.partial-4.lock").touch()  # killed in between
    with _files.whole_folder(tmp_path / "a*") as part:
        (part / "a").touch()
    assert sorted(each.name for each in tmp_path.iterdir()) == [".ab.partial-1", "a*"]
    (tmp_path / ".run[1].partial-1").mkdir()
    with _files.whole_folder(tmp_path / "run[1]"):
        pass
    assert sorted(each.name for each in tmp_path.iterdir()) == [".ab.partial-1", "a*", "run[1]"]


def test_a_line_is_added_whole_or_not_at_all(tmp_path):
    class Nearly(FileIO):
        room = 4

        def write(self, data):
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = super().write(bytes(data)[: self.room])
            self.room -= written
            return written

    with Nearly(tmp_path / "log", "ab") as handle:
        _files.append_line(handle, b"ab\n")
        with pytest.raises(OSError, match="No space left"):
            _files.append_line(handle, b"cd\n")
    assert (tmp_path / "log").read_bytes() == b"ab\n"


@pytest.mark.parametrize("inside", [".", "below"])
def test_the_folder_that_one_is_in_is_not_replaced(tmp_path, monkeypatch, inside):
    here = tmp_path / "here" / inside
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    with (
        pytest.raises(ParameterError, match=r"can be replaced as a whole\. Got .*here"),
        _files.whole_folder(tmp_path / "here"),
    ):
        pytest.fail("this is refused before")
    assert here.is_dir()


def test_a_lock_is_waited_for(tmp_path):
    order = []

    def second():
        with _files.alone(tmp_path / "work", wait=True) as held:
            order.append(("second", held))

    with _files.alone(tmp_path / "work"):
        with _files.alone(tmp_path / "work") as held:
            assert not held
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(60)
    assert order == ["first", ("second", True)]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_over_where_nothing_was_begun(tmp_path):
    _files.remove_left_over(tmp_path / "nowhere" / "vectors")
    assert list(tmp_path.iterdir()) == []
