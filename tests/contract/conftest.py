"""Every store there is, opened once for a module of contract tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from store_worlds import POINTS, corpus_of, opened, spec_of

from embdiff.records import Metric
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.placing import place
from embdiff.stores.store import Store

SERVER = pytest.param("server", marks=pytest.mark.server)
LANCE = pytest.param("lancedb", marks=pytest.mark.slow)  # installed by make test-all only


@pytest.fixture(scope="module", params=["memory", "lite", LANCE, SERVER])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with opened(request.param, request, tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture(scope="module", params=["lite", SERVER])
def milvus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with opened(request.param, request, tmp_path_factory.mktemp("milvus")) as store:
        yield store


@pytest.fixture(scope="module")
def points(store: Store) -> Callable[[Metric], CollectionSpec]:
    """POINTS under a metric, placed once for all tests of a store: on the server a collection costs seconds."""
    placed: dict[Metric, CollectionSpec] = {}

    def get(metric: Metric) -> CollectionSpec:
        if metric not in placed:
            placed[metric] = spec_of(f"points_{metric}", POINTS, metric)
            placement = place(store, placed[metric], corpus_of(60), POINTS)
            assert not placement.reused
            assert list(placement.seconds) == ["create", "insert", "build", "load"]
        return placed[metric]

    return get
