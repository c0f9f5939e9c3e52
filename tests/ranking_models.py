"""Small models of the other families of sentence-transformers, random but for their seed: SPLADE, ColBERT, CrossEncoder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import embdiff as ed

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST = 24  # tokens


def body(folder: Path, head: str, **settings: Any) -> Path:
    """Save a random BERT with a head of transformers, whose tokenizer knows every word of the sample."""
    import torch
    import transformers

    words = sorted({word for text in ed.read_corpus("sample").items for word in re.findall(r"\w+", text.lower())})
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join((*SPECIAL, *words, ",", ".", ":")))
    transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=LONGEST).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words) + len(SPECIAL) + 3, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=40, initializer_range=0.6, **settings,
    )  # fmt: skip
    getattr(transformers, head)(config).save_pretrained(folder)
    return folder


def changed(folder: Path, **values: Any) -> Path:
    """Change the settings of a saved model."""
    file = folder / "config_sentence_transformers.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
    return folder


def sparse(folder: Path, **values: Any) -> Path:
    """Save a SparseEncoder."""
    import sentence_transformers as library

    model = library.SparseEncoder(str(body(folder / "body", "BertForMaskedLM")), device="cpu")
    model.save_pretrained(str(folder / "sparse"))
    return changed(folder / "sparse", **values)


def multivector(folder: Path, **values: Any) -> Path:
    """Save a MultiVectorEncoder."""
    import sentence_transformers as library

    model = library.MultiVectorEncoder(str(body(folder / "body", "BertModel")), device="cpu")
    model.save_pretrained(str(folder / "multi"))
    return changed(folder / "multi", **values)


def cross(folder: Path, labels: int = 1) -> Path:
    """Save a CrossEncoder."""
    import sentence_transformers as library

    plain = body(folder / "body", "BertForSequenceClassification", num_labels=labels)
    library.CrossEncoder(str(plain), device="cpu").save_pretrained(str(folder / "cross"))
    return folder / "cross"
