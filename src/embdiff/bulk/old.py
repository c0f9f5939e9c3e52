"""A collection whose vectors are to be mapped: its rows, read in blocks that are always the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from embdiff.alignment import Map
from embdiff.errors import DataError, ParameterError, StoreError
from embdiff.indexes import check_metric
from embdiff.records import Corpus, FloatArray, Metric
from embdiff.sources.looked import id_of, is_ours, text_of, vectors_of
from embdiff.stores.collection import FIELDS, SHORTEST, Batch, CollectionSpec, check_vectors, dense, read_stamp
from embdiff.stores.looking import Look

_BLOCK = 1_000  # rows that are mapped together: rounding depends on it, and a command that goes on must find the same
_GROUP = FIELDS[3]


class OldCollection:
    """A collection, ours or of others, with the texts beside its vectors.

    Parameters
    ----------
    look : Look
    where : str
        What it is called.
    given : mapping of str to str
        Names of fields, where the user gave them.
    corpus : Corpus or None
        Has the texts, by id, in the place of those in the collection.

    Attributes
    ----------
    count : int
    metric : {"cosine", "ip", "l2"}
    stamp : mapping
        Of its vectors; empty without one.

    Raises
    ------
    ParameterError
        When a field of vectors or of texts must be named.
    DataError
        When it is empty, or a key occurs twice.
    """

    def __init__(self, look: Look, where: str, given: Mapping[str, str], corpus: Corpus | None) -> None:
        self._look, self.where = look, where
        vectors = vectors_of(look, given, where)
        self._id, self._text = id_of(look, given, where), text_of(look, given, where)
        if len(vectors) != 1 or not (self._text or corpus is not None):
            lacking = "vector" if len(vectors) != 1 else "text"
            raise ParameterError(
                f"A collection to map must have one field of vectors and one of texts, or its texts in --corpus. Got "
                f"{where}, in which the field {lacking}= must be named. Write STORE#COLLECTION?{lacking}=FIELD."
            )
        self._vector = vectors[0]
        self._texts = None if corpus is None else dict(zip(corpus.ids, map(str, corpus.items), strict=True))
        self._keys: list[Any] = look.keys()
        if not self._keys or len(set(self._keys)) < len(self._keys) or look.count() != len(self._keys):
            raise DataError(
                f"A collection to map must have rows, each of one key. Got {look.count():,} rows and "
                f"{len(set(self._keys)):,} keys in {where}. See 'embdiff doctor'."
            )
        self.count = len(self._keys)
        self.ours = is_ours(look)
        found = read_stamp(look.stamp_text) or {}
        self.stamp: Mapping[str, Any] = found.get("source", {})
        index = look.index(self._vector)
        self.metric: Metric = check_metric((index.metric if index else "") or str(found.get("metric", "cosine")))

    def rows(self, places: Sequence[int]) -> Batch:
        """Return the rows at these places of the order by key.

        Raises
        ------
        DataError
            When a vector is null, of another length, not finite or zero.
        """
        keys = [self._keys[place] for place in places]
        fields = [field for field in (self._id, self._text, self.ours and _GROUP) if field]
        found = self._look.read(keys, fields, self._vector)
        at = {key: row for row, key in enumerate(found.keys)}
        order = [at[key] for key in keys]
        names = found.values[self._id] if self._id else found.keys
        ids = tuple(str(names[row]) for row in order)
        vectors = found.vectors[order]
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1) | ~(np.abs(vectors).max(axis=1, initial=0) > SHORTEST))
        if bad.size:
            raise DataError(
                f"Every row of a collection to map must have a vector that can be mapped. Got {bad.size:,} that are "
                f"null, zero or not finite in {self.where}, for example {ids[bad[0]]!r}. See 'embdiff doctor'; encode "
                "these rows, or delete them."
            )
        texts = tuple(str(found.values[self._text][row] or "") for row in order) if self._text else ("",) * len(order)
        groups = tuple(str(found.values[_GROUP][row]) for row in order) if self.ours else ("",) * len(order)
        return Batch(np.array(places, dtype=np.int64), ids, texts, groups, vectors)

    def ids(self) -> list[str]:
        """Return the ids of all rows, in their order."""
        if not self._id:
            return list(map(str, self._keys))
        found = self._look.read(self._keys, [self._id], None)
        at = dict(zip(found.keys, found.values[self._id], strict=True))
        return [str(at[key]) for key in self._keys]

    def texts_of(self, rows: Batch) -> list[str]:
        """Return the text of each row, "" where the corpus has none."""
        return list(rows.texts) if self._texts is None else [self._texts.get(name, "") for name in rows.ids]


class MappedRows:
    """The rows of a collection with mapped vectors, read as a store is.

    Parameters
    ----------
    old : OldCollection
    by : callable
        Maps vectors (n, d) to (n, e), as `mapped` does.
    spec : CollectionSpec
        What the vectors have to fit.
    """

    def __init__(self, old: OldCollection, by: Map, unit: bool, spec: CollectionSpec) -> None:
        self._old, self._by, self._unit, self._spec = old, by, unit, spec
        self._open: tuple[int, Batch] | None = None
        self.uri = old.where

    def read(self, name: str, start: int, stop: int) -> Batch:
        """Return the rows numbered start..stop-1; ``name`` plays no part."""
        del name
        found: Batch | None = None
        for number in range(start // _BLOCK, (stop - 1) // _BLOCK + 1):
            block, first = self._block(number), number * _BLOCK
            part = block.part(max(0, start - first), stop - first)
            found = part if found is None else found.followed_by(part)
        if found is None:
            raise StoreError(f"Rows to map must be asked for. Got none of {self.uri}. Run again.")
        return found

    def _block(self, number: int) -> Batch:
        if self._open is None or self._open[0] != number:
            first = number * _BLOCK
            rows = self._old.rows(range(first, min(first + _BLOCK, self._old.count)))
            vectors = mapped(self._by, dense(rows.vectors), self._unit)
            check_vectors(vectors, self._spec, rows.ids, first)
            self._open = number, Batch(rows.rows, rows.ids, rows.texts, rows.groups, vectors)
        return self._open[1]


def mapped(by: Map, vectors: FloatArray, unit: bool) -> FloatArray:
    """Return where vectors (n, d) lead to, (n, e), of length 1 where those of the target are."""
    found = by(vectors)
    return scaled(found) if unit else found


def scaled(vectors: FloatArray) -> FloatArray:
    """Return vectors (n, d) of length 1; a zero one stays."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
