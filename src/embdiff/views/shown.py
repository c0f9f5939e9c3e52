"""Results that show themselves as the terminal does: as text at a prompt, as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Iterable

from embdiff.views import html
from embdiff.views.table import Part, plain_text

_WIDTH = 100


class Shown:
    """What has lines and tables, and is shown by them wherever it is the last word of a cell."""

    def drawn(self, *, everything: bool = False) -> Iterable[Part]:
        """Return what a terminal shows: on one screen, or everything."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return plain_text(self.drawn(), width=_WIDTH)

    def _repr_html_(self) -> str:
        return html.fragment(self.drawn())
