"""A comparison for people at a terminal: readable at 80 columns, without colour, and when piped."""

from __future__ import annotations

from collections.abc import Iterator

from embdiff.runs import REPORT_FILE
from embdiff.views import document, table
from embdiff.views.facts import Facts
from embdiff.views.table import Line, Part, plain_text

QUERIES_SHOWN = 2
_NEIGHBOUR_TEXT = 60


def show(facts: Facts) -> None:
    """Print a comparison on stdout."""
    table.show(*_comparison(facts))


def text(facts: Facts, width: int) -> str:
    """Return a comparison as plain text."""
    return plain_text(_comparison(facts), width)


def _comparison(facts: Facts) -> Iterator[Part]:
    yield from document.comparison(facts, _NEIGHBOUR_TEXT)
    if facts.path:
        yield Line("")
        yield Line(f"Run folder: {facts.path}", "bold")
        if (facts.path / REPORT_FILE).is_file():
            yield Line(f"Report: {facts.path / REPORT_FILE}", "bold")
