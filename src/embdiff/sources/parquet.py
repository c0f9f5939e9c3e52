"""Vectors in Parquet files: columns id, parent, text, group, vector; on the schema where the vectors came from.

The vector is a fixed-size list of float32, which every reader of Arrow knows. Under the key ``embdiff`` the schema
carries JSON: ``format``, ``stamp`` and ``fingerprint`` of the model, ``dim``, ``role``, ``versions``, and what the
writer adds. Nothing in it depends on a metric.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embdiff import _files, _names
from embdiff._plain import reader
from embdiff.corpus.decoding import bytes_of
from embdiff.errors import DataError
from embdiff.records import Corpus, FloatArray, Picture, Role, Stamp
from embdiff.sources.tally import Variant

FORMAT = 1
ID, PARENT, TEXT, GROUP, VECTOR, IMAGE = "id", "parent", "text", "group", "vector", "image"
SUFFIX = ".parquet"
ABOUT = "_embdiff.json"  # of a folder; readers of tables pass over names that begin so
_KEY = b"embdiff"


@dataclass(frozen=True)
class _Label:
    """What is read of a label: a file from elsewhere may say anything."""

    stamp: Stamp
    role: Role
    dim: int
    fingerprint: str
    versions: dict[str, str]
    model: str | None = None
    job: str | None = None
    variant: Variant | None = None


def label_of(stamp: Stamp, role: Role, versions: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """Return what is written on a file of vectors, JSON-able."""
    return {
        "format": FORMAT,
        "stamp": stamp.to_dict(),
        "fingerprint": stamp.fingerprint(),
        "dim": stamp.dim,
        "role": role,
        "versions": dict(versions),
        **more,
    }


def schema_of(label: Mapping[str, Any], named: Collection[str]) -> pa.Schema:
    """Return the columns of a file of vectors, stamped with ``label``; ``named`` are those that there are besides."""
    fields = [pa.field(name, pa.string(), nullable=False) for name in (ID, PARENT, TEXT, GROUP) if name in named]
    fields.append(pa.field(VECTOR, pa.list_(pa.float32(), int(label["dim"])), nullable=False))
    return pa.schema(fields, metadata={_KEY: json.dumps(label, allow_nan=False, ensure_ascii=False).encode()})


def writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a file to write: texts compressed, vectors as they are (they do not shrink), a checksum on every page."""
    compression = {name: "zstd" for name in schema.names if name != VECTOR}
    return pq.ParquetWriter(
        path,
        schema,
        compression={**compression, f"{VECTOR}.list.element": "none"},
        use_dictionary=[name for name in (PARENT, GROUP) if name in schema.names] or False,
        write_page_checksum=True,
    )


def write_vectors(path: Path, corpus: Corpus, vectors: FloatArray, label: Mapping[str, Any]) -> None:
    """Write rows and their vectors, float32 (n, d), atomically: readers see the whole file or none.

    Parameters
    ----------
    path : Path
    corpus : Corpus
        n rows; n may be 0.
    vectors : ndarray of float32, shape (n, d)
    label : mapping
        As `label_of` makes it.
    """
    texts = columns_of(corpus)
    schema = schema_of(label, texts)
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    columns = {**texts, VECTOR: pa.FixedSizeListArray.from_arrays(flat, int(label["dim"]))}
    with _files.whole_file(path) as aside, writer(aside, schema) as file:
        file.write_table(pa.table(columns, schema=schema))


def columns_of(corpus: Corpus) -> dict[str, Any]:
    """Return the columns of rows without vectors, by name; ``parent`` says which document a chunk is of."""
    columns = {ID: corpus.ids, PARENT: corpus.parents, TEXT: corpus.items, GROUP: corpus.groups}
    return {name: pa.array(values, pa.string()) for name, values in columns.items() if values is not None}


def label_on(path: Path) -> dict[str, Any] | None:
    """Return what stands on a Parquet file of ours; None when it carries nothing of ours.

    Raises
    ------
    DataError
        When it cannot be read, or a later version of embdiff wrote it.
    """
    _names.refuse_endless(path)
    try:
        found = (pq.read_schema(path).metadata or {}).get(_KEY)
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors
        found = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(
            f"A .parquet file must be in the Parquet format. Got {path}: {found}. Write it again."
        ) from None
    return None if found is None else read_label(found, path)


