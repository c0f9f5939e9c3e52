"""doctor(): finds out what a target is, and has it looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embdiff._names import refuse_unwritable, resolved
from embdiff._settings import typed
from embdiff.corpus.read import read_corpus
from embdiff.errors import ParameterError
from embdiff.examination.caches import examine_cache, is_cache
from embdiff.examination.collections import Wish
from embdiff.examination.models import examine_model
from embdiff.examination.record import Notes
from embdiff.examination.report import Diagnosis, diagnosis
from embdiff.examination.runs import examine_run
from embdiff.examination.staleness import Freshness
from embdiff.examination.stores import examine_store
from embdiff.kept import Place, VectorCache
from embdiff.records import Corpus
from embdiff.runs import is_run
from embdiff.settings import MOST
from embdiff.sources import get_encoder
from embdiff.sources.looked import place_of
from embdiff.specs import without_secrets

ROWS, TEXTS = 10_000, 200_000
_CACHE = "cache:"


@typed
def doctor(
    target: str | Path,
    *,
    model: str | None = None,
    corpus: Any = None,
    id_column: str | int | None = None,
    text_column: str | int | None = None,
    rows: int = ROWS,
    seed: int = 0,
    cache: str | Path | None = None,
) -> Diagnosis:
    """Say what is wrong with a store, a run, a cache or a model, where, and how it is mended. Nothing is changed.

    Parameters
    ----------
    target : str or path
        A store (``milvus:FILE``, ``lancedb:DIR``, ``http://HOST:PORT``), one collection of it, whoever made it
        (``STORE#COLLECTION?vector=FIELD&id=FIELD&text=FIELD``), a run folder, the folder of a cache (``cache:`` for the
        usual one), or a model (``minilm``, ``st:FOLDER``, ``vectors:FILE``).
    model : str, optional
        Model that should have made the vectors: encodes 200 rows again, drawn, to compare.
    corpus : path, list, or anything `read_corpus` takes, optional
        Texts as they are now, to be compared by id with those that were encoded; or to try a model on.
    id_column, text_column : str or int, optional
        Of the corpus, as for `read_corpus`.
    rows : int
        Most rows of a collection whose vectors are looked at; of more they are drawn.
    seed : int
        Of what is drawn.
    cache : path, optional
        Where vectors are kept, for the model. Default: nothing is kept.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ParameterError
        When the target is none of these, or options do not fit.
    StoreError, EncoderError, DataError
        When there is no such store, collection or model, or the corpus cannot be read.
    """
    if not 1 <= rows <= MOST:
        raise ParameterError(f"Rows to look at must be 1 to {MOST:,}. Got {rows}. Mend --rows.")
    text, notes = str(target), Notes()
    refuse_unwritable("What is looked at", text, secret=True)
    texts = None if corpus is None else _corpus(corpus, id_column, text_column)
    vectors = VectorCache.at("off" if cache is None else cache)
    place = _place(text)
    if is_run(place) or is_cache(place) or text.startswith(_CACHE):
        _refuse(corpus=corpus)
        if is_run(place):
            encoder = None if model is None else get_encoder(model, cache=vectors)
            fresh = Freshness(None, encoder, vectors, seed, max(rows, TEXTS))
            examine_run(place, Wish(rows, seed, {}, fresh), encoder, vectors, notes)
            return diagnosis(notes, text, "run")
        _refuse(model=model)
        examine_cache(place if is_cache(place) else _cache_folder(text), notes)
        return diagnosis(notes, text, "cache")
    named = place_of(text)
    if named is None:
        _refuse_others(text, place)
        _refuse(model=model)
        examine_model(text, texts, rows, seed, notes)
        return diagnosis(notes, text, "model")
    uri, collection, fields = named
    encoder = None if model is None else get_encoder(model, cache=vectors)
    fresh = Freshness(texts, encoder, vectors, seed, max(rows, TEXTS), named=bool(collection))
    examine_store(uri, collection, Wish(rows, seed, fields, fresh), notes)
    return diagnosis(notes, without_secrets(text) if collection == "" else text, "store")


def _place(text: str) -> Path:
    """Return the path that a text may be; one that no file can have is that of nothing."""
    try:
        place = resolved(Path(text).expanduser())
        place.exists()
    except (OSError, RuntimeError, ValueError):
        return Path()
    return place


def _corpus(data: Any, id_column: str | int | None, text_column: str | int | None) -> Corpus:
    return read_corpus(data, id_column=id_column, text_column=text_column, empty="keep")


def _refuse(**options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            raise ParameterError(
                f"--{name} is for what it can be compared with: a model for stores and runs, a corpus for stores and "
                f"models. Got --{name} with another target. Leave it out."
            )


def _cache_folder(text: str) -> Path:
    """Return the folder that ``cache:`` or ``cache:DIR`` stands for; refuse one without anything kept."""
    folder = Place.of(text.removeprefix(_CACHE) or None).folder
    if folder is None or not is_cache(folder):
        raise ParameterError(
            f"A cache to look at must be a folder in which something is kept. Got {folder or 'off'}. Name its folder."
        )
    return folder


def _refuse_others(text: str, place: Path) -> None:
    """Refuse a file or folder that is neither run nor cache: which kind of store or model it is must be said."""
    if place.exists() and (place.is_dir() or place.suffix):
        raise ParameterError(
            f"What is looked at must be a run, a cache, a store or a model. Got {text}, a "
            f"{'folder' if place.is_dir() else 'file'} of another kind. Write milvus:{text}, lancedb:{text}, "
            f"vectors:{text} or st:{text}."
        )
