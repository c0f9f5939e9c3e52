"""The engine ``ray``: parts are encoded by workers of a Ray cluster, each with a model of its own, through Ray Data.

What travels are part numbers. Workers read texts and write vectors themselves, in the folder of the job, which has to
be on a file system that all of them see. A worker that dies is started anew, and its part is encoded again: it is there
whole or not at all.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from embdiff import errors
from embdiff._optional import require
from embdiff._processors import processors
from embdiff._progress import Advance, silent
from embdiff.bulk.parts import Engine, Job, Plan, encode_part, part_name
from embdiff.errors import EmbdiffError, EncoderError, ParameterError, in_one_line
from embdiff.kept import VectorCache
from embdiff.sources import Encoder, Source, get_encoder

_TRIES = 4  # of one part, when its worker dies; Ray would try one that kills every worker for ever
_OBJECTS = 256 << 20  # bytes that a local cluster shares between processes: part numbers need next to nothing
_SILENT = {"log_to_driver": False, "logging_level": logging.CRITICAL}
_LOOPBACK = "127.0.0.1"
_WAITS = (2.0, 10.0)  # seconds before a busy cluster is asked again
Told = tuple[int, str, str]
# Read when Ray is imported. The second, on every system: the node is 127.0.0.1, and listens there alone.
_ALONE = {"RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


class Ray(Engine):
    """Workers of a Ray cluster.

    Parameters
    ----------
    address : str or None
        ``ray://HOST:PORT``, ``HOST:PORT`` or ``auto``; None starts a cluster on this machine, for as long as it
        is needed.
    workers : int or None
        Models at a time, each with one core; by default as many as there are cores.
    gpus : float
        GPUs of each worker.
    cache : VectorCache
        Its folder is looked for on every worker's machine.

    Raises
    ------
    MissingDependencyError
        When Ray is not installed.
    ParameterError
        When there can be no such workers.
    """

    name = "ray"

    def __init__(self, address: str | None, workers: int | None, gpus: float, cache: VectorCache) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        if address is None:
            os.environ.update(_ALONE)
            if "RAY_AUTH_MODE" not in os.environ:  # else Ray leaves a token for all clusters in the home folder
                os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
        require("ray.data", "ray", "The engine ray")
        if workers is not None and workers < 1:
            raise ParameterError(f"There must be at least one worker. Got {workers}. Raise --workers.")
        if not 0 <= gpus <= 1_024:
            raise ParameterError(f"GPUs of a worker must be between 0 and 1,024. Got {gpus}. Correct --worker-gpus.")
        super().__init__(cache)
        self._address, self._gpus = address, gpus
        self.workers = workers or 0
        self._cache = "off" if cache.folder is None else f"{cache.folder}?precision={cache.precision}"

    def run(self, encoder: Encoder, job: Job, plan: Plan, todo: Sequence[int], advance: Advance) -> None:
        """Encode parts wherever there is a worker; see `Engine.run`.

        Raises
        ------
        EmbdiffError
            Of the kind that a worker met.
        EncoderError
            When workers cannot work, or the worker of a part has died four times.
        """
        import ray

        del encoder  # each worker loads its own
        if not todo:
            return
        shutil.rmtree(_tries_of(job), ignore_errors=True)
        _tries_of(job).mkdir()
        with redirect_stdout(sys.stderr), self._cluster():  # Ray prints there when a worker dies
            try:
                for number, kind, message in self._told(job, todo):
                    if kind:
                        raise getattr(errors, kind)(message)
                    advance(plan.sizes[number])
            except ray.exceptions.RayError as error:
                raise EncoderError(
                    f"The workers of Ray must be able to encode. Got {in_one_line(error)} Every machine needs this "
                    "version of embdiff and what the model needs. The same command goes on."
                ) from error

    def _told(self, job: Job, todo: Sequence[int]) -> Iterator[Told]:
        """Yield what workers tell; Ray Data works only inside a cluster, not at the far end of ray://."""
        import ray

        what = (job, todo, min(self.workers, len(todo)), self._gpus, self._cache)
        if not ray.util.client.ray.is_connected():
            yield from encoded(*what)
            return
        overseer = ray.remote(num_cpus=0)(Overseer).remote(*what)
        while (told := ray.get(overseer.next.remote())) is not None:
            yield told

    @contextmanager
    def _cluster(self) -> Iterator[None]:
        """Connect to the cluster that was named, or to one on this machine; one that is in use already is used."""
        import ray

        with ExitStack() as stack:
            if not ray.is_initialized():
                folder = stack.enter_context(TemporaryDirectory(prefix="embdiff-", ignore_cleanup_errors=True))
                stack.callback(ray.shutdown)
                # Ray opens its own folder to everybody on the machine: it stands inside one that is ours alone.
                self._connect(ray, str(Path(folder) / "ray"))
            self._settle(ray)
            yield

    def _connect(self, ray: Any, folder: str) -> None:
        try:
            if self._address is not None:
                _join(ray, self._address)
            else:
                self.workers = self.workers or processors()
                _start(ray, self.workers, folder)
        except Exception as error:  # Ray raises bare ones, too
            where = self._address or "a local cluster"
            raise ParameterError(
                f"Ray must be reachable. Got {in_one_line(error)} from {where}. Check --ray-address (ray://HOST:10001 "
                "for a cluster elsewhere), or leave it out to work on this machine."
            ) from None

    def _settle(self, ray: Any) -> None:
        """Say how many workers there will be; refuse what would wait for ever."""
        there: Mapping[str, float] = ray.cluster_resources()
        most = int(there.get("CPU", 0))
        self.workers = self.workers or max(1, most)
        if self.workers > most or self.workers * self._gpus > there.get("GPU", 0):
            raise ParameterError(
                f"A cluster must have a core, and the GPUs asked for, for each of {self.workers} workers. Got "
                f"{most:,} cores and {there.get('GPU', 0):g} GPUs. Lower --workers or --worker-gpus."
            )


