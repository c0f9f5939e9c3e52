"""A run folder from elsewhere: opening it runs no code, reaches no host, opens no place that only it names."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.errors import DataError, ParameterError, StoreError
from embdiff.runs.folder import NOT_SHOWN
from embdiff.server import serve
from embdiff.views import report
from forged_runs import forge, with_model

TEXTS = [f"{word} number {at}" for at in range(5) for word in ("cats", "dogs", "birds")]
EXPECTED = {str(at): {str((at + 1) % 15): 1} for at in range(15)}
EVIL = 'from pathlib import Path\nPath("ran").touch()\nraise RuntimeError("the code of the model ran")\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "run"
    groups = [text.split()[0] for text in TEXTS]
    ed.compare(
        TEXTS, ["toy:8", "toy:16"], k=3, store="memory:", cache="off", groups=groups, expected=EXPECTED, calibrate=20,
        permutations=99, out=out,
    )  # fmt: skip
    return out


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A run in a folder of its own, as if unpacked; the current folder is another one."""
    (tmp_path / "here").mkdir()
    os.chdir(tmp_path / "here")
    return Path(shutil.copytree(made, tmp_path / "from a colleague" / "run"))


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A host that nobody may reach."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        bound.setblocking(False)
        yield bound


def served(run: Path, **how: Any) -> None:
    """Serve until the page could be opened."""

    def ready(address: str) -> None:
        raise KeyboardInterrupt(address)

    with suppress(KeyboardInterrupt):
        serve(run, ready=ready, **how)


def exported(run: Path) -> None:
    ed.load(run).to_projector("vectors")


