"""The maps of a run's spaces."""

from __future__ import annotations

from embdiff._progress import progress
from embdiff.comparison.work import Work
from embdiff.layouts import Layout, layouts


def layouts_of(work: Work) -> tuple[Layout, ...]:
    """Return one map for each model that has vectors; none when none was asked for, or when some stay on disk."""
    config, documents = work.config, work.documents
    if config.layout == "none" or not documents or work.on_disk:
        return ()
    with progress("maps", len(documents), "models") as advance:
        found = work.kept.call(layouts, documents, config.metric, method=config.layout, seed=config.seed)
        advance(len(found))
    return found
