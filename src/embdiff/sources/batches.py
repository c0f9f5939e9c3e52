"""What a model must be, and how it is asked: in batches of like lengths, every answer checked.

A model has two methods to write, and says more of itself where it can. The texts that it fails at are named.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import EmbdiffError, EncoderError, ParameterError, in_one_line
from embdiff.kept import Kept, keys_of
from embdiff.records import BoolArray, FloatArray, IntArray, Kind, Role, Stamp
from embdiff.sources.streams import in_streams

Texts = npt.NDArray[np.object_]  # of str: picked out by arrays of positions
TEXTS, IMAGES = frozenset[Kind](["text"]), frozenset[Kind](["image"])
CUT = "cut_texts"
_WORTH_A_THREAD = 256  # units of length
ROLES: tuple[Role, ...] = ("document", "query")
_READERS = {
    "image": "efficientnet, hog, hf-image:NAME, conse or a CLIP-type model (st:NAME)",
    "text": "minilm, wordllama:256 or st:NAME",
}
_FIRST_WORDS = 60


class TextRefused(Exception):  # noqa: N818 - of one text, not of the program
    """What a model raises at one text of a batch.

    Parameters
    ----------
    place : int
        Of the text in the batch.
    reason : str
    """

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place, self.reason = place, reason


class Model(ABC):
    """A model behind an `Encoder`.

    Attributes
    ----------
    batch_items : int
        Most texts in one batch.
    batch_budget : int or None
        Most units of length in one batch, padding included; None without limit.
    learns : bool
        Whether it learns from the corpus first: then `fit` is called before anything else.
    same_roles : bool
        Whether queries are encoded exactly as documents are.
    counts_tokens : bool
        Whether lengths are tokens: then padding and truncation are reported.
    length_limit : int or None
        The most of a text that the model sees, as a length; None when it sees all, or does not tell.
    streams : int
        How many batches it encodes at the same time, each from a thread of its own.
    paid : bool
        Whether somebody may have to pay for each text: then none is encoded a second time to see what changes.
    unit : bool
        Whether it promises vectors of length 1, so that cut ones must be so again.
    reads : frozenset of str
        What its items may be: ``text``, ``image``.
    """

    batch_items: int = 64
    batch_budget: int | None = None
    learns: bool = False
    same_roles: bool = False
    counts_tokens: bool = False
    length_limit: int | None = None
    streams: int = 1
    paid: bool = False
    unit: bool = False
    reads: frozenset[Kind] = TEXTS

    @abstractmethod
    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return the vectors of one batch, shape (n, d), finite."""

    @abstractmethod
    def stamp(self) -> Stamp:
        """Return the provenance of the vectors; its ``dim`` is 0 while no vector has been seen that tells it."""

    def fit(self, items: Sequence[str]) -> None:  # noqa: B027 - most models learn nothing
        """Learn from the texts of the corpus."""

    @property
    def about(self) -> dict[str, Any]:
        """What it runs on, for the run's manifest; JSON-able."""
        return {}

    def lengths(self, items: Sequence[str], role: Role) -> IntArray:
        """Return the length of each text, what the model does not see of it included; int64, shape (n,)."""
        return np.fromiter(map(len, items), dtype=np.int64, count=len(items))

    def sharing(self, streams: int) -> AbstractContextManager[Callable[[], None] | None]:
        """Return a context in which that many batches are encoded; what it gives is called first in each thread."""
        return nullcontext()


