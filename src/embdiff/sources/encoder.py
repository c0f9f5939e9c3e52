"""The one way in which texts become vectors, whatever the model: each once, in their order, from the cache if there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Unpack

import numpy as np

from embdiff._picture import WHAT, Picture, kinds_of
from embdiff._progress import progress, silent
from embdiff.errors import EncoderError
from embdiff.kept import OFF, VectorCache, keys_of
from embdiff.records import UNPINNED, FloatArray, Role, Stamp
from embdiff.sources.batches import Batches, Model, checked_items, refuse_unread
from embdiff.sources.source import How, Source, not_fitted
from embdiff.sources.tally import Tally
from embdiff.specs import ModelSpec


class Encoder(Source):
    """A model with which texts become vectors; made by `get_encoder`.

    Parameters
    ----------
    spec : str
        The model as the user typed it.
    backend : Model
        The model itself.
    """

    def __init__(self, spec: str, backend: Model) -> None:
        self.spec = spec
        self.same_roles, self.learns = backend.same_roles, backend.learns
        self.paid, self.reads = backend.paid, backend.reads
        self._backend, self._batches = backend, Batches(spec, backend)
        self._fitted_on: str | None = None
        self._trial: tuple[str, ...] = ()
        # Vectors of a model that nothing pins down are not kept: it need not be asked for its dimension for that.
        self._pinned = backend.stamp().revision != UNPINNED

    def fit(self, items: Sequence[str], digest: str, ids: Sequence[str] | None = None) -> None:
        """Let a model that learns from the corpus (``lsa``) do so; the others get to know what texts there are."""
        self._trial = tuple(items[:2])
        if self.learns:
            self._backend.fit(checked_items(items))
            self._fitted_on = digest

    @property
    def stamp(self) -> Stamp:
        """Provenance of the vectors; of a model that learns from the corpus only once `fit` has been called.

        A user's own object that has not encoded yet is asked for vectors here, to learn the dimension: of the first
        texts of the corpus where there is one, as it may know no others.
        """
        if self.learns and self._fitted_on is None:
            raise not_fitted(self.spec, "tell its stamp")
        if not self._backend.stamp().dim:
            trial = self._trial or ("dimension",)
            try:
                with silent():
                    self.encode(trial)
            except EncoderError as error:
                whose = "the first texts of the corpus" if self._trial else f"embdiff's own trial text {trial[0]!r}"
                raise EncoderError(f"The dimension of a model is learnt from {whose}. {error}") from error
        return replace(self._backend.stamp(), fitted_on=self._fitted_on)

    @property
    def about(self) -> dict[str, Any]:
        """What the model runs on, as far as it tells: ``device``, ``threads``; JSON-able."""
        return dict(self._backend.about)

    def encode(
        self,
        items: Sequence[str],
        *,
        role: Role = "document",
        cache: VectorCache | None = None,
        tally: Tally | None = None,
    ) -> FloatArray:
        """Return the vector of each text.

        Equal texts are encoded once. The vector of a text does not depend on the other texts, beyond float32 rounding.

        Parameters
        ----------
        items : sequence of str, length n
            At least one.
        role : {"document", "query"}
            Models with separate prompts treat the two differently.
        cache : VectorCache, optional
            Where vectors are looked for, and each finished batch is kept. By default nothing is kept.
        tally : Tally, optional
            What became of the texts is added to it.

        Returns
        -------
        ndarray of float32, shape (n, d)
            C-contiguous, finite, in the order of the texts. A row may be zero when a model of words knows none of
            the text's.

        Raises
        ------
        ParameterError
            For an empty list, anything but text in it, or an unknown role.
        EncoderError
            When the model fails, or returns something else than one finite vector per text.
        CacheError
            When the cache cannot be written.
        """
        return self._encoded(items, role, cache, Tally() if tally is None else tally)

    def missing(self, items: Sequence[str], *, role: Role = "document", cache: VectorCache | None = None) -> int:
        """Return how many different texts `encode`, with the same arguments, would have to give to the model."""
        distinct = list(dict.fromkeys(checked_items(items)))
        space = cache.space(self.stamp, "document" if self.same_roles else role) if cache and self._pinned else None
        if cache is None or space is None:
            return len(distinct)
        found, _ = cache.get(space, keys_of(distinct))
        return int((~found).sum())

    def encode_singly(self, items: Sequence[str], **how: Unpack[How]) -> FloatArray:
        """Return the vector of each text, each encoded in a batch of its own.

        What `encode` returns differs from this by what batching does to the model: rounding, mostly.

        Parameters
        ----------
        items : sequence of str, length n
            At least one.
        **how
            As `encode`; the cache keeps such vectors apart from others.

        Returns
        -------
        ndarray of float32, shape (n, d)

        Raises
        ------
        ParameterError, EncoderError, CacheError
            As `encode`.
        """
        return self._encoded(items, how.get("role", "document"), how.get("cache"), Tally(), singly=True)

    def _encoded(
        self, items: Sequence[str], role: Role, cache: VectorCache | None, tally: Tally, *, singly: bool = False
    ) -> FloatArray:
        """Return the vector of each text: different ones once, those not kept encoded now and kept batch by batch."""
        all_texts = checked_items(items, role)
        kinds = kinds_of(all_texts)
        refuse_unread(self.spec, self.reads, kinds)
        if self.learns and self._fitted_on is None:
            raise not_fitted(self.spec, "encode")
        first = dict(zip(dict.fromkeys(all_texts), range(len(all_texts)), strict=False))
        place = np.fromiter(map(first.__getitem__, all_texts), dtype=np.int64, count=len(all_texts))
        rows, texts = np.unique(place, return_index=True)[1], np.array(list(first), dtype=object)
        kept_as: Role = "document" if self.same_roles else role
        space = cache.space(self.stamp, kept_as, singly=singly) if cache and self._pinned else None
        cache = cache or OFF
        found, cut = np.zeros((2, len(texts)), dtype=np.bool_)
        vectors: FloatArray | None = None
        if space is not None:
            keys = keys_of(texts)
            found, vectors = cache.get(space, keys)
        missing = np.flatnonzero(~found)
        if missing.size:
            start, some = time.perf_counter(), texts[missing]
            lengths, cut[missing] = self._batches.lengths(some, role)
            with (
                progress(f"encode {self.spec}{' again' * singly}", len(some), WHAT[kinds]) as advance,
                closing(self._batches.encoded(some, role, rows[missing], lengths, singly)) as batches,
            ):
                for batch, part in batches:
                    if self._backend.counts_tokens:
                        tally.add_batch(lengths[batch])
                    kept = part if space is None else cache.put(space, keys[missing[batch]], part)
                    vectors = np.empty((len(texts), part.shape[1]), dtype=np.float32) if vectors is None else vectors
                    vectors[missing[batch]] = kept
                    advance(len(batch))
            tally.seconds += time.perf_counter() - start
        assert vectors is not None
        if space is not None and not singly and self._backend.length_limit is not None:
            self._batches.mark_cut(cut, texts, role, self.stamp, cache.results, found)
        tally.texts += len(all_texts)
        tally.images += list(map(type, all_texts)).count(Picture)
        tally.duplicates += len(all_texts) - len(texts)
        tally.cached += len(texts) - len(missing)
        tally.encoded += len(missing)
        tally.counted = self._backend.counts_tokens
        tally.truncated.append((role, np.flatnonzero(cut[place])))
        return vectors if len(texts) == len(all_texts) else np.ascontiguousarray(vectors[place])

    def float32_twin(self, name: str) -> tuple[str, str] | None:
        """Return the model and its text form in float32, where it runs in lower precision; None for other models."""
        if self.spec != name or self.stamp.precision == "float32":
            return None
        spec = ModelSpec.parse(name)
        kept = {key: value for key, value in spec.options.items() if key not in ("backend", "precision")}
        return (name, str(ModelSpec(spec.kind, spec.name, kept))) if "precision" in spec.options else None
