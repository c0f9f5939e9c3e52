"""``multivector:NAME`` and ``multivector:FOLDER``: a vector for each token (ColBERT), by sentence-transformers.

Options: ``revision`` (hub only), ``prompt``, ``query_prompt``, ``max_tokens``, ``trust_remote_code``.

References
----------
.. [1] Khattab, O. & Zaharia, M. (2020). ColBERT: Efficient and Effective Passage Search via Contextualized Late
   Interaction over BERT. SIGIR. The score is MaxSim, equation 3: over the tokens of the query the sum of the largest
   inner product with a token of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from embdiff import forms
from embdiff._memory import share
from embdiff._sizes import written_size
from embdiff.errors import EncoderError, ParameterError
from embdiff.kept import Kept
from embdiff.rankings import Asked, Doubles, Ranking, VectorRanking
from embdiff.records import IntArray, Ragged
from embdiff.sources.families import LATE
from embdiff.sources.ranker import Parts, RaggedModel, Ranker, found
from embdiff.sources.tally import Tally
from embdiff.specs import ModelSpec

_MEANS = {"maxsim": False, "meanmaxsim": True}
_QUERIES = 32  # asked together
_UNIT = 1e-3  # a vector whose length is 1 but for so much is a unit vector
_TOKENS = 8_192  # of rows, multiplied with the tokens of these queries at a time


def from_spec(spec: ModelSpec) -> LateRanker:
    """Find ``multivector:NAME?options``; raises as `embdiff.sources.ranker.found`."""
    return LateRanker(spec, found(spec, LATE, LateModel))


class LateModel(RaggedModel):
    """A loaded MultiVectorEncoder."""

    @staticmethod
    def packed(found: Any) -> Ragged:
        """Return the vectors of the tokens of each text, one text after the other."""
        tokens = [each.float().cpu().numpy() for each in found]
        return Ragged.of([len(each) for each in tokens], np.concatenate(tokens).astype(np.float32, copy=False))

    @property
    def about(self) -> dict[str, Any]:
        """What it runs on, and by which similarity it is to be searched."""
        return {**super().about, "similarity": str(self._model.similarity_fn_name)}


class LateRanker(Ranker):
    """Rows ranked by MaxSim of the vectors of tokens."""

    def ranking(self, items: Sequence[str], kept: Kept, tally: Tally) -> Ranking:
        """Encode the rows, and return what ranks them."""
        backend = self.opened(kept)
        similarity = backend.about["similarity"]
        if similarity not in _MEANS:
            raise EncoderError(
                f"A model with a vector for each token must be searched by {' or '.join(_MEANS)}. Got {similarity} in "
                f"{self.spec}. Change similarity_fn_name in its config_sentence_transformers.json."
            )
        parts = Parts(self.spec, backend, kept, tally)
        return ByTokens(parts, items, mean=_MEANS[similarity])


class ByTokens(VectorRanking):
    """The vectors of all tokens of rows; every row is ranked.

    Parameters
    ----------
    parts : Parts
    items : sequence of str, length n
    mean : bool
        Whether the sum over the tokens of a query is divided by their number, which changes no order.

    Raises
    ------
    ParameterError
        When the vectors of the rows would not fit into memory.
    """

    wanting = "has a vector for each token, and no single one"

    def __init__(self, parts: Parts, items: Sequence[str], *, mean: bool) -> None:
        super().__init__(forms.MAXSIM, len(items))
        self._parts, self._mean = parts, mean
        _refuse_large(parts, items)
        self.rows = parts.encoded(items, "document")

    @property
    def about(self) -> str:
        """What was run, for the protocol."""
        vectors, width = self.rows.values.shape
        return f"MaxSim of {vectors / max(1, self.size):,.1f} vectors a row of {width} numbers"

    @property
    def unfit(self) -> str | None:
        """LanceDB adds up cosines, which are inner products of unit vectors."""
        if self._mean:
            return "its score is a mean over the tokens of the query, where databases have the sum"
        longest = np.abs(np.linalg.norm(self.rows.values, axis=1) - 1.0).max(initial=0.0)
        return "its vectors are not of length 1, and databases have MaxSim of cosines" if longest > _UNIT else None

    def encoded(self, queries: Sequence[str]) -> Ragged:
        """Return the vectors of the tokens of queries."""
        return self._parts.encoded(queries, "query")

    def scored(self, queries: Asked) -> Iterator[tuple[int, Doubles]]:
        """Yield the number of each query, and the MaxSim of every row (n,)."""
        asking = self.asked(queries)
        for start in range(0, len(queries), _QUERIES):
            some = asking.take(np.arange(start, min(start + _QUERIES, len(queries))))
            yield from enumerate(self._maxsim(some), start=start)

    def _maxsim(self, asking: Ragged) -> Doubles:
        """Return the MaxSim of some queries with every row, (q, n), the rows in blocks of many tokens."""
        tokens, counts = asking.values.astype(np.float64), np.diff(asking.offsets)
        out = np.empty((len(counts), self.size))
        for begin, end in _blocks(self.rows.offsets):
            first, last = self.rows.offsets[begin], self.rows.offsets[end]
            products = tokens @ self.rows.values[first:last].astype(np.float64).T
            nearest = np.maximum.reduceat(products, self.rows.offsets[begin:end] - first, axis=1)
            out[:, begin:end] = np.add.reduceat(nearest, asking.offsets[:-1], axis=0)
        return out / counts[:, None] if self._mean else out


def _blocks(offsets: IntArray) -> Iterator[tuple[int, int]]:
    """Yield where rows begin and end that have about `_TOKENS` tokens together."""
    begin, rows = 0, len(offsets) - 1
    while begin < rows:
        end = int(np.searchsorted(offsets, offsets[begin] + _TOKENS, side="right")) - 1
        end = min(rows, max(begin + 1, end))
        yield begin, end
        begin = end


def _refuse_large(parts: Parts, items: Sequence[str]) -> None:
    """Refuse rows whose vectors would not fit into memory, by their tokens, before any is encoded."""
    backend, texts = parts.backend, list(dict.fromkeys(items))
    room, of_token = share(), 4 * backend.stamp().dim
    characters = sum(map(len, texts))
    if characters * of_token < room:  # hardly a token is shorter than a character
        return
    longest = backend.stamp().max_tokens or characters
    needed = of_token * int(np.minimum(backend.lengths(texts, "document"), longest).sum())
    if needed > room:
        raise ParameterError(
            f"The vectors of all tokens of the corpus must fit into memory. Got {written_size(needed, at_least=True)} "
            f"for {len(texts):,} texts by {parts.spec}, and {written_size(room)} that may be taken. Compare fewer or "
            "shorter rows, or cut them: max_tokens=."
        )
