"""Which fields of a collection hold ids, texts and vectors: as named, ours, or by the names that corpora know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from embdiff.corpus.columns import NONE
from embdiff.errors import DataError, ParameterError, UnknownNameError
from embdiff.sources.fields import named
from embdiff.specs import ModelSpec, is_reference, write_options
from embdiff.stores import list_stores
from embdiff.stores.collection import FIELDS
from embdiff.stores.looking import Look

OPTIONS = ("vector", "id", "text")


def place_of(text: str) -> tuple[str, str, dict[str, str]] | None:
    """Return the store, the collection ("" for all) and the fields that a text names; None where it names no store.

    Parameters
    ----------
    text : str
        ``STORE``, or ``STORE#COLLECTION?vector=FIELD&id=FIELD&text=FIELD``.

    Raises
    ------
    ParameterError
        When the store keeps nothing, or the text holds a secret.
    """
    if is_reference(text):
        spec = ModelSpec.parse(text)
        where, _, collection = spec.name.partition("#")
        options = {key: spec.options[key] for key in ("db",) if key in spec.options}
        fields = {key: spec.options[key] for key in OPTIONS if key in spec.options}
        return write_options(f"{spec.kind}:{where}", options), collection, fields
    kind, colon, _ = text.partition(":")
    if not colon or kind not in list_stores():
        return None
    if kind == "memory":
        raise ParameterError("A store to look at must keep its rows. Got memory:. Name milvus:FILE or a server.")
    return text, "", {}


def is_ours(look: Look) -> bool:
    """Return whether a collection has the fields of embdiff."""
    return set(FIELDS) <= set(look.kinds)


def vectors_of(look: Look, given: Mapping[str, str], where: str) -> list[str]:
    """Return the fields of vectors: the one that was named, or all.

    Raises
    ------
    UnknownNameError
        When there is none of that name.
    """
    there = [name for name, kind in look.kinds.items() if kind == "vector"]
    wanted = given.get("vector")
    if wanted is not None and wanted not in there:
        raise UnknownNameError(
            f"The field vector= must be one of float vectors in {where}. Got {wanted!r}; there are: "
            f"{', '.join(there) or 'none'}. Name one of these."
        )
    return there if wanted is None else [wanted]


def id_of(look: Look, given: Mapping[str, str], where: str) -> str:
    """Return the field of ids, "" where the key is the id; raises UnknownNameError for one that is not there."""
    whole = [name for name, kind in look.kinds.items() if kind in ("text", "whole number")]
    if look.key is None or is_ours(look) or "id" in given:
        return _named("id", look, given, whole, where)
    return ""


def text_of(look: Look, given: Mapping[str, str], where: str) -> str:
    """Return the field of texts, "" for none; raises UnknownNameError for one that is not there."""
    others = (look.key, id_of(look, given, where))
    texts = [name for name, kind in look.kinds.items() if kind == "text" and name not in others]
    return _named("text", look, given, texts, where)


def _named(role: str, look: Look, given: Mapping[str, str], names: Sequence[str], where: str) -> str:
    wanted = given.get(role)
    if wanted is not None and wanted != NONE and look.dynamic:
        return wanted
    try:
        return named(role, wanted, names, list(look.kinds), where) or ""
    except DataError:  # two are alike but for case: neither is taken
        return ""
