"""The stages of the line: encode, place, search, and the exact place of what others returned."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from embdiff._memory import share
from embdiff._sizes import written_size
from embdiff.comparison.beside import ask_beside, rank
from embdiff.comparison.crossing import askers, drawn_rows
from embdiff.comparison.sampling import queries_needed, spare
from embdiff.comparison.settings import Inputs
from embdiff.comparison.shelved import shelve
from embdiff.comparison.work import Pilot, Placed, Work
from embdiff.corpus.files import shown
from embdiff.encoded import Encoded, Texts
from embdiff.encoding import encode_models
from embdiff.errors import ParameterError
from embdiff.indexes import IndexSpec
from embdiff.measures.overlap import overlap
from embdiff.ranked import refuse_unranked
from embdiff.records import UNPINNED, Answer, FloatArray, IntArray, Space
from embdiff.search import Searcher, rows_only_elsewhere
from embdiff.settings import PILOT
from embdiff.sources import Source, Wanted
from embdiff.sources.existing import Existing
from embdiff.stores.collection import CollectionSpec, collection_name
from embdiff.stores.placing import Placement, place
from embdiff.stores.store import Store

_NAMED = 100  # of rows left out


def encode(work: Work, objects: Mapping[str, Any], only: Collection[str] | None = None) -> Work:
    """Encode the corpus with every model that has a collection, and the queries with every model that asks.

    ``objects`` are models that have no name. Of models encoded before ``only`` some may be encoded again.
    """
    config, inputs = work.config, work.inputs
    names = tuple(dict.fromkeys((*config.spaces, *config.query_models))) if only is None else tuple(only)
    collections = {name: one for name in names if isinstance(one := objects.get(name), Existing)}
    for existing in collections.values():
        existing.check_metric(config.metric)

    as_they_are = bool(config.query_models) and config.align is None
    early: dict[str, int] = {}

    def check(source: Source, others: Mapping[str, Encoded]) -> None:
        if as_they_are:
            _check_dimensions(source, {each.model: each.stamp.dim for each in others.values()})

    def check_early(source: Source) -> None:
        _check_dimensions(source, early)
        early[source.spec] = source.stamp.dim

    if only is None:
        kinds, wide = inputs.corpus.kinds | inputs.queries.kinds, config.k + inputs.own.dropped
        refuse_unranked(config.ranking, config.aliases, kinds, work.vectors, k=wide)
    memory = config.memory or written_size(share())
    texts = Texts(
        inputs.corpus, _wanted(inputs), config.seed, memory=memory, shares=len(config.spaces),
        some=drawn_rows(config, inputs.corpus) if askers(config) else None,
    )  # fmt: skip
    encoded = encode_models(
        names, objects, texts, work.vectors, documents={*config.spaces, *collections},
        queries=config.query_models or config.spaces, check=check, check_early=check_early if as_they_are else None,
        check_made=partial(_refuse_zeros, work),
    )  # fmt: skip
    return replace(work, encoded={**work.encoded, **encoded})


def _zeros(vectors: FloatArray | None) -> IntArray:
    """Return which vectors are zero; those that stay in their file are looked at when they are searched."""
    if not isinstance(vectors, np.ndarray):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(~vectors.any(axis=1))


def _zero_rows(encoded: Encoded) -> IntArray:
    """Return the rows of the corpus, as far as a model encoded them, of which the vector is zero."""
    if encoded.documents is None and encoded.sampled is not None:
        return encoded.sampled.rows[_zeros(encoded.sampled.vectors)]
    return _zeros(encoded.documents)


def _zeros_told(work: Work, encoded: Encoded, most: int) -> str:
    """Name the rows and queries of which a model makes a zero vector; "" where there are none."""
    corpus, told = work.inputs.corpus, []
    for found, texts, what in (
        (_zero_rows(encoded), corpus, "rows"),
        (_zeros(encoded.queries), work.inputs.queries, "queries"),
    ):
        if found.size:
            ids = shown([texts.ids[row] for row in found], most)
            told.append(f"{len(found):,} of {len(texts):,} {what} (ids {ids})")
    return " and ".join(told)


def _refuse_zeros(work: Work, encoded: Encoded) -> None:
    """Refuse zero vectors of a model, unless they are to be left out or kept."""
    config = work.config
    fixed = isinstance(encoded.read, Existing)  # a collection of others holds the rows that it holds
    if config.metric != "cosine" or (config.zero != "refuse" and not fixed):
        return
    told = _zeros_told(work, encoded, 4)
    if told:
        why = ": it knows no word of them, perhaps" if encoded.read is None else ""
        way = "" if fixed else ", leave these out for all models with --zero drop (zero=), keep them with --zero keep"
        raise ParameterError(
            f"With the metric cosine every vector must have a direction. Got zero vectors of {encoded.model} for "
            f"{told}{why}. Take --metric l2 or ip{way}, or leave the model out."
        )


def settle_zeros(work: Work, objects: Mapping[str, Any]) -> Work:
    """Leave out, or keep, the rows and queries of which some model makes a zero vector; with cosine only.

    What was refused did not come here. ``objects`` as for `encode`.
    """
    told = {each.model: words for each in work.encoded.values() if (words := _zeros_told(work, each, _NAMED))}
    if work.config.metric != "cosine" or not told:
        return work
    lines = [f"{name}: {words}" for name, words in told.items()]
    return _kept(work, told, lines) if work.config.zero == "keep" else _left_out(work, lines, objects)


def _kept(work: Work, having: Collection[str], told: Sequence[str]) -> Work:
    """Keep zero vectors at right angles to all others; models that ask each other's collections keep one dimension."""
    note = (
        "Kept, though their vector is zero and has no cosine: it counts as 0 to all others, so that such a query ties "
        f"with every row ({'; '.join(told)})."
    )
    crossed = bool(work.config.query_models)
    encoded = {name: each.set_apart() if crossed or name in having else each for name, each in work.encoded.items()}
    corpus = replace(work.inputs.corpus, notes=(*work.inputs.corpus.notes, note))
    return replace(work, inputs=replace(work.inputs, corpus=corpus), encoded=encoded)


