"""Models that rank texts and make no dense vector of them: encoded in parts that are kept, cut texts counted."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embdiff._optional import versions
from embdiff._progress import progress
from embdiff.errors import EmbdiffError, EncoderError, in_one_line
from embdiff.kept import Kept, keys_of
from embdiff.rankings import Ranking
from embdiff.records import IntArray, Kind, Ragged, Role
from embdiff.sources.batches import TEXTS, Model, checked_items, first_words
from embdiff.sources.families import SPARSE, Family
from embdiff.sources.hub import locate
from embdiff.sources.loading import Loaded, device_for, load
from embdiff.sources.remembered import Unloaded, loaded
from embdiff.sources.st import LIBRARIES, choices_of
from embdiff.sources.tally import Tally
from embdiff.sources.transformer import Choices, SentenceTransformers
from embdiff.specs import ModelSpec

OPTIONS = ("revision", "prompt", "query_prompt", "max_tokens", "trust_remote_code")
_MASKED = "it does not say that it is a SparseEncoder: its head for masked words is taken"
PART = 256  # texts that are encoded, and kept, together
_AT_ONCE = 32  # in a batch of the library, which sorts a part by length


class RaggedModel(SentenceTransformers):
    """A loaded model of sentence-transformers of another family; parameters as for `SentenceTransformers`."""

    def __init__(self, loaded: Loaded, choices: Choices, spec: ModelSpec, revision: str) -> None:
        super().__init__(loaded, choices, spec, revision)
        first = vars(loaded.model[0])
        limits = {"query": first.get("query_length"), "document": first.get("document_length")}
        self._limits = {role: limit or self._stamp.max_tokens for role, limit in limits.items()}

    def ragged(self, items: Sequence[str], role: Role) -> Ragged:
        """Return what the library's encode_query or encode_document makes of texts."""
        with self._replicas.borrowed() as model:
            encode = model.encode_query if role == "query" else model.encode_document
            return self.packed(
                encode(list(items), prompt=self._prompts[role], batch_size=_AT_ONCE, show_progress_bar=False)
            )

    def cut(self, items: Sequence[str], role: Role) -> IntArray:
        """Return which texts the model sees only the beginning of, (c,)."""
        limit = self._limits[role]
        if limit is None or not self.counts_tokens:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.lengths(items, role) > limit)

    @staticmethod
    @abstractmethod
    def packed(found: Any) -> Ragged:
        """Return what the library made of some texts."""


class Ranker(ABC):
    """A model that ranks texts; in runs it stands where bm25 stands, beside the models that have a space.

    Parameters
    ----------
    spec : ModelSpec
        The model as the user typed it.
    unloaded : Unloaded
        Where it was found.
    """

    reads: frozenset[Kind] = TEXTS

    def __init__(self, spec: ModelSpec, unloaded: Unloaded) -> None:
        self.spec, self._unloaded = str(spec), unloaded

    def opened(self, kept: Kept) -> Model:
        """Return the model, loaded or as it is remembered; refuses what is not of its family."""
        return self._unloaded.through(kept)

    @abstractmethod
    def ranking(self, items: Sequence[str], kept: Kept, tally: Tally) -> Ranking:
        """Encode the rows of a corpus, and return what ranks them; what becomes of texts is added to the tally."""


class Parts:
    """A `RaggedModel`, loaded or remembered, that is given texts part by part; each finished part is kept.

    Parameters
    ----------
    spec : str
        For messages.
    backend : Model
        It is loaded when a part is not kept.
    kept : Kept
    tally : Tally
        What becomes of the texts is added to it.
    """

    def __init__(self, spec: str, backend: Model, kept: Kept, tally: Tally) -> None:
        self.spec, self.backend, self._kept, self._tally = spec, backend, kept, tally

    def encoded(self, items: Sequence[str], role: Role) -> Ragged:
        """Return what the model makes of each text; equal ones are encoded once.

        Raises
        ------
        EncoderError
            When the model fails, or makes nothing or something that is not finite of a text.
        """
        texts = checked_items(items, role)
        first = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        different, start, tally = list(first), time.perf_counter(), self._tally
        parts, cut, known = [], [], 0
        asked: Role = "document" if self.backend.same_roles else role
        with progress(f"encode {self.spec}", len(different), "texts") as advance:
            for begin in range(0, len(different), PART):
                some = different[begin : begin + PART]
                inputs = (self.backend.stamp(), asked, keys_of(some))
                (ragged, seen), made = self._kept.recall("ragged", inputs, lambda some=some: self._part(some, asked))  # type: ignore[misc]
                known += len(some) if made else 0
                parts.append(ragged)
                cut.append(seen + begin)
                advance(len(some))
        tally.texts += len(texts)
        tally.duplicates += len(texts) - len(different)
        tally.cached += known
        tally.encoded += len(different) - known
        tally.seconds += time.perf_counter() - start if known < len(different) else 0.0
        tally.counted = self.backend.counts_tokens
        place = np.array([first[text] for text in texts], dtype=np.int64)
        tally.truncated.append((role, np.flatnonzero(np.isin(place, np.concatenate(cut)))))
        return Ragged.joined(parts).take(place)

    def _part(self, texts: list[str], role: Role) -> tuple[Ragged, IntArray]:
        model = loaded(self.backend)
        assert isinstance(model, RaggedModel)
        try:
            found, cut = model.ragged(texts, role), model.cut(texts, role)
        except EmbdiffError:
            raise
        except Exception as error:  # a model is foreign code
            raise EncoderError(
                f"{self.spec} must encode every text. Got {in_one_line(error)} at {first_words(texts[0])!r} or one of "
                f"the {len(texts)} encoded with it. Encode that text alone to see more, or leave it out."
            ) from error
        empty = np.flatnonzero(np.diff(found.offsets) == 0) if found.columns is None else np.zeros(0, dtype=np.int64)
        if not np.isfinite(found.values).all() or empty.size:
            what = f"no token of {first_words(texts[int(empty[0])])!r}" if empty.size else "NaN or infinity"
            raise EncoderError(
                f"{self.spec} must make finite numbers of every text. Got {what}. Check the model, or leave it out."
            )
        return found, cut


def found(spec: ModelSpec, family: Family, make: Callable[..., Model], options: Sequence[str] = OPTIONS) -> Unloaded:
    """Find a model of another family of sentence-transformers, for whoever loads it.

    Parameters
    ----------
    spec : ModelSpec
    family : Family
    make : callable
        ``make(loaded, choices, spec, revision)``: the model, of what was loaded.
    options : sequence of str
        Options that it takes.

    Raises
    ------
    ParameterError
        For options that do not hold.
    EncoderError
        When the model cannot be found; loading it raises EncoderError when it is of another family.
    """
    choices = choices_of(spec, options)
    there = locate(spec.name, spec.options.get("revision"), str(spec))
    known = {"name": there.name, "revision": there.revision, "choices": choices, "versions": versions(LIBRARIES)}

    def made() -> Model:
        model = load(there, spec, choices.trust_remote_code, device_for("torch"), family)
        assumed = (*model.assumed, *([_MASKED] if there.bare and family is SPARSE else []))
        named = replace(model, name=f"{family.name} {there.name}", assumed=assumed)
        return make(named, choices, spec, there.revision)

    return Unloaded(str(spec), {**known, "family": family.name}, made)
