"""Vectors from the parts into a collection of a store, by the rules that copying keeps: nothing twice, nothing lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from embdiff.bulk.outputs import Kind, Label
from embdiff.bulk.part import Job, summed
from embdiff.bulk.plan import Plan, texts_laid_ready
from embdiff.records import Corpus
from embdiff.sources.parquet import rows_of, vectors_of
from embdiff.specs import IndexSpec, check_metric, without_secrets
from embdiff.stores import get_store
from embdiff.stores.collection import Batch, CollectionSpec, check_vectors, collection_name
from embdiff.stores.copying import copy_rows
from embdiff.stores.placing import is_whole


class StoreOutput:
    """A collection of a store; its name follows from data, model and role.

    Parameters
    ----------
    uri : str
        As `get_store` takes it.
    work : Path or None
        Folder in which the parts wait. By default beside the database, for a server the current folder.
    name : str
        Readable beginning of the collection's name.
    metric, index : str
        Text forms.
    """

    kind: Kind = "store"

    def __init__(self, uri: str, work: Path | None, name: str, metric: str, index: str) -> None:
        self._uri, self._name = uri, name
        self._metric, self._index = check_metric(metric), IndexSpec.parse(index)
        self.target = _work_place(uri, work)
        self.text = without_secrets(uri)
        self.collection: str | None = None

    def found(self, job: Job) -> Label | None:
        """See `Output.found`; collections of others are told from ours by their stamp, and never replaced."""
        self.collection = collection_name(f"{self._name}_{job.label['job'][:8]}", job.model, job.label["fingerprint"])
        with get_store(self._uri) as store:
            self.text = store.uri
            stamp = store.stamp(self.collection) if self.collection in store.names() else None
            if stamp is None or not stamp.get("complete"):
                return None
            spec = self._spec(job, int(stamp["rows"]), stamp["source"])
            if not is_whole(store, spec):
                return None
        return {"rows": spec.rows, "parts": 0, "encoding": summed(()), "variant": stamp["source"].get("variant")}

    def finish(self, job: Job, plan: Plan, label: Label) -> int:
        """Insert what is not there yet, and compare every row in the end.

        Raises
        ------
        ParameterError
            When a vector cannot be searched with the metric, or the index does not fit.
        StoreError
            When the store fails; the same command goes on then.
        """
        source = {"corpus": _digest(job, plan), "normalized": label["normalized"]}
        source |= {key: label[key] for key in ("role", "job", "variant") if key in label}
        spec = self._spec(job, plan.rows, {**label["stamp"], **source})
        spec.index.check_rows(spec.rows, 1)
        with get_store(self._uri) as store:
            return copy_rows(Parts(job, plan, spec), store, spec, doing="store").cut

    def _spec(self, job: Job, rows: int, source: Mapping[str, Any]) -> CollectionSpec:
        assert self.collection is not None
        return CollectionSpec(self.collection, int(job.label["dim"]), self._metric, self._index, rows, source)


def _work_place(uri: str, work: Path | None) -> Path:
    if work is not None:
        return work.resolve() / "encode"
    kind, _, place = uri.partition(":")
    if kind in ("http", "https"):
        return Path.cwd() / "encode"
    path = Path(place.partition("?")[0]).expanduser().resolve()
    return path.with_name(f"{path.name}.encode")


class Parts:
    """The parts of a job, read as a store is: by row number.

    Parameters
    ----------
    job : Job
    plan : Plan
    spec : CollectionSpec
        What the vectors have to fit.
    """

    def __init__(self, job: Job, plan: Plan, spec: CollectionSpec) -> None:
        self._job, self._spec = job, spec
        self._starts = np.array(plan.starts, dtype=np.int64)
        self._stops = self._starts + np.array(plan.sizes, dtype=np.int64)
        self._open: tuple[int, Batch] | None = None
        self.uri = str(job.folder)

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1; ``name`` plays no part."""
        del name
        found = None
        for number in np.flatnonzero((self._starts < stop) & (self._stops > start)):
            whole, first = self._part(int(number)), int(self._starts[number])
            part = whole.part(max(0, start - first), stop - first)
            found = part if found is None else found.followed_by(part)
        assert found is not None
        return found

    def _part(self, number: int) -> Batch:
        if self._open is None or self._open[0] != number:
            path, first = self._job.vectors_of(number), int(self._starts[number])
            corpus, vectors = rows_of(path), vectors_of(path)
            check_vectors(vectors, self._spec, corpus.ids, first)
            rows = np.arange(first, first + len(corpus), dtype=np.int64)
            groups = corpus.groups or ("",) * len(corpus)
            self._open = number, Batch(rows, corpus.ids, corpus.items, groups, vectors)
        return self._open[1]


def _digest(job: Job, plan: Plan) -> str:
    """Return what `Corpus.digest` would, of all rows together, without holding them."""
    found = hashlib.sha256(b"[")
    columns: tuple[Callable[[Corpus], tuple[str, ...]], ...] = (
        lambda corpus: corpus.ids,
        lambda corpus: corpus.items,
        lambda corpus: corpus.groups or (),
    )
    for place, column in enumerate(columns):
        found.update(b", [" if place else b"[")
        for number, value in enumerate(_values(job, plan, column)):
            text = json.dumps(value, ensure_ascii=False)
            found.update((f", {text}" if number else text).encode("utf-8", "surrogatepass"))
        found.update(b"]")
    found.update(b"]")
    return found.hexdigest()


def _values(job: Job, plan: Plan, column: Callable[[Corpus], tuple[str, ...]]) -> Iterator[str]:
    for corpus in texts_laid_ready(job, plan):
        yield from column(corpus)
