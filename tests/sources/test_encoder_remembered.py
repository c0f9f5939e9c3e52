"""A model that the cache knows is not loaded while nothing must be encoded, and answers as the loaded one does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embdiff.errors import EncoderError
from embdiff.kept import Kept, VectorCache
from embdiff.kept.database import Database
from embdiff.records import Stamp
from embdiff.sources import Model, get_encoder
from embdiff.sources.remembered import Facts, Remembered, Unloaded
from embdiff.sources.tally import Tally

LONG = "the ferry was late " * 20  # beyond the 32 tokens of the tiny model
TEXTS = ["the ferry was late", "a lamp on the pier", LONG, "home"]
RUN = """
import json, sys
from embdiff.sources import get_encoder
from embdiff.sources.tally import Tally
from embdiff.kept import VectorCache

cache, tally = VectorCache.at(sys.argv[2]), Tally()
encoder = get_encoder(sys.argv[1], cache=cache)
vectors = encoder.encode(json.loads(sys.argv[3]), cache=cache, tally=tally)
print(json.dumps({
    "loaded": [name for name in ("torch", "sentence_transformers", "transformers", "wordllama") if name in sys.modules],
    "stamp": encoder.stamp.to_dict(), "about": encoder.about, "sum": float(vectors.sum()),
    "cut": [rows.tolist() for _, rows in tally.truncated], "encoded": tally.encoded, "same_roles": encoder.same_roles,
}))
"""


def run(model: str, folder: Path, texts: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, model, str(folder), json.dumps(texts)], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


@pytest.mark.slow
def test_a_second_process_loads_neither_torch_nor_the_model(tiny: Callable[..., Path], tmp_path: Path):
    model = f"st:{tiny({'query': 'query : '})}"
    cold, warm = run(model, tmp_path, TEXTS), run(model, tmp_path, TEXTS)
    assert "torch" in cold.pop("loaded")
    assert warm.pop("loaded") == []
    assert (cold.pop("encoded"), warm.pop("encoded")) == (len(TEXTS), 0)
    assert warm.pop("about") == {**cold.pop("about"), "loaded": False}
    assert warm == cold
    assert cold["cut"] == [[2]]
    assert not cold["same_roles"]


def test_wordllama_is_not_loaded_either(tmp_path: Path):
    pytest.importorskip("wordllama", reason="wordllama is not installed")
    cold, warm = run("wordllama:64", tmp_path, TEXTS), run("wordllama:64", tmp_path, TEXTS)
    assert (cold["loaded"], warm["loaded"]) == (["wordllama"], [])
    assert (warm["stamp"], warm["sum"]) == (cold["stamp"], cold["sum"])


def test_what_is_missing_loads_the_model(tiny: Callable[..., Path], tmp_path: Path):
    model, cache = f"st:{tiny()}", VectorCache.at(tmp_path)
    get_encoder(model, cache=cache).encode(TEXTS, cache=cache)
    encoder, tally = get_encoder(model, cache=cache), Tally()
    assert encoder.about["loaded"] is False
    vectors = encoder.encode([*TEXTS, "late " * 40], cache=cache, tally=tally)
    assert "loaded" not in encoder.about
    assert (tally.encoded, tally.cached) == (1, 4)
    assert tally.truncated[0][1].tolist() == [2, 4]
    np.testing.assert_allclose(vectors, get_encoder(model).encode([*TEXTS, "late " * 40]), atol=1e-6)


@pytest.mark.parametrize("change", ["weights", "prompts"])
def test_a_changed_file_of_the_model_is_another_model(tiny: Callable[..., Path], tmp_path: Path, change: str):
    folder, cache = tiny(), VectorCache.at(tmp_path)
    before = get_encoder(f"st:{folder}", cache=cache).stamp
    assert isinstance(get_encoder(f"st:{folder}", cache=cache)._backend, Remembered)
    if change == "weights":
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        name = next(iter(weights))
        save_file({**weights, name: weights[name] + 1.0}, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        file = folder / "config_sentence_transformers.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "prompts": {"document": "a "}}))
    encoder = get_encoder(f"st:{folder}", cache=cache)
    assert not isinstance(encoder._backend, Remembered)
    assert encoder.stamp.revision != before.revision
    assert encoder.stamp.prompt == ("" if change == "weights" else "a ")


def test_other_options_are_another_record(tiny: Callable[..., Path], tmp_path: Path):
    folder, cache = tiny(), VectorCache.at(tmp_path)
    for options, dim in (("", 16), ("?dim=8", 8), ("?dim=8", 8), ("", 16)):
        assert get_encoder(f"st:{folder}{options}", cache=cache).stamp.dim == dim


def test_without_a_cache_nothing_is_remembered(tiny: Callable[..., Path]):
    folder, off = tiny(), VectorCache.at("off")
    for _ in range(2):
        assert not isinstance(get_encoder(f"st:{folder}", cache=off)._backend, Remembered)


def test_a_damaged_record_is_told_and_made_again(tiny: Callable[..., Path], tmp_path: Path):
    folder = tiny()
    stamp = get_encoder(f"st:{folder}", cache=VectorCache.at(tmp_path)).stamp
    Database(tmp_path).execute("UPDATE results SET body = substr(body, 1, length(body) - 1)")
    cache = VectorCache.at(tmp_path)
    assert get_encoder(f"st:{folder}", cache=cache).stamp == stamp
    assert "is damaged (it does not match its checksum)" in cache.describe()["notes"][0]
    assert isinstance(get_encoder(f"st:{folder}", cache=VectorCache.at(tmp_path))._backend, Remembered)


class Changing(Model):
    """A model whose dimension depends on when it is loaded."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode(self, items: Any, *, role: str) -> Any:
        return np.ones((len(items), self.dim), dtype=np.float32)

    def stamp(self) -> Stamp:
        return Stamp("changing", "1", self.dim)


def test_a_model_that_is_not_as_remembered_is_refused(tmp_path: Path):
    dims = iter((2, 3))
    unloaded = Unloaded("changing", {"revision": "1"}, lambda: Changing(next(dims)))
    assert isinstance(unloaded.through(Kept(Database(tmp_path))), Changing)
    remembered = unloaded.through(Kept(Database(tmp_path)))
    assert remembered.stamp().dim == 2
    with pytest.raises(EncoderError, match=r"changing must be what the cache remembers of it: dim 2\. Got 3\."):
        remembered.encode(["home"], role="document")


def test_facts_of_a_plain_backend():
    assert Facts.of(Changing(2)) == Facts(Stamp("changing", "1", 2), False, False, False, None, ("text",), {})
