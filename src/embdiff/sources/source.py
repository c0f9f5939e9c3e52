"""What every source of vectors offers: a model that encodes, vectors that are ready, or a collection that exists."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

import numpy as np

from embdiff.errors import EncoderError, ParameterError
from embdiff.exact import FileVectors
from embdiff.kept import VectorCache
from embdiff.records import Corpus, FloatArray, IntArray, Kind, Role, Stamp
from embdiff.sources.tally import Tally

ReadFrom = Literal["a file", "a collection"]
What = Literal["rows of the corpus", "queries", "test texts"]


class How(TypedDict, total=False):
    """What `Source.encode` may be told besides the texts."""

    role: Role
    cache: VectorCache | None
    tally: Tally | None


@dataclass(frozen=True, eq=False)
class Wanted:
    """Texts whose vectors are wanted, and where they stand.

    Parameters
    ----------
    items, ids : sequence of str, length n
    rows : ndarray of int64, shape (n,)
        Their rows in the file that they come from.
    of : int
        Rows of that file.
    what : {"rows of the corpus", "queries", "test texts"}
        What they are: rows of the corpus that query, or texts of a file of their own.
    """

    items: Sequence[str]
    ids: Sequence[str]
    rows: IntArray
    of: int
    what: What

    @classmethod
    def whole(cls, items: Sequence[str], ids: Sequence[str], what: What) -> Wanted:
        """All rows of a file, in their order."""
        return cls(list(items), ids, np.arange(len(items), dtype=np.int64), len(items), what)

    def by_row(self, there: int, name: str) -> IntArray:
        """Return the rows, for a table of ``there`` vectors of which nothing else is known.

        Raises
        ------
        ParameterError
            When it is not one vector for each row of the file.
        """
        if there != self.of:
            raise ParameterError(
                f"{name} must hold one vector for each of the {self.of} {self.what}, in their order. Got {there} "
                f"vectors. Give the {self.what} that they were made from, or the vectors that were made of these."
            )
        return self.rows


class Source(ABC):
    """Where vectors come from.

    Attributes
    ----------
    spec : str
        The source as the user typed it.
    read_from : {"a file", "a collection"} or None
        Where vectors are read from, one for each row of the corpus; None for a model, which encodes texts.
    same_roles : bool
        Whether a text has the same vector as a query and as a document.
    learns : bool
        Whether a model learns from the corpus, and has to be fitted on it.
    by_text : bool
        Whether ready vectors are found by text.
    expects : bool
        Whether vectors of queries are ready, too, in a file of their own.
    paid : bool
        Whether somebody may have to pay for each text.
    reads : frozenset of str
        What items may be: ``text``, ``image``; what is ready has been made of either.
    """

    spec: str
    read_from: ReadFrom | None = None
    same_roles: bool = False
    learns: bool = False
    by_text: bool = False
    expects: bool = False
    paid: bool = False
    reads: frozenset[Kind] = frozenset({"text", "image"})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec!r})"

    @abstractmethod
    def fit(self, items: Sequence[str], digest: str, ids: Sequence[str] | None = None) -> None:
        """Get ready for a corpus: learn from it, or find the vectors of its rows; most models have nothing to do.

        Parameters
        ----------
        items : sequence of str, length n
            The corpus.
        digest : str
            What tells this corpus from others (`Corpus.digest`); it becomes part of the stamp.
        ids : sequence of str, length n, optional
            Ids of the rows, by default their numbers: ready vectors (``vectors:``) are found by them.

        Raises
        ------
        ParameterError
            When the corpus is empty, or too small for the model.
        DataError
            When a row has no vector among those that are ready.
        """

    def prepare(self, corpus: Corpus) -> None:
        """Get ready for a corpus; see `fit`."""
        self.fit(corpus.items, corpus.digest(), corpus.ids)

    @property
    @abstractmethod
    def stamp(self) -> Stamp:
        """Provenance of the vectors; of what gets ready for a corpus only once it has."""

    @property
    def kept_as(self) -> Stamp:
        """Provenance of the vectors that the cache keeps for it."""
        return self.stamp

    @property
    def bytes_per_vector(self) -> int:
        """What a vector takes where it is stored as it is meant to be."""
        return 4 * self.stamp.dim

    @property
    def about(self) -> dict[str, Any]:
        """What is known of the vectors besides, or of what made them; JSON-able."""
        return {}

    @abstractmethod
    def encode(self, items: Sequence[str], **how: Unpack[How]) -> FloatArray:
        """Return the vector of each text, float32 (n, d); what is read knows those of the corpus only."""

    def expect(self, wanted: Wanted) -> None:  # noqa: B027 - models encode whatever they are asked
        """Find, among ready vectors, those of the queries that `encode` is given afterwards."""

    def queries(
        self, wanted: Wanted, documents: FloatArray | None, role: Role, cache: VectorCache, tally: Tally
    ) -> FloatArray:
        """Return the vectors of the texts that ask, float32 (n, d).

        Rows of the corpus need no second encoding where query and document are one.

        Parameters
        ----------
        wanted : Wanted
        documents : ndarray of float32, shape (n, d), or None
            The vectors of the corpus, where they are there.
        role : {"document", "query"}
        cache : VectorCache
        tally : Tally
        """
        self.expect(wanted)
        if documents is not None and wanted.what == "rows of the corpus" and self.same_roles:
            return np.ascontiguousarray(documents[wanted.rows])
        return self.encode(wanted.items, role=role, cache=cache, tally=tally)

    def encode_singly(self, items: Sequence[str], **how: Unpack[How]) -> FloatArray | None:
        """Return vectors of texts that are encoded one by one; None where nothing is encoded."""
        return None

    def missing(self, items: Sequence[str], *, role: Role = "document", cache: VectorCache | None = None) -> int:
        """Return how many different texts `encode`, with the same arguments, would have to give to the model."""
        return 0

    @property
    def by_row(self) -> bool:
        """Whether vectors belong to the rows of the corpus and nothing is encoded."""
        return self.read_from is not None

    def on_disk(self, room: int, memory: int) -> FileVectors | None:
        """Return the vectors of the corpus where they are, when they would take more than ``room`` bytes in memory.

        Parameters
        ----------
        room : int
            Bytes that may be kept in memory.
        memory : int
            Bytes that working on them may take at a time.

        Returns
        -------
        FileVectors or None
            None where vectors are in no file, and for small files.

        Raises
        ------
        ParameterError
            When ``memory`` is too little to work in.
        """
        return None

    def float32_twin(self, name: str) -> tuple[str, str] | None:
        """Return the model in lower precision whose vectors these are, and its text form in float32; mostly None.

        Parameters
        ----------
        name : str
            What the source goes under.
        """
        return None


def not_fitted(spec: str, wish: str) -> EncoderError:
    """Return what to raise where something is asked of a source that is not ready for a corpus yet."""
    return EncoderError(
        f"{spec} must be fitted on the corpus before it can {wish}. Got a model that was not. "
        "Call encoder.fit(corpus.items, corpus.digest(), corpus.ids) first."
    )


def no_dense_vectors(spec: str) -> ParameterError:
    """Return what to raise where a model that ranks is asked for dense vectors."""
    return ParameterError(
        f"A model must make one dense vector of a text here. Got {spec}, which ranks texts without one. Name it with "
        "-m for compare or evaluate, which take its lists; maps, clusters, query models, stores and exports need "
        "vectors."
    )
