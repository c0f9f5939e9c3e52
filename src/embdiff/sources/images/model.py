"""What models of images share: they are given images, not paths, and one image is as much work as another."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from embdiff.corpus.decoding import rgb_of
from embdiff.records import FloatArray, IntArray, Role
from embdiff.sources.batches import IMAGES, Model
from embdiff.sources.items import each_one
from embdiff.specs import ModelSpec

_SMALLEST, _LARGEST = 32, 1_024


class ImageModel(Model):
    """A model of images alone.

    Parameters
    ----------
    spec : ModelSpec
        For messages.
    """

    batch_items = 16
    same_roles = True
    reads = IMAGES

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = str(spec)

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return the vectors, shape (n, d); the role plays no part."""
        return self.of_images([rgb_of(item, self._spec) for item in items])

    @abstractmethod
    def of_images(self, images: Sequence[Any]) -> FloatArray:
        """Return the vectors of PIL images, RGB, shape (n, d)."""

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return 1 for each image: the model sees all of one size."""
        return each_one(items)


def side_of(spec: ModelSpec, default: int) -> int:
    """Return the value of ``?size=``, pixels a side.

    Raises
    ------
    ParameterError
        When it is no integer between 32 and 1,024.
    """
    return spec.dimension(spec.options.get("size", str(default)), "size", _SMALLEST, _LARGEST)


def square(image: Any, side: int) -> Any:
    """Return the middle of an image, as large a square as it holds, resized to ``side`` pixels (bicubic)."""
    from PIL import Image, ImageOps

    return ImageOps.fit(image, (side, side), Image.Resampling.BICUBIC)


SQUARE = "largest square in the middle, bicubic to {side} px, RGB"
