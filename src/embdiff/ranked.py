"""Models that rank texts without a dense vector of them, made ready for a corpus; and what a run tells of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from embdiff.encoded import Encoded
from embdiff.encoding import form_of
from embdiff.errors import ParameterError
from embdiff.forms import BM25, Rerank, ranks, reranking
from embdiff.kept import VectorCache
from embdiff.lexical import Bm25
from embdiff.rankings import Ranking, VectorRanking
from embdiff.records import Corpus, Kind, Metric, Neighbors, Stamp
from embdiff.search import nearest_rows
from embdiff.sources import get_encoder
from embdiff.sources.batches import Model, refuse_unread
from embdiff.sources.catalogue import REGISTRY
from embdiff.sources.pairs import Reranked
from embdiff.sources.pairs import from_spec as reranker_from_spec
from embdiff.sources.ranker import Ranker
from embdiff.sources.tally import Tally
from embdiff.specs import ModelSpec


@dataclass(frozen=True, eq=False)
class Ranked:
    """A model that ranks the rows of a corpus.

    Parameters
    ----------
    model : str
        The name it goes under.
    ranking : Ranking
    stamp : Stamp
        Provenance of its lists.
    seconds : dict
        ``load_model`` and ``encode`` (of the corpus).
    tally : Tally
        What became of the texts, those of the queries included once they were ranked.
    about : dict
        What it ran on, and its text form where it goes under an alias; JSON-able.
    """

    model: str
    ranking: Ranking
    stamp: Stamp
    seconds: dict[str, float]
    tally: Tally
    about: dict[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """What manifest and report tell of encoding; JSON-able."""
        return {**self.tally.to_dict(), **self.about}


def refuse_unranked(
    names: Sequence[str], objects: Mapping[str, Any], kinds: Collection[Kind], cache: VectorCache, *, k: int = 1
) -> None:
    """Refuse what cannot rank, while that costs nothing: every model is found, and loaded once if it is not remembered.

    Parameters
    ----------
    names : sequence of str
        Models that rank.
    objects : mapping of str to object
        The forms of those with an alias.
    kinds : collection of str
        What items there are: text, image.
    cache : VectorCache
    k : int
        How many rows each list is to have, own rows included.

    Raises
    ------
    EmbdiffError
        For images, a re-ranker that re-ranks fewer rows than a list has, and models that cannot be loaded.
    """
    for name in names:
        form = str(form_of(name, objects))
        refuse_unread(name, frozenset({"text"}), kinds)
        behind = reranking(form)
        if behind is None:
            _ranker(form).opened(cache.results)
            continue
        if behind.top < k:
            raise ParameterError(
                f"A re-ranker must be given as many rows as a list has. Got top={behind.top} in '{form}' for lists of "
                f"{k}. Write top={k} or more, or lower -k."
            )
        reranker_from_spec(behind.spec).through(cache.results)
        if ranks(behind.base):
            _ranker(behind.base).opened(cache.results)
        elif behind.base != BM25:
            get_encoder(behind.base, cache=cache)


def ranked(
    name: str,
    objects: Mapping[str, Any],
    corpus: Corpus,
    cache: VectorCache,
    metric: Metric,
    *,
    more: int = 0,
    others: Mapping[str, Encoded] | None = None,
) -> Ranked:
    """Load a model that ranks, and encode the corpus with it.

    Parameters
    ----------
    name : str
        The name it goes under.
    objects : mapping of str to object
        The forms of those with an alias.
    corpus : Corpus
    cache : VectorCache
    metric : {"cosine", "ip", "l2"}
        Of the model behind which a re-ranker stands.
    more : int
        How many rows besides ``top`` are re-ranked, as they may be the query itself.
    others : mapping of str to Encoded, optional
        Models encoded before: one may be that behind which a re-ranker stands.

    Raises
    ------
    EmbdiffError
        As `refuse_unranked`, and when a model fails on a text.
    """
    start, tally, form = time.perf_counter(), Tally(), str(form_of(name, objects))
    told = {} if form == name else {"form": form}
    behind = reranking(form)
    if behind is not None:
        return _reranked(name, behind, corpus, cache, metric, more, others or {}, told)
    ranker = _ranker(form)
    backend = ranker.opened(cache.results)
    loaded = time.perf_counter()
    ranking = ranker.ranking(corpus.items, cache.results, tally)
    seconds = {"load_model": loaded - start, "encode": time.perf_counter() - loaded}
    about = {**told, **_about(backend), "cache": _kept(cache), "bytes_per_vector": _bytes_of_a_row(ranking)}
    return Ranked(name, ranking, backend.stamp(), seconds, tally, about)


def _bytes_of_a_row(ranking: Ranking) -> float | None:
    """Return how many bytes a row takes, on average: its weights and their places, or the vectors of its tokens."""
    if not isinstance(ranking, VectorRanking):
        return None
    rows = ranking.rows
    return (rows.values.nbytes + (rows.columns.nbytes if rows.columns is not None else 0)) / max(1, len(rows))


def _reranked(
    name: str, behind: Rerank, corpus: Corpus, cache: VectorCache, metric: Metric, more: int,
    others: Mapping[str, Encoded], told: dict[str, Any],
) -> Ranked:  # fmt: skip
    start, tally = time.perf_counter(), Tally()
    backend = reranker_from_spec(behind.spec).through(cache.results)
    loaded = time.perf_counter()
    base, of = _base(behind.base, corpus, cache, metric, others)
    depth = behind.top + more
    ranking = Reranked(name, backend, corpus.items, base, depth, cache.results, tally)
    stamp = replace(backend.stamp(), preprocessing=f"re-ranks the first {behind.top} of {behind.base} ({of})")
    seconds = {"load_model": loaded - start, "encode": time.perf_counter() - loaded}
    return Ranked(name, ranking, stamp, seconds, tally, {**told, **_about(backend), "cache": _kept(cache)})


def _base(
    form: str, corpus: Corpus, cache: VectorCache, metric: Metric, others: Mapping[str, Encoded]
) -> tuple[Callable[[Sequence[str], int], Neighbors], str]:
    """Return the lists of the model behind which a re-ranker stands, and what tells that model from others."""
    if form == BM25:
        words = Bm25(corpus.items)
        return words.rank, words.about
    if ranks(form):
        first = ranked(form, {}, corpus, cache, metric)
        return first.ranking.rank, first.stamp.fingerprint()
    source = get_encoder(form, cache=cache)
    source.prepare(corpus)
    known = others.get(form)
    documents = known.documents if known is not None and known.documents is not None else None
    if documents is None:
        documents = source.encode(corpus.items, cache=cache)

    def nearest(queries: Sequence[str], depth: int) -> Neighbors:
        return nearest_rows(source.encode(queries, role="query", cache=cache), documents, depth, metric)

    return nearest, f"{source.stamp.fingerprint()}, {metric}"


def _ranker(form: str) -> Ranker:
    spec = ModelSpec.parse(form)
    made = REGISTRY.load(spec.kind)(spec)
    assert isinstance(made, Ranker)
    return made


def _about(backend: Model) -> dict[str, Any]:
    return {key: value for key, value in backend.about.items() if key != "similarity"}


def _kept(cache: VectorCache) -> str:
    return "off" if cache.database is None else "kept"
