"""``MODEL+rerank:st:NAME``: a CrossEncoder that puts the nearest rows of another model into an order of its own.

Options of the re-ranker: ``top``, how many of the nearest are re-ranked (100), ``revision`` (hub only), ``max_tokens``,
``trust_remote_code``.

References
----------
.. [1] Nogueira, R. & Cho, K. (2019). Passage Re-ranking with BERT. arXiv:1901.04085.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from embdiff import forms
from embdiff._progress import progress
from embdiff.errors import EmbdiffError, EncoderError, in_one_line
from embdiff.kept import Kept, keys_of
from embdiff.rankings import Doubles, Ranking
from embdiff.records import FloatArray, IntArray, Neighbors, Role, Stamp
from embdiff.sources.batches import Model, first_words
from embdiff.sources.families import PAIRS
from embdiff.sources.loading import Loaded
from embdiff.sources.ranker import found
from embdiff.sources.remembered import Unloaded, loaded
from embdiff.sources.tally import Tally
from embdiff.sources.transformer import Choices, cut_at
from embdiff.specs import ModelSpec

OPTIONS = ("revision", "max_tokens", "trust_remote_code")
_PART = 512  # pairs that are scored, and kept, together
_AT_ONCE = 32
Pairs = list[tuple[str, str]]


def from_spec(spec: ModelSpec) -> Unloaded:
    """Find the re-ranker; raises as `embdiff.sources.ranker.found`."""
    return found(spec, PAIRS, PairModel, OPTIONS)


class PairModel(Model):
    """A loaded CrossEncoder; parameters as for `SentenceTransformers`.

    Raises
    ------
    EncoderError
        When it gives a pair more than one number.
    """

    same_roles = True

    def __init__(self, loaded: Loaded, choices: Choices, spec: ModelSpec, revision: str) -> None:
        self._model = loaded.model
        if self._model.num_labels != 1:
            raise EncoderError(
                f"A re-ranker must give each pair of texts one number. Got {self._model.num_labels} labels from "
                f"'{spec}'. Name a CrossEncoder that was trained to rank."
            )
        self._most = cut_at(self._model, choices, spec)
        self.counts_tokens = bool(getattr(self._model.tokenizer, "is_fast", False))
        self._assumed = loaded.assumed
        self._stamp = Stamp(loaded.name, revision, 1, max_tokens=self._most)

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Refuse: there are no vectors."""
        raise EncoderError("A CrossEncoder must be given pairs of texts. Got texts. Let it re-rank a list.")

    def scores(self, pairs: Pairs) -> FloatArray:
        """Return the score of each pair, float32 (n,): what the library's `predict` returns."""
        found: FloatArray = self._model.predict(pairs, batch_size=_AT_ONCE, show_progress_bar=False)
        return found

    def cut(self, pairs: Pairs) -> IntArray:
        """Return which pairs are longer than what the model sees, (c,)."""
        if self._most is None or not self.counts_tokens:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero([len(each) > self._most for each in self._counter.encode_batch_fast(pairs)])

    @cached_property
    def _counter(self) -> Any:
        import tokenizers

        counter = tokenizers.Tokenizer.from_str(self._model.tokenizer.backend_tokenizer.to_str())
        counter.no_truncation()
        counter.no_padding()
        return counter

    def stamp(self) -> Stamp:
        """Return the provenance."""
        return self._stamp

    @property
    def about(self) -> dict[str, Any]:
        """The device, and what was assumed."""
        return {"device": str(self._model.device), **({"assumed": list(self._assumed)} if self._assumed else {})}


