"""A sentence-transformers model of a few hundred numbers, made here: no download, no package with weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

WORDS = ("the", "ferry", "was", "late", "lamp", "on", "pier", "query", "passage", "home", "##s", ":", "a")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that saves a tiny model into a folder of its own, with prompts and ending as asked for."""
    reason = "sentence-transformers is not installed"
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    library = pytest.importorskip("sentence_transformers", reason=reason)
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    @cache
    def saved(normalize: bool) -> Path:
        plain, whole = tmp_path_factory.mktemp("bert"), tmp_path_factory.mktemp("saved")
        (plain / "vocab.txt").write_text("\n".join((*SPECIAL, *WORDS)))
        transformers.BertTokenizerFast(str(plain / "vocab.txt"), model_max_length=32).save_pretrained(plain)
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=len(WORDS) + len(SPECIAL),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=40,
        )
        transformers.BertModel(config).save_pretrained(plain)
        body = Transformer(str(plain), max_seq_length=32)
        modules = [body, Pooling(16), *([Normalize()] if normalize else [])]
        library.SentenceTransformer(modules=modules, device="cpu").save(str(whole))
        return whole

    def make(prompts: dict[str, str] | None = None, *, default: str | None = None, normalize: bool = False) -> Path:
        whole = tmp_path_factory.mktemp("tiny-model")
        shutil.copytree(saved(normalize), whole, dirs_exist_ok=True)
        settings = whole / "config_sentence_transformers.json"
        known = json.loads(settings.read_text())
        settings.write_text(json.dumps({**known, "prompts": prompts or {}, "default_prompt_name": default}))
        return whole

    return make
