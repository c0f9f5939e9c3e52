"""A collection that others made, as one side of a comparison: its vectors are there already, nothing is encoded.

Written ``milvus:FILE#COLLECTION?vector=...&id=...&text=...`` or ``http://HOST:PORT#COLLECTION?...``. The collection is
read and searched, never written to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np

from embdiff.errors import DataError, ParameterError, StoreError
from embdiff.indexes import check_metric
from embdiff.records import Corpus, FloatArray, Space, Stamp
from embdiff.sources import load_named
from embdiff.sources.fields import named
from embdiff.sources.source import How, Source, not_fitted
from embdiff.specs import ModelSpec
from embdiff.stores import get_store
from embdiff.stores.collection import Batch, CollectionSpec, check_vectors

if TYPE_CHECKING:
    from embdiff.stores.milvus.theirs import TheirCollection

_FORM = "milvus:FILE#COLLECTION or http://HOST:PORT#COLLECTION; a table of LanceDB vectors:DIR/TABLE.lance"


def corpus_of(text: str, empty: str, columns: Sequence[str]) -> Corpus:
    """Return the rows of a collection as a corpus.

    Parameters
    ----------
    text : str
        As `Existing` takes it, with ``text=FIELD``.
    empty : {"refuse", "keep", "drop"}
        Rows without text can be kept only: the collection has a vector for each.
    columns : sequence of str
        Options for columns that were given; they belong into the text.

    Raises
    ------
    ParameterError
        When options do not fit.
    DataError
        When rows have no text.
    """
    if columns:
        raise ParameterError(
            f"Fields of a collection must be named in its text. Got {', '.join(columns)} with {text}. Write "
            "?text=FIELD&id=FIELD&group=FIELD."
        )
    with Existing(text) as existing:
        if "text" not in existing.options:
            raise ParameterError(
                f"A corpus taken from a collection must name its field of texts. Got {text}. Add ?text=FIELD."
            )
        rows = existing.rows()
    corpus = Corpus(rows.texts, rows.ids, rows.groups or None, source=text, ids_given=True)
    blank = [name for name, item in zip(corpus.ids, corpus.items, strict=True) if not item.strip()]
    if blank and empty != "keep":
        raise DataError(
            f"Rows of a collection must have texts. Got {len(blank):,} without, for example {blank[0]!r}, in {text}. "
            "Keep them with --empty keep (empty='keep')."
        )
    return corpus


class Existing(Source):
    """A collection of others, opened to be read.

    Parameters
    ----------
    text : str
        ``STORE#COLLECTION?vector=FIELD&id=FIELD&text=FIELD&group=FIELD&encoder=MODEL&db=NAME``. ``vector`` may be left
        out when there is one field of vectors; ``id`` is the primary key by default; ``encoder`` is the model that
        encodes queries which are no rows.
    common : bool
        Whether it may hold rows that the corpus has not, which are left out of the comparison.

    Raises
    ------
    ParameterError
        When the text is malformed or holds a secret.

    Attributes
    ----------
    partly : bool
        Whether it holds such rows: its own index then finds what is not compared, and its vectors are placed elsewhere.
    """

    read_from = "a collection"
    same_roles = True

    def __init__(self, text: str, *, common: bool = False) -> None:
        self.spec = text
        spec = ModelSpec.parse(text)
        place, _, self.collection = spec.name.partition("#")
        if spec.kind not in ("milvus", "http", "https") or not self.collection or not place:
            raise ParameterError(f"A collection of others must be written {_FORM}. Got {text!r}. Mend the text.")
        self.options = spec.options
        self._file = Path(place) if spec.kind == "milvus" else None
        self._uri = f"{spec.kind}:{place}" + (f"?db={self.options['db']}" if "db" in self.options else "")
        self._stack = ExitStack()
        self._theirs: TheirCollection | None = None
        self._read: Batch | None = None
        self._variant: Mapping[str, Any] | None = None
        self._documents: FloatArray | None = None
        self._twin: tuple[str, str] | None = None
        self._joined = ""
        self._common, self.partly = common, False

    def __enter__(self) -> Self:
        from embdiff.stores.milvus.theirs import TheirCollection  # here, because it loads pymilvus

        if self._file is not None and not self._file.expanduser().exists():
            raise StoreError(f"The store of a collection to read must exist. Got {self._file}. Check the path.")
        store: Any = self._stack.enter_context(get_store(self._uri))
        fields = {key: name for key, name in self.options.items() if key in ("vector", "id", "text", "group")}
        self._theirs = TheirCollection(store, self.collection, fields)
        made_by = (store.stamp(self._theirs.name) or {}).get("source", {})  # ours says what it was made by
        self._variant = made_by.get("variant")
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()
        self._theirs = self._read = self._documents = None

    def rows(self, text: str | None = None) -> Batch:
        """Return all rows; they are read once, with the field ``text`` where the user named none."""
        if self._read is None:
            self._read = self._open().read(text)
        return self._read

    def prepare(self, corpus: Corpus) -> None:
        """Read the collection, and find the vector of each row of the corpus by its id.

        Rows without ids of their own go by their numbers; their texts must be the same, where the collection has some.

        Raises
        ------
        DataError
            When the two do not hold the same ids, or numbers stand for different texts.
        """
        theirs = self._open()
        rows = self.rows(None if corpus.ids_given else named("text", None, theirs.strings, theirs.strings, self.spec))
        position = {name: row for row, name in enumerate(rows.ids)}
        missing = [name for name in corpus.ids if name not in position]
        extra = sorted(set(position).difference(corpus.ids))
        self.partly = self._common and bool(extra)
        for what, names in (("lacks", missing), ("has besides", extra)):
            if names and not (self.partly and names is extra):
                raise DataError(
                    f"A collection and the corpus must hold the same ids. Got {len(rows.ids):,} in {self.spec} and "
                    f"{len(corpus):,} in {corpus.source}; the collection {what} {len(names):,}, for example "
                    f"{', '.join(map(repr, names[:3]))}. Name the field of ids with id=, the column with --id-column, "
                    "or take the corpus from the collection."
                )
        order = np.array([position[name] for name in corpus.ids], dtype=np.int64)
        self._joined = "id" if corpus.ids_given or rows.texts else "number"
        if not corpus.ids_given and rows.texts:
            _refuse_other_texts(corpus, [rows.texts[at] for at in order.tolist()], self.spec)
        theirs.join(order)
        self._documents = np.ascontiguousarray(rows.vectors[order])

    def holds(self, corpus: Corpus) -> list[bool]:
        """Return which rows of a corpus have a vector here, by id; the collection need not be open."""
        with ExitStack() as stack:
            if self._theirs is None:
                stack.enter_context(self)
            ids = set(self.rows().ids)
        return [name in ids for name in corpus.ids]

    def fit(self, items: Sequence[str], digest: str, ids: Sequence[str] | None = None) -> None:
        """Find the vector of each row of a corpus by its id; see `prepare`."""
        names = map(str, range(len(items))) if ids is None else ids
        self.prepare(Corpus(tuple(items), tuple(names), source="the corpus", ids_given=ids is not None))

    @cached_property
    def stamp(self) -> Stamp:
        """The provenance: which collection, and a hash of the vectors."""
        vectors = self._vectors("tell its stamp")
        digest = hashlib.sha256(vectors.tobytes()).hexdigest()
        return Stamp(self._open().where, digest, int(vectors.shape[1]))

    @property
    def about(self) -> dict[str, Any]:
        """How rows were found, and how far vectors that `embdiff encode` made in lower precision are from float32."""
        about: dict[str, Any] = {"joined": self._joined} if self._joined else {}
        return {**about, "variant": self._variant} if self._variant else about

    def encode(self, items: Sequence[str], **how: Unpack[How]) -> FloatArray:
        """Return the vector of each row of the corpus, float32 (n, d), or of queries by the model named ``encoder=``.

        Raises
        ------
        ParameterError
            When queries are no rows and no encoder is named, or its dimension is another one.
        """
        vectors = self._vectors("encode")
        if how.get("role", "document") == "document":
            return vectors
        if "encoder" not in self.options:
            raise ParameterError(
                f"Queries that are no rows of the corpus need a model that encodes them. Got none for {self.spec}. Add "
                "encoder=MODEL, the one that made the vectors."
            )
        encoder = load_named(self.options["encoder"], {}, how.get("cache"))
        if encoder.stamp.dim != vectors.shape[1]:
            raise ParameterError(
                f"The encoder of a collection must have its dimension, {vectors.shape[1]}. Got {encoder.stamp.dim} "
                f"from {self.options['encoder']}. Name the model that made the vectors."
            )
        self._twin = encoder.float32_twin(self.options["encoder"])
        return encoder.encode(items, **how)

    def float32_twin(self, name: str) -> tuple[str, str] | None:
        """Return the model that has encoded queries and its text form in float32, where it runs in lower precision."""
        return self._twin

    def check_metric(self, metric: str) -> None:
        """Refuse a run with another metric than the collection's."""
        theirs = self._open()
        if theirs.metric != check_metric(metric):
            raise ParameterError(
                f"The metric of a comparison must be that of the collections it reads. Got {metric} for the run and "
                f"{theirs.metric} in {self.spec}. Add --metric {theirs.metric}."
            )

    def placed(self, space: Space) -> tuple[CollectionSpec, TheirCollection]:
        """Return the collection as it is, and what asks it."""
        theirs = self._open()
        stamp: Mapping[str, Any] = {**space.stamp.to_dict(), "normalized": space.normalized}
        rows = len(space.ids)
        spec = CollectionSpec(theirs.name, space.dim, theirs.metric, theirs.index, rows, stamp)
        check_vectors(space.vectors, spec, space.ids)
        return spec, theirs

    def _vectors(self, wish: str) -> FloatArray:
        if self._documents is None:
            raise not_fitted(self.spec, wish)
        return self._documents

    def _open(self) -> TheirCollection:
        assert self._theirs is not None
        return self._theirs


def _refuse_other_texts(corpus: Corpus, theirs: Sequence[str], spec: str) -> None:
    """Refuse numbers of rows that stand for other texts in a collection: they are places, not ids."""
    other = [row for row, (one, text) in enumerate(zip(corpus.items, theirs, strict=True)) if str(one) != text]
    if other:
        raise DataError(
            f"Rows without ids are joined with the keys of a collection by their numbers, so both must hold the same "
            f"texts. Got {len(other):,} that differ, for example row {other[0]}: {corpus.items[other[0]][:40]!r} in "
            f"{corpus.source} and {theirs[other[0]][:40]!r} in {spec}. Give the corpus its ids (--id-column), or take "
            "it from the collection."
        )


@contextmanager
def opened_collections(objects: Mapping[str, Any]) -> Iterator[None]:
    """Open every collection of others among the objects of a run."""
    with ExitStack() as stack:
        for one in objects.values():
            if isinstance(one, Existing):
                stack.enter_context(one)
        yield
