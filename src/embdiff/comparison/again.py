"""The models of a run, loaded again: for exports and the live page, which need more than a run folder holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from embdiff.encoding import Texts, encode, stamp_of
from embdiff.errors import DataError
from embdiff.kept import VectorCache
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
    told = ((each["model"], each["fingerprint"]) for each in run.manifest["models"] if each["collection"])
    stamps = {name: fingerprint for name, fingerprint in told if name not in run.config.ranking}
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
            if stamp_of(source, cache).fingerprint() != stamps[name]:
                raise DataError(
                    f"A model must be the one that the run was made with. Got another revision or setting of {name}. "
                    "Run the comparison again, or name the revision (?revision=)."
                )

        source, encoded = encode(name, forms, texts, cache, check=check)
        assert encoded.documents is not None
        found[name] = ModelAgain(name, source, encoded.documents)
    return found
