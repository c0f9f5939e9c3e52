"""Vectors of the models named, and what a run tells of each: made once, for whoever compares, evaluates or serves."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from embdiff import exact
from embdiff._picture import kinds_of
from embdiff._sizes import read_size, written_size
from embdiff.encoded import Encoded, Sampled, Texts
from embdiff.errors import EncoderError, ParameterError
from embdiff.kept import VectorCache
from embdiff.measures.noise import BATCH, Again, drawn_again
from embdiff.records import FloatArray, Role, Stamp
from embdiff.sources import Source, load_named
from embdiff.sources.batches import first_words, refuse_unread
from embdiff.sources.derived import Fulls
from embdiff.sources.tally import Tally
from embdiff.specs import SERVICES
from embdiff.variants import measure_variant, run_elsewhere

_QUICK = ("vectors:", "lsa:", "wordllama:", "toy:")
_NOTHING = ("lsa:", "toy:")  # takes no time to load
Check = Callable[[Source], None]
Made = tuple[FloatArray | None, FloatArray | None]  # of the corpus and of the queries, where they are needed


def encode_models(
    names: Iterable[str],
    objects: Mapping[str, Any],
    texts: Texts,
    cache: VectorCache,
    *,
    documents: Collection[str],
    queries: Collection[str],
    check: Callable[[Source, Mapping[str, Encoded]], None],
    check_early: Check | None = None,
    check_made: Callable[[Encoded], None] | None = None,
) -> dict[str, Encoded]:
    """Load each model in turn, encode what it is needed for, and let it go before the next.

    Collections, ready vectors, and models that encode in no time but know few words, come first, for what may be
    refused; variants in lower precision come last, when the vectors of their models in float32 are there.

    Parameters
    ----------
    names : iterable of str
    objects : mapping of str to object
        Models that are no text forms, and the forms of those with an alias, by the name they go under.
    texts : Texts
    cache : VectorCache
    documents, queries : collection of str
        The models whose vectors of the corpus, and of the queries, are needed.
    check : callable
        Given each model before it encodes, and what is there so far; raises where the two do not go together.
    check_early : callable, optional
        Given each model that is known before it sees the corpus, when none has encoded.
    check_made : callable, optional
        Given what each model made; raises where the run cannot use it.

    Returns
    -------
    dict of str to Encoded
        In the order of ``names``.
    """
    done: dict[str, Encoded] = {}

    def turn(name: str) -> int:
        given = objects.get(name, name)
        if (isinstance(given, Source) and given.read_from) or (isinstance(given, str) and given.startswith("vectors:")):
            return 0
        form = form_of(name, objects) or name
        if form.startswith(_QUICK):
            return 1
        return 3 if "precision=" in form.partition("?")[2] or form.partition(":")[0] in SERVICES else 2

    names = list(names)
    fulls = Fulls(form for name in names if (form := form_of(name, objects)))
    refuse_early(sorted(names, key=turn), objects, texts, cache, check_early, fulls)
    for name in sorted(names, key=turn):
        done[name] = encode(
            name, objects, texts, cache, documents=name in documents, queries=name in queries, others=done,
            check=lambda source: check(source, done), fulls=fulls,
        )[1]  # fmt: skip
        if check_made is not None:
            check_made(done[name])
    return {name: done[name] for name in names}


def refuse_early(
    names: Iterable[str],
    objects: Mapping[str, Any],
    texts: Texts,
    cache: VectorCache,
    check: Check | None = None,
    fulls: Fulls | None = None,
) -> None:
    """Load every model once before the first one encodes: what cannot be loaded is refused while that costs nothing.

    So is what does not read the items; models of words are loaded for that where there are images.

    They are let go again, as together they may not fit into memory; the cache remembers what is asked of a model that
    encodes nothing, so that the next run loads none for this. ``names`` are in the order in which they encode: the
    first is loaded for that anyway, unless there is a ``check``: that is given every named model that encodes.
    """
    for at, name in enumerate(names):
        form = form_of(name, objects)
        slow = at > 0 and form is not None and (not form.startswith(_QUICK) or form.startswith(_NOTHING))
        if slow or "image" in texts.corpus.kinds or (check is not None and form is not None):
            source = load_named(name, objects, cache, fulls)
            refuse_unread_of(source, texts)
            if check is not None and form is not None and not source.by_row and not source.learns:
                check(source)


def refuse_unread_of(source: Source, texts: Texts) -> None:
    """Refuse a model that does not read the corpus, or what is asked; raises as `refuse_unread`."""
    refuse_unread(source.spec, source.reads, texts.corpus.kinds, f"the corpus ({texts.corpus.source})")
    if texts.queries is not None:
        refuse_unread(source.spec, source.reads, kinds_of(texts.queries.items), "the queries")


def encode(
    name: str,
    objects: Mapping[str, Any],
    texts: Texts,
    cache: VectorCache,
    *,
    documents: bool = True,
    queries: bool = True,
    others: Mapping[str, Encoded] | None = None,
    check: Check | None = None,
    fulls: Fulls | None = None,
) -> tuple[Source, Encoded]:
    """Load a model, get it ready for the corpus, and encode what is needed of it.

    Parameters
    ----------
    name : str
        The name it goes under.
    objects : mapping of str to object
        Models that are no text forms.
    texts : Texts
    cache : VectorCache
    documents, queries : bool
        Whether vectors of the corpus, and of the queries, are needed.
    others : mapping of str to Encoded, optional
        Models encoded before: one may be this one in float32.
    check : callable, optional
        Given the model before it encodes.
    fulls : Fulls, optional
        Where variants of one model find the full vectors that were made for another.

    Returns
    -------
    source : Source
        The model, ready to encode more.
    encoded : Encoded

    Raises
    ------
    EmbdiffError
        As `get_encoder`, `Source.fit` and `Encoder.encode` raise.
    """
    start, tally = time.perf_counter(), Tally()
    source = load_named(name, objects, cache, fulls)
    refuse_unread_of(source, texts)
    source.prepare(texts.whole if source.by_row and texts.whole is not None else texts.corpus)
    if check is not None:
        check(source)
    loaded = time.perf_counter()
    there, asked = made = _vectors(source, texts, cache, tally, documents, queries)
    sampled = None
    if texts.some is not None and there is None:
        items = [texts.corpus.items[row] for row in texts.some]
        sampled = Sampled(texts.some, source.encode(items, cache=cache, tally=Tally()))
    seconds = {"load_model": loaded - start, "encode": time.perf_counter() - loaded}
    kept = cache.bytes_kept(source.kept_as) if tally.texts else None
    sizes = {"bytes_per_vector": source.bytes_per_vector, "bytes_kept": kept}
    facts = {**tally.to_dict(), **sizes, "cache": cache.state(source.kept_as), **source.about}
    form = form_of(name, objects) or name
    if form != name:
        facts["form"] = form  # what the name is an alias of
    if "variant" not in facts and (variant := _variant(form, source, texts, made, cache, others or {})):
        facts["variant"] = variant
    again = _again(source, texts, made, cache) if asked is not None or texts.again is not None else None
    read = source if source.by_row else None
    return source, Encoded(name, stamp_of(source, cache), there, asked, seconds, tally, facts, again, read, sampled)


def form_of(name: str, objects: Mapping[str, Any]) -> str | None:
    """Return the text form of the model that goes under a name; None for an object."""
    given = objects.get(name, name)
    return given if isinstance(given, str) else None


def stamp_of(source: Source, cache: VectorCache) -> Stamp:
    """Return the provenance of vectors: what the cache rounds is part of it."""
    return source.stamp if source.by_row else cache.stamped(source.stamp)


def _vectors(source: Source, texts: Texts, cache: VectorCache, tally: Tally, documents: bool, queries: bool) -> Made:
    """Return the vectors of the corpus and of the queries, each where it is needed."""
    asking = texts.queries if queries else None
    if source.by_row and texts.whole is not None and asking is not None:
        if source.expects:
            raise ParameterError(
                f"Ready vectors of one file of labelled texts must be in one file. Got a second one in "
                f"'{source.spec}'. Leave queries out, or give a folder with train.* and test.*."
            )
        vectors = source.encode(texts.whole.items)
        one, other = (vectors[np.array(ids, dtype=np.int64)] for ids in (texts.corpus.ids, asking.ids))
        return one, other
    there = None
    if documents:
        left = _left_on_disk(source, texts)
        there = left if left is not None else source.encode(texts.corpus.items, cache=cache, tally=tally)
    if asking is None:
        return there, None
    return there, source.queries(asking, there, "query" if source.expects else texts.role, cache, tally)


def _left_on_disk(source: Source, texts: Texts) -> FloatArray | None:
    """Return given vectors in their file when the memory allowed cannot hold them; half of it is to work in.

    `FileVectors` are sliced, and asked for rows, as arrays are; that is all that is done with vectors.
    """
    if texts.memory is None or source.read_from != "a file":
        return None
    half = read_size(texts.memory) // 2
    room, least = half // texts.shares, exact.least_memory(source.stamp.dim)
    if half < least and 4 * source.stamp.dim * len(texts.corpus) > room:
        enough = written_size(2 * least, at_least=True)
        raise ParameterError(
            f"Vectors of {source.stamp.dim:,} dimensions that stay in their file need --memory of at least "
            f"{enough}: half of it is to search in. Got {texts.memory} for {source.spec}. Write --memory {enough} or "
            "more."
        )
    return cast("FloatArray | None", source.on_disk(room, half))


def _variant(
    name: str, source: Source, texts: Texts, made: Made, cache: VectorCache, others: Mapping[str, Encoded]
) -> dict[str, Any] | None:
    """Say how far a variant is from float32, or a service from the model that it says it runs, on the corpus.

    On the queries where it encodes nothing else.
    """
    found, (documents, queries) = source.float32_twin(name) or run_elsewhere(name, source.stamp.dim, others), made
    if found is None or texts.seed is None:
        return None
    twin = others.get(found[1])
    if documents is not None and not source.by_row:
        known = None if twin is None else twin.documents
        return measure_variant(*found, texts.corpus.items, documents, cache, texts.seed, float32=known)
    assert queries is not None
    assert texts.queries is not None
    known = None if twin is None else twin.queries
    return measure_variant(*found, texts.queries.items, queries, cache, texts.seed, role="query", float32=known)


def _again(source: Source, texts: Texts, made: Made, cache: VectorCache) -> Again | None:
    """Encode some texts once more, one by one: what another batch size changes is not the model's doing.

    A model that cannot encode a text alone has made the vectors of the run nevertheless: they are kept, and it is said.
    """
    role: Role = "document"
    items, rows, before = texts.corpus.items, texts.again, made[0]
    if rows is None:
        if texts.queries is None or texts.seed is None:
            return None
        items, role, before = tuple(texts.queries.items), texts.role, made[1]
        sizes = np.fromiter(map(len, items), dtype=np.int64, count=len(items))
        rows = drawn_again(sizes, _characters(texts), BATCH, seed=texts.seed)
    if source.paid:
        return Again(rows, None, "no text is sent to a service a second time")
    some = [items[row] for row in rows]
    try:
        vectors = source.encode_singly(some, role=role, cache=cache)
    except EncoderError as error:
        return Again(rows, None, str(error))
    if vectors is None:
        return None
    assert before is not None
    reason = _unusable(vectors, before[rows], some)
    return Again(rows, None if reason else vectors, reason)


def _characters(texts: Texts) -> int:
    """Return how many characters are encoded in batches."""
    asking = texts.queries
    own = 0 if asking is None or asking.what == "rows of the corpus" else sum(map(len, asking.items))
    return own + sum(map(len, texts.corpus.items))


def _unusable(alone: FloatArray, before: FloatArray, texts: Sequence[str]) -> str | None:
    """Say that vectors of texts encoded alone cannot be searched with, where those of the same texts in batches can."""
    length = np.linalg.norm(alone.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~(length < exact.LARGEST_NORM) | ((length == 0) & before.any(axis=1)))
    if not wrong.size:
        return None
    of = "a zero vector" if length[wrong[0]] == 0 else f"a vector of length {length[wrong[0]]:g}"
    return f"alone, the model returns {of} for {first_words(texts[wrong[0]])!r} ({len(wrong)} of {len(texts)} texts)"