class Reranked(Ranking):
    """The nearest rows of another model, in the order of a CrossEncoder; the others are not ranked.

    Parameters
    ----------
    spec : str
        For messages.
    backend : Model
        A `PairModel`, loaded or remembered.
    items : sequence of str, length n
    base : callable
        ``base(queries, depth)``: the nearest rows of queries, by the other model.
    top : int
        How many of them are re-ranked, and as many more as may be a query itself.
    kept : Kept
    tally : Tally
        What becomes of the pairs is added to it.
    """

    wanting = "scores pairs of texts, and has no vectors"

    def __init__(
        self, spec: str, backend: Model, items: Sequence[str], base: Callable[[Sequence[str], int], Neighbors],
        top: int, kept: Kept, tally: Tally,
    ) -> None:  # fmt: skip
        super().__init__(forms.RERANKED, len(items))
        self.partial = f"{spec} ranks only the first {top:,} of the model before it"
        self._spec, self._backend, self._items, self._base = spec, backend, tuple(items), base
        self._top, self._kept, self._tally = top, kept, tally

    @property
    def about(self) -> str:
        """What was run, for the protocol."""
        return f"the first {self._top:,} rows of the model before it, in the order of {self._backend.stamp().model}"

    def scored(self, queries: Sequence[str]) -> Iterator[tuple[int, Doubles]]:
        """Yield the number of each query, and the score of every row that is re-ranked (n,); NaN for the others."""
        rows = self._base(queries, min(self._top, self.size)).rows
        query, place = np.nonzero(rows >= 0)
        there = zip(query.tolist(), rows[query, place].tolist(), strict=True)
        pairs = [(queries[at], self._items[row]) for at, row in there]
        scores = np.full(rows.shape, np.nan)
        scores[query, place] = self._scores(pairs, query)
        for number in range(len(queries)):
            every, here = np.full(self.size, np.nan), rows[number] >= 0
            every[rows[number, here]] = scores[number, here]
            yield number, every

    def _scores(self, pairs: Pairs, query: IntArray) -> Doubles:
        """Return the score of each pair, equal ones scored once; of queries (m,) those with a cut pair are counted."""
        first = {pair: place for place, pair in enumerate(dict.fromkeys(pairs))}
        different, start, known = list(first), time.perf_counter(), 0
        scores, cut = [], [np.zeros(0, dtype=np.int64)]
        with progress(f"re-rank {self._spec}", len(different), "pairs") as advance:
            for begin in range(0, len(different), _PART):
                some = different[begin : begin + _PART]
                asked = (self._backend.stamp(), *(keys_of(side) for side in zip(*some, strict=True)))
                (values, seen), made = self._kept.recall("reranked", asked, lambda some=some: self._part(some))  # type: ignore[misc]
                known += len(some) if made else 0
                scores.append(values)
                cut.append(seen + begin)
                advance(len(some))
        place = np.array([first[pair] for pair in pairs], dtype=np.int64)
        tally = self._tally
        tally.texts += len(pairs)
        tally.duplicates += len(pairs) - len(different)
        tally.cached += known
        tally.encoded += len(different) - known
        tally.seconds += time.perf_counter() - start if known < len(different) else 0.0
        tally.counted = self._backend.counts_tokens
        tally.truncated.append(("query", np.unique(query[np.isin(place, np.concatenate(cut))])))
        return np.concatenate(scores).astype(np.float64)[place] if scores else np.zeros(0)

    def _part(self, pairs: Pairs) -> tuple[FloatArray, IntArray]:
        model = loaded(self._backend)
        assert isinstance(model, PairModel)
        try:
            scores, cut = model.scores(pairs), model.cut(pairs)
        except EmbdiffError:
            raise
        except Exception as error:  # a model is foreign code
            raise EncoderError(
                f"{self._spec} must score every pair of texts. Got {in_one_line(error)} at the query "
                f"{first_words(pairs[0][0])!r} or one of the {len(pairs)} pairs scored with it. Leave it out."
            ) from error
        if not np.isfinite(scores).all():
            raise EncoderError(
                f"{self._spec} must give finite scores. Got NaN or infinity for the query "
                f"{first_words(pairs[int(np.argmin(np.isfinite(scores)))][0])!r}. Check the model, or leave it out."
            )
        return scores, cut
