"""Lines and tables for people at a terminal: readable at 80 columns, without colour, and when piped."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from embdiff.runs import REPORT_FILE
from embdiff.views import document, table
from embdiff.views.facts import Facts
from embdiff.views.lists import PairDiff, Query
from embdiff.views.table import drawn, plain_text

QUERIES_SHOWN = 2
_NEIGHBOUR_TEXT, _DIFF_TEXT = 60, 90


def show(facts: Facts) -> None:
    """Print a comparison on stdout."""
    table.show(*_comparison(facts))


def show_diff(query: Query, pairs: Sequence[PairDiff]) -> None:
    """Print one query's diff on stdout."""
    table.show(*_diff(query, pairs))


def text(facts: Facts, width: int) -> str:
    """Return a comparison as plain text."""
    return plain_text(_comparison(facts), width)


def diff_text(query: Query, pairs: Sequence[PairDiff], width: int) -> str:
    """Return one query's diff as plain text."""
    return plain_text(_diff(query, pairs), width)


def _comparison(facts: Facts) -> list[RenderableType]:
    parts = [each for part in document.comparison(facts, _NEIGHBOUR_TEXT) for each in drawn(part)]
    if facts.path:
        parts += [Text(), Text(f"Run folder: {facts.path}", style="bold", overflow="fold")]
        if (facts.path / REPORT_FILE).is_file():
            parts.append(Text(f"Report: {facts.path / REPORT_FILE}", style="bold", overflow="fold"))
    return parts


def _diff(query: Query, pairs: Sequence[PairDiff]) -> list[RenderableType]:
    return [each for part in document.diff(query, pairs, _DIFF_TEXT) for each in drawn(part)]
