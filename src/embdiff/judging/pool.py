"""What is asked about: the results of all models of a run, pooled, each once, in an order that tells nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from embdiff.errors import DataError, ParameterError
from embdiff.judging.book import TypedQuery
from embdiff.lexical import BM25
from embdiff.measures.disagreement import query_disagreement
from embdiff.measures.overlap import overlap
from embdiff.measures.statistics.quantiles import Doubles
from embdiff.records import Answer, IntArray, Neighbors
from embdiff.runs import Run
from embdiff.settings import JudgingConfig, Order

DEPTH = 5
_LEAST = 0.25  # weight of a query on whose results all models agree, beside 1 of one where they share nothing


@dataclass(frozen=True)
class Question:
    """One document of one query, and where it stands.

    Parameters
    ----------
    query, document : str
        Ids.
    query_text, document_text : str
    query_place, queries : int
        Place of the query from 1, and how many are asked.
    place, documents : int
        Place of the document among those of its query, from 1, and how many there are.
    """

    query: str
    document: str
    query_text: str
    document_text: str
    query_place: int
    queries: int
    place: int
    documents: int


@dataclass(frozen=True)
class PooledQuery(TypedQuery):
    """A query with what each model found.

    Parameters
    ----------
    id, text : str
    lists : mapping of str to tuple of str
        Model to document ids, the first place first; the query's own row is left out.
    documents : tuple of str
        Every document of the lists, once, in the blind order.
    disputed : float
        Mean of 1 - overlap over the pairs of models, 0 to 1.
    """

    documents: tuple[str, ...]
    disputed: float = 0.0


@dataclass(frozen=True)
class Pool:
    """The queries to ask about.

    Parameters
    ----------
    queries : tuple of PooledQuery
        In the order in which they are asked; those after the first ``asked`` are only scored.
    texts : mapping of str to str
        Document id to text.
    depth : int
        Results of each list that were pooled.
    asked : int
    available : int
        Queries that could be asked: all of the run.
    order : {"disputed", "random", "weighted"}
    drawn : int
        How many of the first queries are of the run, in this order; what is asked after them was typed.
    keys : tuple of float
        Of a weighted sample, of every query that could be asked: what they are ordered by, descending.
    """

    queries: tuple[PooledQuery, ...]
    texts: Mapping[str, str]
    depth: int
    asked: int
    available: int
    order: Order
    drawn: int = 0
    keys: tuple[float, ...] = ()

    def weights(self, n: int) -> Doubles:
        """Return one over the probability with which each of the first n queries was drawn, (n,).

        A query stands among the first n where its weight over a uniform number is above the next key; given that key,
        which the others decide, the chance is the weight over the key (priority sampling).

        References
        ----------
        Duffield, Lund and Thorup, J. ACM 54 (2007) 32.
        """
        if self.order != "weighted" or n >= len(self.keys):
            return np.ones(n)
        return np.array([max(1.0, self.keys[n] / float(_weight(query.disputed))) for query in self.queries[:n]])

    def with_query(self, query: PooledQuery, texts: Mapping[str, str]) -> Pool:
        """Return the pool with one more query to ask, last; ``texts`` holds those of its documents.

        Raises
        ------
        ParameterError
            When the query is in the pool already.
        """
        if any(query.id == known.id for known in self.queries):
            raise ParameterError(
                f"A query of a pool must be new. Got the id {query.id!r}, which it holds. Give it another id."
            )
        queries = (*self.queries[: self.asked], query, *self.queries[self.asked :])
        return replace(
            self, queries=queries, texts={**self.texts, **texts}, asked=self.asked + 1, available=self.available + 1
        )

    def question(self, query: str, document: str) -> Question:
        """Return the question about a document of a query, by their ids."""
        place, pooled = next((i, each) for i, each in enumerate(self.queries, start=1) if each.id == query)
        return Question(
            query, document, pooled.text, self.texts[document], place, self.asked,
            pooled.documents.index(document) + 1, len(pooled.documents),
        )  # fmt: skip


def pooled_query(
    name: str, text: str, lists: Mapping[str, Sequence[str]], *, seed: int, disputed: float = 0.0
) -> PooledQuery:
    """Pool the lists of one query.

    The order is that of a hash of seed, query and document: it depends neither on who found a document, nor at which
    place, nor on what else was found.
    """
    documents = {document for found in lists.values() for document in found}
    blind = sorted(documents, key=lambda document: _shuffled(seed, name, document))
    return PooledQuery(name, text, {model: tuple(found) for model, found in lists.items()}, tuple(blind), disputed)


def with_typed(
    pool: Pool, typed: Sequence[TypedQuery], texts: Mapping[str, str], *, seed: int, unasked: Collection[str] = (BM25,)
) -> tuple[Pool, int]:
    """Return the pool with the typed queries to ask about, last, and how many had to be left out.

    Left out are those whose lists are not of the pool's models, or name documents that are not among ``texts``. What
    ranks texts without a collection is ``unasked`` on the live page: a typed query says nothing of it.
    """
    models = set(pool.queries[0].lists) - {*unasked}
    left_out = 0
    for query in typed:
        documents = {name for found in query.lists.values() for name in found[: pool.depth]}
        if set(query.lists) - {*unasked} != models or not documents or not documents <= texts.keys():
            left_out += 1
            continue
        lists = {model: found[: pool.depth] for model, found in query.lists.items()}
        pooled = pooled_query(query.id, query.text, lists, seed=seed)
        pool = pool.with_query(pooled, {name: texts[name] for name in documents})
    return pool, left_out


def pool_run(run: Run, *, also: Collection[str] = (), **asked: Any) -> Pool:
    """Pool the results of all models of a run, and of bm25 where it stood beside them.

    Parameters
    ----------
    run : Run
    also : collection of str
        Ids of queries to keep in the pool although they are not among the first: those judged before.
    **asked
        Settings of `JudgingConfig`: queries, depth, order, baseline, seed. A sample (``order="random"``) is of the
        queries of the run; bm25 counts for the order as in the run (`Run.disputing`). By default the depth is 5, or k
        of the run if that is smaller.

    Raises
    ------
    ParameterError
        When a number is out of range, or for another order.
    DataError
        When there is nothing to judge.
    """
    config = JudgingConfig.checked(**asked)
    depth, seed = _depth(config, run.config.k), config.seed
    answers = (*run.answers, *(each for each in run.beside if config.baseline or each.model != BM25))
    systems = {_system(run, answer): _without_self(answer, depth) for answer in answers}
    disputed = _disputed(run, systems)
    ids = run.queries.ids
    first = {
        "disputed": -disputed,
        "random": np.zeros(len(disputed)),
        "weighted": -_weight(disputed) / np.array([_uniform(seed, name) for name in ids]),
    }[config.order]
    there = np.flatnonzero(np.any([rows[:, 0] >= 0 for rows in systems.values()], axis=0))
    ranked = sorted(there.tolist(), key=lambda row: (first[row], _shuffled(seed, ids[row])))
    if not ranked:
        raise DataError("A run to judge must have results besides the queries themselves. Got none. Raise k.")
    first_ones = min(config.queries, len(ranked))
    chosen = [*ranked[:first_ones], *(row for row in ranked[first_ones:] if ids[row] in also)]
    pooled = tuple(
        pooled_query(
            ids[row],
            run.queries.items[row],
            {name: [run.corpus.ids[found] for found in rows[row] if found >= 0] for name, rows in systems.items()},
            seed=seed,
            disputed=float(disputed[row]),
        )
        for row in chosen
    )
    row_of = {name: row for row, name in enumerate(run.corpus.ids)}
    texts = {name: run.corpus.items[row_of[name]] for query in pooled for name in query.documents}
    keys = tuple((-first[ranked]).tolist()) if config.order == "weighted" else ()
    return Pool(pooled, texts, depth, first_ones, len(ranked), config.order, first_ones, keys)


def _depth(config: JudgingConfig, k: int) -> int:
    """Return how many results of each list are pooled, of lists of ``k``."""
    depth = min(DEPTH, k) if config.depth is None else config.depth
    if not 1 <= depth <= k:
        raise ParameterError(
            f"The depth to judge must be between 1 and {k}, the results per query of this run. Got {depth}. "
            "Lower --depth, or compare with a larger k."
        )
    return depth


def _system(run: Run, answer: Answer) -> str:
    crossed = bool(run.config.query_models) and answer in run.answers
    return f"{answer.model} (asked with {answer.query_model})" if crossed else answer.model


def _without_self(answer: Answer, depth: int) -> IntArray:
    """Return the first places of each list, the query's own row left out and the others moved up; (q, depth)."""
    gone = answer.is_self | (answer.returned.rows < 0)
    order = np.argsort(gone, axis=1, kind="stable")[:, :depth]
    rows = np.take_along_axis(answer.returned.rows, order, axis=1)
    return np.where(np.take_along_axis(gone, order, axis=1), -1, rows)


