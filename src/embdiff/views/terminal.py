"""A comparison for people at a terminal: the answer on one screen, one part of it, or everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from embdiff.errors import UnknownNameError
from embdiff.views import answer, document, table, why
from embdiff.views.facts import Facts
from embdiff.views.table import Part, plain_text
from embdiff.views.tables import PARTS

QUERIES_SHOWN = 2
_NEIGHBOUR_TEXT = 60
ONLY: dict[str, Callable[[Facts], Iterable[Part]]] = {
    "queries": lambda facts: document.warned(facts, _NEIGHBOUR_TEXT),
    **PARTS,
    "why": why.screen,
    "notes": document.all_notes,
}


def show(facts: Facts, *, everything: bool = False, only: str | None = None) -> None:
    """Print a comparison on stdout: the answer, everything, or one part of `ONLY`.

    Raises
    ------
    UnknownNameError
        When there is no such part.
    """
    table.show(*_chosen(facts, everything, only))


def part(name: str) -> Callable[[Facts], Iterable[Part]]:
    """Return what makes one part of everything.

    Raises
    ------
    UnknownNameError
        When there is no such part.
    """
    if name not in ONLY:
        raise UnknownNameError(f"A part must be one of {', '.join(ONLY)}. Got {name!r}. Choose one of these.")
    return ONLY[name]


def text(facts: Facts, width: int, *, everything: bool = False) -> str:
    """Return the answer, or everything, as plain text."""
    return plain_text(_chosen(facts, everything, None), width)


def _chosen(facts: Facts, everything: bool, only: str | None) -> Iterable[Part]:
    if only is None:
        return document.everything(facts, _NEIGHBOUR_TEXT) if everything else answer.answer(facts)
    return part(only)(facts)
