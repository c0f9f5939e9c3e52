"""``hf-image:NAME`` or ``hf-image:FOLDER``: any image model of transformers, with the processor that it was saved with.

Options: ``revision`` (hub only) and ``pooling``: what one vector is made of. ``cls``, the first token, is usual for
vision transformers; ``mean`` is that of all tokens, or of all places of a convolutional network. By default ``cls``
where there are tokens and ``mean`` where there are places. Of a model of images and texts (CLIP, SigLIP) it is what its
image side gives, projected into the common space.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embdiff._optional import require, versions
from embdiff.errors import EmbdiffError, EncoderError, ParameterError, in_one_line
from embdiff.records import FloatArray, Stamp
from embdiff.sources.hub import Located, cache_folder, locate
from embdiff.sources.images.model import ImageModel
from embdiff.sources.loading import device_for, quiet
from embdiff.sources.remembered import Unloaded
from embdiff.specs import ModelSpec

POOLINGS = ("cls", "mean")
LIBRARIES = ("transformers", "torch", "torchvision", "pillow")
_UNUSED = ("pooler", "mask_token", "classifier", "head")  # parameters on which no vector here depends


def from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``hf-image:NAME?options``.

    Raises
    ------
    ParameterError
        For options that do not hold.
    EncoderError
        When the model cannot be found; loading it raises EncoderError when it cannot be loaded.
    """
    spec.refuse_options(("revision", "pooling"))
    pooling = spec.options.get("pooling")
    if pooling not in (None, *POOLINGS):
        raise ParameterError(
            f"pooling must be one of {', '.join(POOLINGS)}. Got {pooling!r} in '{spec}'. Choose one of these, or leave "
            "it out."
        )
    for module in ("PIL.Image", "transformers", "torch"):
        require(module, "hf-image", f"The model '{spec}'")
    found = locate(spec.name, spec.options.get("revision"), str(spec))
    there = replace(found, name=found.name.replace("st:", "hf-image:", 1))
    identity = {"name": there.name, "revision": there.revision, "pooling": pooling, "versions": versions(LIBRARIES)}
    return Unloaded(str(spec), identity, lambda: HfImage(spec, there, pooling))


class HfImage(ImageModel):
    """An image model of transformers.

    Parameters
    ----------
    spec : ModelSpec
        For messages.
    there : Located
    pooling : str or None
        One of `POOLINGS`; None for the usual one.

    Raises
    ------
    EncoderError
        When it cannot be loaded, its files lack weights, or it is no image model.
    """

    def __init__(self, spec: ModelSpec, there: Located, pooling: str | None) -> None:
        super().__init__(spec)
        self._torch = require("torch", "hf-image", f"The model '{spec}'")
        self._processor, self._model = _loaded(spec, there)
        self._pooling = pooling
        self._device = device_for("torch")
        self._model.to(self._device)
        from PIL import Image

        try:
            with quiet():
                dim = self.of_images([Image.new("RGB", (64, 48), "gray")]).shape[1]
        except EmbdiffError:
            raise
        except Exception as error:  # what a model that wants more than images raises, nobody knows
            raise EncoderError(
                f"The model '{spec}' must make a vector of an image alone. Got {in_one_line(error)}. Name a model of "
                "images, such as a ViT, DINOv2 or ResNet."
            ) from error
        told = f"{type(self._processor).__name__} {json.dumps(self._processor.to_dict(), sort_keys=True, default=str)}"
        pooled = f"; {self._pooled}" if self._pooled else ""
        self._stamp = Stamp(there.name, there.revision, dim, preprocessing=f"{told}{pooled}")

    def of_images(self, images: Sequence[Any]) -> FloatArray:
        """Return the vectors, shape (n, d)."""
        with self._torch.inference_mode():
            given = self._processor(images=list(images), return_tensors="pt").to(self._device)
            vectors = self._vectors_of(given)
        found: FloatArray = vectors.float().cpu().numpy().astype(np.float32)
        return found

    def _vectors_of(self, given: Any) -> Any:
        self._pooled = ""
        if hasattr(self._model, "get_image_features"):
            found = self._model.get_image_features(**given)
            return getattr(found, "pooler_output", found)
        hidden = self._model(**given).last_hidden_state
        if hidden.ndim == 4:  # channels and places
            self._pooled = "mean over places"
            if self._pooling == "cls":
                raise EncoderError(
                    f"pooling=cls must be of a model that has tokens. Got one of places, in '{self._spec}'. Write "
                    "pooling=mean, or leave it out."
                )
            return hidden.mean((2, 3))
        self._pooled = "mean of tokens" if self._pooling == "mean" else "first token"
        return hidden.mean(1) if self._pooling == "mean" else hidden[:, 0]

    @property
    def about(self) -> dict[str, Any]:
        """The device that the model runs on."""
        return {"device": self._device}

    def stamp(self) -> Stamp:
        """Return the provenance."""
        return self._stamp


def _loaded(spec: ModelSpec, there: Located) -> tuple[Any, Any]:
    """Return processor and model, in float32, once all weights that matter come from its files."""
    purpose = f"The model '{spec}'"
    transformers = require("transformers", "hf-image", purpose)
    where = {"revision": there.commit, "local_files_only": there.local, "cache_dir": cache_folder()}
    try:
        with quiet():
            processor = transformers.AutoImageProcessor.from_pretrained(there.path, trust_remote_code=False, **where)
            model, told = transformers.AutoModel.from_pretrained(
                there.path, trust_remote_code=False, dtype="float32", output_loading_info=True, **where
            )
    except Exception as error:  # transformers raises classes of its own, of the hub and of the network
        raise EncoderError(
            f"{purpose} must load as an image model of transformers, with its processor (preprocessor_config.json) and "
            f"without code of its own. Got {in_one_line(error)} Check that all its files are there."
        ) from error
    missing = sorted(name for name in told["missing_keys"] if not set(name.split(".")) & set(_UNUSED))
    if missing:
        raise EncoderError(
            f"{purpose} must have all its weights in its files. Got random numbers for {', '.join(missing[:3])}, of "
            "which its files hold nothing. Save the model anew."
        )
    return processor, model.train(False)
