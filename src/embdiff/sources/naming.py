"""From what the caller named to sources of vectors: text forms, encoders, and the user's own objects."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain, count
from typing import Any

import numpy as np

from embdiff._settings import typed
from embdiff.corpus.decoding import rgb_of
from embdiff.errors import ParameterError
from embdiff.forms import BM25, ranks, reranking
from embdiff.kept import VectorCache
from embdiff.records import UNPINNED, FloatArray, Picture, Role, Stamp
from embdiff.sources.batches import TEXTS, Model
from embdiff.sources.catalogue import REGISTRY
from embdiff.sources.derived import Derived, Fulls, shape_of
from embdiff.sources.encoder import Encoder
from embdiff.sources.remembered import Unloaded
from embdiff.sources.source import Source, no_dense_vectors
from embdiff.specs import ModelSpec, is_reference, split_alias


def named_models(
    models: Sequence[Any],
    *,
    what: str = "model",
    besides: Collection[str] = (),
    known: Mapping[str, Any] | None = None,
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the models' names, and all objects named so far; nothing is loaded yet.

    Parameters
    ----------
    models : sequence of str or object
        Text forms as typed, which go under their alias where they have one (``prod=st:...``); `Encoder` objects, or the
        user's own: those go under ``object:CLASS``, further ones of the same class under ``object:CLASS-2`` and so on.
    what : str
        What they are called in messages.
    besides : collection of str
        Texts that are let through although they are no text form of a model.
    known : mapping of str to object, optional
        Objects that have a name already; the same object keeps it.

    Raises
    ------
    ParameterError
        When this is no list, a text is no model, or one is named twice.
    UnknownNameError
        For an unknown kind of model.
    """
    if isinstance(models, str):
        raise ParameterError(f"The {what}s must be a list. Got the text {models!r}. Write [{models!r}].")
    names: list[str] = []
    objects = dict(known or {})
    for model in models:
        if isinstance(model, str):
            names.append(_name_of(model, besides, objects))
        else:
            names.append(_object_name(model, objects))
            objects[names[-1]] = model
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ParameterError(f"Every {what} must be named once. Got {', '.join(repeated)} more than once. Drop one.")
    return tuple(names), objects


def _name_of(text: str, besides: Collection[str], objects: dict[str, Any]) -> str:
    """Return the name of a model given as text; the form of one with an alias is put among the objects."""
    name, form = split_alias(text)
    if name == form:
        if name not in besides and name not in objects:
            _refuse_unknown(form)
        return name
    if objects.get(name, form) != form or (name in besides and not is_reference(form)):
        raise ParameterError(
            f"An alias must stand for one model, and be no name that there is. Got {text!r}, and {name} is another "
            "one. Choose another alias."
        )
    if name not in besides:
        _refuse_unknown(form)
    objects[name] = form
    return name


def _refuse_unknown(form: str) -> None:
    """Refuse a text form of a kind that there is not; of a re-ranker and of the model before it."""
    behind = reranking(form)
    for text in (form,) if behind is None else (behind.base, str(behind.spec)):
        if behind is None or text != BM25:
            spec = ModelSpec.parse(text)
            REGISTRY.entry(spec.kind)
            shape_of(spec)


def _object_name(model: Any, objects: Mapping[str, Any]) -> str:
    """Return the name an object has, or one that no other object has."""
    for name, other in objects.items():
        if other is model:
            return name
    wanted = model.spec if isinstance(model, Source) else f"object:{type(model).__name__}"
    numbered = (f"{wanted}-{number}" for number in count(2))
    return next(name for name in chain([wanted], numbered) if name not in objects)


def load_named(
    name: str, objects: Mapping[str, Any], cache: VectorCache | None = None, fulls: Fulls | None = None
) -> Source:
    """Load the source that goes under ``name``, or what the cache knows of it; raises as `get_encoder` does.

    Variants of one model share its full vectors through ``fulls``.
    """
    model = objects.get(name, name)
    if isinstance(model, str):
        return _from_text(model, cache, fulls)
    return get_encoder(model, cache=cache) if isinstance(model, Source) else get_encoder(model, spec=name)


