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
from embdiff.config import ModelSpec
from embdiff.encoders.options import refuse_unused
from embdiff.encoders.parquet import ID, TEXT
from embdiff.encoders.table import VectorTable
from embdiff.errors import DataError, ParameterError
from embdiff.exact import FileVectors
from embdiff.records import FloatArray, IntArray, Role, Stamp

_PAIRS = 16_384  # vectors compared at a time
_ROUNDING = 1e-4  # of the longest: what another batch may change of a text's vector, and much more


class JoinedVectors:
    """Ready vectors in Parquet.

    Parameters
    ----------
    spec : ModelSpec
        ``vectors:FILE.parquet`` or ``vectors:FOLDER``.

    Raises
    ------
    ParameterError
        When an option is given.
    DataError
        When there is no such file, no column of vectors, or a folder lacks a part.
    """

    by_row = True
    same_roles = True

    def __init__(self, spec: ModelSpec) -> None:
        refuse_unused(spec)
        self._spec = str(spec)
        self._table = VectorTable(Path(spec.name), self._spec)
        self._rows: IntArray | None = None
        self._texts: list[str] = []
        self.about: dict[str, Any] = {
            "vectors_of": self._table.label.get("model"),
            "role": self._table.label.get("role"),
        }
        if "variant" in self._table.label:
            self.about["variant"] = self._table.label["variant"]

    def join(self, items: Sequence[str], ids: Sequence[str]) -> None:
        """Find the vector of each row of the corpus.

        Raises
        ------
        DataError
            When a row has none, or several that differ.
        """
        self._texts = list(items)
        if not (self._table.has_ids or self._table.has_texts):
            self._rows, self.about["joined"] = self._row_by_row(len(items)), "row"
            return
        theirs = list(self._table.strings(TEXT)) if self._table.has_texts else None
        by_id, why_not = self._by_id(items, ids, theirs)
        if by_id is not None:
            self._rows, self.about["joined"] = by_id, "id"
        elif theirs is not None:
            self._rows, self.about["joined"] = self._by_text(items, ids, theirs, why_not), "text"
        else:
            raise DataError(self._lacking(why_not))

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
        raise ParameterError(
            f"{self._spec} knows the vectors of the {len(self._texts)} rows of the corpus and no others. Got "
            f"{len(items)} texts as {role}. Query with rows: all, every, first:N or rows:3,7."
        )

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

    def _row_by_row(self, count: int) -> IntArray:
        there = len(self._table)
        if there != count:
            raise ParameterError(
                f"{self._spec}, which has neither ids nor texts, must hold one vector for each of the {count} rows of "
                f"the corpus, in their order. Got {there} vectors. Give the corpus that they were made from."
            )
        return np.arange(count, dtype=np.int64)

    def _by_id(self, items: Sequence[str], ids: Sequence[str], theirs: list[str] | None) -> tuple[IntArray | None, str]:
        """Return the row of each id, or None and why there is none."""
        if not self._table.has_ids:
            return None, "it has no column of ids"
        place: dict[str, int] = {}
        for row, name in enumerate(self._table.strings(ID)):
            if place.setdefault(name, row) != row:
                return None, f"it holds the id {name!r} more than once"
        missing = [name for name in ids if name not in place]
        if missing:
            return None, f"it lacks {len(missing):,} of the {len(ids):,} ids, for example {missing[0]!r}"
        rows = np.array([place[name] for name in ids], dtype=np.int64)
        if theirs is not None:
            other = [at for at, row in enumerate(rows) if theirs[row] != items[at]]
            if other:
                return None, f"it has another text for {len(other):,} ids, for example {ids[other[0]]!r}"
        return rows, ""

    def _by_text(self, items: Sequence[str], ids: Sequence[str], theirs: list[str], why_not: str) -> IntArray:
        """Return a row with each text."""
        place: dict[str, int] = {}
        again: list[tuple[int, int]] = []
        wanted = set(items)
        for row, text in enumerate(theirs):
            if text in wanted and place.setdefault(text, row) != row:
                again.append((place[text], row))
        missing = [name for name, text in zip(ids, items, strict=True) if text not in place]
        if missing:
            raise DataError(
                self._lacking(f"{why_not}, and it lacks the texts of {len(missing):,} rows, for example {missing[0]!r}")
            )
        self._refuse_two_vectors(again, theirs)
        return np.array([place[text] for text in items], dtype=np.int64)

    def _refuse_two_vectors(self, again: Sequence[tuple[int, int]], theirs: list[str]) -> None:
        """Refuse to choose between vectors of one text that differ by more than rounding."""
        for start in range(0, len(again), _PAIRS):
            pairs = np.array(again[start : start + _PAIRS], dtype=np.int64)
            one, other = (self._table.read(pairs[:, side]) for side in (0, 1))
            apart = np.abs(one - other).max(axis=1) > _ROUNDING * np.abs(one).max(axis=1)
            if apart.any():
                text = theirs[int(pairs[np.argmax(apart), 0])]
                raise DataError(
                    f"A text must have one vector to be joined by. Got two that differ for {text[:60]!r} in "
                    f"{self._table.path.name}. Give the corpus the ids of the file, so that rows are joined by id."
                )

    def _lacking(self, why: str) -> str:
        return (
            f"{self._spec} must hold a vector for every row of the corpus, found by id or by text. Got a file that "
            f"does not: {why}. Encode this corpus ('embdiff encode'), or give the one that was encoded."
        )


def _write_rows(handle: BinaryIO, start: int, where: IntArray, some: FloatArray) -> None:
    """Write vectors (m, d) to rows (m,) of a table that begins at byte ``start``; neighbouring rows in one go."""
    order = np.argsort(where)
    ends = [0, *(np.flatnonzero(np.diff(where[order]) != 1) + 1).tolist(), len(where)] if len(where) else [0]
    for low, high in pairwise(ends):
        handle.seek(start + int(where[order[low]]) * some.shape[1] * 4)
        handle.write(np.ascontiguousarray(some[order[low:high]]).data)
