"""Batches encoded at the same time: together, in order, each by its own tools, and nothing left running."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from embdiff import get_encoder
from embdiff.errors import EncoderError
from embdiff.records import Stamp
from embdiff.sources import Encoder, Model
from embdiff.sources.streams import borrowed, in_streams, streams_of

TEXTS = [letter * length for letter in "abcdefgh" for length in (300, 200, 120, 40)]


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("embdiff")]


class Together(Model):
    """A backend of which the first two batches must be under way before either is done."""

    batch_budget, streams = 1_000, 2

    def __init__(self) -> None:
        self.meet = threading.Barrier(2, timeout=20)
        self.shared: list[int] = []
        self.started: list[str] = []
        self.batches: list[int] = []

    @contextmanager
    def sharing(self, streams: int) -> Iterator[Callable[[], None]]:
        self.shared.append(streams)
        yield lambda: self.started.append(threading.current_thread().name)
        assert not running()
        self.shared.append(0)

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
    assert backend.shared == [2, 0]


def test_a_single_batch_is_encoded_by_the_caller() -> None:
    backend = Together()
    Encoder("together", backend).encode(["aaa", "bb"])
    assert (backend.batches, backend.started, backend.shared) == ([2], [], [1, 0])


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
    assert not running()


def test_what_is_not_begun_is_dropped_when_the_end_is_not_reached() -> None:
    begun: list[int] = []
    results = in_streams(lambda job: begun.append(job), range(100), 2)
    assert next(results)[0] == 0
    results.close()
    assert len(begun) <= 6
    assert not running()


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 2), (3, 3), (4, 4), (6, 3), (7, 1), (8, 4), (16, 4)])
def test_streams_share_the_threads_evenly(threads: int, streams: int) -> None:
    assert streams_of(threads) == streams


def test_a_tool_is_given_back_also_after_an_error() -> None:
    tools: SimpleQueue[str] = SimpleQueue()
    tools.put("saw")
    with pytest.raises(RuntimeError), borrowed(tools) as tool:
        raise RuntimeError(tool)
    assert tools.get_nowait() == "saw"


@pytest.fixture
def torch_threads() -> Iterator[Callable[[int], None]]:
    """Return what sets the threads of PyTorch as a caller would; they are set back afterwards."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_replicas_share_their_weights_and_give_the_same_vectors(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, torch_threads: Callable[[int], None]
) -> None:
    from embdiff.sources.streams import replica

    folder, texts = tiny(), many_texts(300)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = get_encoder(f"st:{folder}").encode(texts)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    torch_threads(2)
    monkeypatch.setattr("embdiff.sources.transformer.SentenceTransformers.batch_items", 50)
    encoder = get_encoder(f"st:{folder}")
    np.testing.assert_allclose(encoder.encode(texts), alone, atol=2e-6)
    assert encoder._backend.streams == 2  # type: ignore[attr-defined]

    model = encoder._backend._model  # type: ignore[attr-defined]
    other = replica(model)
    assert other is not model
    assert other.tokenizer is not model.tokenizer
    assert [p.data_ptr() for p in other.parameters()] == [p.data_ptr() for p in model.parameters()]


def many_texts(count: int) -> list[str]:
    return [f"{word} and the lamp on pier {n}" for n in range(count) for word in ("ferry", "rain in May")]


class Watched:
    """An encoder that tells in which threads its model was run, and how many threads PyTorch could use there."""

    def __init__(self, folder: Path) -> None:
        self.encoder = get_encoder(f"st:{folder}")
        self._seen: dict[str, int] = {}
        # Replicas are made later, and have the hook, too.
        self.encoder._backend._model[0].register_forward_pre_hook(self._note)  # type: ignore[attr-defined]

    def __deepcopy__(self, memo: dict[int, Any]) -> Watched:
        return self

    def _note(self, *_: object) -> None:
        import torch

        self._seen[threading.current_thread().name] = torch.get_num_threads()

    def at_work(self) -> dict[str, int]:
        self._seen.clear()
        self.encoder.encode(many_texts(400))
        return dict(self._seen)


def threads_of_a_new_thread() -> int:
    import torch

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


@pytest.mark.parametrize(
    ("callers", "ours", "streams", "share"),
    [(1, 4, 1, 1), (2, 4, 2, 1), (4, 2, 2, 1), (8, 8, 4, 2), (5, 8, 1, 5), (3, 1, 1, 1)],
)
def test_a_model_uses_no_more_threads_than_its_caller_and_the_machine_leave_it(
    tiny: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    torch_threads: Callable[[int], None],
    callers: int,
    ours: int,
    streams: int,
    share: int,
) -> None:
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", str(ours))
    torch_threads(callers)
    watched = Watched(tiny())
    assert watched.encoder.about["threads"] == min(callers, ours)
    seen = watched.at_work()
    assert watched.encoder._backend.streams == streams  # type: ignore[attr-defined]
    assert set(seen.values()) == {share}
    assert len(seen) <= streams
    assert all(name.startswith("embdiff") == (streams > 1) for name in seen)
    assert torch.get_num_threads() == threads_of_a_new_thread() == callers  # as the caller left them


def test_threads_set_after_loading_hold_for_what_is_encoded_next(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, torch_threads: Callable[[int], None]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    torch_threads(1)
    watched = Watched(tiny())
    assert watched.at_work() == {threading.current_thread().name: 1}
    torch_threads(2)
    seen = watched.at_work()
    assert set(seen.values()) == {1}
    assert all(name.startswith("embdiff") for name in seen)
    torch_threads(1)
    assert watched.at_work() == {threading.current_thread().name: 1}


def test_the_callers_threads_are_set_back_after_an_error(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, torch_threads: Callable[[int], None]
) -> None:
    import torch

    def no(*_: object) -> None:
        raise ValueError("no")

    for ours in ("2", "1"):
        monkeypatch.setenv("OMP_NUM_THREADS", ours)
        torch_threads(4)
        encoder = get_encoder(f"st:{tiny()}")
        encoder._backend._model[0].register_forward_pre_hook(no)  # type: ignore[attr-defined]
        with pytest.raises(EncoderError, match="Got ValueError: no"):
            encoder.encode(many_texts(100))
        assert torch.get_num_threads() == threads_of_a_new_thread() == 4
        assert not running()


def test_a_model_that_cannot_be_copied_is_used_alone(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, torch_threads: Callable[[int], None]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    torch_threads(2)
    from embdiff.sources import streams as replicas

    real, asked = replicas.replica, []

    def holding_a_lock(model: Any) -> Any:
        model.lock = threading.Lock()
        asked.append(real(model))
        return asked[-1]

    monkeypatch.setattr(replicas, "replica", holding_a_lock)
    encoder = get_encoder(f"st:{tiny()}")
    for _ in range(2):
        assert encoder.encode([f"lamp {n}" for n in range(200)]).shape[0] == 200
    assert encoder._backend.streams == 1  # type: ignore[attr-defined]
    assert asked == [None]  # once found out, not tried again
