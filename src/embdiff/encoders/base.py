"""What an encoder is: a backend has one method to write; batching, order, progress and checks live here, once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from embdiff._progress import progress, silent
from embdiff.encoders.cache import Keep, Tally, VectorCache
from embdiff.encoders.cache.cut import cut_texts
from embdiff.errors import EmbdiffError, EncoderError, ParameterError
from embdiff.exact import FileVectors
from embdiff.records import BoolArray, FloatArray, IntArray, Role, Stamp

ROLES: tuple[Role, ...] = ("document", "query")
DEFAULT_BATCH_ITEMS = 64
_FIRST_WORDS = 60
_LOOKED_AT_ONCE = 10_000


class Backend(Protocol):
    """A model behind an `Encoder`.

    Only these two are required. What a backend may add is looked for by name:

    - ``fit(items)``: learn from the corpus first (`Fitted`);
    - ``join(items, ids)``: find the ready vectors of its rows (`Joined`);
    - ``lengths(items, role)``: tokens of each text (`Measured`); else its characters are its length;
    - ``batch_items``: most texts in one batch, 64 by default;
    - ``batch_budget``: most units of length in one batch, padding included; no limit by default;
    - ``same_roles``: True when queries are encoded exactly as documents are; False by default;
    - ``about``: a mapping of what it runs on, for the run's manifest;
    - ``by_row``: True when vectors belong to rows, not to texts: all texts are then handed over at once, as they are;
      with ``on_disk(memory)`` and ``nbytes``, for vectors that may stay in their file (`Encoder.on_disk`);
    - ``needs_probe``: True while the dimension is unknown: one text is then encoded before `stamp` is called.
    """

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return the vectors of one batch, shape (n, d), finite."""
        ...

    def stamp(self) -> Stamp:
        """Return the provenance of the vectors."""
        ...


@runtime_checkable
class Fitted(Protocol):
    """A backend that learns from the corpus before it can encode."""

    def fit(self, items: Sequence[str]) -> None:
        """Learn from the texts."""
        ...


@runtime_checkable
class Joined(Protocol):
    """A backend with ready vectors that finds each row's by its id or its text."""

    def join(self, items: Sequence[str], ids: Sequence[str]) -> None:
        """Find the vector of each row of the corpus."""
        ...


