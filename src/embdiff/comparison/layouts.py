"""The maps of a run's spaces."""

from __future__ import annotations

from collections.abc import Mapping

from embdiff._progress import progress
from embdiff.comparison.every_row import on_disk
from embdiff.kept import call
from embdiff.layouts import layouts
from embdiff.records import FloatArray, Layout
from embdiff.settings import RunConfig


def layouts_of(config: RunConfig, documents: Mapping[str, FloatArray]) -> tuple[Layout, ...]:
    """Return one map for each model that has vectors; none when none was asked for, or when some stay on disk."""
    if config.layout == "none" or not documents or on_disk(documents):
        return ()
    with progress("maps", len(documents), "models") as advance:
        found = call(layouts, documents, config.metric, method=config.layout, seed=config.seed)
        advance(len(found))
    return found
