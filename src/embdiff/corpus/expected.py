"""read_expected(): which documents should be found for which query."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from embdiff.corpus.columns import same_name
from embdiff.corpus.files import hint, shown
from embdiff.corpus.formats import read_table
from embdiff.corpus.tables import ABSENT, Table, as_label, kind_of, listed
from embdiff.corpus.trec import read_qrels
from embdiff.errors import DataError
from embdiff.records import Corpus, Qrels

_QUERY = ("query_id", "qid", "query")
_DOCUMENT = ("id", "_id", "doc_id", "docid", "document_id", "corpus_id")
_TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
_GRADE = ("grade", "score", "relevance", "rel")

Place = Callable[[], str]
Row = tuple[Place, object, object, object]


def read_expected(data: str | os.PathLike[str] | Iterable[object] | Qrels, queries: Corpus, corpus: Corpus) -> Qrels:
    """Read the expected results.

    Parameters
    ----------
    data : path, sequence of tuple, dict, or Qrels
        A table (``.csv``, ``.tsv``, ``.jsonl``, ``.parquet``) with the columns ``query_id``, ``id`` and, if wanted,
        ``grade`` (BEIR's names ``query-id``, ``corpus-id``, ``score`` do as well); any other file is TREC
        qrels, four fields between white space; tuples
        ``(query_id, id)`` or ``(query_id, id, grade)``; or a dict from query id to ids, or to ``{id: grade}``.
    queries : Corpus
        The queries of this run.
    corpus : Corpus
        What is searched.

    Returns
    -------
    Qrels
        Judgements of the queries of this run. Rows for corpus ids that do not query in this run are not used. Ordinary
        qrels (TREC's, or a `Qrels`) keep judgements of documents that are not in the corpus: they count as not found.

    Raises
    ------
    DataError
        When an id is unknown (a document's only in a table, tuples or a dict), a grade is no integer >= 0, two grades
        contradict each other, no row is about a query of this run, or none about a document of the corpus. The
        message names the row.

    Examples
    --------
    >>> from embdiff.records import Corpus
    >>> songs = Corpus(("I love you.", "Goodbye."), ("a", "b"))
    >>> read_expected([("a", "b")], songs, songs).judgements
    {'a': {'b': 1}}
    """
    source, rows, of_trec = _rows(data)
    asked, documents, ordinary = set(queries.ids), set(corpus.ids), of_trec or isinstance(data, Qrels)
    allowed = asked | documents | set(corpus.dropped) | set(queries.dropped)
    judged: dict[str, dict[str, int]] = {}
    for place, query_cell, document_cell, grade_cell in rows:
        query, document = _id(query_cell, "query_id", place, source), _id(document_cell, "id", place, source)
        if query not in allowed:
            raise _unknown("query_id", query, place, source, queries)
        if document not in documents and not ordinary:
            raise _unknown("id", document, place, source, corpus)
        grade = int(str(grade_cell)) if of_trec else _grade(grade_cell, place, source)
        if judged.setdefault(query, {}).setdefault(document, grade) != grade:
            raise DataError(
                f"A query and an id must have one grade. Got {judged[query][document]} and {grade} for {query!r} and "
                f"{document!r}, the second at {place()} of {source}. Keep one of them."
            )
    if judged and documents.isdisjoint(name for grades in judged.values() for name in grades):
        raise DataError(
            f"Judgements must be of documents of the corpus ({corpus.source}). Got none in {source}. Name the qrels of "
            "this corpus, or the column of its ids with --id-column."
        )
    used = {query: judged[query] for query in queries.ids if query in judged}
    if not used:
        raise DataError(
            f"At least one expected result must be about a query of this run. Got none in {source} for the "
            f"{len(queries):,} queries: {shown(queries.ids, 5)}. Add rows, or ask other queries."
        )
    return Qrels(used, source)


def _rows(data: object) -> tuple[str, Iterator[Row], bool]:
    """Return the source, the rows (place, query id, document id, grade), and whether they are TREC's."""
    if isinstance(data, (str, os.PathLike)):
        if Path(data).suffix.lower() not in _TABLES:
            qrels = read_qrels(Path(data))
            return qrels.source, _dict_rows(qrels.judgements), True
        table = read_table(Path(data), _is_header)
        return table.source, _file_rows(table), False
    if isinstance(data, Qrels):
        return data.source, _dict_rows(data.judgements), False
    if isinstance(data, Mapping):
        return "dict", _dict_rows(data), False
    return "list", _tuple_rows(listed(data)), False


def _is_header(cells: Sequence[str], _surely: bool) -> bool:
    return not {same_name(cell) for cell in cells}.isdisjoint((*_QUERY, *_DOCUMENT))


def _file_rows(table: Table) -> Iterator[Row]:
    names = [same_name(name) for name in table.columns]
    query, document, grade = (_position(names, known) for known in (_QUERY, _DOCUMENT, _GRADE))
    if query is None or document is None:
        raise DataError(
            "A file of expected results must have a header with the columns query_id and id, and grade if wanted. "
            f"Got {shown(table.columns) or 'no columns'} in {table.source}. Name the columns so."
        )
    queries, documents = table.column(query), table.column(document)
    grades = [1] * table.size if grade is None else table.column(grade)
    for row in range(table.size):
        yield partial(table.where, row), queries[row], documents[row], grades[row]


def _position(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _dict_rows(judgements: Mapping[object, object] | Mapping[str, Mapping[str, int]]) -> Iterator[Row]:
    for query, expected in judgements.items():
        pairs: Iterable[tuple[object, object]]
        if isinstance(expected, Mapping):
            pairs = expected.items()
        elif isinstance(expected, (set, frozenset)):
            pairs = [(name, 1) for name in sorted(expected, key=str)]
        else:
            pairs = [(name, 1) for name in ([expected] if isinstance(expected, str) else listed(expected))]
        for document, grade in pairs:
            yield partial("the key {!r}".format, query), query, document, grade


def _tuple_rows(rows: Sequence[object]) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if not isinstance(row, (tuple, list)) or len(row) not in (2, 3):
            raise DataError(
                "Every expected result must be a tuple (query_id, id) or (query_id, id, grade). "
                f"Got {kind_of(row)} at row {number}. Write it so."
            )
        yield partial("row {}".format, number), row[0], row[1], row[2] if len(row) == 3 else 1


def _id(value: object, column: str, place: Place, source: str) -> str:
    label = as_label(value)
    if label is None or not label.strip():
        found = "an empty cell" if label is not None or value is None or value is ABSENT else kind_of(value)
        raise DataError(
            f"Every expected result must have a {column}. Got {found} at {place()} of {source}. "
            "Fill it in or delete the row."
        )
    return label


def _unknown(column: str, name: str, place: Place, source: str, known: Corpus) -> DataError:
    if name in known.dropped:
        way_out = "That row was left out because it is empty: delete this line, or choose --empty keep."
    else:
        way_out = hint(name, known.ids) or f"They are {shown(known.ids, 5)}. "
        way_out += "Correct the id, or delete the row."
    what = "an id of the queries or the corpus" if column == "query_id" else "an id of the corpus"
    return DataError(
        f"Every {column} must be {what} ({known.source}). Got {name!r} at {place()} of {source}. {way_out}"
    )


def _grade(value: object, place: Place, source: str) -> int:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 0:
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
        return int(value)
    found = kind_of(value) if not isinstance(value, str) else repr(str(value))
    raise DataError(
        f"A grade must be an integer, 0 or more. Got {found} at {place()} of {source}. "
        "Correct it; without the column grade every row counts 1."
    )
