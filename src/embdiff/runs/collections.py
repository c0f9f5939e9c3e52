"""The collections of a run, as it left them in its store."""

from __future__ import annotations

from embdiff.indexes import IndexSpec, check_metric
from embdiff.runs.record import Run
from embdiff.stores.collection import CollectionSpec


def collections_of(run: Run) -> dict[str, CollectionSpec]:
    """Return what must be known to find and search the collection of each model that has one, by model."""
    return {
        each["model"]: CollectionSpec(
            name=each["collection"]["name"],
            dim=each["collection"]["dim"],
            metric=check_metric(each["collection"]["metric"]),
            index=IndexSpec.parse(each["collection"]["index"]),
            rows=len(run.corpus),
            stamp=each["stamp"],
            shape=each["collection"]["shape"],
        )
        for each in run.manifest["models"]
        if each["collection"]
    }
