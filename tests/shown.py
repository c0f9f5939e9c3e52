"""Everything that a result has to show, as text: what `--all` prints."""

from __future__ import annotations

from typing import Any

from embdiff.comparison.result import Comparison
from embdiff.views import terminal
from embdiff.views.table import plain_text


def everything(result: Any, width: int = 100) -> str:
    """Return every table and note of a comparison or an evaluation, without colour."""
    if isinstance(result, Comparison):
        return terminal.text(result.facts(terminal.QUERIES_SHOWN), width, everything=True)
    return plain_text(result.drawn(everything=True), width)