def _left_out(work: Work, told: Sequence[str], objects: Mapping[str, Any]) -> Work:
    """Leave the rows and queries out for all models; a query that is a row of the corpus goes with its row.

    Models that learn from the corpus learn from what is left of it, and may then have other zero vectors.
    """
    inputs = work.inputs
    rows, asked = np.ones(len(inputs.corpus), dtype=bool), np.ones(len(inputs.queries), dtype=bool)
    for each in work.encoded.values():
        rows[_zero_rows(each)] = asked[_zeros(each.queries)] = False
    if inputs.query_rows is not None:
        asked &= rows[np.array(inputs.query_rows)]
    if rows.sum() < 2 or not asked.any():
        raise ParameterError(
            f"Two rows and a query must be left. Got {rows.sum()} and {asked.sum()} without zero vectors "
            f"({'; '.join(told)[:300]}). Take --metric l2 or ip, or leave the model out."
        )
    note = (
        f"Left out for all models, as some have a zero vector for them: {(~rows).sum():,} of {len(rows):,} rows and "
        f"{(~asked).sum():,} of {len(asked):,} queries ({'; '.join(told)})."
    )
    left, asking = np.flatnonzero(rows), np.flatnonzero(asked)
    encoded = {name: each.without(left, asking) for name, each in work.encoded.items()}
    work = replace(work, inputs=inputs.without(work.config, left, asking, note), encoded=encoded)
    learnt = [name for name, each in encoded.items() if each.stamp.fitted_on is not None]
    if rows.all() or not learnt:
        return work
    return settle_zeros(encode(work, objects, learnt), objects)


def _check_dimensions(source: Source, others: Mapping[str, int]) -> None:
    """Refuse a model whose dimension is not that of the others, which are given by name."""
    for other, dim in others.items():
        if dim != source.stamp.dim:
            raise ParameterError(
                "A model can query another's collection as it is only when both have one dimension. Got "
                f"{source.spec} with {source.stamp.dim} and {other} with {dim}. Add --align procrustes (align=), which "
                "maps its vectors there and says how well, or leave --query-model out."
            )


def _wanted(inputs: Inputs) -> Wanted:
    """Say which queries are asked, and where they stand: among the rows of the corpus, or in a file of their own."""
    queries, rows = inputs.queries, inputs.query_rows
    if rows is None:
        return Wanted.whole(queries.items, queries.ids, "queries")
    return Wanted(queries.items, queries.ids, np.array(rows, dtype=np.int64), len(inputs.corpus), "rows of the corpus")


