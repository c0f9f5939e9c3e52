"""adapt(): old vectors for a new model. A map from one space into the other, fitted on some rows, measured, applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from embdiff._settings import typed
from embdiff.alignment import LEAST_ROWS
from embdiff.alignment.maps import check_method
from embdiff.bulk.adaptation import Adaptation
from embdiff.bulk.adapting import Job, Wish
from embdiff.bulk.old import OldCollection
from embdiff.bulk.outputs import kind_of
from embdiff.corpus.queries import read_expected, read_queries
from embdiff.corpus.read import read_corpus
from embdiff.errors import DataError, ParameterError, StoreError
from embdiff.kept import VectorCache
from embdiff.records import UNPINNED, Corpus, Method, Qrels
from embdiff.sources import Encoder, get_encoder
from embdiff.sources.looked import place_of
from embdiff.specs import without_secrets
from embdiff.stores import get_store, path_of
from embdiff.stores.store import Store

SAMPLE, K, MARGIN, DROP = 2_000, 10, 0.1, 0.02


@typed
def adapt(
    store: str,
    from_model: str | Encoder,
    to_model: str | Encoder,
    *,
    out: str | None = None,
    export: str | Path | None = None,
    dry_run: bool = False,
    method: str = "ridge",
    sample: int = SAMPLE,
    k: int = K,
    margin: float = MARGIN,
    drop: float = DROP,
    corpus: Any = None,
    id_column: str | int | None = None,
    text_column: str | int | None = None,
    queries: Any = None,
    expected: Any = None,
    seed: int = 0,
    cache: str | Path | None = None,
) -> Adaptation:
    """Map the vectors of a collection into the space of another model, and say how much of a full re-encoding that is.

    The old collection is never written to. The mapped one is new, its stamp says that it is mapped, and an interrupted
    call is taken up by the next one with the same arguments.

    Parameters
    ----------
    store : str
        ``STORE#COLLECTION``, ours or of others (``?vector=FIELD&id=FIELD&text=FIELD``); the store alone where it has
        one collection.
    from_model, to_model : str or Encoder
        The model that made the vectors, and the one that is to ask them. The other way round, with ``export``: the
        map leads queries of the new model into the old collection, which stays.
    out : str, optional
        Store for the mapped collection. Default: where the old one is.
    export : path, optional
        Write the map alone, as a .npz file; no collection is written.
    dry_run : bool
        Fit and measure; write nothing.
    method : str
        procrustes, ridge or low-rank, as for align.
    sample : int
        Rows that the new model encodes: the map is fitted and measured on them, each by maps that did not see it.
    k : int
        Neighbours that are to be found again.
    margin : float
        Good enough: the interval of the recovery lies above 1 minus this.
    drop : float
        Good enough, with expected results: nDCG@10 falls by no more than this.
    corpus : path, list, or anything `read_corpus` takes, optional
        Texts of the rows, by id, where the collection has none.
    id_column, text_column : str or int, optional
        Of the corpus.
    queries : path or list, optional
        Queries to measure with, instead of rows.
    expected : path, list of tuples or dict, optional
        Expected results of the queries (qrels): their documents are all in the sample.
    seed : int
        Of what is drawn.
    cache : path, optional
        As for compare.

    Returns
    -------
    Adaptation

    Raises
    ------
    ParameterError
        When options do not fit, or the vectors are of neither model.
    DataError, StoreError, EncoderError
        When the collection, the corpus or a model cannot be used.
    """
    check_method(method)
    wish = _checked(Wish(cast(Method, method), sample, k, margin, drop, seed), out, export, expected, queries)
    uri, collection, fields = _place(store)
    texts = None if corpus is None else read_corpus(corpus, id_column=id_column, text_column=text_column, empty="keep")
    vectors = VectorCache.at(cache)
    models = (_loaded(from_model, vectors), _loaded(to_model, vectors))
    with get_store(uri) as there:
        name = _name(there, collection, uri)
        old = OldCollection(there.look(name), f"{there.uri}#{name}", fields, texts)
        asked = _asked(queries, expected, old)
        job = Job(old, models, wish, out or uri, asked, vectors)
        if export is not None or dry_run:
            return job.measured(export, dry_run)
        return job.written(name)


def _checked(wish: Wish, out: str | None, export: Any, expected: Any, queries: Any) -> Wish:
    """Refuse numbers out of range, and options that do not go together."""
    bounds = (("sample", wish.sample, LEAST_ROWS, 1_000_000), ("k", wish.k, 1, 1_000), ("margin", wish.margin, 0, 1),
              ("drop", wish.drop, 0, 1))  # fmt: skip
    for name, value, low, high in bounds:
        if not low <= value <= high:
            raise ParameterError(f"--{name} must be from {low:,} to {high:,}. Got {value}. Mend it.")
    if out is not None and export is not None:
        raise ParameterError(
            "A map is exported, or a collection written. Got --export and --out. Leave one of them out."
        )
    if expected is not None and queries is None:
        raise ParameterError("Expected results must come with their queries. Got --expected alone. Add --queries.")
    if out is not None and kind_of(out) != "store":
        raise ParameterError(f"A mapped collection is written to a store. Got {out}. Name milvus:FILE or lancedb:DIR.")
    return wish


def _place(text: str) -> tuple[str, str, dict[str, str]]:
    found = place_of(text)
    if found is None:
        raise ParameterError(
            f"What is mapped must be a collection in a store. Got {text!r}. Write milvus:FILE#COLLECTION, "
            "lancedb:DIR#TABLE or http://HOST:PORT#COLLECTION."
        )
    path = path_of(found[0])
    if path is not None and not path.exists():
        raise StoreError(f"The store of a collection to map must exist. Got {path}. Check the path.")
    return found


def _name(store: Store, wanted: str, uri: str) -> str:
    """Return the collection: the one named, or the only one."""
    there = store.names()
    if wanted in there:
        return wanted
    if not wanted and len(there) == 1:
        return there[0]
    raise StoreError(
        f"One collection must be named, and be in {without_secrets(uri)}. Got {wanted or 'none'!r}; there are: "
        f"{', '.join(there)[:300] or 'none'}. Write STORE#COLLECTION."
    )


def _loaded(model: str | Encoder, cache: VectorCache) -> Encoder:
    found = get_encoder(model, cache=cache)
    if not isinstance(found, Encoder) or found.learns or found.stamp.revision == UNPINNED:
        raise ParameterError(
            f"A model to map from or to must make vectors of any text, and be pinned down. Got {found.spec}. Name a "
            "model that encodes, such as minilm or st:NAME."
        )
    return found


def _asked(queries: Any, expected: Any, old: OldCollection) -> tuple[Corpus | None, Qrels | None]:
    """Return the queries and their judgements, where they were given."""
    if queries is None:
        return None, None
    asked, rows = read_queries(queries, Corpus((), ()))
    if rows is not None or not len(asked):
        raise DataError("Queries to measure with must come from a file or a list. Got rows. Name a file of queries.")
    if expected is None:
        return asked, None
    ids = tuple(old.ids())
    return asked, read_expected(expected, asked, Corpus(("",) * len(ids), ids, source=old.where, ids_given=True))
