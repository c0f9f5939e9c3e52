"""A service that fails and a process that is killed: what comes out is what comes out undisturbed, and is paid once."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("httpx2", reason="services need the extra service")
pytest.importorskip("uvicorn", reason="the server of these tests needs the extra serve")

import embdiff as ed
from embdiff.kept import VectorCache, keys_of
from embdiff.sources import get_encoder
from embdiff.sources.services import client as asking
from service_server import HARMLESS, PASSING, ServiceServer

ROWS = 400
TEXTS = [f"sentence {row} about {row % 37} and {row % 11}" for row in range(ROWS)]
SHARE = 0.3  # of the requests fail
KILLS = 2


def compare(url: str, folder: Path) -> None:
    """Compare in a process of its own."""
    os.environ["EMBDIFF_CACHE"] = "off"
    asking.FIRST, asking.LONGEST = 0.001, 0.01
    ed.compare(
        TEXTS, ["toy:16", f"served=openai:drill?base_url={url}&batch=16"], k=5, store="memory:", layout="none",
        cache=folder / "kept", out=folder / "run", permutations=99,
    )  # fmt: skip


def kept(url: str, folder: Path) -> set[str]:
    """Return the texts whose vectors are kept."""
    cache = VectorCache.at(folder / "kept")
    encoder = get_encoder(f"openai:drill?base_url={url}", cache=cache)
    space = cache.space(encoder.stamp, "document")
    assert space is not None
    found, vectors = cache.get(space, keys_of(TEXTS))
    np.testing.assert_array_equal(vectors[found], get_encoder("toy:16").encode(TEXTS)[found])
    return {text for text, there in zip(TEXTS, found, strict=True) if there}


def figures(folder: Path) -> list[object]:
    run = ed.load(folder / "run").run
    return [(score.measure, score.models, score.value, score.low, score.high, score.n) for score in run.scores]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with ServiceServer() as server:
        compare(server.url, folder)
        assert sorted(server.sent) == sorted(TEXTS)
    return figures(folder)


@pytest.mark.battery(one_in=10)
@pytest.mark.parametrize("seed", range(20))
def test_failures_and_kills_change_nothing_and_cost_nothing(seed, undisturbed, tmp_path):
    chance = random.Random(seed)
    there: set[str] = set()  # texts whose answers were kept when the process was killed
    sent_again: set[str] = set()
    done = 0  # well answered requests, by which the moment of a kill is chosen

    def misdeed(number: int, texts: list[str]) -> str:
        nonlocal done
        sent_again.update(there.intersection(texts))
        done += 1
        return chance.choice([*PASSING, *HARMLESS]) if chance.random() < SHARE and number else ""

    with ServiceServer() as server:
        server.misdeed = misdeed
        for _ in range(KILLS):
            process = multiprocessing.get_context("spawn").Process(target=compare, args=(server.url, tmp_path))
            process.start()
            moment = done + chance.randint(3, 12)
            while done < moment and process.is_alive():
                time.sleep(0.002)
            assert process.is_alive()
            process.kill()
            process.join(60)
            server.misdeed = lambda number, texts: ""
            there |= kept(server.url, tmp_path)
            server.misdeed = misdeed
            assert len(there) < ROWS
        assert there
        process = multiprocessing.get_context("spawn").Process(target=compare, args=(server.url, tmp_path))
        process.start()
        process.join(300)
        assert process.exitcode == 0
        assert kept(server.url, tmp_path) == set(TEXTS)
        assert sent_again == set()
        # A batch of 16 may have been answered, and not be kept yet, at each kill: these are asked for once more.
        assert sum(count - 1 for text, count in server.answered.items() if text in set(TEXTS)) <= KILLS * 16
    assert figures(tmp_path) == undisturbed