@typed
def get_encoder(
    model: Any, *, spec: str | None = None, revision: str = UNPINNED, cache: VectorCache | None = None
) -> Source:
    """Load a model.

    Parameters
    ----------
    model : str or object
        Text form ``KIND:NAME?key=value&key=value``, for example ``minilm``, ``wordllama:256`` or
        ``st:BAAI/bge-small-en-v1.5?dim=128``; or an `Encoder`, which is returned as it is; or your own: an object with
        ``encode(texts)``, or a function of a list of texts, that returns an array of floats of shape (n, d). If it has
        a parameter ``role``, it is told ``"document"`` or ``"query"``.
    spec : str, optional
        Name for your own object; ``object:CLASS`` by default. Two objects need two names.
    revision : str
        Whatever tells versions of your own object apart; vectors of different revisions are never mixed.
    cache : VectorCache, optional
        Where it is looked up what is known of the model: one that is known is loaded only when it must encode.

    Returns
    -------
    Source
        An `Encoder`, or the vectors that are ready (``vectors:``).

    Raises
    ------
    ParameterError
        When the text is no model, an option does not fit the kind, or the object can neither encode nor be called.
    UnknownNameError
        For an unknown kind or option.
    MissingDependencyError
        When a package is missing; the message has the pip line.
    EncoderError
        When the model cannot be found or loaded.
    """
    if isinstance(model, str | Source):
        if spec is not None or revision != UNPINNED:
            raise ParameterError(
                f"spec and revision must only be given with an object of your own. Got them with {model!r}. Leave them "
                "out; a hub model's revision is written st:NAME?revision=..."
            )
        return _from_text(model, cache) if isinstance(model, str) else model
    name = spec or f"object:{type(model).__name__}"
    return Encoder(name, Own(model, name, revision))


def _from_text(text: str, cache: VectorCache | None, fulls: Fulls | None = None) -> Source:
    """Return the model of a text form: one of full vectors, or a variant that comes from these."""
    if ranks(text):
        raise no_dense_vectors(text)
    spec, shape = shape_of(ModelSpec.parse(text))
    form = text if shape is None else str(spec)
    full = (fulls or Fulls(())).shared(form, lambda: _full(form, spec, cache))
    if shape is None:
        return full
    if not isinstance(full, Encoder):
        raise ParameterError(
            f"A variant must come from a model that encodes. Got '{text}', whose vectors are ready. Leave vectors= "
            "out, or name the model that made them."
        )
    return Derived(text, full, shape)


def _full(text: str, spec: ModelSpec, cache: VectorCache | None) -> Source:
    made = REGISTRY.load(spec.kind)(spec)
    if isinstance(made, Source):
        return made
    if isinstance(made, Unloaded):
        made = made.load() if cache is None else made.through(cache.results)
    if not isinstance(made, Model):  # another package's kind may be as plain as a user's object
        made = Own(made, str(spec), stamp=getattr(made, "stamp", None))
    return Encoder(text, made)


class Own(Model):
    """Whatever encodes and is no `Model`: a user's object, or a kind of another package. The one place that adapts.

    Parameters
    ----------
    model : object
        Has ``encode(texts)`` or can itself be called with a list of texts; returns an array (n, d) of floats. A
        parameter named ``role`` is given ``"document"`` or ``"query"``. An attribute ``reads``, a set of ``"text"``
        and ``"image"``, says what it reads; without it, texts.
    name : str
        What the model is called in stamps.
    revision : str
        Whatever pins the model down, at the user's word.
    stamp : callable, optional
        Returns the provenance, where the object has one of its own.

    Raises
    ------
    ParameterError
        When the object is neither.
    """

    def __init__(
        self, model: Any, name: str, revision: str = UNPINNED, stamp: Callable[[], Stamp] | None = None
    ) -> None:
        encode = getattr(model, "encode", model)
        if not callable(encode):
            raise ParameterError(
                "A model must be a text such as minilm, an object with encode(texts), or a function of a list of "
                f"texts. Got {type(model).__name__}. Give one of these."
            )
        self._encode: Callable[..., Any] = encode
        self._takes_role = _takes_role(encode)
        self._name, self._revision, self._stamp = name, revision, stamp
        self._dim = 0
        self.same_roles = not self._takes_role
        self.reads = frozenset(getattr(model, "reads", TEXTS))

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return what the object returns, as an array; `Encoder` checks it. It is given images as PIL has them, RGB."""
        given = [rgb_of(item, self._name) if isinstance(item, Picture) else item for item in items]
        raw = self._encode(given, role=role) if self._takes_role else self._encode(given)
        vectors: FloatArray = np.asarray(raw)
        if not self._dim and vectors.ndim == 2:
            self._dim = int(vectors.shape[1])
        return vectors

    def stamp(self) -> Stamp:
        """Return the provenance as far as it is known: before the first vector its ``dim`` is 0."""
        return self._stamp() if self._stamp else Stamp(model=self._name, revision=self._revision, dim=self._dim)


def _takes_role(function: Callable[..., Any]) -> bool:
    """Whether the function names a parameter ``role``: ``**anything`` does not count, it may be refused later."""
    try:
        return "role" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some compiled functions have no signature
        return False
