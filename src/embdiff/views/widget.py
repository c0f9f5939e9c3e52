"""The linked view in a notebook: the page's own module behind anywidget."""

from __future__ import annotations

from functools import cache
from typing import Any

from embdiff._optional import require
from embdiff.errors import ParameterError
from embdiff.runs import Run
from embdiff.views.packing import pack
from embdiff.views.report import SCRIPT, STYLE, asset


def widget(run: Run) -> Any:
    """Return an anywidget of a run.

    Traits: ``selection`` (row of the query shown, or None; may be set), ``filtered`` (rows of the queries that lasso
    or histogram left in the list, or None for all; read-only in effect).

    Raises
    ------
    MissingDependencyError
        When anywidget is not installed, or the front end was not built into this installation.
    """
    return _widget_class()(data=pack(run), queries=len(run.queries))


@cache
def _widget_class() -> Any:
    anywidget: Any = require("anywidget", "notebook", "The notebook widget")
    traitlets: Any = require("traitlets", "notebook", "The notebook widget")

    class LinkedView(anywidget.AnyWidget):  # type: ignore[misc]
        """Linked maps, list and neighbour diff of one comparison."""

        _esm = asset(SCRIPT)
        _css = asset(STYLE)
        data = traitlets.Bytes().tag(sync=True)
        queries = traitlets.Int()
        selection = traitlets.Int(allow_none=True, default_value=None).tag(sync=True)
        filtered = traitlets.List(traitlets.Int(), allow_none=True, default_value=None).tag(sync=True)

        @traitlets.validate("selection")  # type: ignore[untyped-decorator]
        def _within(self, proposal: Any) -> Any:
            row = proposal["value"]
            if row is not None and not 0 <= row < self.queries:
                raise ParameterError(
                    f"The selection must be a query's row between 0 and {self.queries - 1}, or None. Got {row}. "
                    "Choose a row in that range."
                )
            return row

    return LinkedView
