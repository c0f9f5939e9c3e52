"""Models that rank texts by vectors of unequal length: put into a collection, and asked there, where the store can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from embdiff.comparison.settings import Inputs
from embdiff.indexes import IndexSpec
from embdiff.kept import Kept
from embdiff.ranked import Ranked
from embdiff.rankings import Ranking, VectorRanking
from embdiff.records import Shape
from embdiff.search import EXACT_INDEX, Found, Searcher
from embdiff.settings import RunConfig
from embdiff.stores.collection import CollectionSpec, collection_name, shape_of
from embdiff.stores.placing import Placement, place
from embdiff.stores.store import Store

_KEEPERS: Mapping[Shape, str] = {"sparse": "Milvus Lite and Milvus from 2.4 on do", "tokens": "LanceDB does"}


@dataclass(frozen=True, eq=False)
class Shelved:
    """A collection of a model that ranks texts, ready to be asked; ``why_not`` says why there is none."""

    spec: CollectionSpec | None = None
    placement: Placement | None = None
    searcher: Searcher | None = None
    why_not: str | None = None


def shelve(made: Ranked, store: Store, label: str, config: RunConfig, inputs: Inputs, kept: Kept) -> Shelved:
    """Put what a model makes of the rows into a collection of its own, or find it there, or say why there is none.

    Parameters
    ----------
    made : Ranked
    store : Store
    label : str
        The name of the collection begins with it.
    config : RunConfig
    inputs : Inputs
    kept : Kept
    """
    ranking = made.ranking
    if not isinstance(ranking, VectorRanking):
        return Shelved(why_not="it scores pairs of texts")
    shape, _ = shape_of(ranking.rows)
    if shape not in store.shapes:
        return Shelved(why_not=f"this store holds no such vectors ({_KEEPERS[shape]})")
    if ranking.unfit:
        return Shelved(why_not=ranking.unfit)
    corpus, stamp = inputs.corpus, made.stamp
    # Inner products of weights, or of unit vectors, of which they are the cosines; of these every row is looked at.
    spec = CollectionSpec(
        name=collection_name(label, made.model, stamp.fingerprint()), dim=stamp.dim, metric="ip",
        index=IndexSpec(EXACT_INDEX), rows=len(corpus), shape=shape,
        stamp={**stamp.to_dict(), "corpus": corpus.digest(), "normalized": None, "vectors": None},
    )  # fmt: skip
    placement = place(store, spec, corpus, ranking.rows)
    most = len(corpus) if config.store_queries == "all" else int(config.store_queries)
    searcher = Searcher(store, spec, ranking.rows, kept, index=ranking, most_asked=most, seed=config.seed)
    return Shelved(spec, placement, searcher)


def ask_shelved(ranking: Ranking, searcher: Searcher, k: int, inputs: Inputs) -> Found:
    """Return what a collection answered; its lists say what ranked them, as those without a collection do."""
    assert isinstance(ranking, VectorRanking)
    found = searcher.search(ranking.asked(inputs.queries.items), k, inputs.own)
    return replace(found, returned=replace(found.returned, index=ranking.kind))
