"""Batches encoded at the same time: together, in order, each by its own tools, and nothing left running."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from embdiff import get_encoder
from embdiff.encoders.encoder import Encoder
from embdiff.encoders.streams import borrowed, in_streams, streams_of
from embdiff.errors import EncoderError
from embdiff.records import Stamp

TEXTS = [letter * length for letter in "abcdefgh" for length in (300, 200, 120, 40)]


class Together:
    """A backend of which the first two batches must be under way before either is done."""

    batch_budget, streams = 1_000, 2

    def __init__(self) -> None:
        self.meet = threading.Barrier(2, timeout=20)
        self.started: list[str] = []
        self.batches: list[int] = []

    def start_stream(self) -> None:
        self.started.append(threading.current_thread().name)

    def encode(self, items: Sequence[str], *, role: str) -> Any:
        self.batches.append(len(items))
        if threading.current_thread() is not threading.main_thread() and len(self.batches) <= 2:
            self.meet.wait()
        return np.array([[len(text), ord(text[0])] for text in items], dtype=np.float32)

    def stamp(self) -> Stamp:
        return Stamp("together", "1", 2)


def test_two_batches_are_under_way_at_a_time_and_results_are_in_order() -> None:
    backend = Together()
    vectors = Encoder("together", backend).encode(TEXTS)
    np.testing.assert_array_equal(vectors, [[len(text), ord(text[0])] for text in TEXTS])
    assert len(backend.batches) > 4
    assert len(backend.started) == len(set(backend.started)) == 2


def test_a_single_batch_is_encoded_by_the_caller() -> None:
    backend = Together()
    Encoder("together", backend).encode(["aaa", "bb"])
    assert (backend.batches, backend.started) == ([2], [])


def test_few_texts_are_shared_out_between_the_streams() -> None:
    backend = Together()
    Encoder("together", backend).encode(["a" * 250, "b" * 250])
    assert backend.batches == [1, 1]


def test_a_batch_that_fails_is_named_and_those_after_it_are_dropped() -> None:
    class Fails(Together):
        def encode(self, items: Sequence[str], *, role: str) -> Any:
            self.batches.append(len(items))
            raise ValueError("no")

    backend = Fails()
    with pytest.raises(EncoderError, match=r"Got ValueError: no at row 0 \('a+"):
        Encoder("fails", backend).encode(TEXTS)
    assert len(backend.batches) <= 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("embdiff")]


def test_what_is_not_begun_is_dropped_when_the_end_is_not_reached() -> None:
    begun: list[int] = []
    results = in_streams(lambda job: begun.append(job), range(100), 2)
    assert next(results)[0] == 0
    results.close()
    assert len(begun) <= 6
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("embdiff")]


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 2), (3, 3), (4, 4), (6, 3), (7, 1), (8, 4), (16, 4)])
def test_streams_share_the_threads_evenly(threads: int, streams: int) -> None:
    assert streams_of(threads) == streams


def test_a_tool_is_given_back_also_after_an_error() -> None:
    tools: SimpleQueue[str] = SimpleQueue()
    tools.put("saw")
    with pytest.raises(RuntimeError), borrowed(tools) as tool:
        raise RuntimeError(tool)
    assert tools.get_nowait() == "saw"


def test_replicas_share_their_weights_and_give_the_same_vectors(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from embdiff.encoders.replicas import replica

    folder, texts = (
        tiny(),
        [f"{word} and the lamp on pier {n}" for n in range(300) for word in ("ferry", "rain in May")],
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = get_encoder(f"st:{folder}").encode(texts)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr("embdiff.encoders.st.SentenceTransformers.batch_items", 50)
    before = torch.get_num_threads()
    encoder = get_encoder(f"st:{folder}")
    np.testing.assert_allclose(encoder.encode(texts), alone, atol=2e-6)
    assert encoder._backend.streams == 2  # type: ignore[attr-defined]
    assert torch.get_num_threads() == before  # the share of a stream is that of its thread

    model = encoder._backend._model  # type: ignore[attr-defined]
    other = replica(model)
    assert other is not model
    assert other.tokenizer is not model.tokenizer
    assert [p.data_ptr() for p in other.parameters()] == [p.data_ptr() for p in model.parameters()]


def test_a_model_that_cannot_be_copied_is_used_alone(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    from embdiff.encoders import replicas

    real = replicas.replica

    def holding_a_lock(model: Any) -> Any:
        model.lock = threading.Lock()
        return real(model)

    monkeypatch.setattr(replicas, "replica", holding_a_lock)
    encoder = get_encoder(f"st:{tiny()}")
    assert encoder.encode([f"lamp {n}" for n in range(200)]).shape[0] == 200
    assert encoder._backend.streams == 1  # type: ignore[attr-defined]
