"""st:FOLDER where the libraries would load something else with a warning: refused, or said in the run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embdiff as ed
from embdiff.bulk import encode_corpus
from embdiff.errors import EncoderError
from embdiff.sources import get_encoder
from embdiff.sources.hub import folder_revision
from embdiff.views import terminal

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")
library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
TEXTS = ["the ferry was late", "a lamp on the pier", "home"]


def refusal(folder: Path) -> str:
    with pytest.raises(EncoderError) as caught:
        get_encoder(f"st:{folder}")
    assert len(str(caught.value)) < 600
    return str(caught.value)


def change_weights(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def without_modules(folder: Path) -> Path:
    (folder / "modules.json").unlink()
    (folder / "config_sentence_transformers.json").unlink()
    return folder


def change_json(file: Path, **values: object) -> None:
    known = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps({**known, **values}))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda held: {f"student.{name}": value for name, value in held.items()}, "embeddings.LayerNorm.bias"),
        (lambda held: {n: v for n, v in held.items() if "layer.1." not in n}, "encoder.layer.1.attention"),
        (lambda held: {n: v for n, v in held.items() if "word_embeddings" not in n}, "embeddings.word_embeddings"),
        (lambda held: {n: v for n, v in held.items() if n != "encoder.layer.0.output.LayerNorm.weight"}, "layer.0.out"),
    ],
    ids=["renamed", "a layer", "the words", "one vector"],
)
def test_weights_that_the_files_lack_are_named(tiny: Callable[..., Path], change: Callable[..., Any], named: str):
    folder = tiny()
    change_weights(folder, change)
    for path in (folder, without_modules(folder)):
        said = refusal(path)
        assert "must have all its weights in its files. Got random numbers for " in said
        assert named in said


@pytest.mark.parametrize("part", ["query", "key", "value"])
def test_weights_whose_nan_attention_swallows_are_named(tiny: Callable[..., Path], part: str):
    folder, name = tiny(), f"encoder.layer.0.attention.self.{part}.weight"
    change_weights(folder, lambda held: {n: v for n, v in held.items() if n != name})
    assert f"Got random numbers for {name}" in refusal(folder)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "modules.json", "model.safetensors"])
def test_a_file_that_cannot_be_read_is_named(tiny: Callable[..., Path], file: str):
    folder = tiny()
    raw = (folder / file).read_bytes()
    (folder / file).write_bytes(raw[: len(raw) // 2])
    assert f"Got a file that cannot be read, {file} (" in refusal(folder)


def test_weights_of_another_shape_are_refused(tiny: Callable[..., Path]):
    folder = tiny()
    change_weights(
        folder, lambda held: {n: v[:8] if n.endswith("word_embeddings.weight") else v for n, v in held.items()}
    )
    assert "must load as a sentence-transformers model" in refusal(folder)


def test_a_pooler_that_nobody_asks_may_be_missing(tiny: Callable[..., Path]):
    folder = tiny()
    expected = get_encoder(f"st:{folder}").encode(TEXTS)
    change_weights(folder, lambda held: {n: v for n, v in held.items() if not n.startswith("pooler.")})
    encoder = get_encoder(f"st:{folder}")
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-6)
    assert "assumed" not in encoder.about


def test_weights_without_a_place_are_said(tiny: Callable[..., Path]):
    folder = tiny()
    expected = get_encoder(f"st:{folder}").encode(TEXTS)
    change_weights(folder, lambda held: {**held, "head.bias": torch.ones(2), "head.weight": torch.ones(2, 2)})
    encoder = get_encoder(f"st:{folder}")
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-6)
    assert encoder.about["assumed"] == [
        "weights in its files that the model has no place for are left out: head.bias and 1 more"
    ]


@pytest.mark.parametrize("kept", [(), ("tokenizer_config.json",)], ids=["no file", "settings only"])
@pytest.mark.parametrize("plain", [False, True])
def test_a_missing_tokenizer_is_refused(tiny: Callable[..., Path], kept: tuple[str, ...], plain: bool):
    folder = tiny()
    for file in folder.iterdir():
        if ("token" in file.name or "vocab" in file.name) and file.name not in kept:
            file.unlink()
    assert "must " in refusal(without_modules(folder) if plain else folder)


def test_the_tokenizer_of_a_smaller_model_is_refused(tiny: Callable[..., Path]):
    folder = tiny()
    (folder / "vocab.txt").write_text("\n".join(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "home")))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    assert "Got one of 7 entries, 2 of them words, for a model that knows 18" in refusal(folder)


def test_a_model_that_makes_one_vector_of_every_word_is_refused(tiny: Callable[..., Path]):
    folder = tiny()
    last = "encoder.layer.1.output.LayerNorm.weight"
    change_weights(folder, lambda held: {**held, last: torch.zeros_like(held[last])})
    assert "must give different words different vectors. Got one and the same for home, the, a, 7" in refusal(folder)


@pytest.mark.parametrize(
    ("kind", "told"), [("CrossEncoder", "scores pairs"), ("SparseEncoder", "SPLADE"), ("MultiVectorEncoder", "ColBERT")]
)
def test_other_families_are_refused_by_their_settings(tiny: Callable[..., Path], kind: str, told: str):
    folder = tiny()
    change_json(folder / "config_sentence_transformers.json", model_type=kind)
    said = refusal(folder)
    assert "must make one dense vector of a text. Got a" in said
    assert told in said


def test_saved_models_of_other_families_are_refused(tiny: Callable[..., Path], tmp_path: Path):
    plain = without_modules(tiny())
    library.CrossEncoder(str(plain), num_labels=1, device="cpu").save_pretrained(str(tmp_path / "cross"))
    assert "a CrossEncoder" in refusal(tmp_path / "cross")
    (tmp_path / "cross" / "config_sentence_transformers.json").unlink(missing_ok=True)
    (tmp_path / "cross" / "modules.json").unlink(missing_ok=True)
    assert "config.json names BertForSequenceClassification" in refusal(tmp_path / "cross")
    change_json(plain / "config.json", architectures=["HF_ColBERT"])
    assert "a MultiVectorEncoder (ColBERT)" in refusal(plain)


@pytest.mark.parametrize(
    "package", ["sentence_transformers.sparse_encoder.models.SpladePooling", "pylate.models.Dense"]
)
def test_modules_tell_another_family(tiny: Callable[..., Path], package: str):
    folder = tiny()
    modules = json.loads((folder / "modules.json").read_text())
    modules[-1]["type"] = package
    (folder / "modules.json").write_text(json.dumps(modules))
    assert f"modules.json names {package}" in refusal(folder)


def test_what_is_assumed_of_a_plain_model_is_said_and_stamped(tiny: Callable[..., Path]):
    folder = without_modules(tiny())
    encoder = get_encoder(f"st:{folder}")
    assert encoder.stamp.model == f"st:{folder.name} + mean of tokens"
    assert encoder.about["assumed"] == [
        "it does not say how one vector is made of a text (no modules.json): the mean of tokens is assumed"
    ]


@pytest.mark.parametrize(
    "file", ["w.pt", "w.pth", "head.npz", "head.pkl", "a.tiktoken", "bpe.vocab", "a.spm", "w.ckpt", "merges", "1/w.h5"]
)
def test_every_file_counts(tiny: Callable[..., Path], file: str):
    folder = tiny()
    (folder / file).parent.mkdir(exist_ok=True)
    seen = [folder_revision(folder)]
    for content in (b"1", b"2"):
        (folder / file).write_bytes(content)
        seen.append(folder_revision(folder))
    assert len(set(seen)) == 3


@pytest.mark.parametrize("file", ["README.md", "LICENSE", "picture.png", ".gitattributes", "__pycache__/a.pyc"])
def test_what_is_for_people_does_not_count(tiny: Callable[..., Path], file: str):
    folder = tiny()
    before = folder_revision(folder)
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_bytes(b"other words")
    assert folder_revision(folder) == before


def test_linked_folders_count_and_circles_end(tiny: Callable[..., Path], tmp_path: Path):
    folder = tiny()
    plain = folder_revision(folder)
    shutil.move(folder / "1_Pooling", tmp_path / "pooling")
    (folder / "1_Pooling").symlink_to(tmp_path / "pooling")
    assert folder_revision(folder) == plain
    change_json(tmp_path / "pooling" / "config.json", pooling_mode="cls")
    assert folder_revision(folder) != plain
    (tmp_path / "pooling" / "round").symlink_to(folder)
    assert get_encoder(f"st:{folder}").stamp.revision == folder_revision(folder)


def test_the_base_of_an_adapter_counts(tiny: Callable[..., Path], tmp_path: Path):
    from embdiff.sources.hub import locate

    base, folder = tiny(), tmp_path / "adapter"
    folder.mkdir()
    change_json(folder / "config.json", model_type="bert")
    change_json(folder / "adapter_config.json", base_model_name_or_path=str(base))
    before = locate(str(folder), None, "st:adapter").revision
    change_json(base / "config.json", changed=True)
    assert locate(str(folder), None, "st:adapter").revision != before


def test_every_command_says_what_is_assumed(tiny: Callable[..., Path], tmp_path: Path):
    model, texts = f"st:{without_modules(tiny())}", [f"the ferry {word} lamp" for word in ("was", "late", "on", "home")]
    told = (
        f"{model}: it does not say how one vector is made of a text (no modules.json): the mean of tokens is assumed."
    )
    cache = tmp_path / "cache"
    for _ in range(2):  # the second time it is remembered
        compared = ed.compare(texts, [model, "toy:8"], k=1, store="memory:", cache=cache, baseline=False)
        assert told in " ".join(terminal.text(compared.facts(queries=0), width=4000, everything=True).split())
        assert told in encode_corpus(texts, model, tmp_path / "out.parquet", cache=cache).notes
    (tmp_path / "pairs.csv").write_text(
        "".join(f"{a},{b},{row}\n" for row, (a, b) in enumerate(zip(texts, texts[1:] + texts[:1], strict=True)))
    )
    assert told in ed.evaluate(tmp_path / "pairs.csv", [model], cache=cache).outcome.notes