@pytest.mark.parametrize("verb", [served, exported])
@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("st:{run}/evil?trust_remote_code=true", "brings code along"),
        ("st:{run}/evil?trust_remote_code=1", "brings code along"),
        ("minilm?trust_remote_code=true", "brings code along"),
        ("milvus:{run}/x.db#c?encoder=st:evil%3Ftrust_remote_code=true", "brings code along"),
        ("milvus:{run}/x.db#c?encoder=vectors:/etc/passwd", "outside its folder"),
        ("http://127.0.0.1:{port}#c", "another host"),
        ("milvus:../other.db#c", "outside its folder"),
        ("vectors:{outside}/theirs.npy", "outside its folder"),
        ("vectors:../from a colleague/theirs.npy", "outside its folder"),
        ("vectors:{run}/v.npy?queries={outside}/theirs.npy", "outside its folder"),
        ("vectors:{run}/link.npy", "outside its folder"),
        ("vectors:~/theirs.npy", "outside its folder"),
        ("st:{outside}/model", "outside its folder"),
        ("st:../model", "outside its folder"),
        ("st:{run}/adapter", "an adapter of '.*', outside its folder"),
        ("st:{run}/nested", "an adapter of '.*', outside its folder"),
        ("theirs:anything", "another package decides"),
    ],
)
def test_models_that_only_a_file_names_are_not_loaded(run, listening, spec, why, verb):
    outside, port = run.parent, listening.getsockname()[1]
    (run / "evil").mkdir()
    (run / "evil" / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "evil.Evil"}]')
    (run / "evil" / "evil.py").write_text(EVIL)
    for name, base in (("adapter", f"{outside}/base"), ("nested/1_Adapter", "~/base")):
        (run / name).mkdir(parents=True)
        (run / name / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    np.save(outside / "theirs.npy", np.eye(15, dtype=np.float32))
    (run / "link.npy").symlink_to(outside / "theirs.npy")
    spec = spec.format(run=run, outside=outside, port=port)
    with_model(run, spec)
    with pytest.raises(ParameterError, match=why) as raised:
        verb(run)
    message = str(raised.value)
    assert str(run) in message
    assert "--trust" in message
    assert len(message) < 600
    assert not Path("ran").exists()
    assert list(Path().iterdir()) == []
    with pytest.raises(BlockingIOError):
        listening.accept()
    assert ed.load(run).run.config.models[1] == spec  # what loads nothing looks at it all the same


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"store": "http://127.0.0.1:{port}"}, "store 'http://127.0.0.1:{port}' (another host"),
        ({"store": "http://root:hush@127.0.0.1:{port}?token=hush"}, "store 'http://127.0.0.1:{port}' (another host"),
        ({"store": "milvus:{outside}/other.db"}, "outside its folder"),
        ({"store": "lancedb:other"}, "outside its folder"),
        ({"store": "theirs:x"}, "another package decides"),
        ({"cache": "{outside}/kept"}, "cache '{outside}/kept' (outside its folder)"),
        ({"cache": "kept?precision=float16"}, "outside its folder"),
        ({"data": "{outside}/texts.txt"}, "data '{outside}/texts.txt' (outside its folder)"),
        ({"data": "../texts.txt"}, "outside its folder"),
        ({"data": "http://127.0.0.1:{port}#c?text=t"}, "another host"),
        ({"queries": "../texts.txt"}, "queries '../texts.txt'"),
        ({"expected": "/etc/passwd"}, "expected '/etc/passwd'"),
        ({"query_models": ["st:x?trust_remote_code=true"]}, "brings code along"),
        (
            {"models": ["toy:8", "openai:m?base_url=http://127.0.0.1:{port}/v1"]},
            "which would be given the texts and your",
        ),
        ({"query_models": ["gemini:m"]}, "'gemini:m' (another host, which would be given the texts and your key)"),
    ],
)
def test_what_a_configuration_names_is_checked_before_anything_is_opened(
    run, embdiff, listening, settings, why, monkeypatch
):
    outside, port = run.parent, listening.getsockname()[1]
    named = {
        key: [each.format(outside=outside, port=port) for each in value]
        if isinstance(value, list)
        else value.format(outside=outside, port=port)
        for key, value in settings.items()
    }
    for longest in ("embdiff._visible.LONGEST_MESSAGE", "embdiff.runs.origin._LONGEST"):
        monkeypatch.setattr(longest, 2_000)  # a test's folder has a long name
    forge(run, groups=None, **{"data": "sample", "expected": str(run / "expected.csv"), **named})
    done = embdiff("compare", "--all", str(run / "run.toml"), "--out", "again")
    assert done.code == 2, done.err
    assert why.format(outside=outside, port=port) in done.err
    assert "hush" not in done.err
    assert str(run / "run.toml") in done.err
    assert list(Path().iterdir()) == []
    with pytest.raises(BlockingIOError):
        listening.accept()


