"""The result of a probe: its records, as the terminal, JSON and notebooks show them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from embdiff.probing import report
from embdiff.probing.found import Found
from embdiff.views.shown import Shown
from embdiff.views.table import Part


class Probes(Shown, Found):
    """What small changes of the user's own sentences did to each model; see `embdiff.probing.found.Found`."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values, with the findings in sentences."""
        return {**super().to_dict(), "findings": list(report.findings(self))}

    def drawn(self, *, everything: bool = False) -> Iterator[Part]:
        """Yield what a terminal shows."""
        yield from report.drawn(self, everything=everything)
