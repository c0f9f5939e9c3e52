"""A model: how often groups of three letters stand in a text, by a hash."""

import zlib
from collections.abc import Sequence

import numpy as np

from embdiff.records import Stamp
from embdiff.specs import ModelSpec


class Trigrams:
    """``trigrams:DIM``. One method, `encode`, is enough; `stamp` says what its vectors may be mixed with."""

    def __init__(self, spec: ModelSpec) -> None:
        spec.refuse_options()  # it takes none
        self._dim = spec.dimension(spec.name, "DIM of trigrams", lowest=2)

    def stamp(self) -> Stamp:
        """Return where the vectors come from; a new revision whenever they change."""
        return Stamp(model=f"trigrams:{self._dim}", revision="embdiff-example 1", dim=self._dim)

    def encode(self, items: Sequence[str]) -> np.ndarray:
        """Return one vector for each text, float32 (n, DIM)."""
        vectors = np.zeros((len(items), self._dim), dtype=np.float32)
        for row, text in enumerate(items):
            spaced = f"  {text.casefold()} "
            for at in range(len(spaced) - 2):
                vectors[row, zlib.crc32(spaced[at : at + 3].encode()) % self._dim] += 1
        return vectors
