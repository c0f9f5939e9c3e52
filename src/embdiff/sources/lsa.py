"""``lsa:DIM``: TF-IDF and a truncated SVD (latent semantic analysis), fitted on the corpus itself. No download.

Words are runs of letters and digits, lower-cased; term frequency is sub-linear (1 + log); the SVD is the randomised
one of scikit-learn with a fixed seed, each component's sign turned so that its largest loading is positive. Vectors
have norm 1, except that a text with no word of the corpus gets the zero vector: it has no place in the space, and a
store says so when asked for its cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff._optional import require
from embdiff.errors import ParameterError
from embdiff.records import FloatArray, Role, Stamp
from embdiff.sources.batches import Model
from embdiff.specs import ModelSpec

_SEED = 0
_WORD = r"(?u)\b\w+\b"  # scikit-learn's default drops words of one letter
# A component whose singular value is this far below the first is rounding noise, and a projection this short is none.
_NOISE = 1e-6


class Lsa(Model):
    """Latent semantic analysis of the corpus.

    Parameters
    ----------
    spec : ModelSpec
        ``lsa:DIM``.

    Raises
    ------
    ParameterError
        For a missing or wrong DIM, or any option.
    """

    batch_items = 4096
    same_roles = True
    learns = True

    def __init__(self, spec: ModelSpec) -> None:
        spec.refuse_options()
        self._spec = spec
        self._dim = spec.dimension(spec.name, "DIM of lsa:DIM")
        self._sklearn = require("sklearn", "lsa", f"The model '{spec}'")
        self._words: Any = None
        self._loadings: npt.NDArray[np.float64] = np.empty((0, self._dim))

    def fit(self, items: Sequence[str]) -> None:
        """Learn words and components.

        Raises
        ------
        ParameterError
            When the corpus cannot carry DIM components; the message has the largest possible.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        words = TfidfVectorizer(token_pattern=_WORD, sublinear_tf=True)
        try:
            counts = words.fit_transform(items)
        except ValueError:  # scikit-learn's word for "not a single word in the corpus"
            raise self._too_large(0, "it has no words") from None
        rows, vocabulary = len(set(items)), counts.shape[1]
        if self._dim >= min(rows, vocabulary):
            raise self._too_large(min(rows, vocabulary) - 1, f"it has {rows} different rows and {vocabulary} words")
        svd = TruncatedSVD(self._dim, algorithm="randomized", n_iter=7, random_state=_SEED)
        svd.fit(counts)
        rank = int(np.sum(svd.singular_values_ > _NOISE * svd.singular_values_[0]))
        if rank < self._dim:
            raise self._too_large(rank, f"its rows span {rank} dimensions")
        self._words, self._loadings = words, _with_fixed_signs(svd.components_).T

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return unit vectors, shape (n, DIM), zero for texts without a known word; the role plays no part."""
        projected = self._words.transform(items) @ self._loadings
        norms = np.linalg.norm(projected, axis=1, keepdims=True)
        known = norms > _NOISE
        unit: FloatArray = np.where(known, projected / np.where(known, norms, 1.0), 0.0).astype(np.float32)
        return unit

    def stamp(self) -> Stamp:
        """Return the provenance; the digest of the corpus is added by `Encoder`."""
        return Stamp(model=f"lsa:{self._dim}", revision=f"scikit-learn {self._sklearn.__version__}", dim=self._dim)

    def _too_large(self, largest: int, why: str) -> ParameterError:
        advice = f"Write lsa:{largest} or less, or add rows." if largest > 0 else "Add rows with words, or take toy:8."
        return ParameterError(
            f"DIM of lsa:DIM must be at most {max(largest, 0)} for this corpus: {why}. Got '{self._spec}'. {advice}"
        )


def _with_fixed_signs(components: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn each component so that its largest loading is positive: an SVD leaves the sign open."""
    largest = np.argmax(np.abs(components), axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    turned: npt.NDArray[np.float64] = components * signs[:, np.newaxis]
    return turned
