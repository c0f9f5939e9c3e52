"""``vectors:FILE.npy``: vectors that are ready, one for each row of the corpus, in its order. No model is run.

Any table (n, d) of float32, float16 or float64 that numpy saved will do; row i belongs to row i of the corpus. Queries
must be rows of the corpus, as there is nothing to encode other texts with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from embdiff.config import ModelSpec
from embdiff.encoders.joined import JoinedVectors
from embdiff.encoders.options import refuse_unused
from embdiff.encoders.parquet import SUFFIX
from embdiff.errors import EncoderError, ParameterError
from embdiff.exact import FileVectors
from embdiff.records import FloatArray, Role, Stamp

_READ = 2**24  # bytes hashed at a time
_ROWS = 65_536  # rows checked at a time


def from_spec(spec: ModelSpec) -> Vectors | JoinedVectors:
    """Return ready vectors of a model spec: of a .npy file by row, of Parquet files joined by id or text."""
    path = Path(spec.name)
    return JoinedVectors(spec) if spec.name and (path.suffix == SUFFIX or path.is_dir()) else Vectors(spec)


class Vectors:
    """Given vectors.

    Parameters
    ----------
    spec : ModelSpec
        ``vectors:FILE.npy``.

    Raises
    ------
    ParameterError
        When no file is named, or an option is given.
    DataError
        When the file is no table of vectors.
    """

    by_row = True
    same_roles = True

    def __init__(self, spec: ModelSpec) -> None:
        refuse_unused(spec)
        if not spec.name:
            raise ParameterError(
                f"Given vectors must be named by their file. Got '{spec}'. Write vectors:FILE.npy, a table (n, d) "
                "saved with numpy.save, or vectors:FILE.parquet."
            )
        self._spec, self._path = str(spec), Path(spec.name)
        self._file = FileVectors(self._path, 2**62)

    def fit(self, items: Sequence[str]) -> None:
        """Check that there is one vector for each row of the corpus, and that all are finite.

        Raises
        ------
        ParameterError
            When the numbers of rows differ.
        EncoderError
            When a number is not finite.
        """
        if len(items) != len(self._file):
            raise ParameterError(
                f"{self._spec} must hold one vector for each of the {len(items)} rows of the corpus, in their order. "
                f"Got {len(self._file)} vectors. Give the corpus that they were made from."
            )
        for start in range(0, len(self._file), _ROWS):
            block = self._file[start : start + _ROWS]
            wrong = np.flatnonzero(~np.isfinite(block).all(axis=1))
            if wrong.size:
                raise EncoderError(
                    f"{self._spec} must hold finite vectors. Got NaN or infinity in row {start + wrong[0]}. "
                    "Make that vector again, or leave the row out of both files."
                )

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return all vectors, float32 (n, d), for the whole corpus.

        Raises
        ------
        ParameterError
            For anything but as many texts as there are vectors.
        """
        if len(items) != len(self._file):
            raise ParameterError(
                f"{self._spec} knows the vectors of the {len(self._file)} rows of the corpus and no others. Got "
                f"{len(items)} texts as {role}. Query with rows: all, every, first:N or rows:3,7."
            )
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
        return Stamp(model=f"vectors:{self._path.name}", revision=self._digest, dim=self._file.shape[1])

    @cached_property
    def _digest(self) -> str:
        found = hashlib.blake2b(digest_size=20)
        with self._path.open("rb") as handle:
            while part := handle.read(_READ):
                found.update(part)
        return f"blake2b:{found.hexdigest()}"
