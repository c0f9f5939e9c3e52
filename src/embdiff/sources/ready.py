"""``vectors:FILE.npy``, ``vectors:FILE.parquet``, ``vectors:FOLDER``: vectors that are ready. No model is run.

A .npy file holds one vector for each row of the corpus, in its order. Parquet and JSONL know whose vectors they hold:
`Fields` finds the columns of vectors, ids and texts by the names that corpora know, or by ``?vector=``, ``?id=`` and
``?text=``. Where every row of the corpus finds its id, with the same text where there are texts, a table is joined by
id. Else it is joined by text: a text has one vector, whatever row it stands in. A table with neither is taken row by
row, and the run says so; one with a column of text of another name is refused until ``?id=none`` says that it tells
nothing.

Queries must be rows of the corpus, as there is nothing to encode other texts with, or have a file of their own,
``?queries=FILE``: it is joined as that of the corpus is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from embdiff.corpus.files import shown
from embdiff.errors import DataError, ParameterError
from embdiff.exact import FileVectors
from embdiff.records import Corpus, FloatArray, IntArray, Stamp
from embdiff.sources import fields
from embdiff.sources.batches import checked_items
from embdiff.sources.columns import ColumnTable, ParquetTable
from embdiff.sources.source import How, Source, Wanted, not_fitted
from embdiff.sources.table import VectorTable, open_table
from embdiff.specs import ModelSpec

OPTIONS = ("queries", *fields.OPTIONS)
_PAIRS = 16_384  # vectors compared at a time
_ROUNDING = 1e-4  # of the longest: what another batch may change of a text's vector, and much more
_REMEDY = {
    "rows of the corpus": "Encode this corpus ('embdiff encode'), or give the one that was encoded.",
    "queries": "Encode these queries ('embdiff encode --role query'), or ask those that were encoded.",
    "test texts": "Encode these texts ('embdiff encode'), or give those that were encoded.",
}


@dataclass(frozen=True, eq=False)
class _Found:
    """Texts, the rows of a table that hold their vectors, and how these were found: id, text or row."""

    texts: list[str]
    rows: IntArray
    how: str

    @classmethod
    def of(cls, table: VectorTable, wanted: Wanted) -> _Found:
        """Find the vector of each text; raises as `_joined` does, and EncoderError when a number is not finite.

        An image is known by its name: files of vectors hold no others.
        """
        wanted = replace(wanted, items=list(map(str, wanted.items)))
        if isinstance(table, ColumnTable):
            rows, how = _joined(table, wanted)
        else:
            rows, how = wanted.by_row(len(table), table.name), "row"
            table.refuse_infinite(rows)
        return cls(list(wanted.items), rows, how)


class ReadyVectors(Source):
    """Ready vectors of a corpus, and perhaps those of its queries.

    Parameters
    ----------
    spec : ModelSpec
        ``vectors:PATH``, with ``?queries=PATH`` where queries have vectors of their own, and the names of columns.

    Raises
    ------
    ParameterError
        When no file is named, or an option is given that is none of `OPTIONS`.
    DataError
        When a file is no table of vectors, or those of the queries do not belong to those of the corpus.
    """

    read_from = "a file"

    def __init__(self, spec: ModelSpec) -> None:
        spec.refuse_options(OPTIONS)
        if not spec.name:
            raise ParameterError(
                f"Given vectors must be named by their file. Got '{spec}'. Write vectors:FILE.npy, a table (n, d) "
                "saved with numpy.save, or vectors:FILE.parquet."
            )
        self.spec = str(spec)
        given = {role: column for role, column in spec.options.items() if role in fields.OPTIONS}
        self._table = open_table(Path(spec.name), self.spec, given)
        self._asked: VectorTable | None = None
        if "queries" in spec.options:
            path = Path(spec.options["queries"])
            self._asked = open_table(path, f"The file {path} of the queries of '{spec}'", given, must=False)
            _check_together(self._table, self._asked)
        self.expects = self._asked is not None
        self.same_roles = not self.expects
        has_texts = isinstance(self._table, ColumnTable) and self._table.fields.text is not None
        self.by_text = has_texts and not self.expects
        self._fitted_on, self._numbered = "", False
        self._rows: _Found | None = None
        self._queries: _Found | None = None

    def fit(self, items: Sequence[str], digest: str, ids: Sequence[str] | None = None) -> None:
        """Find the vector of each row of the corpus; see `Source.fit`.

        Raises
        ------
        DataError
            When a row has none, or several that differ.
        ParameterError
            When vectors without ids and texts are not as many as the rows.
        EncoderError
            When a number is not finite.
        """
        texts = checked_items(items)
        names = [str(row) for row in range(len(texts))] if ids is None else ids
        self._rows = _Found.of(self._table, Wanted.whole(texts, names, "rows of the corpus"))
        self._fitted_on = digest

    def prepare(self, corpus: Corpus) -> None:
        """Get ready for a corpus; see `fit`."""
        super().prepare(corpus)
        self._numbered = not corpus.ids_given

    def holds(self, corpus: Corpus) -> list[bool]:
        """Return which rows of a corpus have a vector, by id, or by text where there are no ids to go by.

        Raises
        ------
        ParameterError
            When there is nothing but their place to tell whose vectors they are.
        """
        table = self._table
        if not isinstance(table, ColumnTable) or (table.fields.id is None and table.fields.text is None):
            raise ParameterError(
                f"The rows that all have are found by ids or texts. Got vectors that are joined by row in {self.spec}. "
                "Leave --common out (common=False), or give a file with ids."
            )
        if table.fields.text is not None and (table.fields.id is None or not corpus.ids_given):
            texts = set(table.texts())
            texts.update(table.documents() if table.fields.title is not None else ())
            return [str(text) in texts for text in corpus.items]
        ids = set(table.ids())
        return [name in ids for name in corpus.ids]

    def expect(self, wanted: Wanted) -> None:
        """Find, in a file of queries, the vectors of those that `encode` is given afterwards; raises as `fit` does."""
        if self._asked is not None:
            self._queries = _Found.of(self._asked, wanted)

    def encode(self, items: Sequence[str], **how: Unpack[How]) -> FloatArray:
        """Return all vectors of the corpus, or of the queries expected, float32 (n, d).

        Raises
        ------
        ParameterError
            For other texts.
        EncoderError
            When a number is not finite, or `fit` was not called.
        """
        role = how.get("role", "document")
        texts, there = list(map(str, checked_items(items, role))), self._found("encode")
        if role == "query" and self._asked is not None:
            if self._queries is None or texts != self._queries.texts:
                raise ParameterError(
                    f"{self._asked.name} knows the vectors of {len(self._asked)} texts and no others. Got "
                    f"{len(texts)} texts as {role}. Ask these queries."
                )
            return self._asked.read(self._queries.rows)
        if texts != there.texts:
            raise ParameterError(
                f"{self.spec} knows the vectors of the {len(there.texts)} rows of the corpus and no others. Got "
                f"{len(texts)} texts as {role}. Name a second file with theirs, ?queries=FILE, or query with rows: "
                "all, every, first:N or rows:3,7."
            )
        return self._table.read(there.rows)

    @property
    def stamp(self) -> Stamp:
        """Provenance: that of the model that made the vectors where it is known, and a hash of the files."""
        self._found("tell its stamp")
        table = self._table
        if "stamp" in table.label:
            made = Stamp(**table.label["stamp"])
            made = replace(made, revision=f"{made.revision} in {table.digest}")
        else:
            made = Stamp(model=f"vectors:{table.path.name}", revision=table.digest, dim=table.dim)
        return replace(made, fitted_on=self._fitted_on)

    @property
    def about(self) -> dict[str, Any]:
        """What is known of the vectors, how they were found, and where those of the queries come from."""
        about = dict(self._table.about)
        if self._rows is not None:
            ids_alone = isinstance(self._table, ColumnTable) and self._table.fields.text is None
            about["joined"] = "number" if self._rows.how == "id" and ids_alone and self._numbered else self._rows.how
            if self._rows.how == "row" and isinstance(self._table, ParquetTable) and self._table.order:
                about["order"] = self._table.order
        if self._asked is not None:
            about["queries"] = {"file": self._asked.path.name, "revision": self._asked.digest}
            if self._queries is not None:
                about["queries"]["joined"] = self._queries.how
        return about

    def on_disk(self, room: int, memory: int) -> FileVectors | None:
        """Return the vectors of the corpus in a file in its order, when they would take more than ``room`` in memory.

        Raises
        ------
        ParameterError
            When ``memory`` is too little to work in, or there is no room for a temporary file.
        """
        rows = self._found("give its vectors").rows
        return None if 4 * self._table.dim * len(rows) <= room else self._table.on_disk(rows, memory)

    def _found(self, wish: str) -> _Found:
        if self._rows is None:
            raise not_fitted(self.spec, wish)
        return self._rows


def _check_together(documents: VectorTable, queries: VectorTable) -> None:
    """Refuse vectors of queries that another model has made than those of the corpus."""
    if queries.dim != documents.dim:
        raise DataError(
            f"{queries.name} must have vectors of {documents.dim} dimensions, as the corpus has. Got {queries.dim}. "
            "Name the file that the same model has made."
        )
    made, theirs = queries.label.get("stamp"), documents.label.get("stamp")
    if made is not None and theirs is not None and made != theirs:
        other = ", ".join(key for key in made if made[key] != theirs.get(key))
        raise DataError(
            f"{queries.name} must be made by the model that made those of the corpus. Got a difference in {other}. "
            "Name the file that the same model has made."
        )


def _joined(table: ColumnTable, wanted: Wanted) -> tuple[IntArray, str]:
    """Return which row of a table holds the vector of each text, (n,), and how they were found: id, text or row.

    Parameters
    ----------
    table : ColumnTable
    wanted : Wanted

    Raises
    ------
    DataError
        When a text has no vector, or several that differ, or a column of text may say whose they are.
    ParameterError
        When there are neither ids nor texts, and not one vector for each row.
    """
    found = table.fields
    if found.id is None and found.text is None:
        _refuse_strange(table, found.strange)
        return wanted.by_row(len(table), f"{table.name}, which has neither ids nor texts,"), "row"
    theirs = table.written(wanted.items) if found.text is not None else None
    rows, why_not = _by_id(table, wanted, theirs)
    if rows is not None:
        return rows, "id"
    if theirs is None:
        raise DataError(_lacking(table.name, wanted, why_not))
    return _by_text(table, wanted, theirs, why_not), "text"


def _refuse_strange(table: ColumnTable, strange: Sequence[str]) -> None:
    """Refuse to take rows by their place where a column of text may say whose they are."""
    if strange:
        raise DataError(
            f"{table.name} must say whose vectors it holds, in a column of ids or of texts. Got text in "
            f"{shown(strange, 5)}, whose name says neither. Name it with ?id=COLUMN or ?text=COLUMN; ?id=none takes "
            "the vectors row by row."
        )


def _by_id(table: ColumnTable, wanted: Wanted, theirs: list[str] | None) -> tuple[IntArray | None, str]:
    """Return the row of each id, or None and why there is none."""
    if table.fields.id is None:
        return None, "it has no column of ids"
    place: dict[str, int] = {}
    for row, name in enumerate(table.ids()):
        if name is None:
            return None, f"it has no id in {table.located(row)}"
        if place.setdefault(name, row) != row:
            return None, f"it holds the id {name!r} more than once"
    ids = wanted.ids
    missing = [name for name in ids if name not in place]
    if missing:
        where = f"its column {table.fields.id!r} lacks"
        return None, f"{where} {len(missing):,} of the {len(ids):,} ids, for example {missing[0]!r}"
    rows = np.array([place[name] for name in ids], dtype=np.int64)
    if theirs is not None:
        other = [at for at, row in enumerate(rows) if theirs[row] != wanted.items[at]]
        if other:
            where = f"its column {table.fields.text!r} has"
            so = "(?text=none looks at ids alone)"
            return None, f"{where} another text for {len(other):,} ids, for example {ids[other[0]]!r} {so}"
    return rows, ""


def _by_text(table: ColumnTable, wanted: Wanted, theirs: list[str], why_not: str) -> IntArray:
    """Return a row with each text."""
    place: dict[str, int] = {}
    again: list[tuple[int, int]] = []
    texts = set(wanted.items)
    for row, text in enumerate(theirs):
        if text in texts and place.setdefault(text, row) != row:
            again.append((place[text], row))
    missing = [each for each, text in zip(wanted.ids, wanted.items, strict=True) if text not in place]
    if missing:
        why = f"{why_not}, and it lacks the texts of {len(missing):,} {wanted.what}, for example {missing[0]!r}"
        raise DataError(_lacking(table.name, wanted, why))
    _refuse_two_vectors(table, again, theirs)
    return np.array([place[text] for text in wanted.items], dtype=np.int64)


def _refuse_two_vectors(table: ColumnTable, again: Sequence[tuple[int, int]], theirs: list[str]) -> None:
    """Refuse to choose between vectors of one text that differ by more than rounding."""
    for start in range(0, len(again), _PAIRS):
        pairs = np.array(again[start : start + _PAIRS], dtype=np.int64)
        one, other = (table.read(pairs[:, side]) for side in (0, 1))
        apart = np.abs(one - other).max(axis=1) > _ROUNDING * np.abs(one).max(axis=1)
        if apart.any():
            text = theirs[int(pairs[np.argmax(apart), 0])]
            raise DataError(
                f"A text must have one vector to be joined by. Got two that differ for {text[:60]!r} in "
                f"{table.path.name}. Give the texts the ids of the file, so that they are joined by id."
            )


def _lacking(name: str, wanted: Wanted, why: str) -> str:
    return (
        f"{name} must hold a vector for each of the {wanted.what}, found by id or by text. Got a file that does not: "
        f"{why}. {_REMEDY[wanted.what]}"
    )