def encoded(job: Job, todo: Sequence[int], workers: int, gpus: float, cache: str) -> Iterator[Told]:
    """Yield the number of each part when it is done, and what kind of error it met, with its message, or "" twice."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    parts = ray.data.from_items([{"part": number} for number in todo], override_num_blocks=len(todo))
    done = parts.map_batches(
        Worker,
        fn_constructor_args=(job, cache),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=gpus or None,
    )
    for batch in done.iter_batches(batch_size=None, prefetch_batches=0):
        for number, kind, message in zip(batch["part"], batch["kind"], batch["message"], strict=True):
            yield int(number), str(kind), str(message)


class Overseer:
    """What `encoded` yields, one after the other, from inside a cluster; takes the same arguments."""

    def __init__(self, *what: Any) -> None:
        self._told = encoded(*what)

    def next(self) -> Told | None:
        """Return what is told next; None when all is."""
        return next(self._told, None)


class Worker:
    """One model in one process of the cluster; made and called by Ray Data.

    Parameters
    ----------
    job : Job
    cache : str
        Where vectors are kept besides, in text form.
    """

    def __init__(self, job: Job, cache: str) -> None:
        self._job, self._cache_text = job, cache
        self._encoder: Source | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Encode one part; what is wrong comes back as data, as exceptions change on the way through Ray."""
        kind = message = ""
        try:
            with silent():
                self._encode(int(batch["part"][0]))
        except EmbdiffError as error:
            kind, message = type(error).__name__, str(error)
        except OSError as error:
            kind = "ParameterError"
            message = (
                f"The folder of the parts must be on a file system that every worker can write to. Got {error} on "
                f"{os.uname().nodename}. Choose another place for the output (or --work), or make room; the same "
                "command goes on."
            )
        return {"part": batch["part"], "kind": np.array([kind]), "message": np.array([message])}

    def _encode(self, number: int) -> None:
        tried = _tries_of(self._job) / part_name(number)
        with tried.open("ab") as mark:
            mark.write(b".")
            count = mark.tell()
        if count > _TRIES:
            raise EncoderError(
                f"A part must not end the worker that encodes it. Got part {number}, whose worker died {_TRIES} times. "
                f"Its texts are in {self._job.texts_of(number)}: look at the memory that they take, or lower "
                "--part-rows."
            )
        if self._encoder is None:
            self._cache = VectorCache.at(self._cache_text)
            encoder = get_encoder(self._job.model, cache=self._cache)
            found, wanted = self._cache.stamped(encoder.stamp).fingerprint(), self._job.label["fingerprint"]
            if found != wanted:
                raise EncoderError(
                    f"Every machine must have the same model. Got {self._job.model} with the stamp {found} on "
                    f"{os.uname().nodename} and {wanted} where the command was given. Name the revision "
                    "(?revision=), and install the same versions."
                )
            self._encoder = encoder
        encode_part(self._encoder, self._job, number, self._cache)
        tried.unlink()


def _join(ray: Any, address: str) -> None:
    """Connect to a cluster; one that answers, but is too busy to start a process for us in time, is asked again."""
    _begin(ray, _WAITS, lambda error: isinstance(error, ConnectionAbortedError), address)


def _start(ray: Any, workers: int, folder: str | None) -> None:
    """Start a cluster on this machine, on loopback alone; on a busy one Ray may give up once after 30 seconds."""
    settings = {
        "num_cpus": workers + 1,  # Ray Data's own tasks are not to wait for a worker
        "include_dashboard": False,
        "object_store_memory": _OBJECTS,
        "_temp_dir": folder,
        "_node_ip_address": _LOOPBACK,
    }
    _begin(ray, [0.0], lambda error: "timed out" in str(error), "local", **settings)
    if ray.util.get_node_ip_address() != _LOOPBACK:
        raise RuntimeError("a node that listens on the network, as Ray had been imported before embdiff")


def _begin(ray: Any, waits: Sequence[float], is_busy: Callable[[Exception], bool], place: str, **settings: Any) -> None:
    """Begin with Ray; once more after each of so many seconds where it was busy."""
    for wait in (*waits, None):
        try:
            ray.init(place, **settings, **_SILENT)
            return
        except Exception as error:  # Ray raises bare ones, too
            if wait is None or not is_busy(error):
                raise
            ray.shutdown()
            time.sleep(wait)


def _tries_of(job: Job) -> Path:
    """Return where it is marked how often a part was begun and not ended."""
    return job.folder / "tries"
