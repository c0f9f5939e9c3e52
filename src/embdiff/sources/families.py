"""The families of models of sentence-transformers: which one a model's files say it is of, and what each makes of text.

The library turns a model of one family into another with a warning at most: a sparse or a late-interaction model
becomes the mean of its tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embdiff.errors import EncoderError
from embdiff.records import FloatArray
from embdiff.sources.hub import CONFIG, MODULES, Located, cache_folder

SETTINGS = "config_sentence_transformers.json"


@dataclass(frozen=True)
class Family:
    """Models that one class of sentence-transformers runs.

    Parameters
    ----------
    name : str
        The class.
    wanted : str
        What a model of the family must do, for messages.
    told : str
        What a model of it is, for messages.
    instead : str
        How one is written.
    numbers : callable
        ``numbers(model, texts)``: numbers of each text (n, d) that depend on all weights, to try a model.
    """

    name: str
    wanted: str
    told: str
    instead: str
    numbers: Callable[[Any, tuple[str, ...]], FloatArray]


def _of_dense(model: Any, texts: tuple[str, ...]) -> FloatArray:
    vectors: FloatArray = model.encode_document(list(texts), show_progress_bar=False, convert_to_numpy=True)
    return vectors


def _of_sparse(model: Any, texts: tuple[str, ...]) -> FloatArray:
    found: FloatArray = model.encode_document(list(texts), show_progress_bar=False).to_dense().cpu().numpy()
    return found


def _of_tokens(model: Any, texts: tuple[str, ...]) -> FloatArray:
    found = model.encode_document(list(texts), show_progress_bar=False)
    return np.stack([tokens.sum(dim=0).cpu().numpy() for tokens in found])


def _of_pairs(model: Any, texts: tuple[str, ...]) -> FloatArray:
    scores: FloatArray = model.predict([(text, texts[0]) for text in texts], show_progress_bar=False)
    return scores.reshape(len(texts), -1)


DENSE = Family(
    "SentenceTransformer", "make one dense vector of a text", "a SentenceTransformer, which makes one dense vector",
    "Name it as st:NAME.", _of_dense,
)  # fmt: skip
SPARSE = Family(
    "SparseEncoder", "make a sparse vector of a text", "a SparseEncoder (SPLADE), whose vectors are weights of words",
    "Name it as sparse:NAME, which ranks by it.", _of_sparse,
)  # fmt: skip
LATE = Family(
    "MultiVectorEncoder", "make a vector of each token",
    "a MultiVectorEncoder (ColBERT), which has a vector for each token",
    "Name it as multivector:NAME, which ranks by it.", _of_tokens,
)  # fmt: skip
PAIRS = Family(
    "CrossEncoder", "score pairs of texts", "a CrossEncoder, which scores pairs of texts and has no vectors",
    "Let it re-rank what another model finds: minilm+rerank:st:NAME.", _of_pairs,
)  # fmt: skip
_FAMILIES = {family.name.lower(): family for family in (DENSE, SPARSE, LATE, PAIRS)}
_PACKAGES = {  # of modules.json
    "cross_encoder": PAIRS,
    "sparse_encoder": SPARSE,
    "multi_vector_encoder": LATE,
    "pylate": LATE,
}
_ARCHITECTURES = {  # of config.json
    "ForSequenceClassification": PAIRS,
    "ColBERT": LATE,
    "ForRetrieval": LATE,
}
_MASKED = "ForMaskedLM"  # the head that SPLADE uses; bert-base has it, too


def settings_of(there: Located, file: str) -> Any:
    """Return what a JSON file of a model holds; an empty dict where there is none."""
    from sentence_transformers.util import load_file_path

    path = load_file_path(
        there.path, file, cache_folder=cache_folder(), revision=there.commit, local_files_only=there.local
    )
    return {} if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def refuse_other_families(there: Located, wanted: Family, purpose: str) -> None:
    """Refuse what sentence-transformers would turn into a model of another family, as its files say.

    A plain body with a head for masked words may be SPLADE, but bert-base says the same of itself: that is let through
    where either is wanted.

    Raises
    ------
    EncoderError
        Naming the file that says so, and how the model is to be written.
    """
    settings, modules, config = (settings_of(there, file) for file in (SETTINGS, MODULES, CONFIG))
    found, told = DENSE.name, "its files say nothing else"
    if isinstance(settings, dict) and settings.get("model_type", DENSE.name) != DENSE.name:
        found, told = str(settings["model_type"]), f"{SETTINGS} calls it {settings['model_type']}"
    for module in modules if isinstance(modules, list) else ():
        for package in set(str(module.get("type")).split(".")) & set(_PACKAGES):
            found, told = _PACKAGES[package].name, f"{MODULES} names {module['type']}"
    if not modules and isinstance(config, dict):
        for architecture in map(str, config.get("architectures") or ()):
            for ending in (ending for ending in _ARCHITECTURES if architecture.endswith(ending)):
                found, told = _ARCHITECTURES[ending].name, f"{CONFIG} names {architecture}"
            if wanted is SPARSE and architecture.endswith(_MASKED):
                found = SPARSE.name
    if found.lower() != wanted.name.lower():
        family = _FAMILIES.get(found.lower())
        what = family.told if family else found
        raise EncoderError(
            f"{purpose} must {wanted.wanted}. Got {what} ({told}). "
            f"{family.instead if family else 'Name a model of that family.'}"
        )
