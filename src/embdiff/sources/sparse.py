"""``sparse:NAME`` and ``sparse:FOLDER``: models whose vectors are weights of words (SPLADE), by sentence-transformers.

Options: ``revision`` (hub only), ``prompt``, ``query_prompt``, ``max_tokens``, ``trust_remote_code``.

References
----------
.. [1] Formal, T., Piwowarski, B. & Clinchant, S. (2021). SPLADE: Sparse Lexical and Expansion Model for First Stage
   Ranking. SIGIR.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from embdiff import forms
from embdiff.errors import EncoderError
from embdiff.kept import Kept
from embdiff.rankings import Asked, Doubles, Ranking, VectorRanking
from embdiff.records import Ragged, Role
from embdiff.sources.families import SPARSE
from embdiff.sources.ranker import Parts, RaggedModel, Ranker, found
from embdiff.sources.tally import Tally
from embdiff.specs import ModelSpec

_SIMILARITIES = ("dot", "cosine")
_QUERIES = 64  # multiplied with all rows at a time


def from_spec(spec: ModelSpec) -> SparseRanker:
    """Find ``sparse:NAME?options``; raises as `embdiff.sources.ranker.found`."""
    return SparseRanker(spec, found(spec, SPARSE, SparseModel))


class SparseModel(RaggedModel):
    """A loaded SparseEncoder."""

    @staticmethod
    def packed(found: Any) -> Ragged:
        """Return the weights that are not zero, of each text by their place."""
        table = found.coalesce().cpu()
        rows, columns = table.indices().numpy()
        values = table.values().numpy().astype(np.float32)
        held = values != 0.0
        counts = np.bincount(rows[held], minlength=table.shape[0])
        return Ragged.of(counts, values[held], columns[held].astype(np.int32))

    @property
    def about(self) -> dict[str, Any]:
        """What it runs on, and by which similarity it is to be searched."""
        return {**super().about, "similarity": str(self._model.similarity_fn_name)}


class SparseRanker(Ranker):
    """Rows ranked by the inner product of sparse vectors, or their cosine where the model says so."""

    def ranking(self, items: Sequence[str], kept: Kept, tally: Tally) -> Ranking:
        """Encode the rows, and return what ranks them."""
        backend = self.opened(kept)
        similarity = backend.about["similarity"]
        if similarity not in _SIMILARITIES:
            raise EncoderError(
                f"A sparse model must be searched by {' or '.join(_SIMILARITIES)}. Got {similarity} in {self.spec}. "
                "Change similarity_fn_name in its config_sentence_transformers.json."
            )
        return ByWeights(Parts(self.spec, backend, kept, tally), items, similarity)


class ByWeights(VectorRanking):
    """An index of the weights of rows.

    Rows that share no weight with a query have the inner product 0, and are not ranked, as in an inverted index.

    Parameters
    ----------
    parts : Parts
    items : sequence of str, length n
    similarity : {"dot", "cosine"}
    """

    wanting = "has sparse vectors, and no dense ones"

    def __init__(self, parts: Parts, items: Sequence[str], similarity: str) -> None:
        super().__init__(forms.SPARSE, len(items))
        self.partial = f"{parts.spec} ranks only rows that share a weight with the query"
        self._parts, self._width, self._cosine = parts, parts.backend.stamp().dim, similarity == "cosine"
        self.rows = self._made(items, "document")
        self._table = _table(self.rows, self._width).T.tocsr()

    @property
    def about(self) -> str:
        """What was run, for the protocol."""
        what = "cosine" if self._cosine else "inner product"
        per_row = len(self.rows.values) / max(1, self.size)
        return f"{what} of sparse vectors, {per_row:,.0f} weights a row of {self._width:,}"

    @property
    def unfit(self) -> str | None:
        """Milvus takes no row without a weight, and no weight below zero."""
        if (self.rows.values < 0.0).any():
            return "some weights are below zero, which no sparse index takes"
        bare = int((self.rows.counts == 0).sum())
        return f"{bare:,} rows have no weight at all, which no sparse index takes" if bare else None

    def encoded(self, queries: Sequence[str]) -> Ragged:
        """Return the weights of queries."""
        return self._made(queries, "query")

    def _made(self, items: Sequence[str], role: Role) -> Ragged:
        made = self._parts.encoded(items, role)
        return _unit(made) if self._cosine else made

    def scored(self, queries: Asked) -> Iterator[tuple[int, Doubles]]:
        """Yield the number of each query, and its inner product with every row (n,); NaN where it is 0."""
        asking = _table(self.asked(queries), self._width)
        for start in range(0, len(queries), _QUERIES):
            products = (asking[start : start + _QUERIES] @ self._table).toarray()
            for number, scores in enumerate(products, start=start):
                yield number, np.where(scores != 0.0, scores, np.nan)


def _unit(made: Ragged) -> Ragged:
    """Return rows of Euclidean length 1, those without a weight as they are."""
    of = np.repeat(np.arange(len(made)), made.counts)
    lengths = np.sqrt(np.bincount(of, made.values.astype(np.float64) ** 2, len(made)))
    return Ragged(made.offsets, (made.values / lengths[of]).astype(np.float32), made.columns)


def _table(made: Ragged, width: int) -> Any:
    """Return sparse vectors as a matrix of float64, (n, width)."""
    from scipy import sparse  # sentence-transformers brings it

    values = made.values.astype(np.float64)
    return sparse.csr_matrix((values, made.columns, made.offsets), shape=(len(made), width))
