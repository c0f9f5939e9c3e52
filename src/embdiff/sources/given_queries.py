"""``vectors:FILE?queries=FILE``: ready vectors of a corpus, and those of the queries in a file of their own.

The vectors of queries are found as those of a corpus are: in Parquet by id or text, in a .npy file by row. Where the
queries are rows of the corpus, such a file has a row for each row of the corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from embdiff.sources.backend import Fitted, Joined
from embdiff.sources.joining import Wanted, joined
from embdiff.sources.table import VectorTable, digest_of, is_table, refuse_infinite
from embdiff.errors import DataError, ParameterError
from embdiff.exact import FileVectors
from embdiff.records import FloatArray, Role, Stamp


class Ready(Protocol):
    """Ready vectors of a corpus; `Fitted` or `Joined` as well."""

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return all vectors, for the texts of the corpus."""
        ...

    def on_disk(self, memory: int) -> FileVectors:
        """Return them where they are."""
        ...

    @property
    def nbytes(self) -> int:
        """What they take in memory."""
        ...

    def stamp(self) -> Stamp:
        """Return the provenance."""
        ...


class WithQueries:
    """Ready vectors of a corpus with those of its queries.

    Parameters
    ----------
    documents : Vectors or JoinedVectors
    path : Path
        The vectors of the queries: a .npy file, a Parquet file, or a folder of such.
    spec : str
        The whole model, for messages.

    Raises
    ------
    DataError
        When the file is no table of vectors, these have another dimension, or another model has made them.
    """

    by_row = True
    same_roles = False

    def __init__(self, documents: Ready, path: Path, spec: str) -> None:
        self._documents, self._path, self._spec = documents, path, spec
        self._name = f"The file {path} of the queries of '{spec}'"
        self._table = VectorTable(path, self._name) if is_table(path) else FileVectors(path, 2**62)
        self._texts: list[str] = []
        self._vectors = np.empty((0, 0), dtype=np.float32)
        self._asked: dict[str, Any] = {"file": path.name, "revision": self._digest()}
        self._check(documents.stamp().dim)

    def _check(self, dim: int) -> None:
        table = self._table
        here = table.dim if isinstance(table, VectorTable) else table.shape[1]
        if here != dim:
            raise DataError(
                f"{self._name} must have vectors of {dim} dimensions, as the corpus has. Got {here}. Name the file "
                "that the same model has made."
            )
        made = table.label.get("stamp") if isinstance(table, VectorTable) else None
        theirs = getattr(self._documents, "label", {}).get("stamp")
        if made is not None and theirs is not None and made != theirs:
            other = ", ".join(key for key in made if made[key] != theirs.get(key))
            raise DataError(
                f"{self._name} must be made by the model that made those of the corpus. Got a difference in {other}. "
                "Name the file that the same model has made."
            )

    def _digest(self) -> str:
        return self._table.digest if isinstance(self._table, VectorTable) else digest_of([self._path])

    def join(self, items: Sequence[str], ids: Sequence[str]) -> None:
        """Find the vector of each row of the corpus.

        Raises
        ------
        DataError, ParameterError, EncoderError
            As `Vectors` and `JoinedVectors` do.
        """
        if isinstance(self._documents, Joined):
            self._documents.join(items, ids)
        elif isinstance(self._documents, Fitted):
            self._documents.fit(items)

    def expect(self, wanted: Wanted) -> None:
        """Find the vectors of the queries that will be asked.

        Raises
        ------
        DataError
            When a query has none, or several that differ.
        ParameterError
            When vectors that are found by row are not as many as the rows.
        EncoderError
            When a number is not finite.
        """
        if isinstance(self._table, VectorTable):
            rows, how = joined(self._table, self._name, wanted)
            self._vectors = self._table.read(rows)
        else:
            rows, how = wanted.by_row(len(self._table), self._name), "row"
            self._vectors = self._table[rows]
            refuse_infinite(self._vectors, rows, self._name)
        self._asked["joined"] = how
        self._texts = list(wanted.items)

    def encode(self, items: Sequence[str], *, role: Role) -> FloatArray:
        """Return all vectors of the corpus, or of the queries expected, float32 (n, d).

        Raises
        ------
        ParameterError
            For other texts.
        """
        if role == "document":
            return self._documents.encode(items, role=role)
        if list(items) != self._texts:
            raise ParameterError(
                f"{self._name} knows the vectors of {len(self._table)} texts and no others. Got {len(items)} texts "
                f"as {role}. Ask these queries."
            )
        return self._vectors

    @property
    def about(self) -> dict[str, Any]:
        """What is known of the vectors of the corpus, and where those of the queries come from."""
        return {**getattr(self._documents, "about", {}), "queries": dict(self._asked)}

    @property
    def nbytes(self) -> int:
        """What the vectors of the corpus take in memory."""
        return self._documents.nbytes

    def on_disk(self, memory: int) -> FileVectors:
        """Return the vectors of the corpus where they are, to be worked on in ``memory`` bytes at a time."""
        return self._documents.on_disk(memory)

    def stamp(self) -> Stamp:
        """Return the provenance of the vectors of the corpus, as it stands on the collection."""
        return self._documents.stamp()
