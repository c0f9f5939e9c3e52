"""Data sets by name and splits of folders: the client of the hub itself, against a small hub on loopback; refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.corpus import read_corpus
from embdiff.errors import DataError, EmbdiffError, ParameterError
from embdiff.runs.origin import Named, Origin
from small_hub import COMMIT, serving

pytest.importorskip("huggingface_hub", reason="the client of the hub is not installed")

LABELS = ("tea", "sea")


def written(folder: Path, name: str, rows: list[dict], parts: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        pq.write_table(pa.Table.from_pylist(rows[part::parts]), folder / f"{name}-{part:05d}-of-{parts:05d}.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As a data set lies on the hub: two splits, one of two files, a configuration, words for people, code."""
    place = tmp_path / "set"
    for split, parts, count in (("train", 2, 30), ("test", 1, 12)):
        rows = [{"text": f"{LABELS[at % 2]} {split} {at}", "label": LABELS[at % 2]} for at in range(count)]
        written(place / "data", split, rows, parts)
    (place / "pairs").mkdir()
    lines = [{"sentence1": f"a {at}", "sentence2": f"b {at % 5}", "score": at} for at in range(12)]
    (place / "pairs" / "dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (place / "README.md").write_text("# words")
    (place / "set.py").write_text("raise SystemExit('code was run')")
    return place


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with serving(monkeypatch, "datasets", "real/data", folder) as answers:
        yield answers


def test_a_split_is_downloaded_alone_read_and_found_again_without_the_hub(hub, folder, monkeypatch):
    corpus = read_corpus("hf:real/data?split=train")
    assert sorted(corpus.items) == sorted(f"{LABELS[at % 2]} train {at}" for at in range(30))
    assert corpus.items == read_corpus(f"{folder}?split=train").items
    assert corpus.source == "hf:real/data?split=train"
    assert f"hf:real/data is at commit {COMMIT}." in corpus.notes
    taken = [path for path in hub.asked if "/resolve/" in path]
    assert {path.rpartition("/")[2] for path in taken} == {f"train-0000{at}-of-00002.parquet" for at in range(2)}
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    asked = len(hub.asked)
    assert read_corpus("hf:real/data?split=train").items == corpus.items
    assert read_corpus(f"hf:real/data?split=train&revision={COMMIT}").items == corpus.items
    assert len(hub.asked) == asked


def test_every_command_takes_it(hub, embdiff, tmp_path):
    done = embdiff("compare", "hf:real/data?split=test", "-m", "toy:8", "-m", "toy:16", "-k", "2", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["corpus"]["rows"] == 12
    encode_corpus("hf:real/data?split=train", "toy:8", tmp_path / "v.parquet", cache="off")
    assert pq.read_metadata(tmp_path / "v.parquet").num_rows == 30
    pairs = ed.evaluate("hf:real/data?config=pairs&split=dev", ["toy:8"])
    assert (pairs.task, pairs.score("spearman", "toy:8").n) == ("pairs", 12)
    one = ed.evaluate("hf:real/data?split=test", ["toy:8"], task="classes", draws=1)
    assert one.task == "classes"


def test_train_and_test_are_found_where_each_is_one_file(folder):
    for path in (folder / "data").glob("train-*"):
        path.unlink()
    written(
        folder / "data", "train", [{"text": f"{LABELS[at % 2]} {at}", "label": LABELS[at % 2]} for at in range(15)], 1
    )
    found = ed.evaluate(folder, ["toy:8"], draws=1, baseline=False)
    assert found.task == "classes"
    assert "12 texts of 2 classes to classify, 15 to learn from" in found.outcome.about


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:real/none", r"must be a data set on the Hugging Face hub.*the hub has no such data set, or it is private"),
        (
            "hf:real/data?split=dev2",
            r"Got 'hf:real/data\?split=dev2', which has 'data/test', 'data/train', 'pairs/dev'",
        ),
        (
            "hf:real/data?split=test&config=fr",
            r"must have such files of data\. Got 'hf:real/data\?split=test&config=fr', which has 'data/test'",
        ),
        ("hf:real/data?part=test", r"An option of a data set must be one of split, config, revision"),
        ("hf:data", r"must be written hf:ORGANISATION/NAME\. Got 'hf:data'"),
        ("hf:real/data?revision=x", r"the hub has no such revision; not in the cache"),
    ],
)
def test_what_is_not_there_is_named(hub, name, message):
    with pytest.raises(EmbdiffError, match=message) as caught:
        ed.compare(name, ["toy:8", "toy:16"])
    assert len(str(caught.value)) < 600


def test_offline_it_is_said_at_once(monkeypatch, tmp_path, embdiff):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    done = embdiff("compare", "hf:mteb/banking77?split=test", "-m", "toy:8")
    assert (done.code, done.out) == (2, "")
    assert "the hub was not asked, because HF_HUB_OFFLINE is set; not in the cache" in " ".join(done.err.split())


def test_a_split_of_a_folder_is_refused_where_it_is_not_one_table(folder):
    with pytest.raises(DataError, match=r"none; there are 'data/test', 'data/train', 'pairs/dev'"):
        read_corpus(f"{folder}?split=dev2")
    written(folder / "other", "test", [{"text": "x"}], 1)
    with pytest.raises(DataError, match="2 tables of that name"):
        read_corpus(f"{folder}?split=test")
    with pytest.raises(DataError, match=r"must be one file\. Got 2 in"):
        ed.evaluate(f"{folder}?split=train", ["toy:8"], task="classes")


def test_a_file_of_others_may_not_have_the_hub_asked(tmp_path):
    with pytest.raises(ParameterError, match="another host, which would be asked for it"):
        Origin(tmp_path / "run.toml").admit([Named("data", "hf:real/data")])