@runtime_checkable
class Measured(Protocol):
    """A backend that can tell cheaply how long a text is to it.

    Looked for by name: ``counts_tokens``, True when lengths are tokens (then padding and truncation are reported), and
    ``length_limit``, the most of a text that the model sees.
    """

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return the length of each text, what the model does not see of it included; int64, shape (n,)."""
        ...


class Encoder:
    """A model with which texts become vectors; made by `get_encoder`.

    Parameters
    ----------
    spec : str
        The model as the user typed it.
    backend : Backend
        The model itself.
    """

    def __init__(self, spec: str, backend: Backend) -> None:
        self.spec = spec
        self._backend = backend
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

    @property
    def same_roles(self) -> bool:
        """Whether a text has the same vector as a query and as a document."""
        return bool(getattr(self._backend, "same_roles", False))

    @property
    def by_row(self) -> bool:
        """Whether vectors belong to the rows of the corpus and nothing is encoded."""
        return bool(getattr(self._backend, "by_row", False))

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
        place = np.array([first.setdefault(text, len(first)) for text in texts], dtype=np.int64)
        distinct = list(first)
        tally = Tally() if tally is None else tally
        tally.texts += len(texts)
        tally.duplicates += len(texts) - len(distinct)
        rows = np.unique(place, return_index=True)[1]
        vectors, cut = self._through_cache(distinct, role, rows, cache, tally)
        tally.truncated.append((role, np.flatnonzero(cut[place])))
        return vectors if len(distinct) == len(texts) else np.ascontiguousarray(vectors[place])

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
        first = {text: row for row, text in reversed(list(enumerate(texts)))}
        distinct = list(first)

        def encode(missing: IntArray, keep: Keep) -> FloatArray:
            vectors = []
            with progress(f"encode {self.spec} again", len(missing), "texts") as advance:
                for place, i in enumerate(missing):
                    row = np.array([first[distinct[i]]], dtype=np.int64)
                    vectors.append(self._encode_batch([distinct[i]], role, row))
                    self._check_dim(vectors[-1], self._backend.stamp().dim)
                    keep(np.array([place], dtype=np.int64), vectors[-1])
                    advance(1)
            return np.concatenate(vectors)

        if cache is None or not cache.keeps(self.stamp):
            vectors = encode(np.arange(len(distinct), dtype=np.int64), lambda _batch, _part: None)
        else:
            vectors = cache.fill(self.stamp, role, distinct, encode, Tally(), singly=True)
        place = {text: row for row, text in enumerate(distinct)}
        return np.ascontiguousarray(vectors[[place[text] for text in texts]])

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
        if not self.by_row or getattr(self._backend, "nbytes", 0) <= room:
            return None
        self._require_fit("give its vectors")
        stored: FileVectors = self._backend.on_disk(memory)  # type: ignore[attr-defined]
        return stored

    def _through_cache(
        self, texts: list[str], role: Role, rows: IntArray, cache: VectorCache | None, tally: Tally
    ) -> tuple[FloatArray, BoolArray]:
        """Encode what the cache does not have, and say which texts the model sees only the beginning of.

        ``rows`` are the callers' row numbers, for messages.
        """
        cut, cached = np.zeros(len(texts), dtype=np.bool_), np.ones(len(texts), dtype=np.bool_)

        def encode(missing: IntArray, keep: Keep | None = None) -> FloatArray:
            cached[missing] = False
            some = [texts[i] for i in missing]
            start = time.perf_counter()
            lengths, cut[missing] = self._lengths(some, role, tally)
            vectors = self._encode_distinct(some, role, rows[missing], lengths, tally, keep)
            tally.seconds += time.perf_counter() - start
            return vectors

        if cache is None or not cache.keeps(self.stamp):
            tally.encoded += len(texts)
            return encode(np.arange(len(texts), dtype=np.int64)), cut
        vectors = cache.fill(self.stamp, "document" if self.same_roles else role, texts, encode, tally)
        tally.counted = bool(getattr(self._backend, "counts_tokens", False))
        self._look_for_cut(texts, role, ~cached, cut, tally, cache)
        return vectors, cut

    def _look_for_cut(
        self, texts: list[str], role: Role, counted: BoolArray, cut: BoolArray, tally: Tally, cache: VectorCache
    ) -> None:
        """Mark in ``cut``, among texts not ``counted`` just now, those that the model sees only the beginning of."""
        limit = self._limit()
        if limit is None:
            return
        prompt = len((self.stamp.query_prompt if role == "query" else self.stamp.prompt).encode())
        # Hardly a token is shorter than a byte: what is half as long as the limit needs no counting.
        long = [i for i, text in enumerate(texts) if prompt + len(text.encode(errors="replace")) > limit // 2]

        def count(which: IntArray) -> BoolArray:
            found = np.zeros(len(which), dtype=np.bool_)
            for start in range(0, len(which), _LOOKED_AT_ONCE):
                some = [texts[long[i]] for i in which[start : start + _LOOKED_AT_ONCE]]
                found[start : start + _LOOKED_AT_ONCE] = self._lengths(some, role, tally)[1]
            return found

        if long:
            some = [texts[i] for i in long]
            cut[long] = cut_texts(cache.results, self.stamp, role, some, counted[long], cut[long], count)

    def _lengths(self, texts: list[str], role: Role, tally: Tally) -> tuple[IntArray, BoolArray]:
        """Return the length of each text as the model sees it, and whether that is only its beginning."""
        whole = np.zeros(len(texts), dtype=np.bool_)
        if not isinstance(self._backend, Measured):
            return np.array([len(text) for text in texts], dtype=np.int64), whole
        lengths, limit = self._backend.lengths(texts, role), self._limit()
        tally.counted = bool(getattr(self._backend, "counts_tokens", False))
        return (lengths, whole) if limit is None else (np.minimum(lengths, limit), lengths > limit)

    def _limit(self) -> int | None:
        limit = getattr(self._backend, "length_limit", None)
        return None if limit is None else int(limit)

    def _encode_distinct(
        self, texts: list[str], role: Role, rows: IntArray, lengths: IntArray, tally: Tally, keep: Keep | None
    ) -> FloatArray:
        """Encode in batches of like length, longest first, and hand each finished one to ``keep``."""
        vectors: FloatArray | None = None
        with progress(f"encode {self.spec}", len(texts), "texts") as advance:
            for batch in self._batches(lengths):
                part = self._encode_batch([texts[i] for i in batch], role, rows[batch])
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

    def _batches(self, lengths: IntArray) -> Iterator[IntArray]:
        """Yield positions batch by batch: like lengths together, as they need least padding."""
        most_items = int(getattr(self._backend, "batch_items", DEFAULT_BATCH_ITEMS))
        budget = getattr(self._backend, "batch_budget", None)
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
                f"{self.spec} must return a vector for every text. Got {type(error).__name__}: {error} at {where}. "
                "Encode that text alone to see more, or leave it out."
            ) from error
        return self._checked_batch(raw, texts, rows)

    def _checked_batch(self, raw: Any, texts: list[str], rows: IntArray) -> FloatArray:
        vectors = np.asarray(raw)
        wanted = f"{self.spec} must return one vector of floats for each of the {len(texts)} texts, an array (n, d)."
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
                f"{self.spec} must return finite vectors. Got NaN or infinity for row {rows[bad]} "
                f"({first_words(texts[bad])!r}). Check what the model makes of this text, or leave it out."
            )
        return narrow

    def _check_dim(self, vectors: FloatArray, dim: int) -> None:
        if vectors.shape[1] != dim:
            raise EncoderError(
                f"{self.spec} must return vectors of one dimension. Got {vectors.shape[1]} and {dim}. "
                "Return the same dimension for every text."
            )

    def _require_fit(self, wish: str) -> None:
        if isinstance(self._backend, Fitted | Joined) and self._fitted_on is None:
            raise EncoderError(
                f"{self.spec} must be fitted on the corpus before it can {wish}. Got a model that was not. "
                "Call encoder.fit(corpus.items, corpus.digest(), corpus.ids) first."
            )


def first_words(text: str) -> str:
    """Return the beginning of a text on one line, for messages."""
    line = " ".join(text[: 4 * _FIRST_WORDS].split())
    return line if len(line) <= _FIRST_WORDS else line[:_FIRST_WORDS].rsplit(" ", 1)[0] + "…"


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
