"""``wordllama:256``, ``:128``, ``:64``: WordLlama, the mean of static word-piece vectors that come in the package.

128 and 64 are the first components of the 256 (the model was trained to be cut like that). Vectors have norm 1, except
that a text without any word piece, such as the empty one, gets the zero vector.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from embdiff._optional import versions
from embdiff.errors import EncoderError, ParameterError, in_one_line
from embdiff.records import FloatArray, Role, Stamp
from embdiff.sources.batches import Model
from embdiff.sources.packaged import again, refuse_changed
from embdiff.sources.remembered import Unloaded
from embdiff.specs import ModelSpec

DIMS = (256, 128, 64)
_CONFIG = "l2_supercat"
_FILES = (f"weights/{_CONFIG}_{DIMS[0]}.safetensors", f"tokenizers/{_CONFIG}_tokenizer_config.json")


def from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``wordllama:256``, ``wordllama:128`` or ``wordllama:64``; loading raises as `WordLlama` does.

    Raises
    ------
    ParameterError
        For another dimension, or any option.
    """
    spec.refuse_options()
    if spec.name not in map(str, DIMS):
        raise ParameterError(
            f"The dimension of wordllama must be one of {', '.join(map(str, DIMS))}. Got '{spec}'. "
            f"Write wordllama:{DIMS[0]}."
        )
    dim = int(spec.name)
    return Unloaded(str(spec), {"wordllama": dim, "versions": versions(["wordllama"])}, lambda: WordLlama(dim))


class WordLlama(Model):
    """Mean of word-piece vectors.

    Parameters
    ----------
    dim : {256, 128, 64}

    Raises
    ------
    EncoderError
        When the package's files are missing, or not those that were installed.
    """

    # WordLlama builds an array (texts, longest, 256): a budget of characters keeps it to a few megabytes.
    batch_items = 256
    batch_budget = 32_768
    same_roles = True

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._model = _load(dim)
        self._revision = f"{_CONFIG}, wordllama {version('wordllama')}"

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return unit vectors, shape (n, dim), zero for texts without a word piece; the role plays no part."""
        # Not WordLlama's own norm=True: it divides 0 by 0 for an empty text.
        means: FloatArray = self._model.embed(list(items), norm=False)
        norms = np.linalg.norm(means, axis=1, keepdims=True)
        unit: FloatArray = (means / np.where(norms > 0, norms, 1)).astype(np.float32)
        return unit

    def stamp(self) -> Stamp:
        """Return the provenance; the weights come in the package, so its version pins them."""
        return Stamp(model=f"wordllama:{self._dim}", revision=self._revision, dim=self._dim)


def _load(dim: int) -> Any:
    with _root_logger_untouched():
        wordllama = importlib.import_module("wordllama")
    # Its look-up of the tokenizer misses the package's own folder (it joins "tokenizer", the folder is "tokenizers")
    # and would download; named as the cache, the package folder is found, and nothing is fetched.
    folder = Path(str(wordllama.__file__)).parent
    # WordLlama itself would take other numbers, and put the last word in the place of words that its weights lack.
    refuse_changed("wordllama", folder, _FILES)
    cut = None if dim == DIMS[0] else dim
    try:
        return wordllama.WordLlama.load(_CONFIG, cache_dir=folder, dim=DIMS[0], trunc_dim=cut, disable_download=True)
    except Exception as error:  # the readers of weights and of tokenizers raise classes of their own
        raise EncoderError(
            f"wordllama must find its weights and tokenizer in its package. Got {in_one_line(error)} in {folder}. "
            f"{again('wordllama')}"
        ) from error


@contextmanager
def _root_logger_untouched() -> Iterator[None]:
    """Undo the logging.basicConfig(level=INFO) that importing wordllama does to the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
