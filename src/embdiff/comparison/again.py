"""The models of a run, loaded again: for exports and the live page, which need more than a run folder holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from embdiff.encoded import Texts
from embdiff.encoding import encode, stamp_of
from embdiff.errors import DataError
from embdiff.kept import VectorCache
from embdiff.lexical import BM25, Bm25
from embdiff.ranked import ranked
from embdiff.rankings import Ranking
from embdiff.records import FloatArray
from embdiff.runs import Named, Run
from embdiff.sources import Source


@dataclass(frozen=True, eq=False)
class ModelAgain:
    """A model of a run with its vectors.

    Parameters
    ----------
    model : str
        As typed.
    encoder : Source
    vectors : ndarray of float32, shape (n, d)
        Of the corpus; found in the vector cache where they are.
    """

    model: str
    encoder: Source
    vectors: FloatArray


def models_again(run: Run, models: Iterable[str] | None = None) -> dict[str, ModelAgain]:
    """Load models of a run and encode its corpus again, from the vector cache where it holds the vectors.

    Parameters
    ----------
    run : Run
    models : iterable of str, optional
        Only these; by default every model with a space.

    Raises
    ------
    DataError
        When a model came as a Python object, or is no longer the one of the run.
    ParameterError
        When the run was read from a folder that names what only the user may; before anything is loaded.
    """
    collections = {each["model"] for each in run.manifest["models"] if each["collection"]}
    stamps = {name: each for name, each in _stamps(run).items() if name in collections.difference(run.config.ranking)}
    forms = run.config.aliases
    named = (forms.get(name, name) for name in dict.fromkeys((*stamps, *(models or ()))))
    run.origin.admit([*(Named("model", form) for form in named), Named("cache", run.config.cache)])
    cache, texts = VectorCache.at(run.config.cache), Texts(run.corpus, None, None)
    found = {}
    for name in models if models is not None else stamps:
        if name.startswith("object:"):
            raise DataError(
                f"A model must have a name to be loaded again. Got {name}, a Python object. Compare a named model, or "
                "save it as a folder and name that (st:FOLDER)."
            )

        def check(source: Source, name: str = name) -> None:
            _refuse_another(name, stamp_of(source, cache).fingerprint(), stamps)

        source, encoded = encode(name, forms, texts, cache, check=check)
        assert encoded.documents is not None
        found[name] = ModelAgain(name, source, encoded.documents)
    return found


def rankings_again(run: Run) -> dict[str, Ranking]:
    """Make ready again what ranks the texts of a run without a dense vector of them, by name, as its lists are shown.

    Raises
    ------
    DataError, ParameterError
        As `models_again`.
    """
    named = [answer.model for answer in run.named]
    forms, cache, stamps = run.config.aliases, VectorCache.at(run.config.cache), _stamps(run)
    run.origin.admit([Named("model", forms.get(name, name)) for name in named if name != BM25])
    found: dict[str, Ranking] = {}
    for name in named:
        if name == BM25:
            found[name] = Bm25(run.corpus.items)
            continue
        made = ranked(name, forms, run.corpus, cache, run.config.metric)
        _refuse_another(name, made.stamp.fingerprint(), stamps)
        found[name] = made.ranking
    return found


def _stamps(run: Run) -> dict[str, str]:
    return {each["model"]: each["fingerprint"] for each in run.manifest["models"]}


def _refuse_another(name: str, found: str, stamps: Mapping[str, str]) -> None:
    if found != stamps[name]:
        raise DataError(
            f"A model must be the one that the run was made with. Got another revision or setting of {name}. "
            "Run the comparison again, or name the revision (?revision=)."
        )
