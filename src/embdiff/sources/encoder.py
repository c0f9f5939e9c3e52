"""The one way in which texts become vectors, whatever the model: each once, in their order, from the cache if there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from embdiff._progress import progress, silent
from embdiff.sources.backend import ROLES, Backend, Expecting, Fitted, Joined
from embdiff.sources.batches import Batches, Texts, first_words
from embdiff.sources.joining import Wanted
from embdiff.sources.tally import Tally
from embdiff.errors import EncoderError, ParameterError
from embdiff.exact import FileVectors
from embdiff.kept import OFF, VectorCache, VectorSpace, keys_of
from embdiff.records import BoolArray, FloatArray, IntArray, Role, Stamp


class Encoder:
    """A model with which texts become vectors; made by `get_encoder`.

    Parameters
    ----------
    spec : str
        The model as the user typed it.
    backend : Backend
        The model itself.

    Attributes
    ----------
    same_roles : bool
        Whether a text has the same vector as a query and as a document.
    by_row : bool
        Whether vectors belong to the rows of the corpus and nothing is encoded.
    """

    def __init__(self, spec: str, backend: Backend) -> None:
        self.spec = spec
        self.same_roles = bool(getattr(backend, "same_roles", False))
        self.by_row = bool(getattr(backend, "by_row", False))
        self._backend, self._batches = backend, Batches(spec, backend)
        self._fitted_on: str | None = None

    def __repr__(self) -> str:
        return f"Encoder({self.spec!r})"

    def fit(self, items: Sequence[str], digest: str, ids: Sequence[str] | None = None) -> None:
        """Let a model that learns from the corpus (``lsa``) do so, or find its rows; nothing happens for the others.

        Parameters
        ----------
        items : sequence of str, length n
            The corpus.
        digest : str
            What tells this corpus from others (`Corpus.digest`); it becomes part of the stamp.
        ids : sequence of str, length n, optional
            Ids of the rows, by default their numbers: ready vectors (``vectors:``) are found by them.

        Raises
        ------
        ParameterError
            When the corpus is empty, or too small for the model.
        DataError
            When a row has no vector among those that are ready.
        """
        if isinstance(self._backend, Joined):
            texts = _checked_items(items)
            self._backend.join(texts, [str(row) for row in range(len(texts))] if ids is None else ids)
            self._fitted_on = digest
        if isinstance(self._backend, Fitted):
            self._backend.fit(_checked_items(items))
            self._fitted_on = digest

    def expect(self, wanted: Wanted) -> None:
        """Let ready vectors with a file for queries (``vectors:FILE?queries=FILE``) find those that will be asked.

        Nothing happens for the others.

        Parameters
        ----------
        wanted : Wanted
            The texts that `encode` is given as queries afterwards.

        Raises
        ------
        DataError
            When a query has no vector among those that are ready, or several that differ.
        ParameterError
            When vectors that are found by row are not as many as the rows.
        EncoderError
            When a number is not finite.
        """
        if isinstance(self._backend, Expecting):
            self._backend.expect(wanted)

    @property
    def expects(self) -> bool:
        """Whether vectors of queries are ready, too, in a file of their own."""
        return isinstance(self._backend, Expecting)

    @property
    def by_text(self) -> bool:
        """Whether ready vectors are found by text."""
        return bool(getattr(self._backend, "by_text", False))

    @property
    def learns(self) -> bool:
        """Whether the model learns from the corpus, and has to be fitted on it."""
        return isinstance(self._backend, Fitted)

    @property
    def stamp(self) -> Stamp:
        """Provenance of the vectors; of a model that learns from the corpus only once `fit` has been called.

        A user's own object is asked for one vector here when it has not encoded yet, to learn the dimension.
        """
        self._require_fit("tell its stamp")
        if getattr(self._backend, "needs_probe", False):
            with silent():
                self.encode(["dimension"])
        return replace(self._backend.stamp(), fitted_on=self._fitted_on)

    @property
    def about(self) -> dict[str, Any]:
        """What the model runs on, as far as it tells: ``device``, ``threads``; JSON-able."""
        return dict(getattr(self._backend, "about", {}))

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
        texts = _checked_items(items)
        if role not in ROLES:
            raise ParameterError(f"A role must be one of {', '.join(ROLES)}. Got {role!r}. Choose one of these.")
        self._require_fit("encode")
        if self.by_row:
            return self._backend.encode(texts, role=role)
        first: dict[str, int] = {}
        for text in texts:
            first.setdefault(text, len(first))
        place = np.fromiter(map(first.__getitem__, texts), dtype=np.int64, count=len(texts))
        rows = np.unique(place, return_index=True)[1]
        tally = Tally() if tally is None else tally
        tally.texts += len(texts)
        tally.duplicates += len(texts) - len(first)
        space = None if cache is None else cache.space(self.stamp, "document" if self.same_roles else role)
        vectors, cut = self._filled(np.array(list(first), dtype=object), role, rows, cache or OFF, space, tally)
        tally.truncated.append((role, np.flatnonzero(cut[place])))
        return vectors if len(first) == len(texts) else np.ascontiguousarray(vectors[place])

    def missing(self, items: Sequence[str], *, role: Role = "document", cache: VectorCache | None = None) -> int:
        """Return how many different texts `encode`, with the same arguments, would have to give to the model."""
        distinct = list(dict.fromkeys(_checked_items(items)))
        space = None if cache is None else cache.space(self.stamp, "document" if self.same_roles else role)
        if cache is None or space is None:
            return len(distinct)
        found, _ = cache.get(space, keys_of(distinct))
        return int((~found).sum())

    def encode_singly(
        self, items: Sequence[str], *, role: Role = "document", cache: VectorCache | None = None
    ) -> FloatArray:
        """Return the vector of each text, each encoded in a batch of its own.

        What `encode` returns differs from this by what batching does to the model: rounding, mostly.

        Parameters
        ----------
        items : sequence of str, length n
            At least one.
        role : {"document", "query"}
        cache : VectorCache, optional
            Where such vectors are kept, apart from those of `encode`.

        Returns
        -------
        ndarray of float32, shape (n, d)

        Raises
        ------
        ParameterError, EncoderError, CacheError
            As `encode`.
        """
        texts = _checked_items(items)
        self._require_fit("encode")
        distinct, rows, place = np.unique(np.array(texts, dtype=object), return_index=True, return_inverse=True)
        space = None if cache is None else cache.space(self.stamp, role, singly=True)
        vectors, _ = self._filled(distinct, role, rows, cache or OFF, space, Tally(), singly=True)
        return np.ascontiguousarray(vectors[place])

    def _filled(
        self, texts: Texts, role: Role, rows: IntArray, cache: VectorCache, space: VectorSpace | None, tally: Tally,
        *, singly: bool = False,
    ) -> tuple[FloatArray, BoolArray]:  # fmt: skip
        """Return the vectors of different texts, those that are not kept encoded now and kept batch by batch.

        Parameters
        ----------
        texts : ndarray of str, shape (n,)
        role : {"document", "query"}
        rows : ndarray of int64, shape (n,)
            The callers' row numbers, for messages.
        cache, space
            Where they are kept, if at all.
        tally : Tally
            Told what becomes of the texts.
        singly : bool
            Whether each is encoded in a batch of its own.

        Returns
        -------
        vectors : ndarray of float32, shape (n, d)
        cut : ndarray of bool, shape (n,)
            Whether the model sees only the beginning of the text.
        """
        found, cut = np.zeros((2, len(texts)), dtype=np.bool_)
        vectors: FloatArray | None = None
        if space is not None:
            keys = keys_of(texts)
            found, vectors = cache.get(space, keys)
        missing = np.flatnonzero(~found)
        if missing.size:
            start, some = time.perf_counter(), texts[missing]
            lengths, cut[missing] = self._batches.lengths(some, role, tally)
            with (
                progress(f"encode {self.spec}{' again' * singly}", len(some), "texts") as advance,
                closing(self._batches.encoded(some, role, rows[missing], lengths, singly)) as batches,
            ):
                for batch, part in batches:
                    if tally.counted:
                        tally.add_batch(lengths[batch])
                    kept = part if space is None else cache.put(space, keys[missing[batch]], part)
                    vectors = np.empty((len(texts), part.shape[1]), dtype=np.float32) if vectors is None else vectors
                    vectors[missing[batch]] = kept
                    advance(len(batch))
            tally.seconds += time.perf_counter() - start
        assert vectors is not None
        tally.cached += len(texts) - len(missing)
        tally.encoded += len(missing)
        if space is not None:
            tally.counted = self._batches.counts_tokens
        if space is not None and not singly and self._batches.length_limit is not None:
            self._batches.mark_cut(cut, texts, role, self.stamp, cache.results, found)
        return vectors, cut

    @property
    def nbytes(self) -> int:
        """Bytes that given vectors would take in memory; 0 for a model that makes them."""
        return int(getattr(self._backend, "nbytes", 0)) if self.by_row else 0

    def on_disk(self, room: int, memory: int) -> FileVectors | None:
        """Return given vectors where they are, in their file, when they would take more than ``room`` bytes in memory.

        Parameters
        ----------
        room : int
            Bytes that may be kept in memory.
        memory : int
            Bytes that working on them may take at a time.

        Returns
        -------
        FileVectors or None
            None for every model whose vectors are no file, and for small files.

        Raises
        ------
        ParameterError
            When ``memory`` is too little to work in.
        """
        if self.nbytes <= room:
            return None
        self._require_fit("give its vectors")
        stored: FileVectors = self._backend.on_disk(memory)  # type: ignore[attr-defined]
        return stored

    def _require_fit(self, wish: str) -> None:
        if isinstance(self._backend, Fitted | Joined) and self._fitted_on is None:
            raise EncoderError(
                f"{self.spec} must be fitted on the corpus before it can {wish}. Got a model that was not. "
                "Call encoder.fit(corpus.items, corpus.digest(), corpus.ids) first."
            )


def _checked_items(items: Sequence[str]) -> list[str]:
    if isinstance(items, str):
        raise ParameterError(f"Texts must come as a list. Got the text {first_words(items)!r}. Put it into a list.")
    texts = list(items)
    if not texts:
        raise ParameterError("At least one text must be given to encode. Got an empty list. Add texts.")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ParameterError(
                f"Every item to encode must be text. Got {type(text).__name__} in row {row}. Turn it into str."
            )
    return texts
