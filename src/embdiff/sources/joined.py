"""``vectors:FILE.parquet`` and ``vectors:FOLDER``: ready vectors that know whose they are, joined by id or by text.

A table with a column of vectors: ``vector``, or the only column of lists of floats. Where every row of the corpus finds
its id in the column ``id``, with the same text where there is a column ``text``, it is joined by id. Else it is joined
by text: a text has one vector, whatever row it stands in. A table with neither column is taken row by row.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.format import write_array_header_1_0

from embdiff._sizes import written_size
from embdiff.sources.joining import Wanted, joined, no_others
from embdiff.sources.options import refuse_unused
from embdiff.sources.table import VectorTable
from embdiff.errors import ParameterError
from embdiff.exact import FileVectors
from embdiff.records import FloatArray, IntArray, Role, Stamp
from embdiff.specs import ModelSpec

OPTIONS = ("queries",)


class JoinedVectors:
    """Ready vectors in Parquet.

    Parameters
    ----------
    spec : ModelSpec
        ``vectors:FILE.parquet`` or ``vectors:FOLDER``.

    Raises
    ------
    ParameterError
        When an option is given that is none of `OPTIONS`.
    DataError
        When there is no such file, no column of vectors, or a folder lacks a part.
    """

    by_row = True
    same_roles = True

    def __init__(self, spec: ModelSpec) -> None:
        refuse_unused(spec, OPTIONS)
        self._spec = str(spec)
        self._table = VectorTable(Path(spec.name), self._spec)
        self._rows: IntArray | None = None
        self._texts: list[str] = []
        self.label = self._table.label
        self.about: dict[str, Any] = {
            "vectors_of": self._table.label.get("model"),
            "role": self._table.label.get("role"),
        }
        if "variant" in self._table.label:
            self.about["variant"] = self._table.label["variant"]

    @property
    def by_text(self) -> bool:
        """Whether the texts are beside the vectors."""
        return self._table.has_texts

    def join(self, items: Sequence[str], ids: Sequence[str]) -> None:
        """Find the vector of each row of the corpus.

        Raises
        ------
        DataError
            When a row has none, or several that differ.
        ParameterError
            When vectors without ids and texts are not as many as the rows.
        """
        self._texts = list(items)
        whole = Wanted.whole(items, ids, "rows of the corpus")
        self._rows, self.about["joined"] = joined(self._table, self._spec, whole)

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return all vectors, float32 (n, d), for the whole corpus.

        Raises
        ------
        ParameterError
            For anything but the texts of the corpus.
        EncoderError
            When a number is not finite.
        """
        assert self._rows is not None
        if list(items) == self._texts:
            return self._table.read(self._rows)
        raise no_others(self._spec, len(self._texts), len(items), role)

    @property
    def nbytes(self) -> int:
        """What the vectors of the corpus take in memory."""
        return 4 * self._table.dim * (0 if self._rows is None else len(self._rows))

    def on_disk(self, memory: int) -> FileVectors:
        """Return the vectors of the corpus in a temporary file in its order, to be worked on in ``memory`` bytes.

        Raises
        ------
        ParameterError
            When that is too little, or there is no room for the file.
        """
        assert self._rows is not None
        folder = Path(mkdtemp(prefix="embdiff-"))
        path = folder / "vectors.npy"
        try:
            with path.open("wb") as handle:
                write_array_header_1_0(
                    handle, {"descr": "<f4", "fortran_order": False, "shape": (len(self._rows), self._table.dim)}
                )
                start = handle.tell()
                for where, some in self._table.scattered(self._rows):
                    _write_rows(handle, start, where, some)
            stored = FileVectors(path, memory)
        except BaseException as error:
            rmtree(folder, ignore_errors=True)
            if not isinstance(error, OSError):
                raise
            raise ParameterError(
                f"Vectors that memory may not hold need {written_size(self.nbytes)} for a temporary file. Got "
                f"{error.strerror or error} in {folder.parent}. Make room, or set TMPDIR to another folder."
            ) from None
        weakref.finalize(stored, rmtree, folder, ignore_errors=True)
        return stored

    def stamp(self) -> Stamp:
        """Return the provenance: that of the model that made the vectors where it is known, and a hash of the files."""
        if "stamp" not in self._table.label:
            return Stamp(model=f"vectors:{self._table.path.name}", revision=self._table.digest, dim=self._table.dim)
        made = Stamp(**self._table.label["stamp"])
        return replace(made, revision=f"{made.revision} in {self._table.digest}")


def _write_rows(handle: BinaryIO, start: int, where: IntArray, some: FloatArray) -> None:
    """Write vectors (m, d) to rows (m,) of a table that begins at byte ``start``; neighbouring rows in one go."""
    order = np.argsort(where)
    ends = [0, *(np.flatnonzero(np.diff(where[order]) != 1) + 1).tolist(), len(where)] if len(where) else [0]
    for low, high in pairwise(ends):
        handle.seek(start + int(where[order[low]]) * some.shape[1] * 4)
        handle.write(np.ascontiguousarray(some[order[low:high]]).data)
