"""Names that cannot be downloaded: one clear line, soon; and models that the cache has."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from embdiff.errors import EncoderError, ParameterError
from embdiff.sources import get_encoder
from small_hub import COMMIT, Answers, serving

hub = pytest.importorskip("huggingface_hub", reason="sentence-transformers is not installed")
pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(folder))
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def small_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Answers]]:
    with serving(monkeypatch, "models", "real/model", tmp_path) as answers:
        yield answers


def refusal(spec: str) -> str:
    start = time.monotonic()
    with pytest.raises(EncoderError) as caught:
        get_encoder(spec)
    assert time.monotonic() - start < 20
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_without_network(offline: None):
    message = refusal("st:organisation/model")
    assert message.startswith("The model 'st:organisation/model' must be on the Hugging Face hub, in its local cache")
    assert "HF_HUB_OFFLINE is set; not in the cache; no folder 'organisation/model' here" in message
    assert "a local folder (st:./my-model), minilm, wordllama:256, lsa:64 or toy:8" in message


def test_with_a_closed_port(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    message = refusal("st:organisation/model")
    assert "the hub did not answer (ConnectError: " in message or "the hub did not answer (ConnectionError: " in message


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("st:no/such", "for no/such: the hub has no such model, or it is private"),
        ("st:real/model?revision=x", "for real/model at revision x: the hub has no such revision"),
        ("st:gated/model", "the hub asks to accept its terms first"),
        ("st:no-organisation", "for sentence-transformers/no-organisation: the hub has no such model"),
        ("st:what a/name", "the hub has no names like that"),
    ],
)
def test_what_the_hub_says_is_passed_on(small_hub: type[Answers], spec: str, words: str):
    assert words in refusal(spec)


@pytest.mark.parametrize("name", ["./missing", "/no/such/folder", "~/missing-model", "a/b/c", "..\\model"])
def test_missing_folders(name: str):
    assert f"Got {name!r}, which is no folder. Check the path." in refusal(f"st:{name}")


def test_a_file_is_no_folder(tmp_path: Path):
    (tmp_path / "model.bin").write_text("")
    assert "which is no folder" in refusal("st:model.bin")


def test_a_folder_without_a_model(tmp_path: Path):
    (tmp_path / "notes").mkdir()
    assert "which has neither modules.json nor config.json" in refusal("st:notes")


def test_a_folder_has_no_revision(tmp_path: Path):
    with pytest.raises(ParameterError, match=r"A revision must be of a model on the hub\. Got .* a local folder"):
        get_encoder(f"st:{tmp_path}?revision=main")


def test_a_model_is_downloaded_pinned_and_then_taken_from_the_cache(
    small_hub: type[Answers], tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    folder = tiny({"query": "query : "})
    small_hub.folder = folder
    first = get_encoder("st:real/model")
    assert (first.stamp.model, first.stamp.revision) == ("st:real/model", COMMIT)
    assert f"/real/model/resolve/{COMMIT}/model.safetensors" in small_hub.asked
    texts = ["the ferry was late", "home"]
    for role in ("document", "query"):
        expected = get_encoder(f"st:{folder}").encode(texts, role=role)
        np.testing.assert_allclose(first.encode(texts, role=role), expected, atol=1e-6)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = get_encoder("st:real/model")
    assert again.stamp == first.stamp
    np.testing.assert_allclose(again.encode(texts), first.encode(texts), atol=1e-6)


def test_a_cached_model_is_used_offline_and_pinned(offline: None, empty_cache: Path, tiny: Callable[..., Path]):
    folder = tiny()
    home = empty_cache / "models--organisation--model"
    shutil.copytree(folder, home / "snapshots" / COMMIT)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    texts = ["the ferry was late", "home"]
    for spec in ("st:organisation/model", f"st:organisation/model?revision={COMMIT}"):
        encoder = get_encoder(spec)
        assert (encoder.stamp.model, encoder.stamp.revision) == ("st:organisation/model", COMMIT)
        np.testing.assert_allclose(encoder.encode(texts), get_encoder(f"st:{folder}").encode(texts), atol=1e-6)
    assert "at revision other" in refusal("st:organisation/model?revision=other")
