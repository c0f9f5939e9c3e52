"""``toy:DIM``: counts of letters, to be worked out by hand. No package, no network, no meaning.

The vector of a text has DIM components:

- component 0 is 1, always, so that no vector is zero;
- components 1 to DIM-1 count characters. A letter a-z (capitals A-Z count as small) has its position in the alphabet,
  a = 0 to z = 25; any other character has its Unicode code point; white space is not counted. A character of position
  p is counted in component 1 + (p modulo (DIM-1)).

So ``toy:4`` makes of ``"Abba d"``: a = 0, b = 1, d = 3, modulo 3 → 0, 1, 0; three (a, a, d) in component 1, two (b, b)
in component 2: ``[1, 3, 2, 0]``. Vectors are not normalised. The order of letters plays no part:
anagrams are equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from embdiff.records import FloatArray, Role, Stamp
from embdiff.sources.batches import Model
from embdiff.specs import ModelSpec

_VERSION = "1"  # raise it whenever the rule above changes: stored vectors must not be mixed with new ones


class Toy(Model):
    """Counts of letters; see the module's page for the rule.

    Parameters
    ----------
    spec : ModelSpec
        ``toy:DIM``, DIM between 2 and 32,768.

    Raises
    ------
    ParameterError
        For a missing or wrong DIM, or any option.
    """

    batch_items = 1024
    same_roles = True

    def __init__(self, spec: ModelSpec) -> None:
        spec.refuse_options()
        self._dim = spec.dimension(spec.name, "DIM of toy:DIM", 2)

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return the counts, shape (n, DIM); the role plays no part."""
        vectors = np.zeros((len(items), self._dim), dtype=np.float32)
        vectors[:, 0] = 1
        for row, text in enumerate(items):
            for character, count in Counter(text).items():
                if not character.isspace():
                    # Upper and lower case are one in ASCII only: other cases vary with Python.
                    small = character.lower() if character.isascii() else character
                    position = ord(small) - ord("a") if "a" <= small <= "z" else ord(small)
                    vectors[row, 1 + position % (self._dim - 1)] += count
        return vectors

    def stamp(self) -> Stamp:
        """Return the provenance; the revision is the version of the rule."""
        return Stamp(model=f"toy:{self._dim}", revision=_VERSION, dim=self._dim)
