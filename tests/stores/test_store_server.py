"""A real Milvus server that is killed and started again: nothing is lost, nothing is twice."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest

from embdiff.errors import StoreError
from embdiff.indexes import IndexSpec
from embdiff.records import Corpus
from embdiff.stores import get_store
from embdiff.stores.collection import CollectionSpec
from embdiff.stores.milvus.asking import Asking, Once
from embdiff.stores.placing import place
from milvus_server import TOKEN, Server

VECTORS = np.random.default_rng(5).standard_normal((20_000, 32)).astype(np.float32)
CORPUS = Corpus(tuple(f"text {row}" for row in range(20_000)), tuple(map(str, range(20_000))))
SPEC = CollectionSpec("lost", 32, "l2", IndexSpec.parse("flat"), 20_000, {"model": "any"})


def killed_and_started(server: Server) -> threading.Thread:
    """Kill the server now, start it again while the test goes on."""
    server.kill()
    again = threading.Thread(target=server.start)
    again.start()
    return again


@pytest.mark.server
def test_a_run_goes_on_when_the_server_is_killed_and_started_again(
    milvus_process: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with get_store(f"{milvus_process.url}?token={TOKEN}") as store:
        client, starts = store.ask._client, []  # type: ignore[attr-defined]
        insert, calls = client.insert, iter(range(1000))

        def killing(*arguments: Any, **options: Any) -> Any:
            answer = insert(*arguments, **options)
            if next(calls) == 4:  # the rows are in, their answer never comes
                starts.append(killed_and_started(milvus_process))
                raise ConnectionError("the answer was lost")
            return answer

        monkeypatch.setattr(client, "insert", killing)
        assert not place(store, SPEC, CORPUS, VECTORS).reused
        monkeypatch.undo()
        starts[0].join()
        assert store.count("lost") == 20_000
        rows = [store.read("lost", start, start + 5_000) for start in range(0, 20_000, 5_000)]
        np.testing.assert_array_equal(np.concatenate([part.rows for part in rows]), np.arange(20_000))
        np.testing.assert_array_equal(np.concatenate([part.vectors for part in rows]), VECTORS)

        again = killed_and_started(milvus_process)
        found = store.search(SPEC, VECTORS[:3_000], 2)
        again.join()
        np.testing.assert_array_equal(found.rows[:, 0], np.arange(3_000))
        store.drop("lost")


# Without a server: what is asked again, and what is not


class Refusal(grpc.RpcError):
    def __init__(self, code: Any) -> None:
        self._code = code

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return "out of order"


def asking(patience: float) -> Asking:
    return Asking(SimpleNamespace(close=lambda: None), "http://h:1", patience)


def failing(times: int, code: Any) -> Any:
    left = iter([Refusal(code)] * times)

    def send(_: Any) -> str:
        for error in left:
            raise error
        return "done"

    return send


def test_a_call_is_made_again_until_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    answer = asking(60)("search", failing(6, grpc.StatusCode.UNAVAILABLE))
    assert answer == "done"
    assert slept == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]


@pytest.mark.parametrize(("code", "patience"), [("INVALID_ARGUMENT", 60), ("UNAVAILABLE", 0), ("DEADLINE_EXCEEDED", 9)])
def test_a_call_is_made_once_where_waiting_cures_nothing(code: str, patience: float) -> None:
    send = failing(1, grpc.StatusCode[code])
    with pytest.raises(StoreError, match=r"Milvus must be able to search\. Got from http://h:1: out of order\. [CS]"):
        asking(patience)("search", send)
    assert send(None) == "done"


def test_patience_ends_with_what_was_tried() -> None:
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"Got from http://h:1: 3 tries in 1 seconds, the last one: out of order\. "):
        asking(1)("search", failing(9, grpc.StatusCode.UNAVAILABLE))
    assert time.monotonic() - start < 1.5
    with pytest.raises(StoreError, match="order"):
        asking(60)("drop", failing(9, grpc.StatusCode.UNAVAILABLE), patience=0.1)


def test_pymilvus_does_not_send_an_insert_again_by_itself() -> None:
    from pymilvus.decorators import retry_on_rpc_failure

    sent = []

    @retry_on_rpc_failure()
    def insert_rows(_: object, *, timeout: float) -> None:
        sent.append(timeout)
        raise Refusal(grpc.StatusCode.UNAVAILABLE)

    with pytest.raises(Exception, match="out of order"):
        insert_rows(None, timeout=Once(600))
    assert sent == [600.0]