def _disputed(run: Run, systems: Mapping[str, IntArray]) -> Doubles:
    """Return the mean of 1 - overlap over the pairs compared, per query; 0 where there is none; (q,)."""
    named = [(_system(run, a), _system(run, b)) for a, b in run.disputing]
    pairs = [(_neighbors(systems[a]), _neighbors(systems[b])) for a, b in named if {a, b} <= systems.keys()]
    if not pairs:
        return np.zeros(len(run.queries))
    return np.nan_to_num(query_disagreement(pairs, overlap), nan=0.0)


def _neighbors(rows: IntArray) -> Neighbors:
    return Neighbors(rows, np.zeros(rows.shape, dtype=np.float32), "cosine")


def _weight(disputed: npt.ArrayLike) -> Doubles:
    """Return how much rather a query is drawn, 0.25 to 1, by how disputed it is, 0 to 1."""
    return np.asarray(_LEAST + (1 - _LEAST) * np.asarray(disputed, dtype=np.float64))


def _uniform(seed: int, name: str) -> float:
    """Return a number above 0 and at most 1 that seed and name decide, as good as drawn at random."""
    return (int.from_bytes(_shuffled(seed, "drawn", name)[:6]) + 1) / 2**48


def _shuffled(seed: int, *names: str) -> bytes:
    return hashlib.sha256("\0".join((str(seed), *names)).encode("utf-8", "surrogatepass")).digest()