def read_label(text: str | bytes, path: Path) -> dict[str, Any]:
    """Return a label from its JSON, which may come from anybody; ``path`` is where it stands, for messages.

    Raises
    ------
    DataError
        When it is none, or a later version of embdiff wrote it.
    """
    told = ""
    try:
        label = json.loads(text)
        written = label.get("format") if isinstance(label, dict) else label
        if written == FORMAT:
            reader(_Label).validate_python(label)
    except (ValueError, RecursionError) as error:
        told = " ".join(str(error).split()[:14])
    if told:
        raise DataError(
            f"What stands on vectors must be as 'embdiff encode' writes it. Got {path}: {told}. Make them again."
        )
    if written != FORMAT:
        raise DataError(
            f"A file of vectors must be of format {FORMAT}. Got {repr(written)[:40]} in {path}. Read it with the "
            "version of embdiff that wrote it."
        )
    return dict(label)


def label_on_all(path: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Return what `embdiff encode` has written on a file or the files of a folder; {} on those of others.

    Raises
    ------
    DataError
        When a file cannot be read, or a folder lacks one.
    """
    label = label_on(files[0]) or {}
    if not path.is_dir() or not label:
        return label
    try:
        whole = read_label((path / ABOUT).read_text(encoding="utf-8"), path / ABOUT)
        sizes = [head_of(file)[1] for file in files]
        jobs = {(label_on(file) or {}).get("job") for file in files}
    except (OSError, ValueError):
        whole, sizes, jobs = {}, [], set()
    if whole.get("sizes") != sizes or jobs != {whole.get("job")}:
        raise DataError(
            f"A folder of vectors must be whole, as 'embdiff encode' wrote it. Got {path} with parts that are missing, "
            "or of something else. Encode again into a new folder."
        )
    return whole


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a file of vectors, to read what is in it inside the block; every page is compared with its checksum.

    Raises
    ------
    DataError
        When it cannot be read, or a page is damaged.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(
            f"A file of vectors must be whole. Got {path}: {str(error).strip().splitlines()[0]} Make it again."
        ) from None


def head_of(path: Path) -> tuple[pa.Schema, int]:
    """Return the columns of a file of vectors, and how many rows it has; raises as `opened` does."""
    with opened(path) as file:
        return file.schema_arrow, int(file.metadata.num_rows)


def rows_of(path: Path) -> Corpus:
    """Return the rows of a file of ours, without the vectors; as images where `with_images` wrote them."""
    with pq.ParquetFile(path) as file:
        table = file.read(
            columns=[name for name in (ID, PARENT, TEXT, GROUP, IMAGE) if name in file.schema_arrow.names]
        )
    ids, texts, groups, parents = (
        tuple(table[name].to_pylist()) if name in table.column_names else None for name in (ID, TEXT, GROUP, PARENT)
    )
    assert ids is not None
    assert texts is not None
    if IMAGE in table.column_names:
        images = zip(texts, table[IMAGE].to_pylist(), strict=True)
        texts = tuple(Picture.of(name, content, b"", partial(bytes, content)) for name, content in images)
    return Corpus(texts, ids, groups, source=path.name, ids_given=True, parents=parents)


def with_images(corpus: Corpus, spec: str) -> dict[str, Any]:
    """Return the columns of rows that are to be encoded elsewhere, by name: of images their bytes, too."""
    held = [bytes_of(item, spec) for item in corpus.items if isinstance(item, Picture)]
    return {**columns_of(corpus), **({IMAGE: pa.array(held, pa.large_binary())} if held else {})}


def vectors_of(path: Path) -> FloatArray:
    """Return the vectors of a file of ours, float32 (n, d); raises as `opened` does."""
    with opened(path) as file:
        column = file.read(columns=[VECTOR])[VECTOR].combine_chunks()
    dim = column.type.list_size
    return np.ascontiguousarray(column.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim))
