"""The maps of a run's spaces."""

from __future__ import annotations

from collections.abc import Mapping

from embdiff._progress import progress
from embdiff.comparison.every_row import on_disk
from embdiff.config import RunConfig, check_metric
from embdiff.layouts import layouts
from embdiff.records import Layout, Space


def layouts_of(config: RunConfig, spaces: Mapping[str, Space], rows: int) -> tuple[Layout, ...]:
    """Return one map for each model that has vectors; none when the run was asked for none.

    Neither are there any when the spaces are only of some of the ``rows``: vectors that stay in their file.
    """
    if config.layout == "none" or not spaces or _on_disk(spaces, rows):
        return ()
    with progress("maps", len(spaces), "models") as advance:
        found = layouts(
            {name: space.vectors for name, space in spaces.items()},
            check_metric(config.metric),
            method=config.layout,
            seed=config.seed,
        )
        advance(len(found))
    return found


def _on_disk(spaces: Mapping[str, Space], rows: int) -> bool:
    return any(len(space.ids) != rows or bool(on_disk({name: space.vectors})) for name, space in spaces.items())
