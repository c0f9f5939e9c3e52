"""A model asked in batches: like lengths together, every answer checked, and the texts that it fails at named."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext
from typing import Any

import numpy as np

from embdiff._progress import progress
from embdiff.encoders.backend import Backend, Measured
from embdiff.encoders.cache import Keep, Tally
from embdiff.encoders.streams import in_streams
from embdiff.errors import EmbdiffError, EncoderError
from embdiff.records import BoolArray, FloatArray, IntArray, Role

DEFAULT_BATCH_ITEMS = 64
_WORTH_A_THREAD = 256  # units of length
_FIRST_WORDS = 60


class Batches:
    """A backend that is given texts batch by batch.

    Parameters
    ----------
    spec : str
        The model as the user typed it, for messages.
    backend : Backend
    """

    def __init__(self, spec: str, backend: Backend) -> None:
        self._spec, self._backend = spec, backend

    @property
    def counts_tokens(self) -> bool:
        """Whether lengths are tokens."""
        return bool(getattr(self._backend, "counts_tokens", False))

    @property
    def length_limit(self) -> int | None:
        """The most of a text that the model sees; None when it sees all, or does not tell."""
        limit = getattr(self._backend, "length_limit", None)
        return None if limit is None else int(limit)

    def lengths(self, texts: list[str], role: Role, tally: Tally) -> tuple[IntArray, BoolArray]:
        """Return the length of each text as the model sees it, and whether that is only its beginning.

        Parameters
        ----------
        texts : list of str, length n
        role : {"document", "query"}
        tally : Tally
            Told whether the lengths are tokens.

        Returns
        -------
        lengths : ndarray of int64, shape (n,)
            Characters where the backend tells no lengths.
        cut : ndarray of bool, shape (n,)
        """
        whole = np.zeros(len(texts), dtype=np.bool_)
        if not isinstance(self._backend, Measured):
            return np.array([len(text) for text in texts], dtype=np.int64), whole
        lengths, limit = self._backend.lengths(texts, role), self.length_limit
        tally.counted = self.counts_tokens
        return (lengths, whole) if limit is None else (np.minimum(lengths, limit), lengths > limit)

    def encode(
        self, texts: list[str], role: Role, rows: IntArray, lengths: IntArray, tally: Tally, keep: Keep | None
    ) -> FloatArray:
        """Encode in batches of like length, longest first, and hand each finished one to ``keep``.

        Parameters
        ----------
        texts : list of str, length n
            Different ones, at least one.
        role : {"document", "query"}
        rows : ndarray of int64, shape (n,)
            The callers' row numbers, for messages.
        lengths : ndarray of int64, shape (n,)
            As `lengths` gave them.
        tally : Tally
            Told the tokens of each batch, where lengths are tokens.
        keep : callable, optional
            Given the positions of a batch and its vectors.

        Returns
        -------
        ndarray of float32, shape (n, d)

        Raises
        ------
        EncoderError
            When the model fails, or returns something else than one finite vector per text.
        """

        def encoded(batch: IntArray) -> FloatArray:
            return self._encode_batch([texts[i] for i in batch], role, rows[batch])

        vectors: FloatArray | None = None
        with (
            progress(f"encode {self._spec}", len(texts), "texts") as advance,
            closing(self._each(encoded, list(self._of_like_length(lengths)))) as parts,
        ):
            for batch, part in parts:
                if tally.counted:
                    tally.add_batch(lengths[batch])
                if vectors is None:
                    vectors = np.empty((len(texts), part.shape[1]), dtype=np.float32)
                self._check_dim(part, vectors.shape[1])
                vectors[batch] = part
                if keep is not None:
                    keep(batch, part)
                advance(len(batch))
        assert vectors is not None
        self._check_dim(vectors, self._backend.stamp().dim)
        return vectors

    def encode_singly(self, texts: list[str], role: Role, rows: IntArray, keep: Keep) -> FloatArray:
        """Encode each text in a batch of its own, and hand each to ``keep``; see `encode`."""
        vectors = []
        with progress(f"encode {self._spec} again", len(texts), "texts") as advance:
            for place, text in enumerate(texts):
                vectors.append(self._encode_batch([text], role, rows[place : place + 1]))
                self._check_dim(vectors[-1], self._backend.stamp().dim)
                keep(np.array([place], dtype=np.int64), vectors[-1])
                advance(1)
        return np.concatenate(vectors)

    def _each(
        self, function: Callable[[IntArray], FloatArray], batches: list[IntArray]
    ) -> Generator[tuple[IntArray, FloatArray]]:
        """Several batches at the same time where the backend does that; a single one has all threads for itself."""
        streams = min(int(getattr(self._backend, "streams", 1)), len(batches))
        sharing = getattr(self._backend, "sharing", None)
        with nullcontext() if sharing is None else sharing(streams) as start:
            yield from in_streams(function, batches, streams, start)

    def _of_like_length(self, lengths: IntArray) -> Iterator[IntArray]:
        """Yield positions batch by batch: like lengths together, as they need least padding; work for every stream."""
        most_items = int(getattr(self._backend, "batch_items", DEFAULT_BATCH_ITEMS))
        budget = getattr(self._backend, "batch_budget", None)
        streams = int(getattr(self._backend, "streams", 1))
        if budget is not None and streams > 1:
            budget = min(int(budget), max(_WORTH_A_THREAD, -(-int(lengths.sum()) // streams)))
        order = np.argsort(-lengths, kind="stable")
        start = 0
        while start < len(order):
            longest = max(1, int(lengths[order[start]]))
            size = most_items if budget is None else min(most_items, max(1, int(budget) // longest))
            yield order[start : start + size]
            start += size

    def _encode_batch(self, texts: list[str], role: Role, rows: IntArray) -> FloatArray:
        try:
            raw = self._backend.encode(texts, role=role)
        except EmbdiffError:
            raise
        except Exception as error:  # a model is foreign code: whatever it raises, say which texts it was given
            where = f"row {rows[0]} ({first_words(texts[0])!r})" + (
                f" or one of the {len(texts) - 1} encoded with it" if len(texts) > 1 else ""
            )
            raise EncoderError(
                f"{self._spec} must return a vector for every text. Got {type(error).__name__}: {error} at {where}. "
                "Encode that text alone to see more, or leave it out."
            ) from error
        return self._checked_batch(raw, texts, rows)

    def _checked_batch(self, raw: Any, texts: list[str], rows: IntArray) -> FloatArray:
        vectors = np.asarray(raw)
        wanted = f"{self._spec} must return one vector of floats for each of the {len(texts)} texts, an array (n, d)."
        if vectors.ndim != 2 or len(vectors) != len(texts) or vectors.shape[1] == 0:
            raise EncoderError(
                f"{wanted} Got an array of shape {vectors.shape}, first for row {rows[0]} "
                f"({first_words(texts[0])!r}). Return a two-dimensional array with a row for each text, in their order."
            )
        if not np.issubdtype(vectors.dtype, np.floating):
            raise EncoderError(
                f"{wanted} Got an array of {vectors.dtype}, first for row {rows[0]} ({first_words(texts[0])!r}). "
                "Return float32."
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is refused below
            narrow = vectors.astype(np.float32, copy=False)
        finite = np.isfinite(narrow).all(axis=1)
        if not finite.all():
            bad = int(np.argmin(finite))
            raise EncoderError(
                f"{self._spec} must return finite vectors. Got NaN or infinity for row {rows[bad]} "
                f"({first_words(texts[bad])!r}). Check what the model makes of this text, or leave it out."
            )
        return narrow

    def _check_dim(self, vectors: FloatArray, dim: int) -> None:
        if vectors.shape[1] != dim:
            raise EncoderError(
                f"{self._spec} must return vectors of one dimension. Got {vectors.shape[1]} and {dim}. "
                "Return the same dimension for every text."
            )


def first_words(text: str) -> str:
    """Return the beginning of a text on one line, for messages."""
    line = " ".join(text[: 4 * _FIRST_WORDS].split())
    return line if len(line) <= _FIRST_WORDS else line[:_FIRST_WORDS].rsplit(" ", 1)[0] + "…"
