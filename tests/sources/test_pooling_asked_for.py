"""``pooling=``: against sentence-transformers with that pooling; the model's own is the model itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embdiff as ed
from embdiff.errors import ParameterError
from embdiff.sources import get_encoder

library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules", reason="another version")

TEXTS = ["home", "the ferry was late again", "rain and more rain"]
POOLINGS = ("mean", "cls", "lasttoken", "max", "weightedmean")


def theirs(folder: Path, pooling: str, *more: object) -> np.ndarray:
    layers = [modules.Transformer(str(folder), max_seq_length=32), modules.Pooling(16, pooling), *more]
    return library.SentenceTransformer(modules=layers, device="cpu").encode(TEXTS)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_each_pooling_is_that_of_sentence_transformers(tiny: Callable[..., Path], pooling: str):
    folder = tiny()
    encoder = get_encoder(f"st:{folder}?pooling={pooling}")
    normal = (
        [modules.Normalize()]
        if type(library.SentenceTransformer(str(folder), device="cpu")[-1]).__name__ == "Normalize"
        else []
    )
    np.testing.assert_allclose(encoder.encode(TEXTS), theirs(folder, pooling, *normal), atol=1e-6)


def test_the_own_pooling_is_the_model_itself_and_another_is_not(tiny: Callable[..., Path]):
    folder = tiny()
    plain, own, other = (get_encoder(f"st:{folder}{more}") for more in ("", "?pooling=mean", "?pooling=cls"))
    assert own.stamp == plain.stamp
    assert own.about.get("assumed") is None
    assert other.stamp.fingerprint() != plain.stamp.fingerprint()
    assert other.stamp.model == f"{plain.stamp.model} + first token"
    assert other.about["assumed"] == ["the first token is taken, as asked: its own is the mean of tokens"]


def test_of_a_model_that_does_not_say_the_answer_is_the_one_assumed(tiny: Callable[..., Path], tmp_path: Path):
    bare = tmp_path / "bare"
    shutil.copytree(tiny(), bare)
    for path in (bare / "modules.json", bare / "config_sentence_transformers.json"):
        path.unlink()
    assumed, asked = get_encoder(f"st:{bare}"), get_encoder(f"st:{bare}?pooling=mean")
    assert assumed.stamp == asked.stamp
    assert "is assumed" in assumed.about["assumed"][0]
    assert asked.about.get("assumed") is None
    assert get_encoder(f"st:{bare}?pooling=max").stamp.model.endswith("+ max of tokens")


def test_a_grid_of_poolings_is_compared(tiny: Callable[..., Path]):
    result = ed.compare(TEXTS * 4, [f"st:{tiny()}?pooling=[mean,cls,max]"], k=2, store="memory:", baseline=False)
    assert [model["model"].rpartition("=")[2] for model in result.run.manifest["models"]] == ["mean", "cls", "max"]
    assert any("the first token is taken, as asked" in str(model) for model in result.run.manifest["models"])


def test_what_is_refused(tiny: Callable[..., Path], tmp_path: Path):
    with pytest.raises(ParameterError, match=r"pooling of st must be one of mean, cls.*Got 'median'"):
        get_encoder(f"st:{tiny()}?pooling=median")
    with pytest.raises(ParameterError, match="pooling of minilm must be one of"):
        get_encoder("minilm?pooling=first")
    tokenizer = library.SentenceTransformer(str(tiny()), device="cpu").tokenizer
    static = modules.StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=8)
    library.SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path / "static"))
    with pytest.raises(
        ParameterError, match=r"pooling must be of a model that makes one vector of its tokens in one way"
    ):
        get_encoder(f"st:{tmp_path / 'static'}?pooling=cls").encode(["home"])
