"""What is to be encoded, and what one model made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embdiff.measures.noise import Again
from embdiff.records import Corpus, FloatArray, IntArray, Role, Stamp
from embdiff.sources import Source, Wanted
from embdiff.sources.tally import Tally


@dataclass(frozen=True, eq=False)
class Texts:
    """What is to be encoded.

    Parameters
    ----------
    corpus : Corpus
        What a model that learns from its corpus learns from.
    queries : Wanted or None
        The texts that ask.
    seed : int or None
        Of what is drawn: texts to be encoded again, rows on which a variant is compared with float32. None: nothing is.
    role : {"document", "query"}
        As what the queries are encoded.
    again : ndarray of int64, shape (m,), or None
        Rows of the corpus to encode again, one by one; by default some queries are drawn.
    whole : Corpus or None
        The one file that corpus and queries are parts of, if so: their ids are its row numbers. Ready vectors are those
        of the whole.
    some : ndarray of int64, shape (m,), or None
        Rows of the corpus, ascending, of which models that have no collection are asked for vectors, too.
    memory : str or None
        What vectors may take, such as ``4GiB``; files of ready vectors that are larger are left on disk.
    shares : int
        Among how many models the memory is shared out.
    """

    corpus: Corpus
    queries: Wanted | None
    seed: int | None
    role: Role = "query"
    again: IntArray | None = None
    whole: Corpus | None = None
    some: IntArray | None = None
    memory: str | None = None
    shares: int = 1


@dataclass(frozen=True, eq=False)
class Sampled:
    """Vectors of some rows of the corpus: ``rows`` (m,), ascending, and ``vectors`` (m, d)."""

    rows: IntArray
    vectors: FloatArray


@dataclass(frozen=True, eq=False)
class Encoded:
    """One model's vectors, and what is told of it.

    Parameters
    ----------
    model : str
        The name it goes under.
    stamp : Stamp
        Provenance of the vectors, as the cache keeps them.
    documents, queries : ndarray of float32, shapes (n, d) and (q, d), or None
        Of the corpus and of the texts that ask, where they are needed.
    seconds : dict
        ``load_model`` and ``encode``.
    tally : Tally
        What became of the texts.
    facts : dict
        What manifest and report tell of encoding; JSON-able.
    again : Again or None
        Some vectors, each encoded alone; None where nothing is encoded.
    read : Source or None
        What the vectors were read from, a file or a collection; None for a model, which is let go.
    sampled : Sampled or None
        Vectors of some rows of the corpus, where not all of them are needed.
    """

    model: str
    stamp: Stamp
    documents: FloatArray | None
    queries: FloatArray | None
    seconds: dict[str, float]
    tally: Tally
    facts: dict[str, Any]
    again: Again | None = None
    read: Source | None = None
    sampled: Sampled | None = None

    def without(self, rows: IntArray, queries: IntArray) -> Encoded:
        """Return the same of these rows (m,) and queries (p,) of the run only, both ascending."""
        kept, again = {"document": rows, "query": queries}, self.again
        cut = [(role, _numbers(found, kept[role])) for role, found in self.tally.truncated]
        if again is not None:
            here = np.isin(again.rows, queries)
            vectors = None if again.vectors is None else again.vectors[here]
            gone = None if here.any() else "every text that was encoded again was left out"
            again = replace(again, rows=_numbers(again.rows, queries), vectors=None if gone else vectors)
            again = replace(again, reason=again.reason or gone)
        return replace(
            self,
            documents=None if self.documents is None else self.documents[rows],
            queries=None if self.queries is None else self.queries[queries],
            tally=replace(self.tally, truncated=cut),
            again=again,
            sampled=None if self.sampled is None else _sampled_of(self.sampled, rows),
        )

    def set_apart(self) -> Encoded:
        """Return the same with zero vectors at right angles to all others, as `directed` makes them."""
        again, sampled = self.again, self.sampled
        if again is not None and again.vectors is not None:
            again = replace(again, vectors=directed(again.vectors, "query"))
        return replace(
            self,
            documents=None if self.documents is None else directed(self.documents, "document"),
            queries=None if self.queries is None else directed(self.queries, "query"),
            again=again,
            sampled=sampled and replace(sampled, vectors=directed(sampled.vectors, "query")),
        )


def directed(vectors: FloatArray, role: Role) -> FloatArray:
    """Return vectors (n, d + 2) that all have a direction: zero ones one of their own, at right angles to all others.

    The cosine of a document without direction is then 0 to every query, and that of such a query to every document, as
    the two have different directions of their own.
    """
    n, d = vectors.shape
    out = np.zeros((n, d + 2), dtype=np.float32)
    out[:, :d] = vectors
    out[~vectors.any(axis=1), d + (role == "query")] = 1.0
    return out


def _sampled_of(sampled: Sampled, kept: IntArray) -> Sampled:
    """Return what was sampled of the rows that are kept, ascending."""
    return Sampled(_numbers(sampled.rows, kept), sampled.vectors[np.isin(sampled.rows, kept)])


def _numbers(found: IntArray, kept: IntArray) -> IntArray:
    """Return the places of what is found among what is kept; both ascending."""
    return np.flatnonzero(np.isin(kept, found)).astype(np.int64)