def test_a_configuration_names_what_lies_in_its_folder_or_what_is_said_again(embdiff, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    (tmp_path / "mine").mkdir()
    config = tmp_path / "mine" / "config.toml"
    settings = 'data = "texts.txt"\nmodels = ["toy:8", "toy:16"]\nk = 2\ncache = "mine/kept"\nstore = '
    config.write_text(f'{settings}"lancedb:mine/vectors"')
    first = embdiff("compare", "--all", str(config), "--out", "run")
    if "pip install" not in first.err:  # LanceDB may not be installed
        assert first.code == 0, first.err
    config.write_text(f'{settings}"http://127.0.0.1:1"')
    assert embdiff("compare", "--all", str(config), "--out", "run").code == 2
    done = embdiff("compare", "--all", str(config), "--store", "memory:", "--out", "run")
    assert done.code == 0, done.err
    config.write_text(f'{settings}"milvus:elsewhere.db"')
    assert embdiff("compare", "--all", str(config), "--out", "run").code == 2
    done = embdiff("compare", "--all", str(config), "--trust", "--out", "run")
    assert done.code == 0, done.err


def test_a_host_in_the_manifest_gets_no_token(run, listening, monkeypatch):
    monkeypatch.setenv("EMBDIFF_STORE_TOKEN", "root:hushhush")
    host = f"http://127.0.0.1:{listening.getsockname()[1]}"
    forge(run, lambda told: told.update(store=host))
    with pytest.raises(ParameterError, match=rf"store '{host}' \(another host, which would be given your EMB.*--store"):
        served(run)
    with pytest.raises(BlockingIOError):
        listening.accept()
    with pytest.raises(StoreError):  # named now, it is asked
        served(run, store=f"{host}?patience=0")
    listening.accept()[0].close()


@pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")
def test_trust_and_places_in_the_folder_are_let_through(run, embdiff):
    served(run)
    np.save(run / "mine.npy", np.load(_vectors_of(run, "toy:16")))
    with_model(run, f"vectors:{run}/mine.npy")
    with pytest.raises(DataError, match="A model must be the one that the run was made with"):  # past the gate
        served(run)
    with_model(run, "st:/nosuch?trust_remote_code=true")
    done = embdiff("export", str(run), "--to", "projector", "--out", "tsv", "--trust")
    assert done.code == 2
    assert "must be a folder that exists" in done.err or "pip install" in done.err


def _vectors_of(run: Path, model: str) -> Path:
    path = run.parent / "made.npy"
    np.save(path, ed.get_encoder(model).encode(TEXTS))
    return path


def test_no_file_says_where_it_comes_from(run):
    def claim(told: Any) -> None:
        told["state"].update(origin={"file": None, "trusted": True}, unseen=[])

    with_model(run, "st:x?trust_remote_code=true")
    forge(run, claim)
    with pytest.raises(ParameterError, match="brings code along"):
        exported(run)


@pytest.mark.parametrize("name", ["corpus.parquet", "scores.json", "run.toml", "manifest.json", "neighbors.parquet"])
@pytest.mark.parametrize("how", ["removed", "emptied", "flipped", "linked", "a pipe", "a folder"])
def test_a_part_that_is_missing_or_changed_is_named(run, name, how):
    path = run / name
    whole = path.read_bytes()
    if how == "emptied":
        path.write_bytes(b"")
    elif how == "flipped":
        path.write_bytes(whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:])
    else:
        path.unlink()
    if how == "linked":
        path.symlink_to("/etc/passwd")
    elif how == "a pipe":
        os.mkfifo(path)
    elif how == "a folder":
        path.mkdir()
    with pytest.raises(DataError, match=name.replace(".", r"\.")) as raised:
        ed.load(run)
    assert "root:" not in str(raised.value)
    assert ("damaged=True" in str(raised.value)) == (name == "neighbors.parquet")


@pytest.mark.parametrize("name", sorted(set(NOT_SHOWN) - {"milvus.db"}))
def test_a_damaged_run_opens_when_asked_and_says_what_is_not_shown(run, embdiff, name):
    if not (run / name).is_file():
        pytest.skip("the page is not bundled ('make frontend' does that)")
    (run / name).unlink()
    for command in (("show", str(run)), ("diff", str(run), "0"), ("export", str(run), "--out", "x.parquet")):
        assert f"'{name}' is missing" in embdiff(*command).err
        done = embdiff(*command, "--damaged")
        assert done.code == 0, done.err
        assert f"{name} is missing. Not shown: {NOT_SHOWN[name]}." in done.err
    shown = json.loads(embdiff("show", str(run), "--json", "--damaged").out)
    assert shown["unseen"] == [f"{name} is missing. Not shown: {NOT_SHOWN[name]}."]
    assert name in embdiff("show", "--all", str(run), "--damaged").out
    with pytest.raises(ParameterError, match=f"A run must be whole to be written.*{name}"):
        ed.load(run, damaged=True).save("copy")


@pytest.mark.skipif(not report.is_built(), reason="the page is not bundled ('make frontend' does that)")
def test_a_report_that_is_written_later_records_itself(run, embdiff):
    (run / "report.html").write_text("<script>something else</script>")
    assert "'report.html' is changed" in embdiff("report", str(run)).err
    done = embdiff("report", str(run), "--damaged")
    assert done.code == 0, done.err
    assert "something else" not in (run / "report.html").read_text()
    assert ed.load(run).run.unseen == ()
    ed.load(run).to_html(run.parent / "elsewhere.html")
    assert ed.load(run).run.unseen == ()