def fill(work: Work, store: Store, label: str) -> Work:
    """Put each model's vectors into its own collection, whose name begins with ``label``, or find them there."""
    work = replace(work, placed={name: _place(work, store, name, label) for name in work.config.spaces})
    made = rank(work)
    shelved = {name: shelve(each, store, label, work.config, work.inputs, work.kept) for name, each in made.items()}
    return replace(work, ranked=made, shelved=shelved)


def _place(work: Work, store: Store, name: str, label: str) -> Placed:
    config, corpus, encoded = work.config, work.inputs.corpus, work.encoded[name]
    assert encoded.documents is not None
    space = Space(encoded.model, corpus.ids, encoded.documents, encoded.stamp)
    if isinstance(encoded.read, Existing) and not encoded.read.partly:
        spec, there = encoded.read.placed(space)
        return Placed(spec, Placement(True), Searcher(there, spec, space.vectors, work.kept))
    spec = CollectionSpec(
        name=collection_name(label, encoded.model, encoded.stamp.fingerprint()),
        dim=space.dim,
        metric=config.metric,
        index=IndexSpec.parse(config.index),
        rows=len(corpus),
        stamp={
            **encoded.stamp.to_dict(),
            "corpus": corpus.digest(),
            "normalized": space.normalized,
            "vectors": _vector_digest(space) if encoded.stamp.revision == UNPINNED else None,
        },
    )
    placement = place(store, spec, corpus, space.vectors)
    most = len(corpus) if config.store_queries == "all" else int(config.store_queries)
    return Placed(spec, placement, Searcher(store, spec, space.vectors, work.kept, most_asked=most, seed=config.seed))


def _vector_digest(space: Space) -> str:
    """Return what tells a model's vectors apart where nothing else pins the model down (a user's own object)."""
    return hashlib.sha256(np.ascontiguousarray(space.vectors).tobytes()).hexdigest()


def size(work: Work) -> Work:
    """Cut the queries to as many as ``half_width`` needs; without it, or without two collections, nothing changes.

    The inputs hold enough queries for the worst case. The first `PILOT` of them are asked of the exact neighbours,
    and as many are kept as their overlap needs, at least the pilot.
    """
    config, inputs = work.config, work.inputs
    if config.half_width is None or inputs.sampled_from is None or len(inputs.queries) <= PILOT:
        return work
    deviation = _largest_deviation(work)
    if deviation is None:
        return work
    needed = queries_needed(deviation * spare(PILOT), config.half_width, len(inputs.corpus))
    count = min(len(inputs.queries), max(PILOT, needed))
    cut = {
        name: each if each.queries is None else replace(each, queries=each.queries[:count])
        for name, each in work.encoded.items()
    }
    return replace(work, inputs=inputs.first(count), encoded=cut, pilot=Pilot(PILOT, deviation))


def _largest_deviation(work: Work) -> float | None:
    own = work.inputs.first(PILOT).own
    found = {
        (asks, name): work.placed[name].searcher.nearest(work.asking(asks, name)[:PILOT], work.config.k, own)
        for asks, name in work.pairs
    }
    alike = (pair for pair in combinations(found, 2) if not work.config.query_models or pair[0][0] == pair[1][0])
    return max((float(np.nanstd(overlap(found[a], found[b]), ddof=1)) for a, b in alike), default=None)


def search(work: Work) -> Work:
    """Ask every collection with every query model, or with its own only; and what ranks the texts without vectors."""
    found = {
        (asks, name): work.placed[name].searcher.search(work.asking(asks, name), work.config.k, work.inputs.own)
        for asks, name in work.pairs
    }
    work = ask_beside(replace(work, found=found))
    return replace(work, answers=_answers(work))


def _answers(work: Work) -> tuple[Answer, ...]:
    """Add, to each answer, the exact place of every row that the lists compared with it hold instead."""
    cross = any(asks != name for asks, name in work.found)
    answers = []
    for (asks, name), here in work.found.items():
        others: list[IntArray] = [
            there.returned.rows
            for (also_asks, other), there in work.found.items()
            if other != name and (also_asks == asks or not cross)
        ]
        others += [each.returned.rows for each in work.beside]
        rows = rows_only_elsewhere(here.returned.rows, others)
        elsewhere = work.placed[name].searcher.place_of(work.asking(asks, name), rows, work.inputs.own)
        answers.append(Answer(name, asks, here.returned, here.exact, here.is_self, elsewhere))
    return tuple(answers)
