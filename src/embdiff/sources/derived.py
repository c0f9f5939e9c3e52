"""Variants that come from a model's full vectors: cut to fewer dimensions, rounded to fewer bits; one pass encodes all.

``dim=64`` keeps the first dimensions, for models trained to be cut (Matryoshka); ``vectors=float16``, ``int8`` or
``binary`` rounds every number. Of whole numbers and bits what they stand for is searched: the middle of a cell, and -1
or 1, so that the inner product orders rows as the Hamming distance does. With ``rescore=true`` queries stay float32.

References
----------
.. [1] Kusupati, A. et al. (2022). Matryoshka Representation Learning. NeurIPS.
.. [2] Yamada, I., Asai, A. & Hajishirzi, H. (2021). Efficient Passage Retrieval with Hashing for Open-domain Question
   Answering. ACL. Bits for the rows and float32 for the query: section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt

from embdiff.errors import ParameterError
from embdiff.forms import ranks
from embdiff.kept import VectorCache
from embdiff.records import FloatArray, Role, Stamp
from embdiff.sources.adapters import adapter_names
from embdiff.sources.encoder import Encoder
from embdiff.sources.source import How, Source, Wanted, not_fitted
from embdiff.sources.tally import Tally
from embdiff.specs import ModelSpec, is_reference

CUTTABLE = ("st", "minilm", *adapter_names())  # kinds of models that may have been trained to be cut
PRECISIONS = ("float32", "float16", "int8", "binary")
_LEVELS = 255  # steps of 8 bits
_BITS = {"float32": 32, "float16": 16, "int8": 8, "binary": 1}
Codes = npt.NDArray[np.int8]


def int8_codes(vectors: FloatArray, ranges: FloatArray) -> Codes:
    """Return vectors in 8 bits a number, as sentence-transformers' ``quantize_embeddings`` does; int8 (n, d).

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, d)
    ranges : ndarray of float32, shape (2, d)
        Lowest and highest number of each dimension; what lies beyond counts as these.
    """
    steps = _steps(ranges)
    cells: FloatArray = np.clip(np.floor((vectors - ranges[0]) / steps), 0, _LEVELS)
    return (cells - 128).astype(np.int8)


def from_int8(codes: Codes, ranges: FloatArray) -> FloatArray:
    """Return what codes stand for, the middle of their cell, as faiss decodes its ``QT_8bit``; float32 (n, d)."""
    middle = codes.astype(np.float32) + np.float32(128.5)
    return np.asarray(ranges[0] + middle * _steps(ranges), dtype=np.float32)


def _steps(ranges: FloatArray) -> FloatArray:
    steps = (ranges[1] - ranges[0]) / np.float32(_LEVELS)
    return np.where(steps == 0, np.float32(1), steps)


def binary_codes(vectors: FloatArray) -> Codes:
    """Return one bit a number, whether it is above 0, as ``quantize_embeddings`` packs them; int8 (n, ceil(d / 8))."""
    return (np.packbits(vectors > 0, axis=-1) - np.uint8(128)).astype(np.int8)


def from_binary(codes: Codes, dim: int) -> FloatArray:
    """Return what bits stand for, -1 or 1, over the root of the dimension: of length 1; float32 (n, d)."""
    bits = np.unpackbits((codes.astype(np.int16) + 128).astype(np.uint8), axis=-1, count=dim)
    return (bits.astype(np.float32) * 2 - 1) / np.float32(np.sqrt(dim))


@dataclass(frozen=True)
class Shape:
    """How vectors come from full ones.

    Parameters
    ----------
    dim : int or None
        The first so many dimensions; None for all.
    precision : {"float32", "float16", "int8", "binary"}
    rescore : bool
        Whether queries stay in float32.
    """

    dim: int | None
    precision: str
    rescore: bool

    def cut(self, vectors: FloatArray, *, unit: bool) -> FloatArray:
        """Return the first dimensions; of a model that promises unit vectors they are of length 1 again."""
        if self.dim is None or self.dim == vectors.shape[1]:
            return vectors
        kept = np.ascontiguousarray(vectors[:, : self.dim])
        if unit:
            kept /= np.maximum(np.linalg.norm(kept.astype(np.float64), axis=1, keepdims=True), 1e-12).astype(np.float32)
        return kept

    def rounded(self, vectors: FloatArray, ranges: FloatArray | None) -> FloatArray:
        """Return what the numbers stand for once they are rounded, float32 (n, d)."""
        if self.precision == "float16":
            return vectors.astype(np.float16).astype(np.float32)
        if self.precision == "int8":
            assert ranges is not None
            return from_int8(int8_codes(vectors, ranges), ranges)
        return from_binary(binary_codes(vectors), vectors.shape[1]) if self.precision == "binary" else vectors

    def __str__(self) -> str:
        words = "" if self.precision == "float32" else f", vectors {self.precision}"
        return words + (", queries float32" if self.rescore else "")


def shape_of(spec: ModelSpec) -> tuple[ModelSpec, Shape | None]:
    """Return the model of full vectors, and how the vectors of a spec come from them; None where they are these.

    Raises
    ------
    ParameterError
        For values that cannot be.
    """
    options = dict(spec.options)
    cut = options.pop("dim", None) if spec.kind in CUTTABLE else None
    precision, rescore = options.pop("vectors", None), options.pop("rescore", None)
    if cut is None and precision is None and rescore is None:
        return spec, None
    if precision not in (None, *PRECISIONS):
        raise ParameterError(
            f"vectors= must be one of {', '.join(PRECISIONS)}. Got {precision!r} in '{spec}'. Choose one of these."
        )
    if rescore not in (None, "true", "false") or (rescore == "true" and precision not in ("int8", "binary")):
        raise ParameterError(
            f"rescore= must be true or false, of vectors=int8 or binary: queries stay in float32 then. Got "
            f"{rescore!r} in '{spec}'. Write vectors=int8&rescore=true."
        )
    dim = None if cut is None else spec.dimension(cut, "dim")
    return ModelSpec(spec.kind, spec.name, options), Shape(dim, precision or "float32", rescore == "true")


class Derived(Encoder):
    """A variant of a model whose vectors come from its full ones, which alone are encoded and kept.

    Whole numbers in 8 bits need the range of each dimension: that of the corpus, which is encoded for it.

    Parameters
    ----------
    spec : str
        The variant as the user typed it.
    full : Encoder
        The model of full vectors.
    shape : Shape

    Raises
    ------
    ParameterError
        When more dimensions are asked for than there are.
    """

    def __init__(self, spec: str, full: Encoder, shape: Shape) -> None:
        super().__init__(spec, full._backend)
        self._full, self._shape = full, shape
        self._corpus: Sequence[str] = ()
        self._digest: str | None = None
        self._ranges: FloatArray | None = None
        self.learns = full.learns or shape.precision == "int8"
        self.same_roles = full.same_roles and not shape.rescore
        if not full.learns:
            self._checked(full.stamp)

    def _checked(self, stamp: Stamp) -> Stamp:
        dim = self._shape.dim
        if dim is not None and dim > stamp.dim:
            raise ParameterError(
                f"dim must be at most {stamp.dim}, the dimension of the model. Got {dim} in '{self.spec}'. Lower dim."
            )
        return stamp

    def fit(self, items: Sequence[str], digest: str, ids: Sequence[str] | None = None) -> None:
        """Get ready for a corpus: its vectors have the ranges of whole numbers."""
        self._full.fit(items, digest, ids)
        if (self._corpus, self._digest) != (items, digest):
            self._corpus, self._digest, self._ranges = items, digest, None

    @property
    def stamp(self) -> Stamp:
        """Provenance: that of the full vectors, and what became of them."""
        full = self._checked(self._full.stamp)
        if self.learns and self._digest is None:
            raise not_fitted(self.spec, "tell its stamp")
        fitted = self._digest if self._shape.precision == "int8" else full.fitted_on
        precision = f"{full.precision}{self._shape}"
        return replace(full, dim=self._shape.dim or full.dim, precision=precision, fitted_on=fitted)

    @property
    def rounds(self) -> bool:
        """Whether numbers stand for fewer bits than float32 has."""
        return self._shape.precision != "float32"

    @property
    def kept_as(self) -> Stamp:
        """Provenance of the vectors that the cache keeps: the full ones."""
        return self._full.stamp

    @property
    def bytes_per_vector(self) -> int:
        """What a vector takes where it is stored as it is meant to be."""
        return -(-self.stamp.dim * _BITS[self._shape.precision] // 8)

    @property
    def about(self) -> dict[str, Any]:
        """What the model runs on, and whose full vectors these come from."""
        return {**self._full.about, "full": self._full.spec}

    def encode(self, items: Sequence[str], **how: Unpack[How]) -> FloatArray:
        """Return the vector of each text, float32 (n, d): what the rounded numbers stand for."""
        return self._of(self._full.encode(items, **how), how.get("role", "document"), how)

    def encode_singly(self, items: Sequence[str], **how: Unpack[How]) -> FloatArray:
        """Return the vector of each text, each encoded in a batch of its own."""
        return self._of(self._full.encode_singly(items, **how), how.get("role", "document"), how)

    def queries(
        self, wanted: Wanted, documents: FloatArray | None, role: Role, cache: VectorCache, tally: Tally
    ) -> FloatArray:
        """Return the vectors of the texts that ask; of rows of the corpus from the full vectors that are there."""
        if documents is None or wanted.what != "rows of the corpus" or not self._full.same_roles:
            return self.encode(wanted.items, role=role, cache=cache, tally=tally)
        full = self._full.encode(self._corpus, cache=cache)
        return self._of(full[wanted.rows], role, {"cache": cache})

    def missing(self, items: Sequence[str], **how: Any) -> int:
        """Return how many different texts would have to be given to the model."""
        return self._full.missing(items, **how)

    def float32_twin(self, name: str) -> tuple[str, str] | None:
        """Return nothing: what rounding changes, the comparison with the full vectors says."""
        return None

    def _of(self, full: FloatArray, role: Role, how: How) -> FloatArray:
        cut = self._shape.cut(full, unit=self._full._backend.unit)
        if self._shape.rescore and role == "query":
            return cut
        if self._shape.precision == "int8" and self._ranges is None:
            if not self._corpus:
                raise not_fitted(self.spec, "encode")
            corpus = self._full.encode(self._corpus, cache=how.get("cache"))
            corpus = self._shape.cut(corpus, unit=self._full._backend.unit)
            self._ranges = np.vstack([corpus.min(axis=0), corpus.max(axis=0)])
        return self._shape.rounded(cut, self._ranges)


class Shared(Encoder):
    """A model of full vectors that several variants of one run take: each list of texts is encoded once.

    Parameters
    ----------
    full : Encoder
    """

    def __init__(self, full: Encoder) -> None:
        super().__init__(full.spec, full._backend)
        self._made: dict[tuple[Any, ...], tuple[FloatArray, Tally]] = {}

    def encode(self, items: Sequence[str], **how: Unpack[How]) -> FloatArray:
        """Return the vector of each text, of the same list as before from memory; see `Encoder.encode`."""
        return self._once(super().encode, items, how)

    def encode_singly(self, items: Sequence[str], **how: Unpack[How]) -> FloatArray:
        """Return the vector of each text, each encoded alone; see `Encoder.encode_singly`."""
        return self._once(super().encode_singly, items, how)

    def _once(self, encode: Callable[..., FloatArray], items: Sequence[str], how: How) -> FloatArray:
        role: Role = "document" if self.same_roles else how.get("role", "document")
        key, given = (encode.__name__, role, self._fitted_on, tuple(items)), how.get("tally")
        before = self._made.get(key)
        if before is None:
            tally = Tally()
            self._made[key] = encode(items, **{**how, "tally": tally}), tally
        if given is not None:
            given.add(self._made[key][1], known=before is not None)
        return self._made[key][0]


class Fulls:
    """The models of full vectors of one run.

    Parameters
    ----------
    forms : iterable of str
        The text forms of all models of the run: what one of them is a variant of is encoded once for all.
    """

    def __init__(self, forms: Iterable[str]) -> None:
        self._wanted = {str(full) for full, shape in map(_shape, forms) if shape is not None}
        self._made: dict[str, Shared] = {}

    def shared(self, form: str, make: Callable[[], Source]) -> Source:
        """Return the model of a text form: one for all where a variant comes from it, else as it is made now."""
        if form not in self._wanted:
            return make()
        if form not in self._made:
            made = make()
            if not isinstance(made, Encoder):
                return made
            self._made = {form: Shared(made)}  # those of another are let go: variants of one stand together
        return self._made[form]


def _shape(form: str) -> tuple[ModelSpec | None, Shape | None]:
    return (None, None) if is_reference(form) or ranks(form) else shape_of(ModelSpec.parse(form))
