"""Mutated folders of models: the vectors of the model's own library, the same each time, or a refusal that says why."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from embdiff.sources import get_encoder, packaged
from mutations import battery, damaged, read_or_refused

torch = pytest.importorskip("torch", reason="torch is not installed")
library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
pytest.importorskip("wordllama", reason="wordllama is not installed")
TEXTS = ["the ferry was late", "a lamp on the pier", "home", "late lamps: the pier"]
KINDS = ("st", "st", "plain", "plain", "static", "wordllama")
OF_FILES = ("none", "bytes", "bytes", "bytes", "emptied", "cut", "lost", "lost", "extra file", "for people")
OF_WEIGHTS = ("prefix", "tensor lost", "tensor cut", "half", "not a number", "zeros", "header", "tokens lost")
OF_JSON = ("key lost", "key changed", "key added", "not JSON", "no layers", "more layers", "fewer layers")
PLAIN = {"none", "extra file", "for people", "half", "key added"}
# Where the library puts something else in the place of what is lost, with a warning or none.
NEVER = {"prefix", "tensor lost", "not a number", "header", "tokens lost", "no tokenizer", "more layers", "zeros"}
Vectors = npt.NDArray[np.float32]


def static_model(folder: Path) -> Path:
    """Save a static model: a row for each token, and their mean."""
    from sentence_transformers.models import StaticEmbedding

    numbers = np.random.default_rng(0).standard_normal((len(vocabulary()), 16)).astype(np.float32)
    static = StaticEmbedding(tokenizer(), embedding_weights=numbers)
    library.SentenceTransformer(modules=[static], device="cpu").save(str(folder))
    return folder


def vocabulary() -> dict[str, int]:
    words = ("[UNK]", "the", "ferry", "was", "late", "lamp", "on", "pier", "home", "a", "7", "s", ":")
    return {word: number for number, word in enumerate(words)}


def tokenizer(known: dict[str, int] | None = None) -> Any:
    import tokenizers

    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(known or vocabulary(), unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return made


def wordllama_package(folder: Path) -> Path:
    """Write the two files of the package, small."""
    from safetensors.numpy import save_file

    for name in ("weights", "tokenizers"):
        (folder / name).mkdir(parents=True)
    numbers = np.random.default_rng(0).standard_normal((len(vocabulary()), 256)).astype(np.float16)
    save_file({"embedding.weight": numbers}, folder / "weights" / "l2_supercat_256.safetensors")
    tokenizer().save(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    return folder


def changed_weights(rng: random.Random, folder: Path, how: str) -> None:
    from safetensors.torch import load_file, save_file

    file = next(folder.rglob("*.safetensors"))
    if how == "header":
        raw = file.read_bytes()
        file.write_bytes(raw[:4] + rng.randbytes(4) + raw[8:])
        return
    held = load_file(file)
    # The pooler is not asked, and attention does not change with the bias of its keys.
    name = rng.choice([name for name in sorted(held) if "pooler" not in name and "key.bias" not in name])
    if how == "prefix":
        held = {f"student.{name}": value for name, value in held.items()}
    elif how == "tensor lost":
        del held[name]
        held = held or {"other": torch.zeros(2)}
    elif how == "half":
        held = {name: value.half() for name, value in held.items()}
    elif how == "zeros":
        held = {name: torch.zeros_like(value) for name, value in held.items()}
    else:
        value = held[name].float().clone()
        held[name] = value[:-1].contiguous() if how in ("tensor cut", "tokens lost") else value.fill_(float("nan"))
    save_file(held, file, metadata={"format": "pt"})


def changed_json(rng: random.Random, file: Path, how: str) -> None:
    known = json.loads(file.read_text())
    if not isinstance(known, dict) or not known:
        return
    key = rng.choice(sorted(known))
    if how == "not JSON":
        file.write_text(file.read_text()[:-2])
        return
    if how == "key lost":
        del known[key]
    elif how == "key changed":
        known[key] = rng.choice([None, "x", 0, 1, -1, 10**9, [], {}, True])
    elif how == "key added":
        known["remarks_of_ours"] = "seen"
    elif "num_hidden_layers" in known:
        known["num_hidden_layers"] = {"no layers": 0, "more layers": 3, "fewer layers": 1}[how]
    file.write_text(json.dumps(known))


def mutate(rng: random.Random, folder: Path, how: str) -> Path | None:
    """Change a folder; return the file that was, where it is one."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "README.md")
    file = rng.choice(files)
    if how in OF_WEIGHTS:
        changed_weights(rng, folder, how)
        return next(folder.rglob("*.safetensors"))
    if how in OF_JSON:
        file = rng.choice([path for path in files if path.suffix == ".json"])
        file = folder / "config.json" if "layers" in how and (folder / "config.json").is_file() else file
        changed_json(rng, file, how)
    elif how == "bytes":
        file.write_bytes(damaged(rng, file.read_bytes() or b"\0\0"))
    elif how in ("emptied", "cut"):
        file.write_bytes(file.read_bytes()[: 0 if how == "emptied" else file.stat().st_size // 2])
    elif how == "lost":
        file.unlink()
    elif how == "no tokenizer":
        for each in files:
            if "token" in each.name or "vocab" in each.name:
                each.unlink()
    elif how in ("extra file", "for people"):
        (folder / ("more.json" if how == "extra file" else "README.md")).write_text("{}")
    return file


def of_the_library(folder: Path, kind: str, seed: int) -> Vectors:
    """Return what the model's own library makes of a folder; weights that it makes up depend on the seed."""
    torch.manual_seed(seed)
    if kind == "wordllama":
        import wordllama

        model = wordllama.WordLlama.load("l2_supercat", cache_dir=folder, dim=256, disable_download=True)
        return np.asarray(model.embed(TEXTS, norm=True))
    model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True).to(torch.float32)
    return np.asarray(model.encode(TEXTS, show_progress_bar=False))


def the_library_loads(folder: Path, kind: str) -> bool:
    try:
        of_the_library(folder, kind, 0)
    except Exception:  # of several libraries
        return False
    return True


def is_broken(file: Path) -> bool:
    """Return whether a file is not what its name says."""
    from safetensors import safe_open

    try:
        if file.suffix == ".json":
            json.loads(file.read_text())
        elif file.suffix == ".safetensors":
            with safe_open(file, framework="np") as held:
                list(held.keys())
    except Exception:  # safetensors raises its own
        return file.is_file()
    return False


@battery(250)
def test_vectors_are_those_of_the_models_library_or_refused(
    tiny: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    kind = rng.choice(KINDS)
    how = rng.choice((*OF_FILES, *OF_WEIGHTS, *OF_JSON, "no tokenizer"))
    if kind in ("static", "wordllama"):
        folder = (static_model if kind == "static" else wordllama_package)(tmp_path / "model")
    else:
        folder = tiny(normalize=rng.random() < 0.5)
    if kind == "plain":
        shutil.rmtree(folder / "1_Pooling")
        for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
            (folder / name).unlink(missing_ok=True)
    if kind == "wordllama":
        import wordllama

        monkeypatch.setattr(wordllama, "__file__", str(folder / "__init__.py"))
        monkeypatch.setattr(wordllama.wordllama, "__file__", str(folder / "wordllama.py"))
        recorded = {path.name: packaged.sha256_of(path) for path in folder.rglob("*.*")}
        monkeypatch.setattr(packaged, "installed", lambda _: recorded)
    before = of_the_library(folder, kind, 0)
    file = mutate(rng, folder, how)
    spec = "wordllama:256" if kind == "wordllama" else f"st:{folder}"
    found, said = read_or_refused(lambda: get_encoder(spec).encode(TEXTS), folder)
    if found is None:
        if how in PLAIN and kind != "wordllama":  # which refuses every change
            assert not the_library_loads(folder, kind), said
        assert file is None or not is_broken(file) or file.name in said
        return
    assert not (how in NEVER and (kind in ("st", "plain") or "layers" not in how)), "read though it cannot be the model"
    assert how == "half" or np.allclose(found, before, atol=1e-5) or how not in PLAIN
    for drawn in (1, 2):
        np.testing.assert_allclose(found, of_the_library(folder, kind, drawn), atol=1e-5)