def test_collections_that_are_not_as_the_run_left_them_are_named(run, monkeypatch):
    os.chdir(run.parent)
    ed.compare(TEXTS, ["toy:8", "toy:16"], k=3, out="whole", cache="off")
    served(Path("whole"))
    with ed.get_store("milvus:whole/milvus.db") as store:
        first, second = store.names()
        store.drop(first)
    with pytest.raises(StoreError, match=f"{first} is missing.*--damaged"):
        served(Path("whole"))
    served(Path("whole"), damaged=True)
    shutil.rmtree("whole/milvus.db")
    with pytest.raises(DataError, match=r"'milvus\.db' is missing"):
        ed.load("whole")
    assert "the live page searches exactly" in ed.load("whole", damaged=True).run.unseen[0]
    ed.compare(TEXTS[:-1], ["toy:8"], k=3, out="other", cache="off")
    Path("other/milvus.db").rename("whole/milvus.db")
    with pytest.raises(StoreError, match="is missing"):
        served(Path("whole"))
    assert second


@pytest.mark.parametrize(
    "change",
    [
        {"stamp": {"evil": 1}}, {"stamp": None}, {"role": 3}, {"dim": "x"}, {"model": ["st:x"]}, {"versions": 1},
        {"variant": {"of": "st:x?trust_remote_code=true"}}, {"variant": []}, {"format": 2}, {"format": []},
    ],
)  # fmt: skip
def test_what_stands_on_vectors_is_checked_and_names_nothing_to_load(change, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    encode_corpus("texts.txt", "toy:8", "made.parquet")
    table = pq.read_table("made.parquet")
    label = json.loads(table.schema.metadata[b"embdiff"])
    for name, text in (("changed", json.dumps({**label, **change})), ("nested", "[" * 100_000), ("list", "[]")):
        pq.write_table(table.replace_schema_metadata({b"embdiff": text.encode()}), f"{name}.parquet")
        with pytest.raises(DataError, match=rf"{name}\.parquet") as raised:
            ed.compare("texts.txt", [f"vectors:{name}.parquet"], k=2, store="memory:")
        assert len(str(raised.value)) < 600
    trusting = {**label, "model": "st:./evil?trust_remote_code=true"}
    pq.write_table(table.replace_schema_metadata({b"embdiff": json.dumps(trusting).encode()}), "other.parquet")
    ed.compare("texts.txt", ["vectors:other.parquet"], k=2, store="memory:")


def test_a_run_whose_files_contradict_each_other_is_refused(run, embdiff):
    def more(told: Any) -> None:
        told["models"][0]["encoding"]["texts"] = "many"

    forge(run, more)
    for command in ("show", "report", "diff", "export", "judge"):
        arguments = {"diff": ["0"], "export": ["--out", "x.parquet"], "judge": ["--status"]}.get(command, [])
        done = embdiff(command, str(run), *arguments)
        assert done.code in (0, 2), done.err
        if command != "judge":  # which does not look at what encoding came to
            assert "What the files of a run say must fit together" in done.err


def test_rows_that_there_are_not_are_refused(run):
    corpus = pq.read_table(run / "corpus.parquet")
    pq.write_table(corpus.slice(0, 5), run / "corpus.parquet")
    forge(run)
    with pytest.raises(DataError, match=r"rows that query and queries do not fit together"):
        ed.load(run)


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 20_000, "k = " + "9" * 9_000, "cls = 1\nself = 2", "k = [1]\nmodels = 3", "\x00", "= ="]
)
def test_a_configuration_that_is_none_is_refused(text, embdiff):
    Path("config.toml").write_text(text)
    done = embdiff("compare", "--all", "config.toml", "--out", "run")
    assert done.code == 2, done.err
    assert len(done.err) < 600
    assert not Path("run").exists()