class Batches:
    """A backend that is given texts batch by batch.

    Parameters
    ----------
    spec : str
        The model as the user typed it, for messages.
    backend : Model

    """

    def __init__(self, spec: str, backend: Model) -> None:
        self._spec, self._backend = spec, backend

    def lengths(self, texts: Texts, role: Role) -> tuple[IntArray, BoolArray]:
        """Return the length of each text as the model sees it, and whether that is only its beginning.

        Parameters
        ----------
        texts : ndarray of str, shape (n,)
        role : {"document", "query"}

        Returns
        -------
        lengths : ndarray of int64, shape (n,)
            Characters where the backend tells no lengths.
        cut : ndarray of bool, shape (n,)
        """
        lengths, limit = self._backend.lengths(texts.tolist(), role), self._backend.length_limit
        if limit is None:
            return lengths, np.zeros(len(texts), dtype=np.bool_)
        return np.minimum(lengths, limit), lengths > limit

    def encoded(
        self, texts: Texts, role: Role, rows: IntArray, lengths: IntArray, singly: bool
    ) -> Generator[tuple[IntArray, FloatArray]]:
        """Yield batch by batch the positions of its texts and their vectors, as soon as they are there.

        Close it (`contextlib.closing`) where its end may not be reached.

        Parameters
        ----------
        texts : ndarray of str, shape (n,)
            Different ones, at least one.
        role : {"document", "query"}
        rows : ndarray of int64, shape (n,)
            The callers' row numbers, for messages.
        lengths : ndarray of int64, shape (n,)
            As `lengths` gave them: like lengths come together, the longest first.
        singly : bool
            Whether each text is a batch of its own, one after the other; else several are at work at the same time
            where the backend does that, and a single one has all threads for itself.

        Yields
        ------
        batch : ndarray of int64, shape (b,)
        vectors : ndarray of float32, shape (b, d)

        Raises
        ------
        EncoderError
            When the model fails, or returns something else than one finite vector per text.
        """
        most, streams = (self._backend.batch_items, self._backend.batch_budget), self._backend.streams
        batches = list(np.arange(len(texts)).reshape(-1, 1) if singly else of_like_length(lengths, *most, streams))
        streams = 1 if singly else min(streams, len(batches))
        ask = partial(self._encode_batch, texts, role, rows, singly)
        with self._backend.sharing(streams) as begin:
            if streams > 1:
                yield from in_streams(ask, batches, streams, begin)
            else:
                yield from zip(batches, map(ask, batches), strict=True)

    def mark_cut(self, cut: BoolArray, texts: Texts, role: Role, stamp: Stamp, kept: Kept, found: BoolArray) -> None:
        """Mark the texts that the model sees only the beginning of, from what is kept where it is there.

        Kept is the answer for all long texts together: where some are new the model was loaded for those, and counting
        the others is quick.

        Parameters
        ----------
        cut : ndarray of bool, shape (n,)
            True where that is known already; changed.
        texts : ndarray of str, shape (n,)
        role : {"document", "query"}
        stamp : Stamp
        kept : Kept
        found : ndarray of bool, shape (n,)
            Which texts were not counted just now.
        """
        prompt = len((stamp.query_prompt if role == "query" else stamp.prompt).encode())
        least = int(self._backend.length_limit or 0) // 2 - prompt
        # Hardly a token is shorter than a byte: what is half as long as the limit needs no counting.
        long = np.flatnonzero([len(text.encode(errors="replace")) > least for text in texts])
        if not long.size:
            return
        inputs = (stamp, role, keys_of(texts[long]))
        flags: BoolArray | None = kept.get(CUT, inputs)
        if flags is None:
            uncounted = long[found[long]]
            cut[uncounted] = self.lengths(texts[uncounted], role)[1]
            kept.put(CUT, inputs, cut[long])
        else:
            cut[long] = flags

    def _encode_batch(
        self, all_texts: Texts, role: Role, all_rows: IntArray, alone: bool, batch: IntArray
    ) -> FloatArray:
        texts, rows = all_texts[batch].tolist(), all_rows[batch]
        try:
            raw = self._backend.encode(texts, role=role)
        except EmbdiffError:
            raise
        except TextRefused as error:
            raise EncoderError(
                f"{self._spec} must return a vector for every text. Got: {error.reason}, at "
                f"{_where(rows[error.place], texts[error.place], alone)}. Shorten or mend that text, or leave it out."
            ) from None
        except Exception as error:  # a model is foreign code: whatever it raises, say which texts it was given
            others = f" or one of the {len(texts) - 1} encoded with it" if len(texts) > 1 else ""
            raise EncoderError(
                f"{self._spec} must return a vector for every text. Got {in_one_line(error)} "
                f"at {_where(rows[0], texts[0], alone)}{others}. "
                f"{'' if alone else 'Encode that text alone to see more, or leave it out.'}".rstrip()
            ) from error
        return self._checked_batch(raw, texts, rows, alone)

    def _checked_batch(self, raw: Any, texts: list[str], rows: IntArray, alone: bool) -> FloatArray:
        def at(row: int) -> str:
            return _where(rows[row], texts[row], alone)

        vectors = np.asarray(raw)
        wanted = f"{self._spec} must return one vector of floats for each of the {len(texts)} texts, an array (n, d)."
        if vectors.ndim != 2 or len(vectors) != len(texts) or vectors.shape[1] == 0:
            raise EncoderError(
                f"{wanted} Got an array of shape {vectors.shape}, first for {at(0)}. Return a two-dimensional array "
                "with a row for each text, in their order."
            )
        if not np.issubdtype(vectors.dtype, np.floating):
            raise EncoderError(f"{wanted} Got an array of {vectors.dtype}, first for {at(0)}. Return float32.")
        dim = self._backend.stamp().dim  # of a user's own object it is known once something was encoded
        if vectors.shape[1] != dim:
            raise EncoderError(
                f"{self._spec} must return vectors of one dimension. Got {vectors.shape[1]} and {dim}"
                f"{f', for {at(0)}' if alone else ''}. Return the same dimension for every text."
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is refused below
            narrow = vectors.astype(np.float32, copy=False)
        finite = np.isfinite(narrow).all(axis=1)
        if not finite.all():
            bad = int(np.argmin(finite))
            raise EncoderError(
                f"{self._spec} must return finite vectors. Got NaN or infinity for "
                f"{at(bad)}. Check what the model makes of this text, or leave it out."
            )
        return narrow


def of_like_length(lengths: IntArray, most: int, budget: int | None, streams: int = 1) -> Iterator[IntArray]:
    """Yield positions batch by batch: like lengths together, as they need least padding; work for every stream.

    Parameters
    ----------
    lengths : ndarray of int64, shape (n,)
    most : int
        Texts in a batch.
    budget : int or None
        The most that the longest text of a batch, times its texts, may be.
    streams : int
    """
    if budget is not None and streams > 1:
        budget = min(budget, max(_WORTH_A_THREAD, -(-int(lengths.sum()) // streams)))
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        size = most if budget is None else min(most, max(1, budget // longest))
        yield order[start : start + size]
        start += size


def _where(row: int, text: str, alone: bool) -> str:
    """Name a text; one that is encoded alone is of a list of embdiff's own, whose numbers say nothing."""
    return f"the text {first_words(text)!r}, encoded alone" if alone else f"row {row} ({first_words(text)!r})"


def first_words(text: str) -> str:
    """Return the beginning of a text on one line, for messages."""
    line = " ".join(text[: 4 * _FIRST_WORDS].split())
    return line if len(line) <= _FIRST_WORDS else line[:_FIRST_WORDS].rsplit(" ", 1)[0] + "…"


def refuse_unread(spec: str, reads: Collection[Kind], kinds: Collection[Kind], what: str = "the items") -> None:
    """Refuse items of a kind that a model does not read.

    Raises
    ------
    ParameterError
        Naming the model, what it reads, and models that read the others.
    """
    for kind in sorted(set(kinds) - set(reads)):
        raise ParameterError(
            f"A model must read what it is given. Got {kind}s in {what}, and {spec} reads "
            f"{' and '.join(sorted(reads))}s only. Name a model that reads {kind}s, such as {_READERS[kind]}."
        )


def checked_items(items: Sequence[str], role: str = "document") -> list[str]:
    """Return the texts as a list, once they and their role are what they must be.

    Raises
    ------
    ParameterError
        For an empty list, anything but text in it, or an unknown role.
    """
    if isinstance(items, str):
        raise ParameterError(f"Texts must come as a list. Got the text {first_words(items)!r}. Put it into a list.")
    if not isinstance(items, Iterable):
        raise ParameterError(f"Texts must come as a list. Got {type(items).__name__}. Give a list of texts.")
    texts = list(items)
    if not texts:
        raise ParameterError("At least one text must be given to encode. Got an empty list. Add texts.")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ParameterError(
                f"Every item to encode must be text. Got {type(text).__name__} in row {row}. Turn it into str."
            )
    checked_role(role)
    return texts


def checked_role(role: str) -> Role:
    """Return a role; refuse another word with a ParameterError."""
    for known in ROLES:
        if known == role:
            return known
    raise ParameterError(f"A role must be one of {', '.join(ROLES)}. Got {role!r}. Choose one of these.")
