"""Shared by all tests: a clean surrounding, and one rule for what may be skipped."""

from __future__ import annotations

import os
import random
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from milvus_server import milvus_process as milvus_process  # one server for the whole session
from milvus_server import milvus_server as milvus_server

# A busy machine is slow, which is no property of the code under test.
settings.register_profile("embdiff", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("embdiff")

# Tests import pymilvus before embdiff can quiet gRPC, and idle connections of other tests print whenever they like.
# What embdiff does about it is asked in a process of its own (test_store_addresses.py).
os.environ["GRPC_VERBOSITY"] = "NONE"
# The user's own cache is never touched: not by fixtures that outlive a test either.
os.environ["EMBDIFF_CACHE"] = "off"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


SLICE = 5  # one cell in so many of a battery runs in make test-all (or as its marker says), and two at least


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--batteries", action="store_true", help="run every cell of the tests marked battery, not a slice")
    parser.addoption("--slice", type=int, default=0, metavar="SEED", help="which slice of the batteries is run")


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.get_closest_marker("battery"):
        item.add_marker("slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave a seeded slice of each battery, the same in every worker; the rest is told as deselected."""
    if config.getoption("--batteries"):
        return
    cells = defaultdict(list)
    for item in items:
        if item.get_closest_marker("battery"):
            cells[item.nodeid.partition("[")[0]].append(item)
    left_out: set[pytest.Item] = set()
    for name, of_one in cells.items():
        marker = of_one[0].get_closest_marker("battery")
        every = marker.kwargs.get("every", SLICE) if marker else SLICE
        kept = random.Random(f"{config.getoption('--slice')} {name}").sample(
            of_one, min(len(of_one), max(2, -(-len(of_one) // every)))
        )
        left_out.update(set(of_one).difference(kept))
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the caller's shell, no file of the checkout: each test starts in an empty folder."""
    for name in ("EMBDIFF_STORE_TOKEN", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("EMBDIFF_CACHE", str(tmp_path.parent / f"vectors-of-{tmp_path.name}"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets beside the checkout; tests that need it skip without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data sets are not beside this checkout")
    return SHARED_DATA


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """A browser whose pages are closed after the test: an open map goes on drawing."""
    yield chromium
    for context in chromium.contexts:
        context.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    program = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        reason = "needs Debian's chromium and the package playwright"
        if "browser" in os.environ.get("EMBDIFF_REQUIRE", "").split(","):
            pytest.fail(f"EMBDIFF_REQUIRE names browser, but this {reason}")
        pytest.skip(reason)
    with sync_playwright() as driver:
        flags = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
        with driver.chromium.launch(
            executable_path=program, args=[*flags, "--no-sandbox"] if os.geteuid() == 0 else flags
        ) as it:
            yield it
