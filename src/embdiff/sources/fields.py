"""Which columns of a table of ready vectors hold the vectors, the ids and the texts, and of which types they may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from embdiff._registry import nearest
from embdiff.corpus.columns import KNOWN, NONE, same_name
from embdiff.corpus.files import shown
from embdiff.corpus.tables import refuse_repeated
from embdiff.errors import DataError, UnknownNameError

OPTIONS = ("vector", "id", "text")  # that name columns


@dataclass(frozen=True)
class Fields:
    """Names of the columns that are read.

    Parameters
    ----------
    vector : str
    id, text : str or None
        None where there is no such column, or none is wanted.
    title : str or None
        What corpora put before the text; None where the user named the column of texts, which then stands alone.
    strange : tuple of str
        Columns of text whose names say nothing, where there are neither ids nor texts: one of them may tell whose the
        vectors are.
    unused : tuple of str
        All other columns.
    """

    vector: str
    id: str | None
    text: str | None
    title: str | None = None
    strange: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @classmethod
    def of(cls, schema: Any, given: Mapping[str, str], where: str, *, must: bool = True) -> Fields:
        """Find them: by the names given, else by the names that are known of corpora, too.

        Parameters
        ----------
        schema : pyarrow.Schema
        given : mapping of str to str
            Names by role, as far as the user gave them; ``none`` for ids or texts that are not to be looked at.
        where : str
            The file, for messages.
        must : bool
            Whether a column that was given must be there; if not, the known names are tried next.

        Raises
        ------
        UnknownNameError
            When a column that was given is not there.
        DataError
            When there is no column of vectors, one has another type, two names are alike but for case, or a name occurs
            twice.
        """
        refuse_repeated(schema.names, where)
        kinds = {field.name: storage(field.type) for field in schema}
        if not must:
            given = {role: name for role, name in given.items() if name in kinds or name == NONE}
        vector = _vector(kinds, schema, given.get("vector"), where)
        rest = {name: kind for name, kind in kinds.items() if name != vector}
        texts = [name for name, kind in rest.items() if _is_text(kind)]
        ids = [name for name, kind in rest.items() if not pa.types.is_nested(kind)]
        found = {
            role: named(role, given.get(role), names, list(rest), where)
            for role, names in (("id", ids), ("text", texts))
        }
        titles = [name for name in texts if name != found["text"]] if found["text"] and "text" not in given else []
        title = named("title", None, titles, titles, where)
        unused = tuple(name for name in rest if name not in found.values())
        told = NONE in (given.get("id"), given.get("text"))
        strange = () if told or any(found.values()) else tuple(name for name in texts if name in unused)
        return cls(vector, found["id"], found["text"], title, strange, unused)


def storage(kind: Any) -> Any:
    """Return the type in which values lie: that of a tensor of one dimension is a list."""
    flat = isinstance(kind, pa.BaseExtensionType) and len(getattr(kind, "shape", (1,))) == 1
    return kind.storage_type if flat else kind


def is_list(kind: Any) -> bool:
    """Return whether values are lists, of whatever layout."""
    types = pa.types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _is_text(kind: Any) -> bool:
    types = pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _vector(kinds: Mapping[str, Any], schema: Any, given: str | None, where: str) -> str:
    """Return the column given, the first with a known name, or the only one of lists of floats."""
    lists = [name for name, kind in kinds.items() if is_list(kind)]
    numbers = [name for name in lists if _is_number(kinds[name].value_type)]
    floats = [name for name in numbers if pa.types.is_floating(kinds[name].value_type)]
    name = named("vector", given, list(kinds), list(kinds), where)
    if name is None and len(floats) == 1:
        return floats[0]
    if name is None:
        raise DataError(
            f"One column must hold the vectors, named like {shown(KNOWN['vector'][:3])}, or be the only one of lists "
            f"of floats. Got {shown(schema.names)} in {where}. Name it with ?vector=COLUMN."
        )
    if name not in numbers:
        raise DataError(
            f"The column of vectors must hold lists of numbers. Got {name!r} of type {schema.field(name).type} in "
            f"{where}. Write it as lists of float32, or name another column with ?vector=COLUMN."
        )
    return name


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def named(role: str, given: str | None, names: Sequence[str], there: Sequence[str], where: str) -> str | None:
    """Return the column given, or the first of ``names`` that is known of this role; None when there is none."""
    if given is not None:
        if given in there:
            return given
        if given == NONE and role != "vector":
            return None
        raise UnknownNameError(f"The column {role}= must be in {where}. Got {given!r}. {nearest(given, there)}")
    for known in KNOWN[role]:
        alike = [name for name in names if same_name(name) == known]
        if len(alike) > 1 and known not in alike:
            raise DataError(
                f"The {role} column must be plain from its name. Got {shown(alike)} in {where}, alike but for case. "
                f"Name it with ?{role}=COLUMN."
            )
        if alike:
            return known if known in alike else alike[0]
    return None
