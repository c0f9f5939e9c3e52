"""``vectors:FILE.npy``: vectors that are ready, one for each row of the corpus, in its order. No model is run.

Any table (n, d) of float32, float16 or float64 that numpy saved will do; row i belongs to row i of the corpus. Queries
must be rows of the corpus, as there is nothing to encode other texts with, or have a file of their own: ``?queries=``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embdiff.sources.given_queries import WithQueries
from embdiff.sources.joined import OPTIONS, JoinedVectors
from embdiff.sources.joining import Wanted, no_others
from embdiff.sources.options import refuse_unused
from embdiff.sources.table import digest_of, is_table, refuse_infinite
from embdiff.errors import ParameterError
from embdiff.exact import FileVectors
from embdiff.records import FloatArray, Role, Stamp
from embdiff.specs import ModelSpec

_ROWS = 65_536  # rows checked at a time


def from_spec(spec: ModelSpec) -> Vectors | JoinedVectors | WithQueries:
    """Return ready vectors of a model spec: of a .npy file by row, of Parquet files joined by id or text.

    With the option ``queries``, those of the queries are in a file or folder of their own.
    """
    documents = JoinedVectors(spec) if spec.name and is_table(Path(spec.name)) else Vectors(spec)
    return WithQueries(documents, Path(spec.options["queries"]), str(spec)) if "queries" in spec.options else documents


class Vectors:
    """Given vectors.

    Parameters
    ----------
    spec : ModelSpec
        ``vectors:FILE.npy``.

    Raises
    ------
    ParameterError
        When no file is named, or an option is given that is none of `OPTIONS`.
    DataError
        When the file is no table of vectors.
    """

    by_row = True
    same_roles = True

    def __init__(self, spec: ModelSpec) -> None:
        refuse_unused(spec, OPTIONS)
        if not spec.name:
            raise ParameterError(
                f"Given vectors must be named by their file. Got '{spec}'. Write vectors:FILE.npy, a table (n, d) "
                "saved with numpy.save, or vectors:FILE.parquet."
            )
        self._spec, self._path = str(spec), Path(spec.name)
        self._file = FileVectors(self._path, 2**62)
        self._texts: list[str] = []

    def fit(self, items: Sequence[str]) -> None:
        """Check that there is one vector for each row of the corpus, and that all are finite.

        Raises
        ------
        ParameterError
            When the numbers of rows differ.
        EncoderError
            When a number is not finite.
        """
        Wanted.whole(items, (), "rows of the corpus").by_row(len(self._file), self._spec)
        for start in range(0, len(self._file), _ROWS):
            refuse_infinite(self._file[start : start + _ROWS], np.arange(start, start + _ROWS), self._spec)
        self._texts = list(items)

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return all vectors, float32 (n, d), for the whole corpus.

        Raises
        ------
        ParameterError
            For anything but the texts of the corpus.
        """
        if list(items) != self._texts:
            raise no_others(self._spec, len(self._texts), len(items), role)
        return self._file[:]

    def on_disk(self, memory: int) -> FileVectors:
        """Return the vectors where they are, to be worked on in ``memory`` bytes at a time.

        Raises
        ------
        ParameterError
            When that is too little.
        """
        return FileVectors(self._path, memory)

    @property
    def nbytes(self) -> int:
        """What all of them take in memory."""
        return self._file.nbytes

    def stamp(self) -> Stamp:
        """Return the provenance; the revision is a hash of the file."""
        return Stamp(model=f"vectors:{self._path.name}", revision=digest_of([self._path]), dim=self._file.shape[1])
