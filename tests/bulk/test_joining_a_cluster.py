"""A Ray cluster that is busy is asked again; one that is not there is not."""

import pytest

from embdiff.bulk import cluster


class Ray:
    """Stands for the package: connecting fails so many times."""

    def __init__(self, failures: int, error: type[Exception] = ConnectionAbortedError) -> None:
        self.failures, self.error, self.calls = failures, error, []

    def init(self, address: str, **options: object) -> None:
        self.calls.append(address)
        if self.calls.count(address) <= self.failures:
            raise self.error("Initialization failure from server")

    def shutdown(self) -> None:
        self.calls.append("shutdown")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(cluster.time, "sleep", slept.append)
    return slept


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_busy_one_is_asked_again(waits: list[float], failures: int) -> None:
    ray = Ray(failures)
    cluster._join(ray, "ray://somewhere:1")
    assert ray.calls == ["ray://somewhere:1", "shutdown"] * failures + ["ray://somewhere:1"]
    assert waits == [2.0, 10.0][:failures]


def test_one_that_stays_busy_is_an_error(waits: list[float]) -> None:
    with pytest.raises(ConnectionAbortedError):
        cluster._join(Ray(3), "ray://somewhere:1")
    assert waits == [2.0, 10.0]


def test_one_that_is_not_there_is_an_error_at_once(waits: list[float]) -> None:
    ray = Ray(1, ConnectionError)
    with pytest.raises(ConnectionError):
        cluster._join(ray, "ray://nowhere:1")
    assert ray.calls == ["ray://nowhere:1"]
    assert not waits
