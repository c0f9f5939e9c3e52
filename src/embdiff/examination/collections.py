"""One collection, ours or of others: its stamp, index and keys, a sample of its rows, and whether texts are stale."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from embdiff.examination.record import Fault, Finding, Notes, Place, Severity
from embdiff.examination.staleness import Freshness
from embdiff.examination.vectors import SHOWN, Sample, examine
from embdiff.records import FloatArray
from embdiff.sources.looked import id_of, is_ours, text_of, vectors_of
from embdiff.stores.collection import FIELDS, STAMP_SCHEMA, read_stamp
from embdiff.stores.looking import Look, Rows

_OUR_KEY, _OUR_ID, _OUR_TEXT, _OUR_GROUP, _OUR_VECTOR = FIELDS
_AGAIN = "Encode again into a new collection: embdiff encode DATA -m MODEL -o STORE."
_MADE = "Run the command that made it again: it is made anew."


@dataclass(frozen=True, eq=False)
class Wish:
    """How collections are looked at.

    Parameters
    ----------
    rows : int
        Most rows whose vectors are looked at; of more they are drawn.
    seed : int
    fields : mapping of str to str
        Names of fields, ``vector``, ``id`` and ``text``, where the user gave them.
    fresh : Freshness
        What their texts and vectors are compared with.
    """

    rows: int
    seed: int
    fields: Mapping[str, str]
    fresh: Freshness


class Collection:
    """A collection that is looked at.

    Parameters
    ----------
    look : Look
    where : str
        What it is called in findings.
    wish : Wish
    needs_index : bool
        Whether the database searches nothing without an index.
    field_bytes : int or None
        Longest text that it can hold.
    """

    def __init__(self, look: Look, where: str, wish: Wish, *, needs_index: bool, field_bytes: int | None) -> None:
        self.look, self.where, self._wish = look, where, wish
        self._needs_index, self._field_bytes = needs_index, field_bytes
        self.ours = is_ours(look)
        self.stamp = read_stamp(look.stamp_text)

    @property
    def source(self) -> Mapping[str, Any]:
        """What the stamp says of model and corpus; empty without one."""
        return self.stamp["source"] if self.stamp else {}

    def examine(self, notes: Notes) -> None:
        """Look at everything, and note what is found."""
        notes.found(self._stamped(notes))
        vectors = vectors_of(self.look, self._wish.fields, self.where)
        if not vectors:
            notes.unseen.append(f"{self.where} has no field of float vectors (one a row): they were not looked at.")
        for vector in vectors:  # before rows are read, which may need an index
            notes.found(self._indexed(vector))
        if not self.count:
            notes.found([self._finding("rows missing", "doubtful", "The collection has no rows.", _MADE)])
            return
        notes.found(self._keyed())
        for vector in vectors:
            sample = self._sample(vector, notes)
            notes.found(self._of_stamped_dimension(sample))
            notes.found(examine(sample))
            self._wish.fresh.compare_vectors(sample, self.source, self._field_bytes, notes)
        self._texts(notes)

    @cached_property
    def keys(self) -> list[Any]:
        """The keys of all rows."""
        return self.look.keys()

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.keys)

    def _finding(self, fault: Fault, severity: Severity, told: str, mend: str) -> Finding:
        return Finding(fault, severity, self.where, told, mend)

    def _stamped(self, notes: Notes) -> Iterator[Finding]:
        if self.stamp is None and self.look.stamp_text:
            told = "Its stamp cannot be read: nothing tells which model and which texts its vectors are of."
            yield self._finding("no stamp", "wrong", told, _MADE)
        elif self.stamp is None and self.ours:
            told = "It has the fields of embdiff and no stamp: nothing tells which model made its vectors."
            yield self._finding("no stamp", "doubtful", told, _MADE)
        elif self.stamp is None:
            notes.unseen.append(
                f"{self.where} carries no stamp: which model made its vectors, and whether one made them all, is seen "
                "only with --model MODEL and texts."
            )
        elif self.stamp.get("schema") != STAMP_SCHEMA:
            told = f"Its stamp is of format {json.dumps(self.stamp.get('schema'))[:20]}, not {STAMP_SCHEMA}."
            yield self._finding("version", "doubtful", told, "Read it with the version of embdiff that made it.")
        elif not self.stamp.get("complete"):
            told = "It was left half-made: its stamp says so, and embdiff never reads it, but others would."
            yield self._finding("unfinished", "doubtful", told, "Run the same command again: it goes on there.")

    @cached_property
    def _id(self) -> str:
        """The field of ids, "" where the key is the id."""
        return id_of(self.look, self._wish.fields, self.where)

    @cached_property
    def text(self) -> str:
        """The field of texts, "" for none."""
        return text_of(self.look, self._wish.fields, self.where)

    def _keyed(self) -> Iterator[Finding]:
        """Yield what is wrong with the keys: rows that are there twice, or not at all."""
        keys: Sequence[Any] = self.keys
        if self.ours and self.look.key != _OUR_KEY:
            keys = self.look.read(self.keys, [_OUR_KEY], None).values[_OUR_KEY]
        twice = [key for key, count in Counter(keys).most_common() if count > 1]
        mend = _MADE if self.ours else "Delete these keys and insert each once, or write with upsert."
        if twice:
            told = "Rows are there more than once under one key: searches return both."
            yield self._of_keys("rows twice", told, mend, twice, len(keys))
        elif (count := self.look.count()) > len(keys):
            more = f"There are {count:,} rows and {len(keys):,} keys: some rows are there, and found, more than once."
            yield self._finding("rows twice", "wrong", more, mend)
        if not self.ours:
            return
        rows = int(self.stamp["rows"]) if self.stamp else max(keys) + 1
        missing = sorted(set(range(rows)).difference(keys))
        if missing and not (self.stamp and not self.stamp.get("complete")):
            told = f"Of the {rows:,} rows that the stamp tells, some are not there."
            yield self._of_keys("rows missing", told, _MADE, missing, rows)
        extra = sorted(set(keys).difference(range(rows)))
        if extra:
            told = f"There are rows beyond the {rows:,} that the stamp tells: others wrote here."
            yield self._of_keys("mixed stamps", told, _MADE, extra, len(keys))

    def _of_keys(self, fault: Fault, told: str, mend: str, keys: Sequence[Any], of: int) -> Finding:
        places = tuple(Place(str(key), key if isinstance(key, int) else None) for key in keys[:SHOWN])
        return Finding(fault, "wrong", self.where, told, mend, len(keys), of, places)

    def _indexed(self, vector: str) -> Iterator[Finding]:
        index = self.look.index(vector)
        wanted = str(self.stamp["index"]) if self.stamp else ""
        if index is None:
            if self._needs_index or wanted not in ("", "flat"):
                told = f"The vectors ({vector}) have no index{f', the stamp tells {wanted}' if wanted else ''}."
                yield self._finding("index", "wrong", told, _MADE if self.ours else "Build one (create_index).")
            return
        if index.pending:
            told = f"{index.pending:,} rows are not in the index ({index.name}) yet: they are searched one by one."
            mend = "Wait until it is built; if it stays, flush and build it (in LanceDB: table.optimize())."
            yield self._finding("index", "doubtful", told, mend)
        if self.stamp and index.metric and index.metric != self.stamp["metric"]:
            told = f"The index searches by {index.metric}, the stamp tells {self.stamp['metric']}."
            yield self._finding("metric", "wrong", told, _MADE)

    def _metric(self, vector: str) -> str:
        index = self.look.index(vector)
        return (index.metric if index else "") or (str(self.stamp["metric"]) if self.stamp else "")

    def _sample(self, vector: str, notes: Notes) -> Sample:
        """Return rows to look at: all, or so many drawn."""
        keys = list(dict.fromkeys(self.keys))
        drawn = keys
        if len(keys) > self._wish.rows:
            places = np.random.default_rng(self._wish.seed).choice(len(keys), self._wish.rows, replace=False)
            drawn = [keys[place] for place in sorted(places.tolist())]
            notes.unseen.append(
                f"{len(keys) - len(drawn):,} of the {len(keys):,} rows of {self.where}: --rows looks at more."
            )
        fields = [field for field in (self._id, self.text, self.ours and _OUR_KEY) if field]
        found = self.look.read(drawn, fields, vector)
        how = f"all {len(keys):,} rows"
        if len(drawn) < len(keys):
            how = f"{len(drawn):,} of {len(keys):,} rows, drawn (seed {self._wish.seed})"
        which = "" if self.ours else f", field {vector}"
        texts = f"texts in {self.text}" if self.text else "no texts"
        notes.looked.append(f"{self.where}: {how}{which}, {texts}; {self.look.versions}.")
        vectors, null = _without_null(found, self.look.nulls_are_zeros)
        return Sample(
            self.where, self._ids(found), self._rows(found), self._texts_of(found), vectors, null, found.lengths,
            self._metric(vector), self.source.get("normalized"), _AGAIN if self.ours else "Encode these rows again.",
        )  # fmt: skip

    def _ids(self, found: Rows) -> tuple[str, ...]:
        return tuple(map(str, found.values[self._id] if self._id else found.keys))

    def _rows(self, found: Rows) -> Sequence[int | None]:
        if self.ours:
            return found.values[_OUR_KEY]
        return found.keys if self.look.key is None else (None,) * len(found.keys)

    def _texts_of(self, found: Rows) -> tuple[str, ...] | None:
        return tuple(str(text or "") for text in found.values[self.text]) if self.text else None

    def _of_stamped_dimension(self, sample: Sample) -> Iterator[Finding]:
        dim = sample.vectors.shape[1]
        if self.stamp and dim and dim != self.stamp["dim"]:
            told = f"Its vectors have {dim} dimensions, the stamp tells {self.stamp['dim']}."
            yield self._finding("dimension", "wrong", told, _MADE)

    def _texts(self, notes: Notes) -> None:
        """Compare all texts with the stamp, and with the corpus that was named."""
        fresh = self._wish.fresh
        half_made = self.stamp is not None and not self.stamp.get("complete")
        if half_made or not self.text or not fresh.wants_texts(self.source):
            return
        if self.count > fresh.most_texts:
            notes.unseen.append(
                f"Whether texts are stale in {self.where}: it has {self.count:,} rows. Name --rows {self.count}."
            )
            return
        fields = [field for field in (self._id, self.text, self.ours and _OUR_KEY, self.ours and _OUR_GROUP) if field]
        found = self.look.read(list(dict.fromkeys(self.keys)), fields, None)
        texts = self._texts_of(found)
        assert texts is not None
        groups = found.values[_OUR_GROUP] if self.ours else None
        fresh.compare_texts(
            self.where, self._ids(found), self._rows(found), texts, groups, self.source, self._field_bytes, notes
        )


def _without_null(found: Rows, nulls_are_zeros: bool) -> tuple[FloatArray, Any]:
    """Return vectors and which are null, those that the database gives as zeros among them."""
    if not nulls_are_zeros:
        return found.vectors, found.null
    return found.vectors, found.null | ~found.vectors.any(axis=1)
