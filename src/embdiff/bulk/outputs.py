"""Where vectors go once every part is there: one file, a folder of parts, or a collection of a store.

Into a store they go by the rules that copying keeps: nothing twice, nothing lost.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq

from embdiff import _files, _names
from embdiff._names import resolved
from embdiff._progress import progress
from embdiff.bulk.parts import Job, Plan, texts_laid_ready
from embdiff.errors import DataError, ParameterError
from embdiff.indexes import IndexSpec, check_metric
from embdiff.records import digest_of
from embdiff.sources.parquet import ABOUT, SUFFIX, label_on, opened, read_label, rows_of, schema_of, vectors_of, writer
from embdiff.sources.tally import added
from embdiff.specs import without_secrets
from embdiff.stores import get_store, list_stores
from embdiff.stores.collection import Batch, CollectionSpec, check_vectors, collection_name
from embdiff.stores.copying import copy_rows
from embdiff.stores.placing import is_whole

Kind = Literal["file", "folder", "store"]
Label = Mapping[str, Any]


class Output(ABC):
    """One place that vectors go to.

    Attributes
    ----------
    kind : {"file", "folder", "store"}
    text : str
        What it is called, without secrets.
    target : Path
        Beside which the work is done.
    collection : str or None
        Name of the collection in a store.
    """

    kind: Kind
    collection: str | None = None

    def __init__(self, target: Path) -> None:
        self.text, self.target = str(target), _names.place_for(target, "output")

    @abstractmethod
    def found(self, job: Job) -> Label | None:
        """Return what stands on the output when this very job has made it, whole; None when it is to be made.

        Raises
        ------
        ParameterError
            When something is there that embdiff did not make, and that would be lost.
        """

    @abstractmethod
    def finish(self, job: Job, plan: Plan, label: Label) -> int:
        """Make the output of all parts, whole or not at all; return how many values were cut to fit."""


def kind_of(out: str) -> Kind:
    """Return what an output is.

    Raises
    ------
    ParameterError
        When it is a store that keeps nothing, or has the extension of another kind of file.
    """
    _names.refuse_unwritable("An output", out, secret=True)
    kind, colon, rest = out.partition(":")
    if colon and kind in list_stores():
        if kind == "memory" or not rest:
            raise ParameterError(
                f"Vectors must be written to a store that keeps them. Got {out}. Name milvus:FILE, lancedb:DIR or a "
                "server; or a .parquet file, or a folder."
            )
        return "store"
    if "://" in out:  # no folder is made that is called like an address, which may hold a secret
        raise ParameterError(
            f"Vectors can be written to a store whose kind is one of {', '.join(list_stores())}. Got "
            f"{without_secrets(out)!r}. Write http://HOST:PORT for a server."
        )
    suffix = Path(out).suffix
    if suffix == SUFFIX:
        return "file"
    if not out or re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{0,6}", suffix):
        raise ParameterError(
            f"Vectors are written to a .parquet file, a folder or a store. Got {out!r}. Write OUT.parquet, a name "
            "without extension for a folder of parts, or for example milvus:FILE."
        )
    return "folder"


class FileOutput(Output):
    """One Parquet file."""

    kind = "file"

    def found(self, job: Job) -> Label | None:
        """See `Output.found`."""
        if not self.target.exists():
            return None
        with suppress(DataError):
            if (label := label_on(self.target)) is not None:
                return _whole(label, [self.target], job)
        raise _taken(self)

    def finish(self, job: Job, plan: Plan, label: Label) -> int:
        """Write the parts one after the other; the file appears under its name when it is whole.

        Raises
        ------
        DataError
            When a page of a part is damaged.
        """
        schema = schema_of(label, plan.columns)
        with (
            _files.whole_file(self.target) as part,
            writer(part, schema) as file,
            progress("write", plan.rows, "rows") as by,
        ):
            for number, size in enumerate(plan.sizes):
                if size:
                    with opened(job.vectors_of(number)) as whole:
                        table = whole.read()
                    file.write_table(table.replace_schema_metadata(schema.metadata))
                by(size)
        return 0


class FolderOutput(Output):
    """A folder with a Parquet file for each part, and a file that says what they are together."""

    kind = "folder"

    def found(self, job: Job) -> Label | None:
        """See `Output.found`."""
        if not self.target.exists() or (self.target.is_dir() and not any(self.target.iterdir())):
            return None
        with suppress(OSError, ValueError):
            label = read_label((self.target / ABOUT).read_text(encoding="utf-8"), self.target / ABOUT)
            parts = [path for path in self.target.iterdir() if path.name != ABOUT]
            if all(re.fullmatch(r"part-\d{7}\.parquet", path.name) for path in parts):
                return _whole(label, parts, job)
        raise _taken(self)

    def finish(self, job: Job, plan: Plan, label: Label) -> int:
        """Move the parts, with what is written on all of them, in the place of the target."""
        for torn in job.vectors.glob(".part-*"):  # whoever wrote it was killed
            torn.unlink()
        _files.write_json(job.vectors / ABOUT, {**label, "sizes": plan.sizes})
        _files.put_in_place(job.vectors, self.target)
        return 0


def _taken(output: Output) -> ParameterError:
    return ParameterError(
        f"Vectors are written to a new {output.kind}, or in the place of earlier ones. Got {output.text}, which is "
        "something else. Name another with --out, or move it away."
    )


def _whole(label: Label, files: list[Path], job: Job) -> Label | None:
    """Return the label when it is that of the job, and all rows are there."""
    with suppress(OSError, ValueError):
        rows = sum(pq.read_metadata(path).num_rows for path in files)
        return label if (label.get("job"), label.get("rows")) == (job.label["job"], rows) else None
    return None


class StoreOutput(Output):
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

    kind = "store"

    def __init__(self, uri: str, work: Path | None, name: str, metric: str, index: str) -> None:
        self._uri, self._name = uri, name
        self._metric, self._index = check_metric(metric), IndexSpec.parse(index)
        super().__init__(work_place(uri, work, "encode"))
        self.text = without_secrets(uri)

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
        return {"rows": spec.rows, "parts": 0, "encoding": added(()), "variant": stamp["source"].get("variant")}

    def finish(self, job: Job, plan: Plan, label: Label) -> int:
        """Insert what is not there yet, and compare every row in the end.

        Raises
        ------
        ParameterError
            When a vector cannot be searched with the metric, or the index does not fit.
        StoreError
            When the store fails; the same command goes on then.
        """
        source = {"corpus": digest_of(texts_laid_ready(job, plan)), "normalized": label["normalized"]}
        source |= {key: label[key] for key in ("role", "job", "variant") if key in label}
        spec = self._spec(job, plan.rows, {**label["stamp"], **source})
        spec.index.check_rows(spec.rows, 1)
        with get_store(self._uri) as store:
            return copy_rows(Parts(job, plan, spec), store, spec, doing="store").cut

    def _spec(self, job: Job, rows: int, source: Mapping[str, Any]) -> CollectionSpec:
        assert self.collection is not None
        return CollectionSpec(self.collection, int(job.label["dim"]), self._metric, self._index, rows, source)


def work_place(uri: str, work: Path | None, what: str) -> Path:
    """Return beside which path ``what`` (encode, adapt) works: the database, for a server something in this folder."""
    if work is not None:
        return work / what
    kind, _, place = uri.partition(":")
    if kind in ("http", "https"):
        return Path.cwd() / what
    path = resolved(Path(place.partition("?")[0]).expanduser())
    return path.with_name(f"{path.name}.{what}")


class Parts:
    """The parts of a job, read as a store is: by row number.

    Parameters
    ----------
    job : Job
    plan : Plan
    spec : CollectionSpec, optional
        What the vectors have to fit.
    """

    def __init__(self, job: Job, plan: Plan, spec: CollectionSpec | None = None) -> None:
        self._job, self._spec = job, spec
        self._stops = np.cumsum(plan.sizes, dtype=np.int64)
        self._starts = self._stops - plan.sizes
        self._open: tuple[int, Batch] | None = None
        self.uri = str(job.folder)

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1; ``name`` plays no part."""
        del name
        numbers = np.flatnonzero((self._starts < stop) & (self._stops > start)).tolist()
        firsts = self._starts[numbers].tolist()
        wholes = map(self._part, numbers)
        parts = (whole.part(max(0, start - first), stop - first) for whole, first in zip(wholes, firsts, strict=True))
        return reduce(Batch.followed_by, parts)

    def _part(self, number: int) -> Batch:
        if self._open is None or self._open[0] != number:
            path, first = self._job.vectors_of(number), int(self._starts[number])
            corpus, vectors = rows_of(path), vectors_of(path)
            if self._spec is not None:
                check_vectors(vectors, self._spec, corpus.ids, first)
            rows = np.arange(first, first + len(corpus), dtype=np.int64)
            groups = corpus.groups or ("",) * len(corpus)
            self._open = number, Batch(rows, corpus.ids, corpus.items, groups, vectors)
        return self._open[1]
