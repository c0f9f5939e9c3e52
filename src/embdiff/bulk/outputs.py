"""Where vectors go once every part is there: one file, or a folder of parts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow.parquet as pq

from embdiff import _files
from embdiff._progress import progress
from embdiff.bulk.part import Job
from embdiff.bulk.plan import Plan
from embdiff.errors import DataError, ParameterError
from embdiff.sources.parquet import ABOUT, SUFFIX, label_on, schema_of, writer
from embdiff.stores import list_stores

Kind = Literal["file", "folder", "store"]
Label = Mapping[str, Any]


class Output(Protocol):
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
    text: str
    target: Path
    collection: str | None

    def found(self, job: Job) -> Label | None:
        """Return what stands on the output when this very job has made it, whole; None when it is to be made.

        Raises
        ------
        ParameterError
            When something is there that embdiff did not make, and that would be lost.
        """

    def finish(self, job: Job, plan: Plan, label: Label) -> int:
        """Make the output of all parts, whole or not at all; return how many values were cut to fit."""


def kind_of(out: str) -> Kind:
    """Return what an output is.

    Raises
    ------
    ParameterError
        When it is a store that keeps nothing, or has the extension of another kind of file.
    """
    kind, colon, rest = out.partition(":")
    if colon and kind in list_stores():
        if kind == "memory" or not rest:
            raise ParameterError(
                f"Vectors must be written to a store that keeps them. Got {out}. Name milvus:FILE, lancedb:DIR or a "
                "server; or a .parquet file, or a folder."
            )
        return "store"
    suffix = Path(out).suffix
    if suffix == SUFFIX:
        return "file"
    if not out or re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{0,6}", suffix):
        raise ParameterError(
            f"Vectors are written to a .parquet file, a folder or a store. Got {out!r}. Write OUT.parquet, a name "
            "without extension for a folder of parts, or for example milvus:FILE."
        )
    return "folder"


class FileOutput:
    """One Parquet file.

    Parameters
    ----------
    target : Path
    """

    kind: Kind = "file"
    collection: str | None = None

    def __init__(self, target: Path) -> None:
        self.text, self.target = str(target), target.resolve()

    def found(self, job: Job) -> Label | None:
        """See `Output.found`."""
        if not self.target.exists():
            return None
        try:
            label = label_on(self.target) if self.target.is_file() else None
        except DataError:
            label = None
        if label is None:
            raise _taken(self)
        return _whole(label, [self.target], job)

    def finish(self, job: Job, plan: Plan, label: Label) -> int:
        """Write the parts one after the other; the file appears under its name when it is whole.

        Raises
        ------
        DataError
            When a page of a part is damaged.
        """
        schema = schema_of(label, groups=plan.groups)
        aside = job.folder / self.target.name
        with _files.whole_file(aside) as part, writer(part, schema) as file, progress("write", plan.rows, "rows") as by:
            for number, size in enumerate(plan.sizes):
                if size:
                    file.write_table(_table(job.vectors_of(number)).replace_schema_metadata(schema.metadata))
                by(size)
        aside.replace(self.target)
        _files.sync_folder(self.target.parent)
        return 0


class FolderOutput:
    """A folder with a Parquet file for each part, and a file that says what they are together.

    Parameters
    ----------
    target : Path
    """

    kind: Kind = "folder"
    collection: str | None = None

    def __init__(self, target: Path) -> None:
        self.text, self.target = str(target), target.resolve()

    def found(self, job: Job) -> Label | None:
        """See `Output.found`."""
        if not self.target.exists() or (self.target.is_dir() and not any(self.target.iterdir())):
            return None
        try:
            names = {path.name for path in self.target.iterdir()}
            label = json.loads((self.target / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise _taken(self) from None
        if any(name != ABOUT and not re.fullmatch(r"part-\d{7}\.parquet", name) for name in names):
            raise _taken(self)
        return _whole(label, sorted(self.target.glob(f"*{SUFFIX}")), job)

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
    try:
        rows = sum(pq.read_metadata(path).num_rows for path in files)
    except (OSError, ValueError):
        return None
    return label if (label.get("job"), label.get("rows")) == (job.label["job"], rows) else None


def _table(path: Path) -> Any:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise DataError(
            f"A part must stay whole. Got {path}: {str(error).splitlines()[0]} Remove it and run the command again."
        ) from None
