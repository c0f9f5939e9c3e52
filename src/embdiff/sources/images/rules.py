"""``pixels:DIM`` and ``hog``: features of images that nothing was trained for.

``pixels:DIM``, DIM a square number s·s, is to be worked out by hand: the image, made grey (0.299 R + 0.587 G + 0.114 B,
ITU-R 601-2) and shrunk to s x s cells, each the mean of what it covers; a component is (grey + 1) / 256, row by row, so
that no vector is zero. ``hog`` counts edges by direction, in cells of 8 pixels of the grey image at 64 pixels (9
directions, blocks of 2 x 2 cells): 1,764 components.

References
----------
Dalal and Triggs 2005, Histograms of oriented gradients for human detection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from embdiff._optional import require
from embdiff.errors import ParameterError
from embdiff.records import FloatArray, Stamp
from embdiff.sources.images.model import SQUARE, ImageModel, square
from embdiff.specs import ModelSpec

_VERSION = "1"  # raise it whenever a rule above changes: stored vectors must not be mixed with new ones
_SIDE, _DIRECTIONS, _CELL, _BLOCK = 64, 9, 8, 2


class Pixels(ImageModel):
    """Grey pixels; see the module's page for the rule.

    Parameters
    ----------
    spec : ModelSpec
        ``pixels:DIM``, DIM a square number from 4 to 32,768.

    Raises
    ------
    ParameterError
        For a missing or wrong DIM, or any option.
    """

    batch_items = 256

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        spec.refuse_options()
        require("PIL.Image", "images", f"The model '{spec}'")
        self._dim = spec.dimension(spec.name, "DIM of pixels:DIM", 4)
        self._side = math.isqrt(self._dim)
        if self._side**2 != self._dim:
            raise ParameterError(
                f"DIM of pixels:DIM must be a square number, as of s x s pixels. Got {self._dim} in '{spec}'. Write "
                f"pixels:{self._side**2}."
            )

    def of_images(self, images: Sequence[Any]) -> FloatArray:
        """Return (grey + 1) / 256 of every cell, shape (n, DIM)."""
        from PIL import Image

        size = self._side, self._side
        cells = [np.asarray(image.convert("L").resize(size, Image.Resampling.BOX)) for image in images]
        return ((np.stack(cells).reshape(len(images), -1) + 1.0) / 256.0).astype(np.float32)

    def stamp(self) -> Stamp:
        """Return the provenance; the revision is the version of the rule."""
        told = f"grey, each of {self._side} x {self._side} cells the mean of its pixels"
        return Stamp(model=f"pixels:{self._dim}", revision=_VERSION, dim=self._dim, preprocessing=told)


class Hog(ImageModel):
    """Histograms of oriented gradients, by scikit-image.

    Parameters
    ----------
    spec : ModelSpec
        ``hog``, no options.
    """

    batch_items = 64

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        spec.refuse_name()
        spec.refuse_options()
        self._feature = require("skimage.feature", "hog", f"The model '{spec}'")

    def of_images(self, images: Sequence[Any]) -> FloatArray:
        """Return the histograms, shape (n, 1764); an image of one colour has no edges, and the zero vector."""
        found = [
            self._feature.hog(
                np.asarray(square(image, _SIDE).convert("L")),
                orientations=_DIRECTIONS,
                pixels_per_cell=(_CELL, _CELL),
                cells_per_block=(_BLOCK, _BLOCK),
            )
            for image in images
        ]
        return np.stack(found).astype(np.float32)

    def stamp(self) -> Stamp:
        """Return the provenance; the version of the library pins the rule."""
        blocks = _SIDE // _CELL - _BLOCK + 1
        return Stamp(
            model="hog",
            revision=f"{_VERSION}, scikit-image {version('scikit-image')}",
            dim=blocks**2 * _BLOCK**2 * _DIRECTIONS,
            preprocessing=f"{SQUARE.format(side=_SIDE)}, grey",
        )
